"""How a trunk or a caller ID did lately: set aside after faults, each time for longer, then tried again.

What is set aside is not forbidden: it comes last, so that a call is still tried if nothing else is left.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from voicegate.domain.call import Call
from voicegate.domain.call_outcome import Blame, CallOutcome, Outcome

_MOST_DOUBLINGS: Final = 20


class Sign(Enum):
    """What a call tells about its trunk or caller ID."""

    GOOD = auto()
    """The call reached a telephone, or a network that knows it."""
    FAULT = auto()
    """It did not, and the trunk or the caller ID is to blame."""
    GRAVE = auto()
    """The same, and each further call would cost a person half a minute."""
    NONE = auto()
    """The call tells nothing."""


@dataclass(frozen=True, slots=True)
class RestRules:
    """When something is set aside, and for how long."""

    faults: int = 3
    """Faults in a row after which it is set aside; a trunk that stays silent is set aside after one."""
    first: timedelta = timedelta(seconds=60)
    """The first time; doubled each time, until a call succeeds. Over `UNSAFE_FOR`: who was called in vain
    must not be the one who tries the trunk again."""
    longest: timedelta = timedelta(minutes=15)
    """The longest time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a trunk or a caller ID did."""

    faults: int = 0
    """Faults since a call succeeded."""
    rests: int = 0
    """How often it was set aside since then."""
    until: datetime | None = None
    """Until when it is set aside; None: it was not."""

    def is_resting(self, now: datetime, rules: RestRules) -> bool:
        """Return whether it is set aside; never for longer than the rules allow, if the clock was set
        back."""
        return self.until is not None and timedelta() < self.until - now <= rules.longest


def learn(standing: Standing, sign: Sign, *, rules: RestRules, now: datetime) -> Standing:
    """Return the standing after a call."""
    if sign is Sign.GOOD:
        return Standing()
    if sign is Sign.NONE:
        return standing
    faults = standing.faults + 1
    is_due = sign is Sign.GRAVE or faults >= rules.faults
    if not is_due or standing.is_resting(now, rules):
        # Calls that were under way when it was set aside say nothing new.
        return replace(standing, faults=faults)
    rest = min(rules.first * 2 ** min(standing.rests, _MOST_DOUBLINGS), rules.longest)
    return Standing(faults, standing.rests + 1, now + rest)


def sign_of_trunk(call: Call, outcome: CallOutcome, *, is_blocked: bool) -> Sign:
    """Return what an ended call tells about its trunk; a blocked caller ID tells that the trunk works."""
    if is_blocked or call.rang or call.progressed or call.evidence.answered:
        return Sign.GOOD
    if outcome.outcome is Outcome.TRUNK_SILENT:
        return Sign.GRAVE
    if outcome.blame is Blame.TRUNK or outcome.outcome is Outcome.PBX_UNAVAILABLE:
        return Sign.FAULT
    return Sign.GOOD if outcome.blame is Blame.CALLEE else Sign.NONE


def sign_of_caller_id(call: Call, *, is_blocked: bool) -> Sign:
    """Return what an ended call tells about its caller ID."""
    if is_blocked:
        return Sign.FAULT
    return Sign.GOOD if call.evidence.answered else Sign.NONE
