"""A leg as every adapter tends it: signals handed on, the channel asked for and ended, more than once.

What a call's facts amount to is its `tracking.Tracker`'s; how a PBX is asked, and spoken to on an answered
call, is its adapter's. Here is the task that sees to it that every call is settled.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from enum import Enum, auto
from typing import Final, Generic, TypeVar

import structlog

from voicegate.adapters.pbx.common.call_tracker import Due, Tracker
from voicegate.application.ports import Leg, LegSignal
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import UnsafeValue

log = structlog.get_logger(__name__)

T = TypeVar("T", bound=Tracker)

_RETRY: Final = 2.0
"""Seconds between two tries to end or find a channel."""
_MISSES: Final = 2
"""How often a channel that was seen must be missing before it counts as gone: its end may be under way."""
_MISSES_UNSEEN: Final = 5
"""The same for a channel that may not have been made yet."""
_UNKNOWN_END: Final = frozenset((GaveUp.PBX_LOST, GaveUp.INTERNAL_ERROR))
_KEYS: Final = frozenset("0123456789*#ABCD")
_DTMF_DIGITS: Final = _KEYS | frozenset("abcdwW")


class EndAnswer(Enum):
    """What a PBX says when it is asked to end a channel."""

    TOLD = auto()
    """It will."""
    GONE = auto()
    """It does not have the channel."""
    NONE = auto()
    """Nothing, or that it may not."""


class SupervisedLeg(Leg, ABC, Generic[T]):
    """One call in the hands of a PBX; what is left of the port `Leg` is its adapter's."""

    def __init__(self, call_id: str, tracker: T) -> None:
        self._call_id = call_id
        self._tracker = tracker
        self._news = asyncio.Event()
        self._wants_end = False
        self._wants_probe = False
        self._try_at = 0.0
        self._misses = 0
        self._is_told_to_end = False

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

    async def hang_up(self) -> None:
        """Ask the PBX to end the call. Does not wait for it."""
        self.end()

    def end(self) -> None:
        """The same, for those who cannot await."""
        if not self._tracker.is_settled and not self._wants_end:
            self._tracker.ask_hangup()
            self._try_at = 0.0
            self._insist()
            self._stir()

    async def wait_end(self) -> None:
        """Wait until the call is settled."""
        while not self._tracker.is_settled:
            await self._news.wait()

    @property
    def is_lost(self) -> bool:
        """Was it given up without knowing whether its channel lives?"""
        return any(isinstance(told, Hangup) and told.gave_up in _UNKNOWN_END for told in self._tracker.told)

    def lose(self) -> None:
        """Note that the connection to the PBX is lost."""
        self._tracker.lose(self._now())
        self._stir()

    def abandon(self, reason: GaveUp) -> None:
        """Settle at once: the call was never placed, or is waited for no longer."""
        self._tracker.give_up(reason)
        self._stir()

    def refuse(self, hangup: Hangup) -> None:
        """Settle at once: the PBX has nobody to call, and nothing was placed."""
        self._tracker.end_as(hangup)
        self._stir()

    async def run(self) -> None:
        """Tend the call until it is settled: a task's root, which settles whatever happens."""
        try:
            while not self._tracker.is_settled:
                await self._rest()
                await self._tend()
        except Exception:  # a fault of ours must not leave a call without an end
            log.exception("call supervision failed", call=self._call_id)
            self._tracker.give_up(GaveUp.INTERNAL_ERROR)
        finally:
            self._stir()
            self._let_go()

    async def probe(self) -> None:
        """Ask the PBX whether the channel lives."""
        await self._is_found()

    async def _is_found(self) -> bool:
        """Ask the PBX whether the channel lives; False when it did not say."""
        is_said = await self._ask_state()
        if is_said:
            self._wants_probe = False
            self._stir()
        return is_said

    @abstractmethod
    async def _ask_state(self) -> bool:
        """Ask how the channel is and tell the tracker by `find` or `miss`; False when the PBX did not say."""

    @abstractmethod
    async def _ask_end(self) -> EndAnswer:
        """Ask the PBX to end the channel."""

    def _let_go(self) -> None:
        """Release what belongs to the call: it is settled, or does not end while we hold on to it."""

    def _hear_of(self, *, was_seen: bool) -> None:
        """Note that the tracker learnt something."""
        if not was_seen and self._tracker.is_seen:
            # The channel exists from here on: a hangup that came too early is repeated at once.
            self._try_at = 0.0
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
            self._try_at = 0.0
            self._insist()
        if self._tracker.told:
            self._stir()
        if self._tracker.is_settled or self._now() < self._try_at:
            return
        self._try_at = self._now() + _RETRY
        if self._wants_probe and await self._is_found():
            # The call seems to be over, but its channel still exists.
            self._insist()
        if self._wants_end and not self._tracker.is_settled:
            await self._end_channel()

    def _insist(self) -> None:
        if not self._wants_end:
            self._wants_end = True
            self._tracker.await_end(self._now())

    async def _end_channel(self) -> None:
        answer = await self._ask_end()
        if answer is EndAnswer.GONE:
            self._miss()
        elif answer is EndAnswer.TOLD:
            if self._is_told_to_end:
                # Before already, and it is still there: it may wait for us.
                self._let_go()
            self._is_told_to_end = True

    def _miss(self) -> None:
        self._misses += 1
        if self._misses >= (_MISSES if self._tracker.is_seen else _MISSES_UNSEEN):
            self._tracker.miss(self._now())
            self._stir()

    def _stir(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def check_keys(keys: str) -> None:
    """Refuse what is no telephone key.

    Raises:
        UnsafeValue: it would be misread by the PBX.
    """
    if not _KEYS.issuperset(keys):
        raise UnsafeValue("keys hold something that is no telephone key")


def check_digits(digits: str) -> None:
    """Refuse what is neither a DTMF digit nor a pause, and nothing at all.

    Raises:
        UnsafeValue: it would be misread by the PBX.
    """
    if not digits or not _DTMF_DIGITS.issuperset(digits):
        raise UnsafeValue("digits hold something that is neither a DTMF digit nor a pause")
