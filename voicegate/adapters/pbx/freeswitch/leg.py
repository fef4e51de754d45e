"""A leg: one call's channel, parked in FreeSWITCH and spoken to over the one ESL connection.

What its facts amount to is `tracker`'s; which calls there are is `pbx`'s. Source: FreeSWITCH 1.10.12,
`switch_ivr_play_say.c`, `mod_commands.c`, and recorded sessions: `playback` says FILE NOT FOUND for a file it
cannot read, and the channel lives; a hangup in mid-file says PLAYBACK ERROR; digits are sent one by one, for
`uuid_send_dtmf` answers at once, pauses in its own measure and drops commas.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from voicegate.adapters.pbx.common.supervised_leg import EndAnswer, SupervisedLeg, check_digits, check_keys
from voicegate.adapters.pbx.freeswitch.branches import Branches
from voicegate.adapters.pbx.freeswitch.esl import EslClient
from voicegate.adapters.pbx.freeswitch.esl_events import (
    Ended,
    EslEvent,
    Executed,
    KeyPressed,
    ReportedBack,
    has_key_events,
    may_miss_key_events,
    read_executed,
    read_media,
    read_packet,
    read_step,
)
from voicegate.adapters.pbx.freeswitch.esl_wire import Event, parse_event
from voicegate.adapters.pbx.freeswitch.orders import check_path
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.application.ports import PAUSES, Clip, DtmfTiming
from voicegate.domain.call import Media, Playback
from voicegate.domain.errors import LegEnded, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

_NO_CHANNEL: Final = "-ERR No such channel!"
_SHORTEST_TONE: Final = timedelta(milliseconds=51)
"""FreeSWITCH takes its own 250 ms instead of 50 ms and less."""
_NOT_OPENED: Final = "FILE NOT FOUND"
_KEYS_KEPT: Final = 32


class FreeSwitchLeg(SupervisedLeg[CallTracker]):
    """One call in the hands of FreeSWITCH; fills the port `Leg`."""

    def __init__(
        self,
        call_id: str,
        tracker: CallTracker,
        *,
        esl: EslClient,
        settings: FreeSwitchSettings,
        is_desk: bool = False,
    ) -> None:
        super().__init__(call_id, tracker)
        self._esl = esl
        self._branches = Branches(call_id, is_desk=is_desk)
        self._margin = settings.command_timeout
        self._suffix = settings.sound_suffix
        self._speaking = asyncio.Lock()
        self._keys: deque[str] = deque(maxlen=_KEYS_KEPT)
        self._listened_for = ""
        self._execution_id = ""
        self._playing: asyncio.Future[Executed] | None = None
        self._losses = 0
        self._media = Media()
        self._packet: timedelta | None = None
        self._is_reported = False
        self._is_listening = False

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound from its start until its end, one of `keys`, or the end of the call."""
        check_keys(keys)
        path = check_path(f"{clip.path}.{self._suffix}")
        async with self._speaking:
            try:
                return await self._play(clip, path, keys)
            except LegEnded:
                return Playback(samples=0, elapsed=timedelta(), packets=None, hung_up=True)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits (`w` pauses 0.5 s, `W` 1 s); return when all are sent."""
        check_digits(digits)
        tone = max(timing.tone, _SHORTEST_TONE)
        milliseconds = round(tone.total_seconds() * 1000)
        async with self._speaking:
            for digit in digits:
                if digit in PAUSES:
                    await self._pass(PAUSES[digit])
                    continue
                await self._command(f"api uuid_send_dtmf {self._channel} {digit}@{milliseconds}")
                await self._pass(tone + timing.gap)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed `within` that time, or None."""
        check_keys(keys)
        async with self._speaking:
            self._listened_for = keys
            return await self._next_key(keys, self._now() + within.total_seconds())

    async def media(self) -> Media:
        """Return the leg's packet counts; after its end the last ones that the channel told."""
        media = await self._count() if self._tracker.is_ours else self._media
        return replace(media, reports_back=media.reports_back or self._is_reported)

    async def leave(self, apology: Clip) -> None:
        """Apologise over whatever is said, and hang up: what is executed later is heard first."""
        self._let_go()
        with suppress(LegEnded, PbxUnavailable, ReplyLost):
            await self._command(f"api uuid_setvar {self._channel} playback_terminators none")
            await self._execute_playback(check_path(f"{apology.path}.{self._suffix}"), apology.length)
        self.end()

    def observe(self, event: EslEvent) -> None:
        """Take an event of one of this call's channels."""
        for said in self._branches.take(event):
            self._observe(said)

    def _observe(self, event: EslEvent) -> None:
        was_seen = self._tracker.is_seen
        self._tracker.observe(event, self._now())
        match event:
            case ReportedBack():
                # The counts tell of sender reports only: who sends no audio sends none.
                self._is_reported = True
            case KeyPressed(key=key) if key in self._listened_for:
                # What is not listened for as it comes, an echo of our own digits say, is no key afterwards.
                self._keys.append(key)
            case Executed(execution_id=execution_id) if execution_id == self._execution_id:
                self._end_playing(event)
            case Ended(media=media):
                self._media = media
        self._hear_of(was_seen=was_seen)

    async def _ask_state(self) -> bool:
        try:
            dumps = [
                (channel, await self._esl.api(f"uuid_dump {channel}")) for channel in self._branches.live
            ]
        except (PbxUnavailable, ReplyLost):
            return False
        found = [(channel, answer) for channel, answer in dumps if answer != _NO_CHANNEL]
        for channel, answer in found:
            if answer.startswith("-"):
                log.error("uuid_dump refused: see esl-allowed-api", call=self._call_id, why=answer)
                return False
            dump = parse_event(answer)
            self._branches.find(channel, read_step(dump))
            self._tracker.find(read_step(dump), self._now())
            self._find_playing(dump)
        if not found:
            self._tell_missing()
        return True

    def _tell_missing(self) -> None:
        for said in self._branches.last_words(is_over=True):
            self._observe(said)
        self._tracker.miss(self._now())

    async def _ask_end(self) -> EndAnswer:
        try:
            answers = [await self._esl.api(f"uuid_kill {channel}") for channel in self._branches.live]
        except (PbxUnavailable, ReplyLost):
            return EndAnswer.NONE
        told = [answer for answer in answers if answer != _NO_CHANNEL]
        for answer in told:
            if answer.startswith("-"):
                log.error("uuid_kill refused: see esl-allowed-api", call=self._call_id, why=answer)
                return EndAnswer.NONE
        return EndAnswer.TOLD if told else EndAnswer.GONE

    def lose(self) -> None:
        """Note that the connection is lost: what is playing can no longer be proved."""
        self._losses += 1
        super().lose()

    def _find_playing(self, dump: Event) -> None:
        """Learn from a dump that a playback ended whose event was missed."""
        if self._playing is not None and dump.text("variable_current_application_response"):
            self._end_playing(read_executed(dump))

    def _end_playing(self, executed: Executed) -> None:
        if self._playing is not None and not self._playing.done():
            self._playing.set_result(executed)

    def _let_go(self) -> None:
        if self._playing is not None and not self._playing.done():
            self._playing.set_exception(LegEnded())
            self._playing.exception()

    async def _play(self, clip: Clip, path: str, keys: str) -> Playback:
        await self._listen_in_band()
        await self._command(f"api uuid_setvar {self._channel} playback_terminators {keys or 'none'}")
        before, holds, losses = await self._count(), self._tracker.holds, self._losses
        is_held = self._tracker.is_held
        self._keys.clear()
        self._listened_for = keys
        started = self._now()
        executed = await self._execute_playback(path, clip.length)
        elapsed = timedelta(seconds=self._now() - started)
        after = await self._count()
        return Playback(
            samples=_samples_of(executed, clip),
            elapsed=elapsed,
            packets=_grown(before.sent, after.sent) if losses == self._losses else None,
            key=executed.terminator if executed.terminator and executed.terminator in keys else None,
            hung_up=executed.is_hung_up or self._tracker.is_settled,
            held=is_held or self._tracker.is_held or self._tracker.holds > holds,
            packet=self._packet,
        )

    async def _execute_playback(self, path: str, length: timedelta) -> Executed:
        self._execution_id = str(uuid4())
        self._playing = asyncio.get_running_loop().create_future()
        await self._execute("playback", {"execute-app-arg": path, "Event-UUID": self._execution_id})
        until = self._now() + (length + self._margin).total_seconds()
        while True:
            try:
                async with asyncio.timeout_at(until):
                    return await asyncio.shield(self._playing)
            except TimeoutError:
                if not self._tracker.is_lost:
                    # A PBX that does not answer: nobody is left to speak to the called person.
                    raise self._let_go_of_pbx() from None
                until = self._now() + self._margin.total_seconds()

    async def _listen_in_band(self) -> None:
        """Have keys heard as tones where they cannot come as events: elsewhere speech could pass for one."""
        if self._is_listening:
            return
        if self._branches.is_answered_desk:
            # Else events of keys and of RTCP do not say whose call they are of.
            await self._execute("verbose_events", {})
        with suppress(PbxUnavailable, ReplyLost):
            answer = await self._esl.api(f"uuid_dump {self._channel}")
            if not answer.startswith("-"):
                await self._listen_as_agreed(parse_event(answer))
            self._is_listening = True

    async def _listen_as_agreed(self, dump: Event) -> None:
        if not has_key_events(dump):
            await self._execute("start_dtmf", {})
        elif may_miss_key_events(dump):
            log.warning(
                "keys may go unheard: see dialplan/freeswitch/profile.xml on Opus", call=self._call_id
            )

    async def _execute(self, application: str, headers: Mapping[str, str]) -> None:
        asked = {"call-command": "execute", "execute-app-name": application, **headers}
        await self._command(f"sendmsg {self._channel}", asked)

    async def _count(self) -> Media:
        """Return the leg's packet counts, the last known ones when the channel is gone."""
        with suppress(PbxUnavailable, ReplyLost):
            await self._esl.api(f"uuid_set_media_stats {self._channel}")
            answer = await self._esl.api(f"uuid_dump {self._channel}")
            if not (self._tracker.is_settled or answer.startswith("-")):
                dump = parse_event(answer)
                self._media, self._packet = read_media(dump), read_packet(dump)
        return self._media

    async def _command(self, line: str, headers: Mapping[str, str] | None = None) -> None:
        """Have the channel do something; while the connection is lost, once it is back.

        Raises:
            LegEnded: the channel is gone, or nobody knows whether it heard, which ends it.
        """
        while self._tracker.is_lost:
            news = self._news
            self._check_live()
            await news.wait()
        self._check_live()
        try:
            reply = await self._esl.ask(line, headers)
        except (PbxUnavailable, ReplyLost):
            raise self._let_go_of_pbx() from None
        if (reply.body or reply.headers.get("Reply-Text", "")).startswith("-"):
            raise LegEnded

    def _let_go_of_pbx(self) -> LegEnded:
        self._tracker.lose_touch()
        self.end()
        return LegEnded()

    async def _next_key(self, keys: str, until: float) -> str | None:
        while True:
            news = self._news
            self._check_live()
            if key := self._take_key(keys):
                return key
            try:
                async with asyncio.timeout_at(until):
                    await news.wait()
            except TimeoutError:
                return None

    def _take_key(self, keys: str) -> str | None:
        while self._keys:
            if (key := self._keys.popleft()) in keys:
                return key
        return None

    async def _pass(self, length: timedelta) -> None:
        try:
            async with asyncio.timeout(length.total_seconds()):
                await self.wait_end()
        except TimeoutError:
            return
        raise LegEnded

    @property
    def _channel(self) -> str:
        """The channel that was answered."""
        return next(iter(self._branches.live), self._call_id)

    def _check_live(self) -> None:
        if not self._tracker.is_ours:
            raise LegEnded


def _samples_of(executed: Executed, clip: Clip) -> int:
    """Return the samples played, at the clip's rate; what was never opened has the last file's count."""
    if executed.response == _NOT_OPENED or not executed.rate:
        return 0
    return round(executed.samples * clip.samples / (clip.length.total_seconds() * executed.rate))


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
