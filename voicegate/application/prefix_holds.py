"""Ranges and countries that are not called for a time: held by what their calls show, or by an admin."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Final

import structlog

from voicegate.application.audit import Audit
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store, Transaction
from voicegate.application.unit_of_work import ALLOWED, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain.client import Principal
from voicegate.domain.policy.conversion import ConversionPolicy, PrefixHold, Tally, find_low

log = structlog.get_logger(__name__)

INTERVAL: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class PrefixChanged:
    """A range or a country is held, or is not held any more."""

    hold: PrefixHold
    """The hold as it is now."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class PrefixHolds:
    """Holds ranges and countries, and lifts holds."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        units: UnitsOfWork,
        audit: Audit,
        policy: Callable[[], ConversionPolicy],
    ) -> None:
        self._store = store
        self._clock = clock
        self._units = units
        self._audit = audit
        self._policy = policy

    async def list(self) -> Sequence[PrefixHold]:
        """Return the holds that are on, by what is held."""
        now = self._clock.now()
        return [hold for hold in await self._store.prefix_holds() if hold.is_on(now)]

    async def hold(
        self, principal: Principal, key: str, *, client: str, length: timedelta, reason: str
    ) -> PrefixChanged:
        """Hold a range or a country for a time; `client` empty: for all clients."""
        work = partial(self._hold, key=key, client=client, length=length, reason=reason)
        return await self._units.do(principal, "prefix.hold", work)

    async def lift(
        self, principal: Principal, key: str, *, client: str, reason: str
    ) -> PrefixChanged | NotFound:
        """End a hold. Calls before are not judged again."""
        work = partial(self._lift, key=key, client=client, reason=reason)
        return await self._units.do(principal, "prefix.lift", work)

    async def judge(self) -> Sequence[PrefixHold]:
        """Hold what the calls of the window show to prove too few codes; return what is newly held."""
        policy, now = self._policy(), self._clock.now()
        if not policy.floor:
            return ()
        low = find_low(await self._store.tallies(now - policy.window), policy)
        if not low:
            return ()
        held = await self._store.transact(partial(self._hold_low, low=low, now=now))
        for hold in held:
            log.warning("prefix held", prefix=hold.key, client=hold.client or "all", reason=hold.reason)
        return held

    async def judge_for_ever(self) -> None:
        """Judge again and again, until cancelled."""
        while True:
            try:
                await self.judge()
            except Exception:  # a task's root: the next round may fare better
                log.exception("calls not judged")
            await asyncio.sleep(INTERVAL.total_seconds())

    def _hold(
        self, unit: UnitOfWork, *, key: str, client: str, length: timedelta, reason: str
    ) -> PrefixChanged:
        unit.subject, unit.reason = key, reason
        hold = PrefixHold(key, client, unit.now, unit.now + length, unit.principal.name, reason)
        unit.tx.save_prefix_hold(hold)
        return PrefixChanged(hold)

    def _lift(self, unit: UnitOfWork, *, key: str, client: str, reason: str) -> PrefixChanged | NotFound:
        unit.subject, unit.reason = key, reason
        on = [one for one in unit.tx.prefix_holds([key]) if one.client == client and one.is_on(unit.now)]
        if not on:
            return NotFound()
        lifted = replace(on[0], until=unit.now)
        unit.tx.save_prefix_hold(lifted)
        return PrefixChanged(lifted)

    def _hold_low(self, tx: Transaction, *, low: Sequence[Tally], now: datetime) -> Sequence[PrefixHold]:
        on = {(one.key, one.client) for one in tx.prefix_holds() if one.is_on(now)}
        held = []
        for tally in low:
            if (tally.key, tally.client) in on:
                continue
            reason = f"{tally.verified} of {tally.placed} codes were entered"
            hold = PrefixHold(tally.key, tally.client, now, now + self._policy().hold, "", reason)
            tx.save_prefix_hold(hold)
            owner = Principal(tally.client, frozenset(), request_id="")
            entry = self._audit.entry(owner, now, action="prefix.hold", decision="alarm", about=None)
            tx.audit(replace(entry, subject=tally.key, rule="policy.conversion_floor", reason=reason))
            held.append(hold)
        return held
