"""The half of a call's tracker that every PBX shares: signals told once, timers, what is due. Pure.

Facts come in any order: the PBX's events, the loss and return of its connection, and time. A call is
settled only when its last needed fact is in, or a grace time is over. Which facts a PBX tells, and what
they amount to, is its adapter's.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from voicegate.application.ports import LegSignal
from voicegate.domain.call_outcome import GaveUp, Hangup


@dataclass(frozen=True, slots=True)
class LegTimeouts:
    """How long each thing is waited for, in seconds."""

    ring: float
    """From originate to answer: the PBX's own timeout."""
    lost: float
    """For a lost connection to the PBX."""
    late: float = 5.0
    """Beyond `ring`, for a PBX that forgets its timeout."""
    attach: float = 5.0
    """From answer to the channel being ours to speak to."""
    settle: float = 2.0
    """For the facts still missing once a call is known to be over."""
    unseen: float = 1.0
    """For a channel event that may still follow a failed originate."""
    ending: float = 8.0
    """For the end of a call that we hang up: asked for more than once, and then let go of."""


class Due(Enum):
    """What a tracker cannot do itself."""

    NOTHING = auto()
    PROBE = auto()
    """Ask the PBX whether the channel lives, and say so by `find` or `miss`."""
    HANG_UP = auto()
    """End the channel."""


class Timer(Enum):
    """What every tracker waits for."""

    OVERDUE = auto()
    ATTACH = auto()
    SETTLE = auto()
    LOST = auto()
    ENDING = auto()


class Tracker(ABC):
    """One call's facts."""

    def __init__(self, timeouts: LegTimeouts, now: float) -> None:
        self._timeouts = timeouts
        self._placed_at = now
        self._told: list[LegSignal] = []
        self._timers: dict[Enum, float] = {Timer.OVERDUE: now + timeouts.ring + timeouts.late}
        self._up_at: float | None = None
        self._is_blind, self._lost_at = False, now
        self._is_asked = False
        self._is_seen = False
        self.holds = 0
        self.is_held = False

    @property
    def told(self) -> Sequence[LegSignal]:
        """The signals so far, in order."""
        return self._told

    @property
    def is_settled(self) -> bool:
        """Was the Hangup told?"""
        return bool(self._told) and isinstance(self._told[-1], Hangup)

    @property
    def is_seen(self) -> bool:
        """Did the PBX ever speak of the channel, or of its end?"""
        return self._is_seen

    @property
    def next_due(self) -> float | None:
        """When `due` should be asked again; None when only facts can change anything."""
        return min(self._timers.values(), default=None)

    def ask_hangup(self) -> None:
        """Note that our side ends the call."""
        self._is_asked = True

    def await_end(self, now: float) -> None:
        """Note that the channel is told to end from now on."""
        self._timers.setdefault(Timer.ENDING, now + self._timeouts.ending)

    def lose(self, now: float) -> None:
        """Note that events may be missed from now on."""
        self._is_blind, self._lost_at = True, now
        self._timers.setdefault(Timer.LOST, now + self._timeouts.lost)

    def miss(self, now: float) -> None:
        """Note that the PBX, asked, does not know the channel."""
        self._timers.pop(Timer.LOST, None)
        self._settle_as_known(now)

    def due(self, now: float) -> Due:
        """Settle what time settles, and return what has to be done."""
        for timer in [timer for timer, at in self._timers.items() if at <= now]:
            self._timers.pop(timer, None)
            due = self._expire(timer, now)
            if due is not Due.NOTHING:
                return due
        return Due.NOTHING

    def give_up(self, reason: GaveUp) -> None:
        """Settle at once, whatever the facts."""
        self._tell_end(Hangup(gave_up=reason))

    def end_as(self, hangup: Hangup) -> None:
        """Settle at once, so."""
        self._tell_end(hangup)

    def _note_hold(self, *, is_held: bool) -> None:
        self.is_held = is_held
        self.holds += is_held

    def _mark_up(self, now: float) -> None:
        if self._up_at is None:
            self._up_at = now
            self._timers.pop(Timer.OVERDUE, None)
            self._timers[Timer.ATTACH] = now + self._timeouts.attach

    def _await_rest(self, timeouts: float, now: float) -> None:
        self._timers[Timer.SETTLE] = now + timeouts

    def _expire(self, timer: Enum, now: float) -> Due:
        if timer is Timer.ENDING and Timer.LOST in self._timers:
            # Nobody could be told; the loss has its own end.
            self._timers[timer] = now + self._timeouts.ending
            return Due.NOTHING
        if timer in (Timer.LOST, Timer.ENDING) or (timer is Timer.SETTLE and self._is_over()):
            self._settle_as_known(now)
            return Due.NOTHING
        # A settling call is over, it seems, and its end did not come.
        return Due.NOTHING if timer is Timer.SETTLE and Timer.LOST in self._timers else Due.PROBE

    @abstractmethod
    def _is_over(self) -> bool:
        """Is enough known to settle once no more facts are waited for?"""

    @abstractmethod
    def _settle_as_known(self, now: float) -> None:
        """Tell the end with what is known; there will be no more."""

    def _tell_once(self, signal: LegSignal) -> None:
        if not self.is_settled and signal not in self._told:
            self._told.append(signal)

    def _tell_end(self, hangup: Hangup) -> None:
        if not self.is_settled:
            self._told.append(hangup)
            self._timers.clear()
