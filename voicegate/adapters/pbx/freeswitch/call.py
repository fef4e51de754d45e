"""One call on FreeSWITCH: its channels are placed, ended and spoken on over the one ESL connection.

What its facts mean is in `tracker`, which of its channels counts in `branches`; what is the same for every
PBX is in the supervised leg. Source: FreeSWITCH 1.10.12, `switch_ivr_play_say.c`, `mod_commands.c`, and
recorded sessions.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from voicegate.adapters.pbx.common.changes import Changes
from voicegate.adapters.pbx.common.driver import CallControlLost, HangupReply
from voicegate.adapters.pbx.freeswitch.branches import Branches
from voicegate.adapters.pbx.freeswitch.esl import EslClient
from voicegate.adapters.pbx.freeswitch.esl_events import (
    Ended,
    EslEvent,
    Executed,
    JobDone,
    KeyPressed,
    Report,
    ReportedBack,
    has_key_events,
    is_held_as_agreed,
    may_miss_key_events,
    read_executed,
    read_media,
    read_packet,
    read_step,
)
from voicegate.adapters.pbx.freeswitch.esl_wire import Event, parse_event
from voicegate.adapters.pbx.freeswitch.originate import Originate, check_path
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.application.ports import PAUSES, Clip, DtmfTiming, Order
from voicegate.domain.call import Media, Playback
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxRefused, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

_UNKNOWN_GATEWAY: Final = "INVALID_GATEWAY"
_NO_CHANNEL: Final = "-ERR No such channel!"
_SHORTEST_TONE: Final = timedelta(milliseconds=51)
"""FreeSWITCH uses its own 250 ms instead of 50 ms or less."""
_NOT_OPENED: Final = "FILE NOT FOUND"
_KEYS_KEPT: Final = 32


@dataclass(frozen=True, slots=True)
class Wires:
    """What all calls of one FreeSWITCH share."""

    pbx: str
    """The PBX's name in our settings."""
    esl: EslClient
    """Sends commands."""
    calls: MutableMapping[str, "FreeSwitchCall"]
    """The calls that receive events, by call id and by the originate's job."""
    reply_within: timedelta
    """How long a command may take beyond its own duration."""
    sound_suffix: str
    """The end of a sound file's name."""


