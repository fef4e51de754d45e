"""The `Pbx` port without a PBX: no sound, no network; each call does what its number says.

Like a real PBX it reports facts only: a stopped playback says so, a call that nobody hung up does not end.
All its times are multiplied by a pace, so that tests need not wait; the lengths and packets that it reports
are those of real time. The domain decides the outcomes.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from voicegate.application.ports import Clip, DtmfTiming, LegSignal, Order
from voicegate.domain.announcement import OPT_OUT_KEY, REPORT_KEY
from voicegate.domain.call import Answered, Media, Playback, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxRefused, UnsafeValue
from voicegate.domain.routing import Hop, TrunkState


class Behaviour(StrEnum):
    """What a telephone does, by the last two digits of its number; any other number does the same as `01`."""

    DELIVERED = "01"
    """Answers, and presses the requested key."""
    NO_KEY = "02"
    """Answers and never presses a key, like a voicemail."""
    BUSY = "03"
    """SIP 486."""
    NO_ANSWER = "04"
    """Rings until the ring timeout."""
    HANGS_UP = "05"
    """Presses the key and hangs up in the middle of the code."""
    EXTENSION = "06"
    """The same as `01`, after any extension was sent."""
    REJECTED = "07"
    """SIP 603."""
    INVALID_NUMBER = "08"
    """SIP 404."""
    TRUNK_FAILED = "09"
    """SIP 503."""
    TRUNK_SILENT = "10"
    """No ringing and no early media until the ring timeout."""
    NO_MEDIA = "11"
    """Answers, but no packet and no key comes back."""
    REFUSED = "12"
    """The PBX itself refuses to place the call."""
    REPORTS = "13"
    """Answers, and presses 9: did not ask for the call."""
    OPTS_OUT = "14"
    """Presses 9, and then 0 twice: wants no more calls."""


# Causes as Asterisk 22 gives them for these statuses.
_FAILURES: Final[Mapping[Behaviour, Hangup]] = {
    Behaviour.BUSY: Hangup(cause=17, sip_status=486),
    Behaviour.REJECTED: Hangup(cause=21, sip_status=603),
    Behaviour.INVALID_NUMBER: Hangup(cause=1, sip_status=404),
    Behaviour.TRUNK_FAILED: Hangup(cause=34, sip_status=503),
}
_RINGS_FIRST: Final = (Behaviour.BUSY, Behaviour.REJECTED)
_UNANSWERED: Final = (Behaviour.NO_ANSWER, Behaviour.TRUNK_SILENT)
_REPORTING: Final = (Behaviour.REPORTS, Behaviour.OPTS_OUT)
_MUTE: Final = (Behaviour.NO_KEY, Behaviour.NO_MEDIA)

_NORMAL_CLEARING: Final = Hangup(cause=16)
_SETUP: Final = timedelta(seconds=1)
_RINGING: Final = timedelta(seconds=3)
_PACKET: Final = timedelta(milliseconds=20)
_HELLO: Final = 50
_JITTER: Final = timedelta(milliseconds=1)
_ROUND_TRIP: Final = timedelta(milliseconds=20)
_DTMF_PAUSES: Final = {"w": timedelta(milliseconds=500), "W": timedelta(seconds=1)}
_NOTHING_PLAYED: Final = Playback(samples=0, elapsed=timedelta(), packets=0, hung_up=True)
_UNSAFE: Final = re.compile(r"[\r\n\0]")


def behaviour_of(hop: Hop) -> Behaviour:
    """Return what the telephone at the end of `hop` does."""
    last_two = (hop.number or hop.endpoint)[-2:]
    return Behaviour(last_two) if last_two in set(Behaviour) else Behaviour.DELIVERED


class SimulatedPbx:
    """A PBX that plays its telephones itself.

    `pace` multiplies every time: 1 is real time, 0.01 a hundred times as fast. `endpoints` are the names that
    it reports as available.
    """

    def __init__(self, pace: float = 1.0, endpoints: Sequence[str] = ()) -> None:
        self._pace = pace
        self._endpoints = tuple(endpoints)
        self._placed: set[str] = set()
        self._legs: dict[str, SimulatedLeg] = {}

    @property
    def is_connected(self) -> bool:
        """Return whether calls can be placed now: always."""
        return True

    async def reach(self, within: timedelta) -> bool:  # noqa: ARG002
        """Return whether calls can be placed now: always."""
        return True

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator["SimulatedLeg"]:
        """Place a call, at most once per call id; leaving the context hangs it up.

        Raises:
            PbxRefused: the call id was used before, or the number is one that is refused.
            UnsafeValue: a line end in a value.
        """
        values = (order.call_id, order.hop.endpoint, order.hop.number or "", *_caller(order.hop))
        if any(_UNSAFE.search(value) for value in values):
            raise UnsafeValue
        behaviour = behaviour_of(order.hop)
        if order.call_id in self._placed or behaviour is Behaviour.REFUSED:
            raise PbxRefused
        # Kept for ever: a simulator is made for one run of tests, or for numbers that ring nowhere.
        self._placed.add(order.call_id)
        leg = self._legs[order.call_id] = SimulatedLeg(order.call_id, behaviour, self._pace)
        ringing = asyncio.create_task(leg.ring(order.hop.trunk.ring_timeout))
        try:
            yield leg
        finally:
            await leg.hang_up()
            await ringing
            del self._legs[order.call_id]

    async def hang_up(self, call_id: str) -> None:
        """End a call by its id, if it lives."""
        if leg := self._legs.get(call_id):
            await leg.hang_up()

    async def ping(self) -> timedelta:
        """Return no time at all: nothing has to travel."""
        return timedelta()

    def take_endpoints(self, endpoints: Sequence[str]) -> None:
        """Report these endpoints from now on."""
        self._endpoints = tuple(endpoints)

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return its endpoints, all available."""
        return dict.fromkeys(self._endpoints, TrunkState.AVAILABLE)


