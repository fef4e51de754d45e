"""Which hop follows a call that failed, and until when: decided from how it ended."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from voicegate.application.pending_call import PendingCall
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import Blame, CallOutcome, Outcome
from voicegate.domain.policy import Deny
from voicegate.domain.routing import Hop


@dataclass(slots=True, eq=False)
class Untried:
    """The hops of a route that were not tried yet, and until when they may be."""

    hops: list[Hop]
    """In the order they are tried."""
    until: float = math.inf
    """A time of the loop's clock, in seconds."""
    is_redirected: bool = False
    """Has a redirection been followed? A second one never is: two numbers could send calls to each other."""

    def begin(self, within: timedelta) -> None:
        """Record that a call is placed; the first one's time counts."""
        self.until = min(self.until, asyncio.get_running_loop().time() + within.total_seconds())

    def in_time(self) -> Sequence[Hop]:
        """Return the hops that may be tried now: all, or none."""
        return self.hops if self._is_in_time() else ()

    def may_redirect(self) -> bool:
        """Return whether a redirection may be followed now."""
        return not self.is_redirected and self._is_in_time()

    def redirect(self, hops: Sequence[Hop]) -> None:
        """Try these in place of all others: they lead to where the call was redirected."""
        self.hops, self.is_redirected = list(hops), True

    def _is_in_time(self) -> bool:
        return asyncio.get_running_loop().time() < self.until


class RedirectPolicy(Protocol):
    """Decides about the numbers that far ends redirect calls to."""

    async def decide(self, call: Call, written: str) -> PendingCall | Deny | None:
        """Return the next call, stored, to where `call` was redirected; or why there is none.

        `written`: the number, as the far end writes it. None: redirections are never followed.

        Raises:
            StoreError: nothing was stored.
        """
        ...


def left_to_try(hop: Hop, others: Sequence[Hop], *, is_blocked: bool) -> list[Hop]:
    """Return the hops that are worth a call after one failed: by another caller ID where a network blocked
    that one, else by another trunk."""
    if is_blocked:
        return [other for other in others if other.caller_id.number != hop.caller_id.number]
    return [other for other in others if other.trunk.name != hop.trunk.name]


def may_fail_over(outcome: CallOutcome) -> bool:
    """Return whether the route's next trunk may be tried: only if this call certainly rang no telephone."""
    at_fault = outcome.blame is Blame.TRUNK or outcome.outcome is Outcome.PBX_UNAVAILABLE
    return at_fault and outcome.retry_safe
