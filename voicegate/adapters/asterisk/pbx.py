"""Asterisk as a `Pbx`: calls by AMI Originate, each answered channel handed to us over FastAGI.

Wiring only: what a call's facts mean is `tracker`'s, what is said on it `leg`'s, the connections are
`ami`'s and `agi`'s. Source: Asterisk 22, "Originate", "DeviceStateList"; least privilege as `ami_events`
says.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final

import structlog

from voicegate.adapters.asterisk.agi import Admission, AgiServer
from voicegate.adapters.asterisk.ami import AmiClient
from voicegate.adapters.asterisk.ami_events import AmiEvent, Originated, text_of
from voicegate.adapters.asterisk.ami_link import ReplyLost
from voicegate.adapters.asterisk.ami_wire import Fields
from voicegate.adapters.asterisk.leg import AsteriskLeg
from voicegate.adapters.asterisk.orders import Handover, build_originate, check_call_id
from voicegate.adapters.asterisk.settings import AsteriskSettings
from voicegate.adapters.asterisk.tracker import CallTracker, Patience
from voicegate.adapters.asterisk.variables import ANSWERED_CONTEXT, ANSWERED_EXTEN, ANSWERED_PRIORITY
from voicegate.application.ports import Leg, Order
from voicegate.domain.errors import PbxRefused, PbxUnavailable
from voicegate.domain.hangup_cause import GaveUp

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 10_000
"""Call ids that are refused a second time."""
_APOLOGY_MARGIN: Final = 5.0
_BOOT_PATIENCE: Final = 10.0
_BOOT_POLL: Final = 0.5
_DIALPLAN_CHECK: Final = f"DIALPLAN_EXISTS({ANSWERED_CONTEXT},{ANSWERED_EXTEN},{ANSWERED_PRIORITY})"
_DEVICE_STATES: Final[Mapping[str, str]] = {
    "NOT_INUSE": "available",
    "INUSE": "in_use",
    "BUSY": "in_use",
    "RINGING": "in_use",
    "RINGINUSE": "in_use",
    "ONHOLD": "in_use",
    "UNAVAILABLE": "unreachable",
    "INVALID": "unreachable",
}
_TECHNOLOGY: Final = "PJSIP/"


class AsteriskPbx:
    """One Asterisk; an async context manager that fills the port `Pbx` while it is entered.

    Entering succeeds with Asterisk down; it is connected as soon as it comes.
    """

    def __init__(self, settings: AsteriskSettings) -> None:
        self._settings = settings
        self._ami = AmiClient(settings, self)
        self._legs: dict[str, AsteriskLeg] = {}
        self._actions: dict[str, AsteriskLeg] = {}
        self._placed: dict[str, None] = {}
        self._strays: deque[str] = deque(maxlen=_REMEMBERED)
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> "AsteriskPbx":
        await self._tasks.__aenter__()
        self._agi = AgiServer(self._settings, self._tasks)
        try:
            await self._agi.open()
        except BaseException:
            await self._tasks.__aexit__(None, None, None)
            raise
        self._supervisor = self._tasks.create_task(self._ami.run(), name=f"AMI {self._settings.name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._end_all()
        finally:
            self._supervisor.cancel()
            await self._agi.close()
            # An error of the body is the caller's own: it does not become a group.
            is_cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    @property
    def is_connected(self) -> bool:
        """Can calls be placed now?"""
        return self._ami.is_connected

    @property
    def agi_address(self) -> str:
        """What the PBX dials to reach us."""
        return self._agi.address

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator[Leg]:
        """Place a call, at most once per call id; never repeated."""
        handover = Handover(self._agi.address, secrets.token_hex(16), f"voicegate-{secrets.token_hex(8)}")
        fields = build_originate(order, handover)
        if not self.is_connected:
            raise PbxUnavailable
        leg = self._adopt(order, handover)
        try:
            await self._place(leg, fields)
            yield leg
        finally:
            leg.end()
            with suppress(TimeoutError):
                # Should it take longer, the leg's own task goes on.
                async with asyncio.timeout(self._settings.action_timeout.total_seconds()):
                    await leg.wait_end()

    async def hang_up(self, call_id: str) -> None:
        """End a call of an earlier process, if the PBX still has it: now, or once it is connected."""
        try:
            await self._end_stray(check_call_id(call_id))
        except (PbxUnavailable, ReplyLost):
            self._strays.append(call_id)

    async def trunk_states(self) -> Mapping[str, str]:
        """Return the state of each PJSIP endpoint, as the PBX sees it; empty while not connected.

        An endpoint that is not qualified counts as available: the PBX does not know better.
        """
        try:
            reply = await self._ami.ask("DeviceStateList", {})
        except (PbxUnavailable, ReplyLost):
            return {}
        devices = {text_of(item, "Device"): text_of(item, "State") for item in reply.items}
        return {
            device.removeprefix(_TECHNOLOGY): _DEVICE_STATES.get(state, "unknown")
            for device, state in devices.items()
            if device.startswith(_TECHNOLOGY)
        }

    def on_event(self, event: AmiEvent) -> None:
        """Take an AMI event; those of other calls end here."""
        leg = self._legs.get(event.channel_id)
        if leg is None and isinstance(event, Originated):
            leg = self._actions.get(event.action_id)
        if leg is not None:
            leg.observe(event)

    async def on_ready(self) -> None:
        """Learn which calls outlived the loss of the connection; end those given up meanwhile."""
        while self._strays:
            await self._end_stray(self._strays[-1])
            self._strays.pop()
        for leg in list(self._legs.values()):
            await leg.probe()
        await self._await_dialplan()

    def on_lost(self) -> None:
        """Tell the calls that events may be missed."""
        for leg in list(self._legs.values()):
            leg.lose()

    async def _await_dialplan(self) -> None:
        """Wait until answered calls have somewhere to go: a PBX that starts lets managers in before.

        Its FullyBooted event needs a right that we do not ask for.
        """
        loop = asyncio.get_running_loop()
        since, is_told = loop.time(), False
        while True:
            reply = await self._ami.ask("Getvar", {"Variable": _DIALPLAN_CHECK})
            is_late = loop.time() - since > _BOOT_PATIENCE
            if reply.value == "1" or not reply.is_success or (is_late and not reply.value):
                # Refused, or without `func_dialplan`, the PBX cannot say.
                return
            if is_late and not is_told:
                is_told = True
                log.error(
                    "dialplan not installed: no calls", pbx=self._settings.name, wanted=ANSWERED_CONTEXT
                )
            await asyncio.sleep(_BOOT_POLL)

    def _adopt(self, order: Order, handover: Handover) -> AsteriskLeg:
        if order.call_id in self._placed:
            raise PbxRefused("a call with this id was placed before")
        self._placed[order.call_id] = None
        if len(self._placed) > _REMEMBERED:
            del self._placed[next(iter(self._placed))]
        patience = Patience(
            ring=order.hop.trunk.ring_timeout.total_seconds(),
            lost=self._settings.lost_grace.total_seconds(),
            apology=order.apology.length.total_seconds() + _APOLOGY_MARGIN,
        )
        now = asyncio.get_running_loop().time()
        leg = AsteriskLeg(
            order.call_id,
            CallTracker(handover.action_id, patience, now),
            ami=self._ami,
            reply_within=self._settings.action_timeout,
        )
        self._legs[order.call_id] = self._actions[handover.action_id] = leg
        self._agi.expect(order.call_id, Admission(handover.token, leg.attach, lambda: leg.may_attach))
        self._tasks.create_task(self._tend(leg, order.call_id, handover.action_id), name=order.call_id)
        return leg

    async def _place(self, leg: AsteriskLeg, fields: Fields) -> None:
        try:
            reply = await self._ami.ask("Originate", fields, as_list=False)
        except ReplyLost:
            # Placed or not: events, or the resync, will tell.
            return
        except PbxUnavailable:
            leg.abandon(GaveUp.PBX_UNAVAILABLE)
            raise
        if not reply.is_success:
            leg.abandon(GaveUp.PBX_UNAVAILABLE)
            raise PbxRefused(f"the PBX refused the call: {reply.message}")

    async def _end_stray(self, call_id: str) -> None:
        reply = await self._ami.ask("Hangup", {"Channel": call_id})
        if not reply.is_success and "no such channel" not in reply.message.lower():
            log.warning("stray not hung up", call=call_id, reason=reply.message)

    async def _tend(self, leg: AsteriskLeg, call_id: str, action_id: str) -> None:
        try:
            await leg.run()
        finally:
            del self._legs[call_id], self._actions[action_id]
            self._agi.forget(call_id)
            if leg.is_lost:
                self._strays.append(call_id)

    async def _end_all(self) -> None:
        legs = list(self._legs.values())
        for leg in legs:
            leg.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.action_timeout.total_seconds()):
                for leg in legs:
                    await leg.wait_end()
        for leg in legs:
            leg.abandon(GaveUp.INTERRUPTED)
