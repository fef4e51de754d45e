"""What becomes of the calls of a controller that died: the one that took them over places or ends them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from voicegate.application.call_log import CallLogs
from voicegate.application.controllers import BEAT, Orphan
from voicegate.application.delivery import Delivery
from voicegate.application.housekeeping import settle_orphan
from voicegate.application.pending_call import CallTerms, PendingCall
from voicegate.application.ports import Clock
from voicegate.application.route_choice import RouteChooser
from voicegate.application.store_port import Store
from voicegate.domain.call import Call, CallState
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import CallTaken
from voicegate.domain.routing import Hop

log = structlog.get_logger(__name__)


class Takeover:
    """Places the calls that had surely not begun, and ends the others in the record."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        calls: CallLogs,
        delivery: Delivery,
        route_chooser: RouteChooser,
    ) -> None:
        self._store = store
        self._clock = clock
        self._calls = calls
        self.delivery = delivery
        """The calls in progress."""
        self._route_chooser = route_chooser
        self._orphans: list[Orphan] = []
        self._has_orphans = asyncio.Event()

    def add(self, orphans: Sequence[Orphan]) -> None:
        """Leave calls to `work`; what is left to it already is not twice."""
        known = {orphan.record.call.id for orphan in self._orphans}
        self._orphans += [orphan for orphan in orphans if orphan.record.call.id not in known]
        if orphans:
            self._has_orphans.set()

    async def work_for_ever(self) -> None:
        """Place or end calls as they are added, until cancelled."""
        while True:
            await self._has_orphans.wait()
            self._has_orphans.clear()
            try:
                await self.work()
            except Exception:  # a task's root: the next round may fare better
                log.exception("calls of another controller not taken over yet", calls=len(self._orphans))
                self._has_orphans.set()
                await asyncio.sleep(BEAT.total_seconds())

    async def work(self) -> None:
        """Place or end all that is left to do.

        Raises:
            StoreError: some are left for the next time.
        """
        while self._orphans:
            orphan = self._orphans[0]
            try:
                await self._adopt(orphan)
            except CallTaken:
                log.warning("call was taken over by another controller", call=orphan.record.call.id)
            self._orphans.pop(0)

    async def _adopt(self, orphan: Orphan) -> None:
        call = orphan.record.call
        found = await self._store.challenge(call.challenge_id)
        if found is None:
            return
        if (pending := self._to_place(orphan, found.challenge)) is not None:
            log.warning("call of another controller taken over: placed here", call=call.id)
            self.delivery.start(pending)
            return
        await settle_orphan(
            orphan.record,
            found.challenge,
            calls=self._calls,
            pbxs=tuple(self.delivery.pbxs.values()),
            reports=self.delivery.reports,
        )
        log.warning("call of another controller taken over: ended", call=call.id)

    def _to_place(self, orphan: Orphan, challenge: Challenge) -> PendingCall | None:
        """Return the call as it is to be placed now; None: it is not."""
        call, now = orphan.record.call, self._clock.now()
        # Only what no controller ever began: "originating" is stored before anything is sent to a PBX.
        if call.state is not CallState.QUEUED or orphan.place_until is None or now >= orphan.place_until:
            return None
        hop = self._hop(call, challenge)
        if hop is None or not challenge.is_open(now):
            return None
        return PendingCall(challenge, call, (hop,), terms=CallTerms(ttl=orphan.place_until - now))

    def _hop(self, call: Call, challenge: Challenge) -> Hop | None:
        """Return the way that was chosen for a call; None: this controller does not have it."""
        for hop in self._route_chooser.choose(challenge):
            for caller_id in (hop.caller_id, *hop.trunk.caller_ids):
                if (hop.trunk.name, caller_id.number) == (call.trunk, call.caller_id):
                    return replace(hop, caller_id=caller_id)
        return None
