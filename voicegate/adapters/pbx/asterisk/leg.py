"""A leg: one call's channel, followed over AMI and spoken to over FastAGI.

What its facts amount to is `tracker`'s; which calls there are is `pbx`'s. Source: Asterisk 22, "AGI
commands" and "SendDTMF"; Asterisk 22.10.1 for what they do: STREAM FILE says -1 at once, with endpos 0,
for a file it cannot read, and the channel lives; packets are counted as they go out.
"""

import asyncio
from datetime import timedelta

import structlog

from voicegate.adapters.pbx.asterisk.agi_session import AgiSession
from voicegate.adapters.pbx.asterisk.agi_wire import DEAD, Reply
from voicegate.adapters.pbx.asterisk.ami import AmiClient
from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, state_of
from voicegate.adapters.pbx.asterisk.tracker import CallTracker
from voicegate.adapters.pbx.common.supervised_leg import EndAnswer, SupervisedLeg, check_digits, check_keys
from voicegate.application.ports import Clip, DtmfTiming
from voicegate.domain.call import Media, Playback
from voicegate.domain.call_outcome import GaveUp
from voicegate.domain.errors import LegEnded, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)


class AsteriskLeg(SupervisedLeg[CallTracker]):
    """One call in the hands of Asterisk; fills the port `Leg`."""

    def __init__(
        self, call_id: str, tracker: CallTracker, *, ami: AmiClient, reply_within: timedelta
    ) -> None:
        super().__init__(call_id, tracker)
        self._ami = ami
        self._margin = reply_within.total_seconds()
        self._session: AgiSession | None = None
        self._speaking = asyncio.Lock()

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound from its start until its end, one of `keys`, or the end of the call."""
        check_keys(keys)
        async with self._speaking:
            try:
                return await self._play(await self._live_session(), clip, keys)
            except LegEnded:
                return Playback(samples=0, elapsed=timedelta(), packets=None, hung_up=True)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits (`w` pauses 0.5 s, `W` 1 s); return when all are sent."""
        check_digits(digits)
        gap, tone = _milliseconds(timing.gap), _milliseconds(timing.tone)
        async with self._speaking:
            session = await self._live_session()
            length = timing.length_of(digits)
            reply = await self._say(session, "EXEC SendDTMF", f"{digits},{gap},{tone}", length=length)
        if reply.result != 0:
            raise LegEnded

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed `within` that time, or None."""
        check_keys(keys)
        loop = asyncio.get_running_loop()
        until = loop.time() + within.total_seconds()
        async with self._speaking:
            while (left := int((until - loop.time()) * 1000)) > 0:
                session = await self._live_session()
                length = timedelta(milliseconds=left)
                reply = await self._say(session, f"WAIT FOR DIGIT {left}", length=length)
                if reply.result is None or reply.result < 0:
                    raise LegEnded
                if reply.result and chr(reply.result) in keys:
                    return chr(reply.result)
        return None

    async def media(self) -> Media:
        """Return the leg's packet counts; after its end the last ones that the channel told."""
        session = self._session
        if session is None or session.is_closed:
            return session.media if session is not None else Media()
        return await session.count(self._margin)

    async def leave(self, apology: Clip) -> None:
        """Leave the channel to the dialplan, which apologises where FastAGI ends and the channel lives."""
        del apology  # it has it in VOICEGATE_APOLOGY
        if self._session is not None and self._session.is_hung_up:
            self.end()
            return
        # Settled first: what is settled is not hung up.
        self.abandon(GaveUp.INTERRUPTED)
        if self._session is not None:
            self._session.close()

    @property
    def may_attach(self) -> bool:
        """May a FastAGI request take the channel over?"""
        return self._tracker.may_attach

    def observe(self, event: AmiEvent) -> None:
        """Take an AMI event of this call."""
        was_seen = self._tracker.is_seen
        self._tracker.observe(event, self._now())
        self._hear_of(was_seen=was_seen)

    async def attach(self, session: AgiSession) -> None:
        """Take over the channel's FastAGI session until it ends."""
        self._session = session
        self._tracker.attach(self._now())
        self._stir()
        try:
            await session.run()
        finally:
            self._tracker.detach(session.cause, self._now())
            self._stir()

    async def _ask_state(self) -> bool:
        try:
            reply = await self._ami.ask("Status", {"Channel": self._call_id})
        except (PbxUnavailable, ReplyLost):
            return False
        if reply.is_channel_unknown:
            self._tracker.miss(self._now())
        elif reply.is_success and reply.items:
            self._tracker.find(state_of(reply.items[0]), self._now())
        else:
            log.error("AMI Status refused: is `write = call` missing?", call=self._call_id, why=reply.message)
            return False
        return True

    async def _ask_end(self) -> EndAnswer:
        try:
            reply = await self._ami.ask("Hangup", {"Channel": self._call_id})
        except (PbxUnavailable, ReplyLost):
            if self._session is not None:
                self._session.hang_up()
            return EndAnswer.NONE
        if reply.is_success:
            return EndAnswer.TOLD
        if reply.is_channel_unknown:
            return EndAnswer.GONE
        log.error("AMI Hangup refused: is `write = call` missing?", call=self._call_id, why=reply.message)
        return EndAnswer.NONE

    def _let_go(self) -> None:
        if self._session is not None and not self._session.is_closed:
            self._session.hang_up()
            self._session.close()

    async def _play(self, session: AgiSession, clip: Clip, keys: str) -> Playback:
        before, holds = await session.count(self._margin), self._tracker.holds
        is_held = self._tracker.is_held
        started = self._now()
        reply = await self._say(session, "STREAM FILE", clip.path, keys, length=clip.length)
        elapsed = timedelta(seconds=self._now() - started)
        # Its reply comes after the hangup notice, if there is one: then -1 was the caller, not the file.
        after = await session.count(self._margin)
        samples = reply.endpos or 0
        is_cut = reply.result is None or reply.result < 0
        return Playback(
            samples=samples,
            elapsed=elapsed,
            packets=_grown(before.sent, after.sent),
            key=chr(reply.result) if reply.result is not None and reply.result > 0 else None,
            hung_up=is_cut and (samples > 0 or session.is_hung_up or session.is_closed),
            held=is_held or self._tracker.is_held or self._tracker.holds > holds,
        )

    async def _say(self, session: AgiSession, verb: str, *values: str, length: timedelta) -> Reply:
        timeout = length.total_seconds() + self._margin
        try:
            reply = await session.send_command(verb, *values, timeout_s=timeout)
        except LegEnded:
            if not session.is_hung_up:
                # A PBX that does not answer, or let go of us: nobody is left to speak to the called person.
                self.end()
            raise
        if reply.code == DEAD:
            raise LegEnded
        return reply

    async def _live_session(self) -> AgiSession:
        session = self._session
        if session is None:
            # Nobody took the channel over: Asterisk says it is sorry, and must not be cut short by us.
            await self.wait_end()
            raise LegEnded
        if session.is_closed or session.is_hung_up or self._tracker.is_settled:
            raise LegEnded
        return session


def _milliseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
