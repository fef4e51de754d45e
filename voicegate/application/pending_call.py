"""A call that is about to be stored and placed, with what was decided about it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge
from voicegate.domain.policy import Counter
from voicegate.domain.policy.spend import Reservation
from voicegate.domain.routing import Hop


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What a request allows its call."""

    max_price: int | None = None
    """What it may cost at most, in millionths of the rates' currency; None: as policy allows."""
    ttl: timedelta | None = None
    """How long it may wait for a line, failed trunks included; None: as the settings allow."""


NO_TERMS: Final = CallTerms()
"""Whatever policy and the settings allow."""


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What a request for a code of a factor may ask for."""

    lifetime: timedelta | None = None
    """From now to the last possible guess; None: as configured."""
    terms: CallTerms = NO_TERMS
    """What the request allows its call."""
    matching_digits: bool = False
    """Are two digits spoken before the code that the asking screen shows?"""


ANY_CODE: Final = CodeRequest()
"""A code as configured."""


@dataclass(frozen=True, slots=True)
class PendingCall:
    """An open challenge, and the call that is to be placed for it."""

    challenge: Challenge
    """The challenge."""
    call: Call
    """Its new call, over the first hop of the route."""
    route: tuple[Hop, ...]
    """The hops to try in order; never empty."""
    counters: tuple[Counter, ...] = ()
    """What it is counted in once it is stored."""
    terms: CallTerms = NO_TERMS
    """What its request allows it."""
    reservation: Reservation | None = None
    """What is held for its cost once it is stored; None: nothing."""
