"""Asks the store whether a call may be placed by what calls cost, in the transaction that stores the call.

Calls to test numbers and to extensions of the PBX cost nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from voicegate.application.pending_call import PendingCall
from voicegate.application.unit_of_work import UnitOfWork
from voicegate.domain.policy import Caller, CallPolicy, Deny
from voicegate.domain.policy.spend import Quote, account_of, accounts_of, day_of, quote, reserve
from voicegate.domain.routing import Hop


def may_spend_now(
    unit: UnitOfWork, pending: PendingCall, policy: CallPolicy, *, caller: Caller, longest: timedelta
) -> PendingCall | Deny:
    """Return a call with what is to be held for it, over those trunks of its route that it may use; or why it
    may use none.

    `longest`: how long it can last after its answer. The accounts are held until the end of the transaction.
    """
    destination, spend = pending.challenge.destination, policy.spend
    is_free = destination.is_internal or policy.is_test(destination)
    if is_free or not (spend.is_counted or pending.terms.max_price is not None):
        return pending
    quotes = quotes_of(pending, policy, longest=longest)
    accounts = accounts_of(destination, caller)
    trunks = (account_of(one.trunk) for one in quotes if isinstance(one, Quote))
    spent = unit.tx.spent((*trunks, *accounts), day_of(unit.now))
    reserved = reserve(quotes, accounts, spent, policy=spend, now=unit.now)
    if isinstance(reserved, Deny):
        return reserved
    usable = {one.trunk for one in reserved.quotes}
    route = [hop for hop in pending.route if hop.trunk.name in usable]
    return replace(over(pending, route), reservation=reserved)


def quotes_of(pending: PendingCall, policy: CallPolicy, *, longest: timedelta) -> Sequence[Quote | Deny]:
    """Return what a call costs at worst by each trunk of its route, or why it is not placed by it."""
    destination, max_price = pending.challenge.destination, pending.terms.max_price
    return [
        quote(trunk, destination, policy=policy.spend, longest=longest, max_price=max_price)
        for trunk in dict.fromkeys(hop.trunk.name for hop in pending.route)
    ]


def hold_cost(unit: UnitOfWork, pending: PendingCall) -> None:
    """Hold what a call may cost that is stored in this transaction."""
    if pending.reservation is not None:
        unit.tx.reserve(pending.challenge.id, pending.reservation)


def over(pending: PendingCall, route: Sequence[Hop]) -> PendingCall:
    """Return a call that is not stored yet, over another route."""
    first = route[0]
    call = replace(pending.call, trunk=first.trunk.name, caller_id=first.caller_id.number)
    return replace(pending, call=call, route=tuple(route))
