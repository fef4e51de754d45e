"""What the admin allows; the other files of this folder apply it."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.conversion import ConversionPolicy
from voicegate.domain.policy.decisions import NumberKind
from voicegate.domain.policy.prefixes import PrefixRules
from voicegate.domain.policy.spend import SpendPolicy
from voicegate.domain.policy.velocity import VelocityPolicy


class NumberCheck(StrEnum):
    """What libphonenumber must say about a number."""

    VALID = "valid"
    """It is in a range that is assigned."""
    POSSIBLE = "possible"
    """Its length is possible in its country: ranges that libphonenumber does not know yet are allowed too."""


@dataclass(frozen=True, slots=True)
class GuessPolicy:
    """How many guesses may be made in any window of time, over all challenges and doors of a client."""

    window: timedelta = timedelta(hours=1)
    """How long a wrong guess counts."""
    per_subscriber: int = 20
    """At one subscriber's codes; above it no new codes are issued."""
    per_destination: int = 20
    """At codes for one number, or for one extension of an active factor; above it no new codes are issued."""
    alarm_per_client: int = 1000
    """Wrong guesses at all codes of a client; above it the log warns, and nothing is refused."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What the admin allows."""

    allowed_countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2 codes; empty by default, so that nothing outside the PBX is called."""
    max_calls: int = 5
    """Calls that a challenge may place, the first one included."""
    number_check: NumberCheck = NumberCheck.VALID
    """Which numbers are accepted as numbers."""
    voip_numbers: bool = True
    """May VoIP numbers be called?"""
    company_numbers: bool = False
    """May company numbers (UAN) be called?"""
    prefixes: PrefixRules = field(default_factory=PrefixRules)
    """Which ranges are denied, even if everything else allows them."""
    call_spacing: tuple[timedelta, ...] = tuple(timedelta(seconds=wait) for wait in (30, 60, 120, 300))
    """How long a client waits between its first and second call to a number, its second and third, and so on;
    the last one repeats. Never empty."""
    call_window: timedelta = timedelta(hours=1)
    """How long a call counts in that sequence."""
    calls_per_number: int = 1
    """Calls in progress to one number, without those to extensions of active factors."""
    call_lock_after: int = 10
    """Calls by a client to a number within the window, those excused aside, after which there is no further
    one until the first of them is out of the window; 0: any number."""
    velocity: VelocityPolicy = field(default_factory=VelocityPolicy)
    """How many calls may be placed by what they have in common."""
    conversion: ConversionPolicy = field(default_factory=ConversionPolicy)
    """When ranges are held whose calls prove no codes."""
    spend: SpendPolicy = field(default_factory=SpendPolicy)
    """What calls may cost."""
    guesses: GuessPolicy = GuessPolicy()
    """How many wrong guesses are allowed."""
    trusted_calls_per_number: int = 10
    """As `calls_per_number`, for a number that is trusted by the organisation."""
    trusted_guesses_per_destination: int = 200
    """As `guesses.per_destination`, for such a number."""
    follows_redirects: bool = False
    """Is a number called to which the far end redirects, if all rules allow it?"""
    support_contact: str = ""
    """Whom a person can ask for help when a shared or listed number is refused; empty: nobody is named."""
    test_numbers: re.Pattern[str] | None = None
    """Numbers that ring no telephone; None: there are none, and all numbers are ordinary."""

    def allows(self, kind: NumberKind | None) -> bool:
        """Return whether numbers of a kind may be called; None: ordinary numbers."""
        allowed = {NumberKind.VOIP: self.voip_numbers, NumberKind.COMPANY: self.company_numbers, None: True}
        return allowed.get(kind, False)

    def is_test(self, destination: Destination) -> bool:
        """Return whether it is a test number, which rings no telephone."""
        return self.test_numbers is not None and bool(self.test_numbers.fullmatch(destination.number))
