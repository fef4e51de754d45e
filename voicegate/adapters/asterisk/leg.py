"""A leg: one call's channel, followed over AMI and spoken to over FastAGI.

What its facts amount to is `tracker`'s; which calls there are is `pbx`'s. Source: Asterisk 22, "AGI
commands" and "SendDTMF"; Asterisk 22.10.1 for what they do: STREAM FILE says -1 at once, with endpos 0,
for a file it cannot read, and the channel lives; packets are counted as they go out.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import structlog

from voicegate.adapters.asterisk.agi_session import AgiSession
from voicegate.adapters.asterisk.agi_wire import DEAD, Reply
from voicegate.adapters.asterisk.ami import AmiClient
from voicegate.adapters.asterisk.ami_events import AmiEvent, state_of
from voicegate.adapters.asterisk.ami_link import ReplyLost
from voicegate.adapters.asterisk.tracker import CallTracker, Due
from voicegate.application.ports import Clip, DtmfTiming, LegSignal
from voicegate.domain.call import Media, Playback
from voicegate.domain.errors import LegEnded, PbxUnavailable, UnsafeValue
from voicegate.domain.hangup_cause import GaveUp, Hangup

log = structlog.get_logger(__name__)

_RETRY: Final = 2.0
"""Seconds between two tries to end or find a channel."""
_MISSES: Final = 2
"""How often a channel that was seen must be missing before it counts as gone: its Hangup may be under way."""
_MISSES_UNSEEN: Final = 5
"""The same for a channel that may not have been made yet."""
_UNKNOWN_END: Final = frozenset((GaveUp.PBX_LOST, GaveUp.INTERNAL_ERROR))
_DTMF_DIGITS: Final = frozenset("0123456789*#ABCDabcdwW")
_KEYS: Final = frozenset("0123456789*#ABCD")
_PAUSES: Final = {"w": timedelta(milliseconds=500), "W": timedelta(seconds=1)}


class AsteriskLeg:
    """One call in the hands of Asterisk; fills the port `Leg`."""

    def __init__(
        self, call_id: str, tracker: CallTracker, *, ami: AmiClient, reply_within: timedelta
    ) -> None:
        self._call_id = call_id
        self._tracker = tracker
        self._ami = ami
        self._margin = reply_within.total_seconds()
        self._session: AgiSession | None = None
        self._speaking = asyncio.Lock()
        self._news = asyncio.Event()
        self._wants_end = False
        self._wants_probe = False
        self._try_at = 0.0
        self._misses = 0

    async def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happened to the call since its start, and what happens until its `Hangup`."""
        seen = 0
        while True:
            news = self._news
            while seen < len(self._tracker.told):
                signal = self._tracker.told[seen]
                seen += 1
                yield signal
                if isinstance(signal, Hangup):
                    return
            await news.wait()

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound from its start until its end, one of `keys`, or the end of the call."""
        _check_keys(keys)
        async with self._speaking:
            try:
                return await self._play(self._live_session(), clip, keys)
            except LegEnded:
                return Playback(samples=0, elapsed=timedelta(), packets=None, hung_up=True)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits (`w` pauses 0.5 s, `W` 1 s); return when all are sent."""
        if not digits or not _DTMF_DIGITS.issuperset(digits):
            raise UnsafeValue("digits hold something that is neither a DTMF digit nor a pause")
        gap, tone = _milliseconds(timing.gap), _milliseconds(timing.tone)
        length = sum((_PAUSES.get(digit, timing.gap + timing.tone) for digit in digits), timedelta())
        async with self._speaking:
            session = self._live_session()
            reply = await self._say(session, "EXEC SendDTMF", f"{digits},{gap},{tone}", length=length)
        if reply.result != 0:
            raise LegEnded

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed `within` that time, or None."""
        _check_keys(keys)
        loop = asyncio.get_running_loop()
        until = loop.time() + within.total_seconds()
        async with self._speaking:
            while (left := int((until - loop.time()) * 1000)) > 0:
                session = self._live_session()
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

    async def hang_up(self) -> None:
        """Ask the PBX to end the call. Does not wait for it."""
        self.end()

    def end(self) -> None:
        """The same, for those who cannot await."""
        if not self._tracker.is_settled and not self._wants_end:
            self._wants_end, self._try_at = True, 0.0
            self._tracker.ask_hangup()
            self._stir()

    async def wait_end(self) -> None:
        """Wait until the call is settled."""
        while not self._tracker.is_settled:
            await self._news.wait()

    @property
    def may_attach(self) -> bool:
        """May a FastAGI request take the channel over?"""
        return self._tracker.may_attach

    @property
    def is_lost(self) -> bool:
        """Was it given up without knowing whether its channel lives?"""
        return any(isinstance(told, Hangup) and told.gave_up in _UNKNOWN_END for told in self._tracker.told)

    def observe(self, event: AmiEvent) -> None:
        """Take an AMI event of this call."""
        was_seen = self._tracker.is_seen
        self._tracker.observe(event, self._now())
        if not was_seen:
            # The channel exists from here on: a hangup that came too early is repeated at once.
            self._try_at = 0.0
        self._stir()

    def lose(self) -> None:
        """Note that the AMI connection is lost."""
        self._tracker.lose(self._now())
        self._stir()

    def abandon(self, reason: GaveUp) -> None:
        """Settle at once: the call was never placed, or is waited for no longer."""
        self._tracker.give_up(reason)
        self._stir()

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

    async def run(self) -> None:
        """Tend the call until it is settled: a task's root, which settles whatever happens."""
        try:
            while not self._tracker.is_settled:
                await self._rest()
                await self._tend()
        except Exception:  # a fault of ours must not leave a call without an end
            log.exception("call not tended", call=self._call_id)
            self._tracker.give_up(GaveUp.INTERNAL_ERROR)
        finally:
            self._stir()
            if self._session is not None and not self._session.is_closed:
                self._session.hang_up()
                self._session.close()

    async def probe(self) -> None:
        """Ask the PBX whether the channel lives."""
        try:
            reply = await self._ami.ask("Status", {"Channel": self._call_id})
        except (PbxUnavailable, ReplyLost):
            return
        if reply.is_channel_unknown:
            self._tracker.miss(self._now())
        elif reply.is_success and reply.items:
            self._tracker.find(state_of(reply.items[0]), self._now())
        else:
            log.error("AMI Status refused: is `write = call` missing?", call=self._call_id, why=reply.message)
            return
        self._wants_probe = False
        self._stir()

    async def _rest(self) -> None:
        """Wait for news or for something to be due."""
        news, due = self._news, self._tracker.next_due
        if self._wants_end or self._wants_probe:
            due = self._try_at if due is None else min(due, self._try_at)
        try:
            async with asyncio.timeout_at(due):
                await news.wait()
        except TimeoutError:
            return

    async def _tend(self) -> None:
        due = self._tracker.due(self._now())
        if due is Due.PROBE:
            self._wants_probe, self._try_at = True, 0.0
        elif due is Due.HANG_UP:
            self._wants_end, self._try_at = True, 0.0
        if self._tracker.told:
            self._stir()
        if self._tracker.is_settled or self._now() < self._try_at:
            return
        self._try_at = self._now() + _RETRY
        if self._wants_probe:
            await self.probe()
            # Over by all signs, and the channel still lives.
            self._wants_end = self._wants_end or not self._wants_probe
        if self._wants_end and not self._tracker.is_settled:
            await self._end_channel()

    async def _end_channel(self) -> None:
        try:
            reply = await self._ami.ask("Hangup", {"Channel": self._call_id})
        except (PbxUnavailable, ReplyLost):
            if self._session is not None:
                self._session.hang_up()
            return
        if not reply.is_channel_unknown:
            if not reply.is_success:
                log.error(
                    "AMI Hangup refused: is `write = call` missing?", call=self._call_id, why=reply.message
                )
            return
        self._misses += 1
        if self._misses >= (_MISSES if self._tracker.is_seen else _MISSES_UNSEEN):
            self._tracker.miss(self._now())
            self._stir()

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

    def _live_session(self) -> AgiSession:
        session = self._session
        if session is None or session.is_closed or session.is_hung_up or self._tracker.is_settled:
            raise LegEnded
        return session

    def _stir(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _check_keys(keys: str) -> None:
    if not _KEYS.issuperset(keys):
        raise UnsafeValue("keys hold something that is no telephone key")


def _milliseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
