"""One Asterisk, as the call supervisor uses it: its AMI connection, the FastAGI server, its calls.

What concerns the whole PBX is here; one call's channel is in `call`, the meaning of its facts in `tracker`,
the connections in `ami` and `agi`. Source: Asterisk 22, "DeviceStateList", "PJSIP_DIAL_CONTACTS",
"DIALPLAN_EXISTS"; the rights it needs are listed in `ami_events`.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import structlog

from voicegate.adapters.pbx.asterisk.agi import AgiServer
from voicegate.adapters.pbx.asterisk.ami import AmiClient
from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, Originated, text_of
from voicegate.adapters.pbx.asterisk.call import AsteriskCall, Wires
from voicegate.adapters.pbx.asterisk.fetched_sounds import FetchedSounds
from voicegate.adapters.pbx.asterisk.originate import (
    MAX_CONTACTS,
    PJSIP,
    Handover,
    branch_id,
    build_originate,
    contacts_of,
)
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.asterisk.tracker import AsteriskTimeouts, CallTracker
from voicegate.adapters.pbx.asterisk.variables import ANSWERED_CONTEXT, ANSWERED_EXTEN, ANSWERED_PRIORITY
from voicegate.adapters.pbx.common.connection import ConnectionListener
from voicegate.adapters.pbx.common.safe_values import ENDPOINT, check, check_call_id
from voicegate.application.ports import Order
from voicegate.domain.errors import PbxUnavailable, ReplyLost
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


class AsteriskDriver:
    """One Asterisk; implements `PbxDriver`."""

    wire: Final = "AMI"

    def __init__(self, settings: AsteriskSettings, listener: ConnectionListener) -> None:
        self.settings = settings
        self.name, self.pace, self.deadline = settings.name, settings.pace, settings.action_timeout
        self.client = AmiClient(settings, self._take, listener)
        self._fetched = FetchedSounds(
            self.client, pbx=settings.name, call_sounds_url=settings.call_sounds_url
        )
        self._calls: dict[str, AsteriskCall] = {}
        """By call id, and by the action id of the Originate: its response may not name the channel."""
        self._endpoints_until: dict[str, float] = {}

    @asynccontextmanager
    async def listening(self, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
        """Keep the FastAGI server open."""
        self.agi = AgiServer(self.settings, tasks)
        await self.agi.open()
        sweeping = tasks.create_task(self._fetched.sweep_again_and_again())
        try:
            yield
        finally:
            sweeping.cancel()
            await self.agi.close()

    async def write(self, order: Order) -> Sequence[AsteriskCall]:
        """Return the order as one call, or as one call for each contact of an endpoint that has several.

        Why not one Originate: it makes one channel. `PJSIP_DIAL_CONTACTS` returns several contacts for Dial()
        only, whose answered channel would be another than the one that we watch and prove things by.
        """
        contacts = await self._contacts(order.hop)
        if len(contacts) < 2:
            return (self._write_call(order),)
        return [
            self._write_call(replace(order, call_id=branch_id(order.call_id, index)), contact)
            for index, contact in enumerate(contacts)
        ]

    async def ping(self) -> object:
        """Ask for a Pong."""
        return await self.client.ask("Ping", {})

    async def await_boot(self) -> None:
        """Wait until the PBX can pass answered calls to us, and let it forget those of before."""
        await self._fetched.sweep()
        loop = asyncio.get_running_loop()
        since, is_told = loop.time(), False
        while True:
            # Why not the FullyBooted event: it takes a right that calls do not need.
            reply = await self.client.ask("Getvar", {"Variable": _DIALPLAN_CHECK})
            is_late = loop.time() - since > _BOOT_TIMEOUT_S
            if reply.value == "1" or not reply.is_success or (is_late and not reply.value):
                # Refused, or without `func_dialplan`, the PBX cannot say.
                return
            if is_late and not is_told:
                is_told = True
                log.error("dialplan not installed: no calls", pbx=self.name, wanted=ANSWERED_CONTEXT)
            await asyncio.sleep(_BOOT_POLL)

    async def end_stray(self, call_id: str) -> None:
        """End a call, and the calls to further contacts of its endpoint."""
        # Whether it had several is kept nowhere: the first that the PBX does not have is no reason to stop.
        for index in range(MAX_CONTACTS):
            reply = await self.client.ask("Hangup", {"Channel": check_call_id(branch_id(call_id, index))})
            if not reply.is_success and not reply.is_channel_unknown:
                log.warning("orphaned channel not hung up", call=call_id, reason=reply.message)
                return

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each PJSIP endpoint, as the PBX sees it.

        An endpoint that is not qualified counts as available: the PBX does not know more.
        """
        reply = await self.client.ask("DeviceStateList", {})
        # Asterisk lists every device that it knows, of each technology.
        devices = {text_of(item, "Device"): text_of(item, "State") for item in reply.items}
        return {
            device.removeprefix(PJSIP): _DEVICE_STATES.get(state, TrunkState.UNKNOWN)
            for device, state in devices.items()
            if device.startswith(PJSIP)
        }

    async def _contacts(self, hop: Hop) -> tuple[str, ...]:
        """Return an endpoint's contacts; empty for a number behind a trunk, or if the PBX does not say."""
        # Behind a trunk one number is called, whatever contacts the trunk has.
        if hop.number is not None:
            return ()
        endpoint = check(hop.endpoint, ENDPOINT, "endpoint")
        try:
            reply = await self.client.ask("Getvar", {"Variable": f"PJSIP_DIAL_CONTACTS({endpoint})"})
        except (PbxUnavailable, ReplyLost):
            return ()
        return contacts_of(endpoint, reply.value)

    def _write_call(self, order: Order, contact: str | None = None) -> AsteriskCall:
        handover = Handover(self.agi.address, secrets.token_hex(16), f"voicegate-{secrets.token_hex(8)}")
        timeouts = AsteriskTimeouts(
            ring=order.hop.trunk.ring_timeout.total_seconds(),
            lost=self.settings.lost_grace.total_seconds(),
            apology=order.apology.length.total_seconds() + _APOLOGY_MARGIN,
        )
        return AsteriskCall(
            order,
            handover,
            fields=build_originate(order, handover, contact),
            tracker=CallTracker(handover.action_id, timeouts, asyncio.get_running_loop().time()),
            wires=Wires(
                self.name,
                self.client,
                self.agi,
                self._fetched,
                self._calls,
                endpoints_until=self._endpoints_until,
                reply_within_s=self.deadline.total_seconds(),
            ),
        )

    def _take(self, event: AmiEvent) -> None:
        """Give an AMI event to its call; events of other channels are ignored."""
        call = self._calls.get(event.channel_id)
        # The response of an originate that failed early may name no channel.
        if call is None and isinstance(event, Originated):
            call = self._calls.get(event.action_id)
        if call is not None:
            call.observe(event)