class SimulatedLeg:
    """One call to a telephone that behaves as told."""

    def __init__(self, call_id: str, behaviour: Behaviour, pace: float) -> None:
        self._sip_call_id = f"{call_id}@simulator"
        self._behaviour = behaviour
        self._pace = pace
        self._signals: asyncio.Queue[LegSignal] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._is_answered = False
        # Nobody presses a key before they are put through, nor twice.
        self._may_press = behaviour not in (*_MUTE, Behaviour.EXTENSION)
        self._packets = 0

    async def ring(self, timeouts: timedelta) -> None:
        """Go from the originate to the answer or to the failure that stands in its place."""
        await self._pass(_SETUP)
        if failure := _FAILURES.get(self._behaviour):
            if self._behaviour in _RINGS_FIRST:
                self._tell(Rang())
                await self._pass(_RINGING)
            self._end(failure)
            return
        if self._behaviour is not Behaviour.TRUNK_SILENT:
            self._tell(Rang())
        if self._behaviour in _UNANSWERED:
            # The timeout counts from the originate, as with a real PBX.
            await self._pass(timeouts - _SETUP)
            self._end(Hangup(cause=16, gave_up=GaveUp.RING_TIMEOUT))
            return
        await self._pass(_RINGING)
        self._is_answered = not self._ended.is_set()
        self._tell(Answered())

    async def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happens to the call until its `Hangup`."""
        while True:
            signal = await self._signals.get()
            yield signal
            if isinstance(signal, Hangup):
                return

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Take as long as DTMF digits would.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        lengths = (_DTMF_PAUSES.get(digit, timing.tone + timing.gap) for digit in digits)
        if not await self._pass(sum(lengths, timedelta())):
            raise LegEnded
        self._may_press |= self._behaviour is Behaviour.EXTENSION

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Take as long as the sound does, until the key or the end of the call."""
        if self._ended.is_set():
            return _NOTHING_PLAYED
        is_code = clip.code_end < clip.samples
        if is_code and self._behaviour is Behaviour.HANGS_UP:
            return await self._hang_up_during(clip)
        key = self._press(keys)
        # Some languages name the key last, and nobody presses one before.
        share = max(0.9, clip.key_end / clip.samples) if key else 1
        began = asyncio.get_running_loop().time()
        if await self._pass(clip.length * share):
            return self._played(clip, share, key=key)
        # As if in real time: what is proved must not depend on the pace.
        elapsed = timedelta(seconds=asyncio.get_running_loop().time() - began) / self._pace
        return self._played(clip, min(elapsed / clip.length, 1), hung_up=True)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first key that the telephone's owner presses, or None after that time.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        key = self._press(keys)
        if not await self._pass(within / 2 if key else within):
            raise LegEnded
        return key

    async def media(self) -> Media:
        """Return the packets that this much talk would have made."""
        if self._behaviour is Behaviour.NO_MEDIA or not self._is_answered:
            return Media(received=0, sent=self._packets)
        # A person says hello.
        return Media(received=self._packets + _HELLO, sent=self._packets, reports_back=True)

    @property
    def quality(self) -> CallQuality:
        """A faultless line; nothing came back from one without media."""
        known = CallQuality(sip_call_id=self._sip_call_id, codec="PCMU", packets_sent=self._packets)
        if self._behaviour is Behaviour.NO_MEDIA or not self._is_answered:
            return known
        return replace(
            known,
            packets_received=self._packets + _HELLO,
            lost_sent=0,
            lost_received=0,
            jitter_sent=_JITTER,
            jitter_received=_JITTER,
            round_trip=_ROUND_TRIP,
        )

    async def leave(self, apology: Clip) -> None:
        """End the call: nobody is there to be told."""
        del apology
        await self.hang_up()

    async def hang_up(self) -> None:
        """End the call; does nothing to one that has ended."""
        self._end(_NORMAL_CLEARING)

    async def _hang_up_during(self, clip: Clip) -> Playback:
        half = clip.code_end / clip.samples / 2
        await self._pass(clip.length * half)
        self._end(_NORMAL_CLEARING)
        return self._played(clip, half, hung_up=True)

    async def _pass(self, length: timedelta) -> bool:
        """Let time pass; False, at once, when the call has ended."""
        try:
            async with asyncio.timeout(length.total_seconds() * self._pace):
                await self._ended.wait()
        except TimeoutError:
            return not self._ended.is_set()
        return False

    def _press(self, keys: str) -> str | None:
        if self._behaviour in _REPORTING:
            wanted = REPORT_KEY + (OPT_OUT_KEY if self._behaviour is Behaviour.OPTS_OUT else "")
            return next((key for key in wanted if key in keys), None)
        # Never the star, which asks for the code again, nor a key that nobody presses who wants the code.
        wanted = "".join(key for key in keys if key not in f"*{REPORT_KEY}{OPT_OUT_KEY}")
        if not (self._may_press and wanted):
            return None
        self._may_press = False
        return wanted[0]

    def _played(self, clip: Clip, share: float, *, key: str | None = None, hung_up: bool = False) -> Playback:
        elapsed = clip.length * share
        packets = round(elapsed / _PACKET)
        self._packets += packets
        return Playback(
            samples=round(clip.samples * share), elapsed=elapsed, packets=packets, key=key, hung_up=hung_up
        )

    def _tell(self, signal: LegSignal) -> None:
        if not self._ended.is_set():
            self._signals.put_nowait(signal)

    def _end(self, hangup: Hangup) -> None:
        self._tell(hangup)
        self._ended.set()


def _caller(hop: Hop) -> tuple[str, str]:
    return hop.caller_id.number, hop.caller_id.name
