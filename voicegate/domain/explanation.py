"""What would happen to a call, and why: each rule and each trunk, for an admin who asks.

Nothing is decided here: `policy` and `routing` tell what they would do. Earlier calls are not considered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    Allow,
    Caller,
    CallPolicy,
    Deny,
    DenyReason,
    RuleResult,
    SpendPolicy,
    apply_destination_rules,
)
from voicegate.domain.policy.spend import MICROS, Quote, accounts_of, may_spend, quote
from voicegate.domain.routing import Hop, RouteHints, Routes, Trunk, find_obstacle, find_route


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
    judgements: Sequence[RuleResult]
    """What each rule decides, in the order in which they are applied."""
    trunks: Sequence[TrunkChoice]
    """All trunks for numbers outside the PBX, in the order of the settings."""
    route: Sequence[Hop]
    """The hops that would be tried, in order; empty if the call is refused."""

    @property
    def refused(self) -> RuleResult | None:
        """The first judgement that refuses, which decides; None: the call would be placed."""
        return next((one for one in self.judgements if isinstance(one.decision, Deny)), None)


def explain(
    destination: Destination,
    policy: CallPolicy,
    routes: Routes,
    *,
    longest: timedelta = timedelta(minutes=2),
    listed: Sequence[RuleResult] = (),
) -> Explanation:
    """Return what would happen to a call, without considering earlier calls.

    `longest`: how long it can last after its answer, for what it may cost. `listed`: what the lists of
    numbers say.
    """
    prices = policy.spend.rates.compare((trunk.name for trunk in routes.trunks), destination.number)
    found = find_route(destination, routes, RouteHints(prices=prices))
    priced = _price(destination, found, policy, longest=longest)
    usable = [name for name, quoted in priced.items() if isinstance(quoted, Quote)]
    route = [hop for hop in found if hop.trunk.name in usable] if priced else found
    judgements = [*apply_destination_rules(destination, policy), _judge_route(destination, found), *listed]
    if priced:
        judgements.append(_judge_price(priced))
    is_refused = any(isinstance(one.decision, Deny) for one in judgements)
    trunks = () if destination.is_internal else tuple(_choices(destination, routes))
    return Explanation(destination, judgements, trunks, () if is_refused else route)


def _price(
    destination: Destination, route: Sequence[Hop], policy: CallPolicy, *, longest: timedelta
) -> Mapping[str, Quote | Deny]:
    """Return what each trunk of a route asks at worst, or why it may not be used; empty: nothing is
    counted."""
    spend = policy.spend
    if destination.is_internal or policy.is_test(destination) or not spend.is_counted:
        return {}
    return {
        trunk: _quote(trunk, destination, spend, longest=longest)
        for trunk in dict.fromkeys(hop.trunk.name for hop in route)
    }


def _quote(trunk: str, destination: Destination, spend: SpendPolicy, *, longest: timedelta) -> Quote | Deny:
    quoted = quote(trunk, destination, policy=spend, longest=longest)
    if isinstance(quoted, Deny):
        return quoted
    accounts = accounts_of(destination, Caller("", "anybody"))
    # As the first call of a day: whatever was spent, a call that no cap has room for is never placed.
    decision = may_spend(quoted, accounts, {}, policy=spend, now=datetime.min.replace(tzinfo=UTC))
    return decision if isinstance(decision, Deny) else quoted


def _judge_price(priced: Mapping[str, Quote | Deny]) -> RuleResult:
    facts = ", ".join(f"{trunk} {_price_text(quoted)}" for trunk, quoted in priced.items())
    refused = [quoted for quoted in priced.values() if isinstance(quoted, Deny)]
    if len(refused) < len(priced):
        return RuleResult("spend", Allow(), f"at most: {facts}")
    return RuleResult(refused[0].rule, replace(refused[0], retry_after=None), facts)


def _price_text(quoted: Quote | Deny) -> str:
    if isinstance(quoted, Deny):
        return str(quoted.reason)
    worst = quoted.worst
    price = f"{worst.micros / MICROS:g}" if quoted.is_priced else "of unknown price"
    return f"{price} ({worst.seconds} s)"


def _judge_route(destination: Destination, route: Sequence[Hop]) -> RuleResult:
    rule = "internal" if destination.is_internal else "trunks"
    if route:
        return RuleResult(rule, Allow(), ", then ".join(dict.fromkeys(hop.trunk.name for hop in route)))
    reason = DenyReason.PLUS_MISSING if destination.lacks_plus else DenyReason.NO_ROUTE
    about = "no pattern matches the extension" if destination.is_internal else "no trunk takes the number"
    return RuleResult(rule, Deny(reason, rule=rule), about)


def _choices(destination: Destination, routes: Routes) -> Iterator[TrunkChoice]:
    return (TrunkChoice(trunk, find_obstacle(destination, trunk)) for trunk in routes.trunks)
