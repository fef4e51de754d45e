"""How a trunk or a caller ID fared lately: set aside after faults, for a growing while, then tried again.

What is set aside is not forbidden: it comes last, so that a call is still tried where nothing else is left.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from voicegate.domain.call import Call
from voicegate.domain.call_outcome import Blame, CallOutcome, Outcome

_MOST_DOUBLINGS: Final = 20


class Sign(Enum):
    """What a call says of what it went by."""

    GOOD = auto()
    """The call came through to a telephone, or to a network that knows it."""
    FAULT = auto()
    """It did not, and the trunk or the caller ID is to blame."""
    GRAVE = auto()
    """The same, and each further call would cost a person half a minute."""
    NONE = auto()
    """Nothing either way."""


@dataclass(frozen=True, slots=True)
class RestRules:
    """When something is set aside, and for how long."""

    faults: int = 3
    """Faults in a row; a trunk that stays silent is set aside for one."""
    first: timedelta = timedelta(seconds=30)
    """How long at first. Doubles each time, until a call comes through."""
    longest: timedelta = timedelta(minutes=15)
    """How long at most."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How something fared."""

    faults: int = 0
    """Faults since a call came through."""
    rests: int = 0
    """How often it was set aside since then."""
    until: datetime | None = None
    """Until when it is set aside; None: it was not."""

    def is_resting(self, now: datetime, rules: RestRules) -> bool:
        """Is it set aside? Not for longer than the rules allow, should the clock have been set back."""
        return self.until is not None and timedelta() < self.until - now <= rules.longest


def learn(standing: Standing, sign: Sign, *, rules: RestRules, now: datetime) -> Standing:
    """Return how something stands after a call."""
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
    """Return what an ended call says of its trunk; a block of the caller ID says that the trunk works."""
    if is_blocked or call.rang or call.progressed or call.evidence.answered:
        return Sign.GOOD
    if outcome.outcome is Outcome.TRUNK_SILENT:
        return Sign.GRAVE
    if outcome.blame is Blame.TRUNK or outcome.outcome is Outcome.PBX_UNAVAILABLE:
        return Sign.FAULT
    return Sign.GOOD if outcome.blame is Blame.CALLEE else Sign.NONE


def sign_of_caller_id(call: Call, *, is_blocked: bool) -> Sign:
    """Return what an ended call says of the number that it showed."""
    if is_blocked:
        return Sign.FAULT
    return Sign.GOOD if call.evidence.answered else Sign.NONE
