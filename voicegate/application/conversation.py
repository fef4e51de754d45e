"""What is said and done on an answered call: the extension, the human check, the code.

It uses a `Leg` only, so that the conversation is the same on every PBX. Delivery starts it when the call is
answered and stops it when the call ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import structlog

from voicegate.application.call_log import CallLog
from voicegate.application.ports import CallAudio, Clip, DtmfTiming, Leg
from voicegate.domain.announcement import OPT_OUT_KEY, REPORT_KEY, HumanCheck, PromptName
from voicegate.domain.call import (
    Call,
    CodeSpan,
    ExtensionSent,
    ExtensionStarted,
    Invited,
    KeyPressed,
    Media,
    OptedOut,
    Playback,
    ReadingEnded,
    ReadingStarted,
    Reported,
    measure_packet,
    proves_sent,
)
from voicegate.domain.call_outcome import Blame, GaveUp
from voicegate.domain.errors import LegEnded
from voicegate.domain.number_reading import MAX_EXTENSION

log = structlog.get_logger(__name__)

# Neither 9 nor 0: whoever presses 9 did not ask for the call, and whoever then presses 0 wants none any more.
ANY_KEYS: Final = "12345678*#"
# Asked for by preference in this order: star is no digit.
_ASKED_KEYS: Final = ("12345678", "*")
# A line may return what we sent: a hybrid's echo in half a second, over a satellite in two.
_ECHO: Final = timedelta(seconds=3)
READINGS: Final = 2
MAX_READINGS: Final = 6
_INVITATION_GAP: Final = timedelta(seconds=2)
_STAR_WAIT: Final = timedelta(seconds=3)
OPT_OUT_WAIT: Final = timedelta(seconds=8)
"""How long a person has to press 0, after each offer to stop calls."""
# Telephones that send each key both as SIP INFO and as an event press twice; people take longer.
_SAME_PRESS: Final = timedelta(milliseconds=500)
# So much of sound has packets, whatever their length.
_TELLING: Final = timedelta(seconds=1)
# PBXs count in whole packets; a missing file plays nothing at all.
_PLAYED_TOLERANCE: Final = 0.9


@dataclass(frozen=True, slots=True)
class CallTimings:
    """How long the parts of an answered call may take."""

    human_timeout: timedelta = timedelta(seconds=45)
    """How long to wait for the key. Telephones that screen calls answer first, and then ring for half a
    minute."""
    human_timeout_extension: timedelta = timedelta(seconds=60)
    """The same for a call with an extension, which rings only after the digits were sent."""
    time_cap: timedelta = timedelta(seconds=60)
    """How long the code may be read, counted from the key; without a human check, from the answer."""
    time_cap_extension: timedelta = timedelta(seconds=120)
    """The same for a call with an extension."""
    extension_delay: timedelta = timedelta(seconds=1)
    """From the answer to the first digit of the extension."""
    dtmf: DtmfTiming = field(default_factory=DtmfTiming)
    """How the extension's digits are sent."""

    @property
    def longest(self) -> timedelta:
        """The longest that any call can last after the answer."""
        extensions = (None, "0" * MAX_EXTENSION, "W" * MAX_EXTENSION)
        return max(self.longest_for(extension) for extension in extensions)

    def longest_for(self, extension: str | None) -> timedelta:
        """Return how long a call with this extension (None: without) can last after the answer."""
        sending = self.extension_delay + self.dtmf.length_of(extension) if extension else timedelta()
        return sending + self.human_timeout_for(extension) + self.cap_for(extension)

    def cap_for(self, extension: str | None) -> timedelta:
        """Return how long the code may be read on a call with this extension."""
        return self.time_cap_extension if extension else self.time_cap

    def human_timeout_for(self, extension: str | None) -> timedelta:
        """Return how long to wait for the key on a call with this extension."""
        return self.human_timeout_extension if extension else self.human_timeout


class CallReports(Protocol):
    """What becomes of calls that the called person reports."""

    async def report(self, call: Call) -> bool:
        """Make a call's code void: the called person did not ask for the call. Return whether they may stop
        further calls to the number.

        Raises:
            StoreError: nothing was stored.
        """
        ...

    async def opt_out(self, call: Call) -> bool:
        """Stop further calls to a call's number; return whether they are stopped.

        Raises:
            StoreError: nothing was stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reporting:
    """The same for one call; it is stored sooner or later, also if the call ends meanwhile."""

    report: Callable[[], Awaitable[bool]]
    """Makes the code void; returns whether the person may stop further calls to the number."""
    opt_out: Callable[[], Awaitable[bool]]
    """Stops further calls to the number; returns whether they are stopped."""


@dataclass(frozen=True, slots=True)
class Script:
    """What one conversation needs."""

    check: HumanCheck
    """What a person must do before the code is spoken."""
    keys: str
    """The keys that pass the check."""
    audio: CallAudio
    """The call's own two sounds."""
    prompt: Callable[[PromptName], Clip]
    """Returns another phrase of the language."""
    is_wanted: Callable[[], Awaitable[bool]]
    """Tells whether the code can still be entered."""
    packet: timedelta
    """How much audio one RTP packet of this leg carries, until it was measured or the PBX tells."""
    reporting: Reporting | None = None
    """What follows a report; None: the invitation does not offer it, and 9 is a key like any other."""


