"""Asterisk as a `Pbx`: calls by AMI Originate, each answered channel handed to us over FastAGI.

Wiring only: what a call's facts mean is `tracker`'s, what is said on it `leg`'s, the connections are
`ami`'s and `agi`'s. Source: Asterisk 22, "Originate", "DeviceStateList"; least privilege as `ami_events`
says.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import structlog

from voicegate.adapters.pbx.asterisk.agi import Admission, AgiServer
from voicegate.adapters.pbx.asterisk.ami import AmiClient
from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, Originated, text_of
from voicegate.adapters.pbx.asterisk.ami_wire import Fields
from voicegate.adapters.pbx.asterisk.desk_leg import DeskLeg
from voicegate.adapters.pbx.asterisk.leg import AsteriskLeg
from voicegate.adapters.pbx.asterisk.originate import (
    MOST_TELEPHONES,
    Handover,
    build_originate,
    telephones_of,
)
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.asterisk.tracker import AsteriskTimeouts, CallTracker
from voicegate.adapters.pbx.asterisk.variables import ANSWERED_CONTEXT, ANSWERED_EXTEN, ANSWERED_PRIORITY
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.connection import keep_connected
from voicegate.adapters.pbx.common.safe_values import ENDPOINT, check, check_call_id
from voicegate.application.ports import Leg, Order
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import PbxRefused, PbxUnavailable, ReplyLost
from voicegate.domain.routing import Hop, TrunkState

log = structlog.get_logger(__name__)

_APOLOGY_MARGIN: Final = 5.0
_BOOT_TIMEOUT_S: Final = 10.0
_BOOT_POLL: Final = 0.5
_DIALPLAN_CHECK: Final = f"DIALPLAN_EXISTS({ANSWERED_CONTEXT},{ANSWERED_EXTEN},{ANSWERED_PRIORITY})"
_DEVICE_STATES: Final[Mapping[str, TrunkState]] = {
    "NOT_INUSE": TrunkState.AVAILABLE,
    "INUSE": TrunkState.IN_USE,
    "BUSY": TrunkState.IN_USE,
    "RINGING": TrunkState.IN_USE,
    "RINGINUSE": TrunkState.IN_USE,
    "ONHOLD": TrunkState.IN_USE,
    "UNAVAILABLE": TrunkState.UNREACHABLE,
    "INVALID": TrunkState.UNREACHABLE,
}
_TECHNOLOGY: Final = "PJSIP/"
_NO_DEVICE: Final = "INVALID"
_UNALLOCATED: Final = 1


@dataclass(frozen=True, slots=True)
class _Draft:
    """A call about to be placed."""

    call_id: str
    """Whose."""
    handover: Handover
    """How the answered channel finds back to us."""
    fields: Fields
    """Of the Originate."""
    endpoint: str
    """The endpoint to dial."""
    trunk: str | None = None
    """The name of the trunk that it is; None: it is a desk."""


class AsteriskPbx(CallSupervisor[AsteriskLeg, _Draft]):
    """One Asterisk; an async context manager that fills the port `Pbx` while it is entered."""

    def __init__(self, settings: AsteriskSettings) -> None:
        super().__init__(settings.name, settings.action_timeout)
        self._settings = settings
        self._ami = AmiClient(settings, self)
        self._actions: dict[str, AsteriskLeg] = {}
        self._dialed: dict[str, str] = {}
        """Call id -> the telephone of a desk that it rings; until it is written down."""

    @property
    def agi_address(self) -> str:
        """What the PBX dials to reach us."""
        return self._agi.address

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each PJSIP endpoint, as the PBX sees it; empty while not connected.

        An endpoint that is not qualified counts as available: the PBX does not know better.
        """
        if not self.is_connected:
            return {}  # logged in, perhaps, but no call could be placed yet
        try:
            reply = await self._ami.ask("DeviceStateList", {})
        except (PbxUnavailable, ReplyLost):
            return {}
        devices = {text_of(item, "Device"): text_of(item, "State") for item in reply.items}
        return {
            device.removeprefix(_TECHNOLOGY): _DEVICE_STATES.get(state, TrunkState.UNKNOWN)
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

    async def _open(self) -> None:
        self._agi = AgiServer(self._settings, self._tasks)
        await self._agi.open()

    async def _close(self) -> None:
        await self._agi.close()

    @property
    def _ready(self) -> asyncio.Event:
        return self._ami.ready

    async def _keep_connected(self) -> None:
        settings = self._settings
        await keep_connected(self._ami, settings.pace, pbx=settings.name, wire="AMI", wanted=self._wanted)

    async def _await_boot(self) -> None:
        """Wait until answered calls have somewhere to go; the FullyBooted event needs a right that we do not
        ask for."""
        loop = asyncio.get_running_loop()
        since, is_told = loop.time(), False
        while True:
            reply = await self._ami.ask("Getvar", {"Variable": _DIALPLAN_CHECK})
            is_late = loop.time() - since > _BOOT_TIMEOUT_S
            if reply.value == "1" or not reply.is_success or (is_late and not reply.value):
                # Refused, or without `func_dialplan`, the PBX cannot say.
                return
            if is_late and not is_told:
                is_told = True
                log.error(
                    "dialplan not installed: no calls", pbx=self._settings.name, wanted=ANSWERED_CONTEXT
                )
            await asyncio.sleep(_BOOT_POLL)

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator[Leg]:
        """Place a call, at most once per call id; never repeated. All telephones of a desk ring."""
        telephones = await self._telephones(order.hop)
        async with AsyncExitStack() as stack:
            if len(telephones) < 2:
                yield await stack.enter_async_context(super().originate(order))
                return
            legs = []
            for index, telephone in enumerate(telephones):
                branch = replace(order, call_id=_branch_id(order.call_id, index))
                self._dialed[branch.call_id] = telephone
                legs.append(await stack.enter_async_context(super().originate(branch)))
            yield DeskLeg([leg for leg in legs if isinstance(leg, AsteriskLeg)], self._tasks)

    async def _telephones(self, hop: Hop) -> tuple[str, ...]:
        """Return the telephones of a desk; empty for a trunk, or where the PBX does not say."""
        if hop.number is not None:
            return ()
        endpoint = check(hop.endpoint, ENDPOINT, "endpoint")
        try:
            reply = await self._ami.ask("Getvar", {"Variable": f"PJSIP_DIAL_CONTACTS({endpoint})"})
        except (PbxUnavailable, ReplyLost):
            return ()
        return telephones_of(endpoint, reply.value)

    def _write(self, order: Order) -> _Draft:
        handover = Handover(self._agi.address, secrets.token_hex(16), f"voicegate-{secrets.token_hex(8)}")
        trunk = None if order.hop.number is None else order.hop.trunk.name
        telephone = self._dialed.pop(order.call_id, None)
        fields = build_originate(order, handover, telephone)
        return _Draft(order.call_id, handover, fields, order.hop.endpoint, trunk)

    def _follow(self, order: Order, draft: _Draft) -> AsteriskLeg:
        timeouts = AsteriskTimeouts(
            ring=order.hop.trunk.ring_timeout.total_seconds(),
            lost=self._settings.lost_grace.total_seconds(),
            apology=order.apology.length.total_seconds() + _APOLOGY_MARGIN,
        )
        action_id, now = draft.handover.action_id, asyncio.get_running_loop().time()
        tracker = CallTracker(action_id, timeouts, now)
        within = self._settings.action_timeout
        leg = AsteriskLeg(order.call_id, tracker, ami=self._ami, reply_within=within)
        self._actions[action_id] = leg
        admission = Admission(draft.handover.token, leg.attach, lambda: leg.may_attach)
        self._agi.expect(order.call_id, admission)
        return leg

    async def _send(self, draft: _Draft) -> None:
        if await self._lacks(draft.endpoint):
            # An Originate would fail as for a telephone that is not registered, or a trunk that is down.
            self._legs[draft.call_id].refuse(self._judge_unknown(draft))
            return
        reply = await self._ami.ask("Originate", draft.fields, as_list=False)
        if not reply.is_success:
            raise PbxRefused(f"the PBX refused the call: {reply.message}")

    def _judge_unknown(self, draft: _Draft) -> Hangup:
        """Return how a call ends whose endpoint the PBX does not have: a trunk's is our setting's fault."""
        if draft.trunk is None:
            return Hangup(cause=_UNALLOCATED)
        setting = f"trunks.{draft.trunk}.endpoint"
        log.error("trunk unknown to PBX", pbx=self._settings.name, setting=setting, endpoint=draft.endpoint)
        return Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)

    async def _lacks(self, endpoint: str) -> bool:
        """Has the PBX no such endpoint? False too where it does not say: without `func_devstate`."""
        reply = await self._ami.ask("Getvar", {"Variable": f"DEVICE_STATE({_TECHNOLOGY}{endpoint})"})
        return reply.value == _NO_DEVICE

    def _forget(self, draft: _Draft) -> None:
        del self._actions[draft.handover.action_id]
        self._agi.forget(draft.call_id)

    async def _end_stray(self, call_id: str) -> None:
        # Whether it was a desk's, with telephones of its own, nobody remembers.
        for index in range(MOST_TELEPHONES):
            branch = check_call_id(_branch_id(call_id, index))
            reply = await self._ami.ask("Hangup", {"Channel": branch})
            if not reply.is_success and "no such channel" not in reply.message.lower():
                log.warning("stray not hung up", call=call_id, reason=reply.message)
                return


def _branch_id(call_id: str, index: int) -> str:
    """Return the id of a call to a desk's telephone: the first has the call's own."""
    return f"{call_id}_{index + 1}" if index else call_id
