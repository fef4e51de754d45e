"""FreeSWITCH as a `Pbx`: calls by `bgapi originate`, each parked when answered and spoken to over ESL.

Wiring only: what a call's facts mean is `tracker`'s, what is said on it `leg`'s, the connection is `esl`'s.
Source: FreeSWITCH 1.10.12, `mod_commands.c`, `mod_sofia.c`.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import structlog

from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.call_tracker import LegTimeouts
from voicegate.adapters.pbx.common.connection import keep_connected
from voicegate.adapters.pbx.common.safe_values import check_call_id
from voicegate.adapters.pbx.freeswitch.esl import EslClient
from voicegate.adapters.pbx.freeswitch.esl_events import CALL, EslEvent, JobDone
from voicegate.adapters.pbx.freeswitch.leg import FreeSwitchLeg
from voicegate.adapters.pbx.freeswitch.orders import Draft, build_originate
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.application.ports import Order
from voicegate.domain.errors import PbxRefused, PbxUnavailable, ReplyLost
from voicegate.domain.routing import Hop, TrunkState

log = structlog.get_logger(__name__)

_UNKNOWN_GATEWAY: Final = "INVALID_GATEWAY"
_BOOT_TIMEOUT_S: Final = 10.0
_BOOT_POLL: Final = 0.5
_GATEWAY: Final = re.compile(r"<gateway>\s*<name>([^<]*)</name>.*?<status>([^<]*)</status>", re.DOTALL)
_STATES: Final = {"UP": TrunkState.AVAILABLE, "DOWN": TrunkState.UNREACHABLE}


class FreeSwitchPbx(CallSupervisor[FreeSwitchLeg, Draft]):
    """One FreeSWITCH; an async context manager that fills the port `Pbx` while it is entered."""

    def __init__(self, settings: FreeSwitchSettings) -> None:
        super().__init__(settings.name, settings.command_timeout)
        self._settings = settings
        self._esl = EslClient(settings, self)
        self._jobs: dict[str, FreeSwitchLeg] = {}
        self._hops: dict[str, Hop] = {}
        """Whither each job dials."""

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each gateway, as its pings and its registration show it; empty while not
        connected.

        A gateway that neither pings nor registers counts as available: the PBX does not know better.
        """
        if not self.is_connected:
            return {}  # logged in, perhaps, but no call could be placed yet
        try:
            answer = await self._esl.api("sofia xmlstatus gateway")
        except (PbxUnavailable, ReplyLost):
            return {}
        return {name: _STATES.get(status, TrunkState.UNKNOWN) for name, status in _GATEWAY.findall(answer)}

    def on_event(self, event: EslEvent) -> None:
        """Take an event; those of other calls end here."""
        if isinstance(event, JobDone):
            leg = self._jobs.get(event.job_id)
            self._tell_of_unknown(event)
        else:
            leg = self._legs.get(event.channel_id)
        if leg is not None:
            leg.observe(event)

    def _tell_of_unknown(self, job: JobDone) -> None:
        """Log that FreeSWITCH has no gateway of the name that a setting gives."""
        hop = self._hops.get(job.job_id)
        if hop is not None and job.reason == _UNKNOWN_GATEWAY:
            setting = f"trunks.{hop.trunk.name}.endpoint"
            log.error("trunk unknown to PBX", pbx=self._settings.name, setting=setting, endpoint=hop.endpoint)

    @property
    def _ready(self) -> asyncio.Event:
        return self._esl.ready

    async def _keep_connected(self) -> None:
        settings = self._settings
        await keep_connected(self._esl, settings.pace, pbx=settings.name, wire="ESL", wanted=self._wanted)

    async def _await_boot(self) -> None:
        """Wait until calls can be placed; the event socket is there before SIP is."""
        loop = asyncio.get_running_loop()
        since, is_told = loop.time(), False
        while await self._esl.api("module_exists mod_sofia") == "false":
            if loop.time() - since > _BOOT_TIMEOUT_S and not is_told:
                is_told = True
                log.error("mod_sofia not loaded: no calls", pbx=self._settings.name)
            await asyncio.sleep(_BOOT_POLL)

    def _write(self, order: Order) -> Draft:
        return build_originate(order, str(uuid4()), self._settings.call_cap)

    def _follow(self, order: Order, draft: Draft) -> FreeSwitchLeg:
        timeouts = LegTimeouts(
            ring=order.hop.trunk.ring_timeout.total_seconds(),
            lost=self._settings.lost_grace.total_seconds(),
        )
        tracker = CallTracker(timeouts, asyncio.get_running_loop().time())
        leg = FreeSwitchLeg(
            order.call_id, tracker, esl=self._esl, settings=self._settings, is_desk=draft.is_desk
        )
        self._jobs[draft.job_id] = leg
        self._hops[draft.job_id] = order.hop
        return leg

    async def _send(self, draft: Draft) -> None:
        reply = await self._esl.ask(draft.command, {"Job-UUID": draft.job_id})
        text = reply.headers.get("Reply-Text", "")
        if not text.startswith("+OK"):
            raise PbxRefused(f"the PBX refused the call: {text}")

    def _forget(self, draft: Draft) -> None:
        del self._jobs[draft.job_id], self._hops[draft.job_id]

    async def _end_stray(self, call_id: str) -> None:
        answer = await self._esl.api(f"uuid_kill {check_call_id(call_id)}")
        if "No such channel" in answer:
            # A desk's channels have other ids.
            answer = await self._esl.api(f"hupall NORMAL_CLEARING {CALL} {call_id}")
        if answer.startswith("-"):
            log.warning("stray not hung up", call=call_id, reason=answer)
