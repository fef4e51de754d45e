"""What would happen to a call, and why: each rule and each trunk, for an admin who asks.

Nothing is decided here: `policy` and `routing` tell what they would do. Earlier calls are not considered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, CallPolicy, Deny, DenyReason, Judgement, judge_destination
from voicegate.domain.routing import Hop, Routes, Trunk, find_obstacle, find_route


@dataclass(frozen=True, slots=True)
class TrunkChoice:
    """A trunk, and whether it would be tried."""

    trunk: Trunk
    """The trunk."""
    obstacle: str
    """Why it would not be tried, for people; empty: it would be tried."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a call."""

    destination: Destination
    """The telephone that it would call."""
    judgements: Sequence[Judgement]
    """What each rule decides, in the order in which they are applied."""
    trunks: Sequence[TrunkChoice]
    """All trunks for numbers outside the PBX, in the order of the settings."""
    route: Sequence[Hop]
    """The hops that would be tried, in order; empty if the call is refused."""

    @property
    def refused(self) -> Judgement | None:
        """The first judgement that refuses, which decides; None: the call would be placed."""
        return next((one for one in self.judgements if isinstance(one.decision, Deny)), None)


def explain(destination: Destination, policy: CallPolicy, routes: Routes) -> Explanation:
    """Return what would happen to a call, without considering earlier calls."""
    route = find_route(destination, routes)
    judgements = (*judge_destination(destination, policy), _judge_route(destination, route))
    is_refused = any(isinstance(one.decision, Deny) for one in judgements)
    trunks = () if destination.is_internal else tuple(_choices(destination, routes))
    return Explanation(destination, judgements, trunks, () if is_refused else route)


def _judge_route(destination: Destination, route: Sequence[Hop]) -> Judgement:
    rule = "internal" if destination.is_internal else "trunks"
    if route:
        return Judgement(rule, Allow(), ", then ".join(dict.fromkeys(hop.trunk.name for hop in route)))
    reason = DenyReason.PLUS_MISSING if destination.lacks_plus else DenyReason.NO_ROUTE
    about = "no pattern matches the extension" if destination.is_internal else "no trunk takes the number"
    return Judgement(rule, Deny(reason, rule=rule), about)


def _choices(destination: Destination, routes: Routes) -> Iterator[TrunkChoice]:
    return (TrunkChoice(trunk, find_obstacle(destination, trunk)) for trunk in routes.trunks)