class FreeSwitchCall:
    """One call; implements `PbxCall`."""

    def __init__(self, order: Order, written: Originate, *, tracker: CallTracker, wires: Wires) -> None:
        self.call_id = order.call_id
        self.tracker = tracker
        self.changes = Changes()
        self._hop = order.hop
        self._written = written
        self._wires = wires
        self._branches = Branches(order.call_id, is_desk=written.is_desk)
        self._keys: deque[str] = deque(maxlen=_KEYS_KEPT)
        self._listened_for = ""
        self._execution_id = ""
        self._playing: asyncio.Future[Executed] | None = None
        self._media = Media()
        self._quality = CallQuality()
        self._report = Report()
        self._packet: timedelta | None = None
        self._is_held_as_agreed = False
        self._is_reported = False
        self._is_listening = False

    @property
    def can_speak(self) -> bool:
        """Return whether the channel is parked."""
        return self.tracker.is_ours

    @property
    def media(self) -> Media:
        """The last packet counts that the channel reported."""
        # The counts tell of sender reports only, and who sends no audio sends none: any RTCP counts too.
        return replace(self._media, reports_back=self._media.reports_back or self._is_reported)

    @property
    def quality(self) -> CallQuality:
        """What the channel said of its line at its end, and the far end's last report by RTCP."""
        report = self._report
        return replace(
            self._quality, lost_sent=report.lost, jitter_sent=report.jitter, round_trip=report.round_trip
        )

    @property
    def _is_held(self) -> bool:
        """Return whether the far end has us on hold, as far as it was reported."""
        return self.tracker.facts.is_held or self._is_held_as_agreed

    async def originate(self) -> None:
        """Send the originate, once."""
        self._wires.calls[self.call_id] = self._wires.calls[self._written.job_id] = self
        reply = await self._wires.esl.ask(self._written.command, {"Job-UUID": self._written.job_id})
        text = reply.headers.get("Reply-Text", "")
        if not text.startswith("+OK"):
            raise PbxRefused(f"the PBX refused the call: {text}")

    def forget(self) -> None:
        """Receive no more events."""
        for key in (self.call_id, self._written.job_id):
            self._wires.calls.pop(key, None)

    def observe(self, event: EslEvent) -> None:
        """Handle an event of one of this call's channels."""
        for said in self._branches.take(event):
            self._note(said)
        self.changes.tell()

    async def ask_dialog(self) -> None:
        """Ask nothing: the channel's end says it all."""

    async def ask_state(self) -> bool:
        """Ask for a dump of each channel."""
        try:
            dumps = [
                (channel, await self._wires.esl.api(f"uuid_dump {channel}"))
                for channel in self._branches.live
            ]
        except (PbxUnavailable, ReplyLost):
            return False
        found = [(channel, answer) for channel, answer in dumps if answer != _NO_CHANNEL]
        for channel, answer in found:
            if answer.startswith("-"):
                log.error("uuid_dump refused: see esl-allowed-api", call=self.call_id, why=answer)
                return False
            dump = parse_event(answer)
            self._branches.find(channel, read_step(dump))
            self.tracker.find(read_step(dump), _now())
            self._find_playback_end(dump)
        if not found:
            for said in self._branches.last_words(is_over=True):
                self._note(said)
            self.tracker.miss(_now())
        return True

    async def ask_end(self) -> HangupReply:
        """Ask to end each channel."""
        try:
            answers = [await self._wires.esl.api(f"uuid_kill {channel}") for channel in self._branches.live]
        except (PbxUnavailable, ReplyLost):
            return HangupReply.NO_REPLY
        told = [answer for answer in answers if answer != _NO_CHANNEL]
        for answer in told:
            if answer.startswith("-"):
                log.error("uuid_kill refused: see esl-allowed-api", call=self.call_id, why=answer)
                return HangupReply.NO_REPLY
        return HangupReply.ACCEPTED if told else HangupReply.NO_SUCH_CHANNEL

    async def clear(self) -> None:
        """Do nothing: FreeSWITCH reads the daemon's own files, and keeps none."""

    def let_go(self) -> None:
        """Stop waiting for what is playing."""
        if self._playing is not None and not self._playing.done():
            self._playing.set_exception(LegEnded())
            # Asked for once, or asyncio complains where nobody waits for it any more.
            self._playing.exception()

    async def count(self) -> Media:
        """Ask for the packet counts; the last known ones when the channel is gone."""
        with suppress(PbxUnavailable, ReplyLost):
            # A dump has the counts of a channel that lives only once they were asked for.
            await self._wires.esl.api(f"uuid_set_media_stats {self._channel}")
            answer = await self._wires.esl.api(f"uuid_dump {self._channel}")
            if not (self.tracker.facts.is_settled or answer.startswith("-")):
                dump = parse_event(answer)
                self._media, self._packet = read_media(dump), read_packet(dump)
                self._is_held_as_agreed = is_held_as_agreed(dump)
        return self.media

    async def play(self, clip: Clip, keys: str) -> Playback:
        """Play a sound until its end or until one of `keys` is pressed, by the application playback."""
        path, facts = check_path(f"{clip.path}.{self._wires.sound_suffix}"), self.tracker.facts
        await self._listen_for_keys()
        await self._command(f"api uuid_setvar {self._channel} playback_terminators {keys or 'none'}")
        before, holds, losses = await self.count(), facts.holds, facts.losses
        was_held = self._is_held
        self._keys.clear()
        self._listened_for = keys
        started = _now()
        executed = await self._execute_playback(path, clip.length)
        elapsed = timedelta(seconds=_now() - started)
        after = await self.count()
        if was_held and self._is_held and facts.holds == holds:
            after = before  # what is sent to who holds us all the while goes to nobody
        return Playback(
            samples=_samples_of(executed, clip),
            elapsed=elapsed,
            # What went out while nobody looked is no proof of what was heard.
            packets=after.sent_since(before) if losses == facts.losses else None,
            key=executed.terminator if executed.terminator and executed.terminator in keys else None,
            hung_up=executed.is_hung_up or facts.is_settled,
            held=was_held or self._is_held or facts.holds > holds,
            packet=self._packet,
        )

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits one by one."""
        tone = max(timing.tone, _SHORTEST_TONE)
        milliseconds = round(tone.total_seconds() * 1000)
        for digit in digits:
            if digit in PAUSES:
                await self._let_pass(PAUSES[digit])
                continue
            # One at a time: `uuid_send_dtmf` answers at once, pauses in its own measure and drops commas.
            await self._command(f"api uuid_send_dtmf {self._channel} {digit}@{milliseconds}")
            await self._let_pass(tone + timing.gap)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` that is pressed within this time; None: none was."""
        self._listened_for = keys
        until = _now() + within.total_seconds()
        while True:
            change = self.changes.next
            self._check_live()
            if key := self._take_key(keys):
                return key
            try:
                async with asyncio.timeout_at(until):
                    await change.wait()
            except TimeoutError:
                return None

    async def apologise(self, apology: Clip) -> bool:
        """Play the apology over whatever is said: what is executed later is heard first."""
        self.let_go()
        with suppress(LegEnded, PbxUnavailable, ReplyLost):
            await self._command(f"api uuid_setvar {self._channel} playback_terminators none")
            path = check_path(f"{apology.path}.{self._wires.sound_suffix}")
            await self._execute_playback(path, apology.length)
        return False

    def _note(self, event: EslEvent) -> None:
        """Record what an event says about the call."""
        self.tracker.observe(event, _now())
        match event:
            case JobDone(reason=reason) if reason == _UNKNOWN_GATEWAY:
                setting, gateway = f"trunks.{self._hop.trunk.name}.endpoint", self._hop.endpoint
                log.error("trunk unknown to PBX", pbx=self._wires.pbx, setting=setting, endpoint=gateway)
            case ReportedBack(report=report):
                self._is_reported = True
                self._report = report
            case KeyPressed(key=key) if key in self._listened_for:
                # What is not listened for as it comes, an echo of our own digits say, is no key afterwards.
                self._keys.append(key)
            case Executed(execution_id=execution_id) if execution_id == self._execution_id:
                self._end_playback(event)
            case Ended(media=media, quality=quality):
                self._media, self._quality = media, quality

    def _find_playback_end(self, dump: Event) -> None:
        """Find in a dump that a playback has ended, if its event was missed."""
        if self._playing is not None and dump.text("variable_current_application_response"):
            self._end_playback(read_executed(dump))

    def _end_playback(self, executed: Executed) -> None:
        if self._playing is not None and not self._playing.done():
            self._playing.set_result(executed)

    async def _execute_playback(self, path: str, length: timedelta) -> Executed:
        self._execution_id = str(uuid4())
        self._playing = asyncio.get_running_loop().create_future()
        await self._execute("playback", {"execute-app-arg": path, "Event-UUID": self._execution_id})
        margin = self._wires.reply_within.total_seconds()
        until = _now() + length.total_seconds() + margin
        while True:
            try:
                async with asyncio.timeout_at(until):
                    # Shielded: the timeout cancels what it waits for, and it may be waited for once more.
                    return await asyncio.shield(self._playing)
            except TimeoutError:
                if not self.tracker.facts.is_lost:
                    raise self._out_of_touch() from None
                # Its end may have come and gone with the connection; the resync's dump tells of it.
                until = _now() + margin

    async def _listen_for_keys(self) -> None:
        """Have keys detected, once for each call: as tones only if they cannot come as events, because
        elsewhere speech could be taken for a tone."""
        if self._is_listening:
            return
        if self._branches.is_answered_desk:
            # Else events of keys and of RTCP do not say whose call they are of.
            await self._execute("verbose_events", {})
        with suppress(PbxUnavailable, ReplyLost):
            answer = await self._wires.esl.api(f"uuid_dump {self._channel}")
            if not answer.startswith("-"):
                await self._listen_as_agreed(parse_event(answer))
            self._is_listening = True

    async def _listen_as_agreed(self, dump: Event) -> None:
        if not has_key_events(dump):
            await self._execute("start_dtmf", {})
        elif may_miss_key_events(dump):
            log.warning("keys may go unheard: see dialplan/freeswitch/profile.xml on Opus", call=self.call_id)

    async def _execute(self, application: str, headers: Mapping[str, str]) -> None:
        asked = {"call-command": "execute", "execute-app-name": application, **headers}
        await self._command(f"sendmsg {self._channel}", asked)

    async def _command(self, line: str, headers: Mapping[str, str] | None = None) -> None:
        """Tell the channel to do something; while the connection is lost, when it is back.

        Raises:
            LegEnded: the channel is gone, or it is unknown whether it received the command.
        """
        # A parked channel outlives the connection and is taken up again.
        await self.changes.until(lambda: not (self.tracker.facts.is_lost and self.tracker.is_ours))
        self._check_live()
        try:
            reply = await self._wires.esl.ask(line, headers)
        except (PbxUnavailable, ReplyLost):
            raise self._out_of_touch() from None
        if (reply.body or reply.headers.get("Reply-Text", "")).startswith("-"):
            raise LegEnded

    def _out_of_touch(self) -> CallControlLost:
        self.tracker.lose_touch()
        return CallControlLost()

    def _take_key(self, keys: str) -> str | None:
        while self._keys:
            if (key := self._keys.popleft()) in keys:
                return key
        return None

    async def _let_pass(self, length: timedelta) -> None:
        try:
            async with asyncio.timeout(length.total_seconds()):
                await self.changes.until(lambda: self.tracker.facts.is_settled)
        except TimeoutError:
            return
        raise LegEnded

    @property
    def _channel(self) -> str:
        """The channel that was answered."""
        return next(iter(self._branches.live), self.call_id)

    def _check_live(self) -> None:
        if not self.tracker.is_ours:
            raise LegEnded


def _now() -> float:
    return asyncio.get_running_loop().time()


def _samples_of(executed: Executed, clip: Clip) -> int:
    """Return the samples played, at the clip's rate. For a file that was never opened, FreeSWITCH reports the
    count of the file before."""
    # It says so at once, and the channel lives; a hangup in mid-file says PLAYBACK ERROR, with a count.
    if executed.response == _NOT_OPENED or not executed.rate:
        return 0
    return round(executed.samples * clip.samples / (clip.length.total_seconds() * executed.rate))
