"""One call on Asterisk: its channel is placed and ended over AMI, and spoken on over FastAGI.

What its facts mean is in `tracker`; what is the same for every PBX is in the supervised leg. Source: Asterisk
22, "Originate", "AGI commands" and "SendDTMF"; Asterisk 22.10.1 for their behaviour.
"""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from voicegate.adapters.pbx.asterisk.agi import Admission, AgiServer
from voicegate.adapters.pbx.asterisk.agi_session import AgiSession
from voicegate.adapters.pbx.asterisk.agi_wire import DEAD, Reply
from voicegate.adapters.pbx.asterisk.ami import AmiClient
from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, DialChanged, state_of
from voicegate.adapters.pbx.asterisk.ami_wire import Fields
from voicegate.adapters.pbx.asterisk.fetched_sounds import FetchedSounds
from voicegate.adapters.pbx.asterisk.line_quality import SIP_CALL_ID
from voicegate.adapters.pbx.asterisk.originate import PJSIP, Handover
from voicegate.adapters.pbx.asterisk.tracker import CallTracker
from voicegate.adapters.pbx.common.changes import Changes
from voicegate.adapters.pbx.common.driver import CallControlLost, HangupReply
from voicegate.application.ports import Clip, DtmfTiming, Order
from voicegate.domain.call import Media, Playback
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxRefused, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

_NO_DEVICE: Final = "INVALID"
_ENDPOINT_KNOWN_S: Final = 60.0
"""So long an endpoint that the PBX had is not asked for again."""
_UNALLOCATED: Final = Hangup(cause=1)


@dataclass(frozen=True, slots=True)
class Wires:
    """What all calls of one Asterisk share."""

    pbx: str
    """The PBX's name in our settings."""
    ami: AmiClient
    """Sends actions."""
    agi: AgiServer
    """Accepts the answered channels."""
    fetched: FetchedSounds
    """Deletes the calls' own sounds after them, where the PBX fetched them."""
    calls: MutableMapping[str, "AsteriskCall"]
    """The calls that receive events, by call id and by action id."""
    endpoints_until: MutableMapping[str, float]
    """Endpoints that the PBX has, and until when that is believed, on the loop's clock."""
    reply_within_s: float
    """How long a FastAGI command may take beyond its own duration, in seconds."""


