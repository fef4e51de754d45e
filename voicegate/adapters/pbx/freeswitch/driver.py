"""One FreeSWITCH, as the call supervisor uses it: the ESL connection, and its calls.

What concerns the whole PBX is here; one call's channels are in `call`, the meaning of its facts in `tracker`,
the connection in `esl`. Source: FreeSWITCH 1.10.12, `mod_commands.c`, `mod_sofia.c`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from voicegate.adapters.pbx.common.call_facts import LegTimeouts
from voicegate.adapters.pbx.common.connection import ConnectionListener
from voicegate.adapters.pbx.common.safe_values import check_call_id
from voicegate.adapters.pbx.freeswitch.call import FreeSwitchCall, Wires
from voicegate.adapters.pbx.freeswitch.esl import EslClient
from voicegate.adapters.pbx.freeswitch.esl_events import CALL, EslEvent, JobDone
from voicegate.adapters.pbx.freeswitch.originate import Originate, build_originate
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.freeswitch.sofia_status import GATEWAYS, read_gateways
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.application.ports import Order
from voicegate.domain.routing import TrunkState

log = structlog.get_logger(__name__)

_BOOT_TIMEOUT_S: Final = 10.0
_BOOT_POLL: Final = 0.5
_STATES: Final = {"UP": TrunkState.AVAILABLE, "DOWN": TrunkState.UNREACHABLE}

Build = Callable[[Order, str, timedelta], Originate]
"""Writes an order as a command, from a job id and the longest duration of an answered call."""


class FreeSwitchDriver:
    """One FreeSWITCH; implements `PbxDriver`. `build` writes its orders."""

    wire: Final = "ESL"

    def __init__(
        self, settings: FreeSwitchSettings, listener: ConnectionListener, build: Build = build_originate
    ) -> None:
        self.settings = settings
        self.name, self.pace, self.deadline = settings.name, settings.pace, settings.command_timeout
        self.client = EslClient(settings, self._take, listener)
        self._build = build
        self._calls: dict[str, FreeSwitchCall] = {}
        """By call id, and by the id of the originate's job: a job that failed names no channel."""

    def listening(self, _tasks: asyncio.TaskGroup) -> AbstractAsyncContextManager[None]:
        """Keep nothing open: FreeSWITCH does not connect to us."""
        return nullcontext()

    async def write(self, order: Order) -> Sequence[FreeSwitchCall]:
        """Return the order as one call: one originate makes the channels of all telephones of an
        extension."""
        timeouts = LegTimeouts(
            ring=order.hop.trunk.ring_timeout.total_seconds(),
            lost=self.settings.lost_grace.total_seconds(),
        )
        call = FreeSwitchCall(
            order,
            self._build(order, str(uuid4()), self.settings.call_cap),
            tracker=CallTracker(timeouts, asyncio.get_running_loop().time()),
            wires=Wires(self.name, self.client, self._calls, self.deadline, self.settings.sound_suffix),
        )
        return (call,)

    async def ping(self) -> object:
        """Ask for the status, as the connection's own pings do."""
        return await self.client.api("status")

    async def await_boot(self) -> None:
        """Wait until calls can be placed."""
        loop = asyncio.get_running_loop()
        since, is_told = loop.time(), False
        # The event socket is there before SIP is: what is originated before then fails as for no gateway.
        while await self.client.api("module_exists mod_sofia") == "false":
            if loop.time() - since > _BOOT_TIMEOUT_S and not is_told:
                is_told = True
                log.error("mod_sofia not loaded: no calls", pbx=self.name)
            await asyncio.sleep(_BOOT_POLL)

    async def end_stray(self, call_id: str) -> None:
        """End a call's channel, or the channels whose variable names the call."""
        answer = await self.client.api(f"uuid_kill {check_call_id(call_id)}")
        if "No such channel" in answer:
            # A desk's channels have ids of the PBX's making.
            answer = await self.client.api(f"hupall NORMAL_CLEARING {CALL} {call_id}")
        # Refused for want of a right, say; one that is not there is what we want.
        if answer.startswith("-"):
            log.warning("orphaned channel not hung up", call=call_id, reason=answer)

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each gateway, from its pings and its registration.

        A gateway that neither pings nor registers counts as available: the PBX does not know more.
        """
        gateways = read_gateways(await self.client.api(GATEWAYS))
        return {name: _STATES.get(gateway.status, TrunkState.UNKNOWN) for name, gateway in gateways.items()}

    def _take(self, event: EslEvent) -> None:
        """Give an event to its call; events of other channels are ignored."""
        # A job that failed for its gateway never had a channel.
        call = self._calls.get(event.job_id if isinstance(event, JobDone) else event.channel_id)
        if call is not None:
            call.observe(event)
