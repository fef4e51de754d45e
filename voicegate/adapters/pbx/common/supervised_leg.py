"""One call watched to its end, for every kind of PBX: signals passed on, the channel asked for and ended.

Its task makes sure that every call is settled. It also has what is the same on every answered call: one task
speaks at a time, keys and digits are checked, and the end of the call is no exception in `play`. How a PBX is
asked and spoken to is in the `PbxCall` that the leg is given; what the facts mean is in its tracker.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from voicegate.adapters.pbx.common.call_facts import Due
from voicegate.adapters.pbx.common.driver import CallControlLost, HangupReply, PbxCall
from voicegate.application.ports import Clip, DtmfTiming, Leg, LegSignal
from voicegate.domain.call import Media, Playback
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, UnsafeValue

log = structlog.get_logger(__name__)

_RETRY: Final = 2.0
"""Seconds between two tries to end or find a channel."""
_MISSES: Final = 2
"""How often a channel that was seen must be missing before it counts as gone: its end may be on its way."""
_MISSES_UNSEEN: Final = 5
"""The same for a channel that may not have been created yet."""
_UNKNOWN_END: Final = frozenset((GaveUp.PBX_LOST, GaveUp.INTERNAL_ERROR))
_KEYS: Final = frozenset("0123456789*#ABCD")
_DTMF_DIGITS: Final = _KEYS | frozenset("abcdwW")


class SupervisedLeg(Leg):
    """One call at a PBX; implements the port `Leg`."""

    def __init__(self, call: PbxCall) -> None:
        self._call = call
        self._facts = call.tracker.facts
        self._speaking = asyncio.Lock()
        self._is_seen = False
        self._wants_probe = False
        self._try_at = 0.0
        self._misses = 0
        self._is_told_to_end = False

    async def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what has happened to the call since its start, and what happens until its `Hangup`."""
        seen = 0
        while True:
            # Taken before the look: while a signal is handed on, another may be told.
            change = self._call.changes.next
            while seen < len(self._facts.told):
                signal = self._facts.told[seen]
                seen += 1
                yield signal
                if isinstance(signal, Hangup):
                    return
            await change.wait()

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound from its start until its end, until one of `keys` is pressed, or until the call
        ends."""
        _check_keys(keys)
        try:
            async with self._speaking_alone():
                return await self._call.play(clip, keys)
        except LegEnded:
            return Playback(samples=0, elapsed=timedelta(), packets=None, hung_up=True)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits (`w` pauses 0.5 s, `W` 1 s); return when all are sent."""
        if not digits or not _DTMF_DIGITS.issuperset(digits):
            raise UnsafeValue("digits hold something that is neither a DTMF digit nor a pause")
        async with self._speaking_alone():
            await self._call.send_digits(digits, timing)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` that is pressed within this time; None: none was."""
        _check_keys(keys)
        async with self._speaking_alone():
            return await self._call.wait_key(keys, within)

    async def media(self) -> Media:
        """Return the leg's packet counts; after its end the last ones that the channel reported."""
        return await self._call.count() if self._call.can_speak else self._call.media

    @property
    def quality(self) -> CallQuality:
        """What is known of the call's line."""
        return self._call.quality

    async def leave(self, apology: Clip) -> None:
        """Apologise and end the call; the PBX does it by itself if it can."""
        if await self._call.apologise(apology):
            # Settled at once: a call that we go on ending would be hung up in the middle of the apology.
            self.abandon(GaveUp.INTERRUPTED)
        else:
            await self.hang_up()

    async def hang_up(self) -> None:
        """Ask the PBX to end the call, without waiting for the end."""
        if not self._facts.is_settled and not self._facts.is_ending:
            self._facts.ask_hangup()
            self._call.changes.tell()

    async def wait_end(self) -> None:
        """Wait until the call is settled."""
        await self._call.changes.until(lambda: self._facts.is_settled)

    @property
    def is_lost(self) -> bool:
        """Return whether it was given up without knowing whether its channel exists."""
        end = self._facts.end
        return end is not None and end.gave_up in _UNKNOWN_END

    def lose(self) -> None:
        """Record that the connection to the PBX is lost."""
        self._facts.lose(_now())
        self._call.changes.tell()

    def abandon(self, reason: GaveUp) -> None:
        """Settle at once: the call was never placed, or is no longer waited for."""
        self._facts.give_up(reason)
        self._call.changes.tell()

    async def probe(self) -> bool:
        """Ask the PBX whether the channel exists; False: it did not say."""
        is_said = await self._call.ask_state()
        if is_said:
            self._wants_probe = False
            self._is_seen = self._call.tracker.is_seen
            self._call.changes.tell()
        return is_said

    async def supervise(self) -> None:
        """Watch the call to its end. Runs as a task, and settles the call whatever happens."""
        try:
            while not self._facts.is_settled:
                # Taken before the work: what comes while the PBX is asked is looked at right after.
                change = self._call.changes.next
                self._note_due()
                await self._ask_pbx()
                await self._rest(change)
        except Exception:  # a fault of ours must not leave a call without an end
            log.exception("call supervision failed", call=self._call.call_id)
            self._facts.give_up(GaveUp.INTERNAL_ERROR)
        finally:
            self._call.changes.tell()
            self._call.let_go()

    @asynccontextmanager
    async def _speaking_alone(self) -> AsyncIterator[None]:
        async with self._speaking:
            try:
                yield
            except CallControlLost:
                await self.hang_up()
                raise

    def _note_due(self) -> None:
        """Settle the call if its time is over, and record what the PBX must be asked for."""
        told = len(self._facts.told)
        due = self._call.tracker.due(_now())
        if len(self._facts.told) > told:
            self._call.changes.tell()
        if due is Due.PROBE:
            self._wants_probe, self._try_at = True, 0.0
        if due is Due.HANG_UP or (self._facts.is_asked and not self._facts.is_ending):
            self._facts.await_end(_now())
            self._try_at = 0.0
        if self._call.tracker.is_seen and not self._is_seen:
            # The channel exists from here on: a hangup that came too early is repeated at once.
            self._is_seen, self._try_at = True, 0.0

    async def _ask_pbx(self) -> None:
        if not self._facts.is_settled:
            await self._call.ask_dialog()
        is_wanted = self._wants_probe or self._facts.is_ending
        if self._facts.is_settled or not is_wanted or _now() < self._try_at:
            return
        self._try_at = _now() + _RETRY
        if self._wants_probe and await self.probe():
            # The call seems to be over, but its channel still exists.
            self._facts.await_end(_now())
        if self._facts.is_ending and not self._facts.is_settled:
            await self._end_channel()

    async def _rest(self, change: asyncio.Event) -> None:
        """Wait for a change, or until something is due."""
        due = self._facts.next_due
        if self._facts.is_ending or self._wants_probe:
            due = self._try_at if due is None else min(due, self._try_at)
        try:
            async with asyncio.timeout_at(due):
                await change.wait()
        except TimeoutError:
            return

    async def _end_channel(self) -> None:
        answer = await self._call.ask_end()
        if answer is HangupReply.NO_SUCH_CHANNEL:
            self._misses += 1
            if self._misses >= (_MISSES if self._call.tracker.is_seen else _MISSES_UNSEEN):
                self._call.tracker.miss(_now())
                self._call.changes.tell()
        elif answer is HangupReply.ACCEPTED:
            if self._is_told_to_end:
                # Before already, and it is still there: it may wait for us.
                self._call.let_go()
            self._is_told_to_end = True


def _now() -> float:
    return asyncio.get_running_loop().time()


def _check_keys(keys: str) -> None:
    if not _KEYS.issuperset(keys):
        raise UnsafeValue("keys hold a character that is not on a telephone")