class AsteriskCall:
    """One call; implements `PbxCall`."""

    def __init__(
        self, order: Order, handover: Handover, *, fields: Fields, tracker: CallTracker, wires: Wires
    ) -> None:
        self.call_id = order.call_id
        self.tracker = tracker
        self.changes = Changes()
        self._hop = order.hop
        self._handover = handover
        self._fields = fields
        self._wires = wires
        self._session: AgiSession | None = None
        self._sip_call_id: str | None = None
        self._may_ask_sip = self._is_sip_asked = False
        self._played: set[str] = set()

    @property
    def can_speak(self) -> bool:
        """Return whether there is a FastAGI connection."""
        return self._session is not None and not self._session.is_closed

    @property
    def media(self) -> Media:
        """The last packet counts that the channel reported."""
        return self._session.media if self._session is not None else Media()

    @property
    def quality(self) -> CallQuality:
        """What the channel said of its line at its end; before the answer its Call-ID alone."""
        quality = self._session.quality if self._session is not None else CallQuality()
        return replace(quality, sip_call_id=quality.sip_call_id or self._sip_call_id)

    async def originate(self) -> None:
        """Send the Originate, once. If the PBX does not have the endpoint, the call is over at once."""
        handover, wires = self._handover, self._wires
        wires.calls[self.call_id] = wires.calls[handover.action_id] = self
        wires.agi.expect(
            self.call_id, Admission(handover.token, self._attach, lambda: self.tracker.may_attach)
        )
        if await self._is_endpoint_missing():
            # Asked, because an Originate fails for it as for a telephone that is not registered, or a trunk
            # that is down.
            self.tracker.facts.settle(self._judge_missing())
            self.changes.tell()
            return
        # Not as a list: panoramisk would wait for the end of one, and keep the OriginateResponse from us.
        reply = await wires.ami.ask("Originate", self._fields, as_list=False)
        if not reply.is_success:
            raise PbxRefused(f"the PBX refused the call: {reply.message}")

    def forget(self) -> None:
        """Take no more events, and accept no channel any more."""
        for key in (self.call_id, self._handover.action_id):
            self._wires.calls.pop(key, None)
        self._wires.agi.forget(self.call_id)

    def observe(self, event: AmiEvent) -> None:
        """Handle an AMI event of this call."""
        self.tracker.observe(event, _now())
        # The INVITE is written then, and a call that fails is gone a moment later.
        self._may_ask_sip |= isinstance(event, DialChanged)
        self.changes.tell()

    async def ask_dialog(self) -> None:
        """Ask for the SIP Call-ID, once: no event has it, and a call without an answer has no FastAGI."""
        if not self._may_ask_sip or self._is_sip_asked:
            return
        self._is_sip_asked = True
        asked = {"Channel": self.call_id, "Variable": SIP_CALL_ID}
        with suppress(PbxUnavailable, ReplyLost):
            reply = await self._wires.ami.ask("Getvar", asked)
            self._sip_call_id = reply.value or None

    async def ask_state(self) -> bool:
        """Ask for the channel's Status."""
        try:
            reply = await self._wires.ami.ask("Status", {"Channel": self.call_id})
        except (PbxUnavailable, ReplyLost):
            return False
        if reply.is_channel_unknown:
            self.tracker.miss(_now())
        elif reply.is_success and reply.items:
            self.tracker.find(state_of(reply.items[0]), _now())
        else:
            log.error("AMI Status refused: is `write = call` missing?", call=self.call_id, why=reply.message)
            return False
        return True

    async def ask_end(self) -> HangupReply:
        """Ask to hang up the channel; by FastAGI if AMI cannot be asked."""
        try:
            reply = await self._wires.ami.ask("Hangup", {"Channel": self.call_id})
        except (PbxUnavailable, ReplyLost):
            if self._session is not None:
                self._session.hang_up()
            return HangupReply.NO_REPLY
        if reply.is_success:
            return HangupReply.ACCEPTED
        if reply.is_channel_unknown:
            return HangupReply.NO_SUCH_CHANNEL
        log.error("AMI Hangup refused: is `write = call` missing?", call=self.call_id, why=reply.message)
        return HangupReply.NO_REPLY

    async def clear(self) -> None:
        """Let the PBX delete what it fetched for this call alone."""
        await self._wires.fetched.delete(self._played)

    def let_go(self) -> None:
        """Close FastAGI: until then Asterisk keeps a channel that has ended."""
        if self._session is not None and not self._session.is_closed:
            self._session.hang_up()
            self._session.close()

    async def count(self) -> Media:
        """Ask for the packet counts; the last known ones when the channel is gone."""
        if self._session is None:
            return Media()
        return await self._session.count(self._wires.reply_within_s)

    async def play(self, clip: Clip, keys: str) -> Playback:
        """Play a sound until its end or until one of `keys` is pressed, by STREAM FILE."""
        session, facts, within = (
            await self._attached_session(),
            self.tracker.facts,
            self._wires.reply_within_s,
        )
        before = session.media if session.is_counted else await session.count(within)
        holds, was_held = facts.holds, facts.is_held
        if clip.path not in self._played:
            self._played.add(clip.path)
            self._wires.fetched.use(clip.path)
        started = _now()
        reply = await self._say(session, "STREAM FILE", clip.path, keys, length=clip.length)
        elapsed = timedelta(seconds=_now() - started)
        # Its reply comes after the hangup notice, if there is one: then -1 was the caller, not the file.
        after = await session.count(within)
        samples = reply.endpos or 0
        # A file that it cannot read is -1 too, at once and with endpos 0, and the channel lives: 22.10.1.
        is_cut = reply.result is None or reply.result < 0
        return Playback(
            samples=samples,
            elapsed=elapsed,
            packets=after.sent_since(before),
            key=chr(reply.result) if reply.result is not None and reply.result > 0 else None,
            hung_up=is_cut and (samples > 0 or session.is_hung_up or session.is_closed),
            held=was_held or facts.is_held or facts.holds > holds,
        )

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits by the application SendDTMF; it knows the pauses `w` and `W`."""
        gap, tone = _milliseconds(timing.gap), _milliseconds(timing.tone)
        session, length = await self._attached_session(), timing.length_of(digits)
        reply = await self._say(session, "EXEC SendDTMF", f"{digits},{gap},{tone}", length=length)
        if reply.result != 0:
            raise LegEnded

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` that is pressed within this time, by WAIT FOR DIGIT; None: none was."""
        until = _now() + within.total_seconds()
        # It returns for any key, so that it is asked again after one that is not wanted.
        while (left := int((until - _now()) * 1000)) > 0:
            session = await self._attached_session()
            reply = await self._say(session, f"WAIT FOR DIGIT {left}", length=timedelta(milliseconds=left))
            if reply.result is None or reply.result < 0:
                raise LegEnded
            if reply.result and chr(reply.result) in keys:
                return chr(reply.result)
        return None

    async def apologise(self, apology: Clip) -> bool:
        """Leave the channel to the dialplan, which plays the apology when FastAGI ends and the channel is
        up."""
        del apology  # it has it in VOICEGATE_APOLOGY
        if self._session is None:
            return True
        if self._session.is_hung_up:
            return False
        self._session.close()
        return True

    async def _attach(self, session: AgiSession) -> None:
        """Use the channel's FastAGI session until it ends."""
        self._session = session
        self.tracker.attach(_now())
        self.changes.tell()
        try:
            await session.run()
        finally:
            if session.is_unanswered or session.is_cut:
                self.tracker.lose_touch(is_cut=session.is_cut)
            # The cause was asked for while the dead channel still answered.
            self.tracker.detach(session.cause, _now())
            self.changes.tell()

    async def _is_endpoint_missing(self) -> bool:
        """Return whether the PBX has no such endpoint. False if it does not say, as without
        `func_devstate`."""
        endpoint, known = self._hop.endpoint, self._wires.endpoints_until
        if known.get(endpoint, 0.0) > _now():
            return False
        state = (await self._wires.ami.ask("Getvar", {"Variable": f"DEVICE_STATE({PJSIP}{endpoint})"})).value
        if state and state != _NO_DEVICE:
            known[endpoint] = _now() + _ENDPOINT_KNOWN_S
        return state == _NO_DEVICE

    def _judge_missing(self) -> Hangup:
        """Return how a call to a missing endpoint ends: for a trunk, our settings are wrong."""
        if self._hop.number is None:
            return _UNALLOCATED
        setting = f"trunks.{self._hop.trunk.name}.endpoint"
        log.error("trunk unknown to PBX", pbx=self._wires.pbx, setting=setting, endpoint=self._hop.endpoint)
        return Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)

    async def _say(self, session: AgiSession, verb: str, *values: str, length: timedelta) -> Reply:
        timeout = length.total_seconds() + self._wires.reply_within_s
        try:
            reply = await session.send_command(verb, *values, timeout_s=timeout)
        except LegEnded:
            if not session.is_hung_up:
                raise CallControlLost from None
            raise
        if reply.code == DEAD:
            raise LegEnded
        return reply

    async def _attached_session(self) -> AgiSession:
        session = self._session
        if session is None:
            # Nobody took the channel over: Asterisk says it is sorry, and must not be cut short by us.
            await self.changes.until(lambda: self.tracker.facts.is_settled)
            raise LegEnded
        if session.is_closed or session.is_hung_up or self.tracker.facts.is_settled:
            raise LegEnded
        return session


def _now() -> float:
    return asyncio.get_running_loop().time()


def _milliseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
