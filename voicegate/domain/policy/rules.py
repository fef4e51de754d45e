"""What the admin allows, as the other files of this room apply it."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import NumberKind
from voicegate.domain.policy.prefixes import PrefixRules


class NumberCheck(StrEnum):
    """What libphonenumber must say of a number."""

    VALID = "valid"
    """It lies in a range that is assigned."""
    POSSIBLE = "possible"
    """It has a length that its country uses: ranges newer than libphonenumber's data pass too."""


@dataclass(frozen=True, slots=True)
class GuessPolicy:
    """How many guesses may be made in any window of time, over all challenges and doors of a client."""

    window: timedelta = timedelta(hours=1)
    """How long a wrong guess counts."""
    per_subscriber: int = 20
    """At one subscriber's codes; past it no new ones are issued."""
    per_destination: int = 20
    """At codes spoken to one number, or to one extension of an active factor; past it no new ones are
    issued."""
    alarm_per_client: int = 1000
    """Wrong ones at all codes of a client; past it the log warns, and nothing is refused."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What the admin allows."""

    allowed_countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2 codes; none at first, so nothing outside the PBX is called."""
    max_calls: int = 5
    """Calls a challenge may place, the first included."""
    number_check: NumberCheck = NumberCheck.VALID
    """Which numbers count as numbers."""
    voip_numbers: bool = True
    """May VoIP numbers be called?"""
    company_numbers: bool = False
    """May company numbers (UAN) be called?"""
    prefixes: PrefixRules = field(default_factory=PrefixRules)
    """Which ranges are denied, whatever else is allowed."""
    call_spacing: tuple[timedelta, ...] = tuple(timedelta(seconds=wait) for wait in (30, 60, 120, 300))
    """How long a client waits from its first call to a number to the second, from that to the third, and so
    on; the last one repeats. Never empty."""
    call_window: timedelta = timedelta(hours=1)
    """How long a call counts in that sequence."""
    calls_per_number: int = 1
    """Calls in progress to one number, those to extensions of active factors aside."""
    guesses: GuessPolicy = GuessPolicy()
    """How many wrong guesses are allowed."""
    test_numbers: re.Pattern[str] | None = None
    """Numbers that ring at no telephone; None: there are none, and these are as any other."""

    def allows(self, kind: NumberKind | None) -> bool:
        """May numbers of a kind be called? None: ordinary ones."""
        allowed = {NumberKind.VOIP: self.voip_numbers, NumberKind.COMPANY: self.company_numbers, None: True}
        return allowed.get(kind, False)

    def is_test(self, destination: Destination) -> bool:
        """Does it ring at no telephone?"""
        return self.test_numbers is not None and bool(self.test_numbers.fullmatch(destination.number))