def keys_apart_from(extension: str | None) -> str:
    """Return the keys from which the key to press is chosen: none that an echo of the extension's digits
    could press.

    If the extension has every digit, any may be chosen; it is then ignored until no echo can come any more.
    """
    for keys in _ASKED_KEYS:
        if free := "".join(key for key in keys if key not in (extension or "")):
            return free
    return _ASKED_KEYS[0]


class _PlaybackFailedError(Exception):
    """A sound did not play."""


class Conversation:
    """One answered call."""

    def __init__(self, leg: Leg, call_log: CallLog, *, script: Script, timings: CallTimings) -> None:
        self._leg = leg
        self._call_log = call_log
        self._script = script
        self._timings = timings
        self._sent, self._echoes_until = "", 0.0
        self._is_key_named = False
        self._packet: timedelta | None = None
        self._played, self._sent_packets = timedelta(), 0
        self._is_counted = self._is_held_all_along = True

    async def hold(self) -> GaveUp | None:
        """Hold the conversation to its end; return why we end the call; None: the far end hung up."""
        try:
            if not await self._script.is_wanted():
                await self._play(self._script.prompt(PromptName.NOT_WANTED))
                return GaveUp.CANCELED
            await self._send_extension()
            key = ""
            if self._script.check is not HumanCheck.NONE and not (key := await self._meet_human()):
                return GaveUp.NO_KEY
            cap = self._timings.cap_for(self._call_log.call.destination.extension)
            async with asyncio.timeout(cap.total_seconds()) as deadline:
                if key == REPORT_KEY and self._script.reporting:
                    await self._take_report(self._script.reporting)
                else:
                    await self._announce(deadline)
        except TimeoutError:
            return GaveUp.TIME_CAP
        except LegEnded:
            return None
        except _PlaybackFailedError:
            return GaveUp.PLAYBACK_FAILED
        return GaveUp.FINISHED

    async def _send_extension(self) -> None:
        extension = self._call_log.call.destination.extension
        if extension is None:
            return
        await self._call_log.write(ExtensionStarted())
        await asyncio.sleep(self._timings.extension_delay.total_seconds())
        await self._leg.send_digits(extension, self._timings.dtmf)
        self._sent = extension
        self._echoes_until = asyncio.get_running_loop().time() + _ECHO.total_seconds()
        await self._call_log.write(ExtensionSent())

    def _heard(self, keys: str) -> str:
        """Return the keys that cannot be an echo of digits that we have just sent."""
        if asyncio.get_running_loop().time() >= self._echoes_until:
            return keys
        return "".join(key for key in keys if key not in self._sent)

    def _counting(self) -> str:
        """Return the keys that count during the human check.

        9 counts from when the requested key does, though the words that name it follow that. Before, a key is
        pressed by a finger that is still on the keypad, or by habit ("9 for an outside line"); after it, by
        somebody who has heard the words on this call or an earlier one. Nor does it count while an echo of
        the extension could press it.
        """
        return self._heard(self._script.keys + (REPORT_KEY if self._script.reporting else ""))

    async def _meet_human(self) -> str:
        """Repeat the invitation until a key that counts is pressed, and return that; empty: none was pressed
        in time."""
        await self._call_log.write(Invited())
        timeout = self._timings.human_timeout_for(self._call_log.call.destination.extension)
        loop = asyncio.get_running_loop()
        # Not by the time of day, which may be set while somebody is on the telephone.
        deadline = loop.time() + timeout.total_seconds()
        invite = True
        while (left := timedelta(seconds=deadline - loop.time())) > timedelta():
            # Played only where it fits: a playback that had to be cut short could not be counted.
            if invite and left >= self._script.audio.invitation.length:
                key = await self._invite()
            else:
                keys = self._counting() if self._is_key_named else ""
                key = await self._leg.wait_key(keys, min(left, _INVITATION_GAP))
            if key:
                is_report = key == REPORT_KEY and self._script.reporting
                await self._call_log.write(Reported() if is_report else KeyPressed(digit=key))
                return key
            # Once more at once where it was broken off too early to count.
            invite = not (invite and self._is_key_named)
        return ""

    async def _invite(self) -> str | None:
        """Ask for the key; return the pressed key, if it had been named before it was pressed."""
        invitation = self._script.audio.invitation
        playback = await self._play(invitation, self._counting())
        self._is_key_named = self._is_key_named or playback.samples >= invitation.key_end
        return playback.key if self._is_key_named else None

    async def _take_report(self, reporting: Reporting) -> None:
        """Make the code void, say so, and stop further calls if the person wants that and confirms it."""
        may_opt_out = await reporting.report()
        await self._play(self._script.prompt(PromptName.REPORTED))
        if (
            may_opt_out
            and await self._is_zero_pressed(PromptName.NO_MORE_CALLS)
            and await self._is_zero_pressed(PromptName.CONFIRM_NO_MORE)
            and await reporting.opt_out()
        ):
            await self._call_log.write(OptedOut())
            await self._play(self._script.prompt(PromptName.CALLS_STOPPED))
        else:
            await self._play(self._script.prompt(PromptName.GOODBYE))

    async def _is_zero_pressed(self, offer: PromptName) -> bool:
        """Return whether the person presses 0 while they hear an offer, or soon after it."""
        clip, keys = self._script.prompt(offer), self._heard(OPT_OUT_KEY)
        playback = await self._play(clip, keys)
        if playback.key and clip.length * (playback.samples / clip.samples) < _SAME_PRESS:
            playback = await self._play(clip, keys)
        return (playback.key or await self._leg.wait_key(keys, OPT_OUT_WAIT)) is not None

    async def _announce(self, deadline: asyncio.Timeout) -> None:
        """Read the code twice, and once more for each star, as long as a whole reading fits into the time."""
        if self._script.check is HumanCheck.NONE:
            await self._play(self._script.audio.invitation)
        readings, wanted = 0, READINGS
        while readings < wanted and self._fits(deadline):
            if readings and not await self._script.is_wanted():
                break  # entered already: no need to hear it again
            readings += 1
            star = await self._read(readings)
            if not star and readings == wanted:
                star = await self._offer_repeat()
            if star:
                wanted = min(max(wanted, readings + 1), MAX_READINGS)
        await self._play(self._script.prompt(PromptName.GOODBYE))

    def _fits(self, deadline: asyncio.Timeout) -> bool:
        """Return whether one more reading can end in time."""
        left = (deadline.when() or 0) - asyncio.get_running_loop().time()
        return self._script.audio.reading.length.total_seconds() < left

    async def _read(self, reading: int) -> bool:
        """Read the code once; return whether a star was pressed to hear it again."""
        await self._call_log.write(ReadingStarted(reading))
        clip = self._script.audio.reading
        playback = await self._leg.play(clip, self._heard("*"))
        self._measure(playback, clip)
        code_end = clip.length * (clip.code_end / clip.samples)
        span = CodeSpan(clip.code_end, code_end, self._packet or self._script.packet)
        await self._call_log.write(ReadingEnded(reading, proven=proves_sent(playback, span)))
        return self._believe(playback, clip).key is not None

    async def _offer_repeat(self) -> bool:
        playback = await self._play(self._script.prompt(PromptName.PRESS_STAR), "*")
        return (playback.key or await self._leg.wait_key("*", _STAR_WAIT)) is not None

    async def _play(self, clip: Clip, keys: str = "") -> Playback:
        playback = await self._leg.play(clip, keys)
        self._measure(playback, clip)
        return self._believe(playback, clip)

    def nothing_sent(self, media: Media) -> Blame | None:
        """Return who is to blame that nothing we played was sent; None: something was sent, or too little was
        played to tell.

        `media` has the packet counts of the whole call.
        """
        if self._played < _TELLING or self._sent_packets or (media.sent and not self._is_counted):
            return None
        return Blame.CALLEE if self._is_held_all_along else Blame.TRUNK

    def _measure(self, playback: Playback, clip: Clip) -> None:
        """Measure how much audio the call's packets carry. The shortest measurement counts: lost packets make
        them look longer."""
        played = clip.length * (playback.samples / clip.samples)
        self._played += played
        self._sent_packets += playback.packets or 0
        self._is_counted = self._is_counted and playback.packets is not None
        self._is_held_all_along = self._is_held_all_along and (playback.held or not played)
        measured = measure_packet(playback, played)
        if measured is not None:
            self._packet = min(measured, self._packet or measured)

    @staticmethod
    def _believe(playback: Playback, clip: Clip) -> Playback:
        if playback.hung_up:
            raise LegEnded
        if playback.key is None and playback.samples < clip.samples * _PLAYED_TOLERANCE:
            # Neither a key nor a hangup cut it short: the PBX could not play it.
            fix = "see audio.folder, audio.group, audio.pbx_folder and audio.pbx_sounds"
            log.warning("PBX could not play a sound", path=clip.path, fix=fix)
            raise _PlaybackFailedError
        return playback
