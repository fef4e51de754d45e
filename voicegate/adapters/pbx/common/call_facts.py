"""What is known of one call on any kind of PBX: the signals so far, the running timers, who ended it.

Facts come in any order: the PBX's events, the loss and return of its connection, and time. A call is settled
when its last needed fact is in, or a grace time is over. Which facts a PBX reports, and what they mean, is in
the tracker of its kind, which has a `CallFacts`. Pure: no I/O and no clock; every time is given, in seconds
of the loop's clock.
"""

from collections.abc import Iterator, Sequence
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
    """For a lost connection to the PBX to come back."""
    late: float = 5.0
    """Beyond `ring`, for a PBX that misses its own timeout."""
    attach: float = 5.0
    """From the answer until the channel can be spoken on."""
    settle: float = 2.0
    """For the missing facts, once a call is known to be over."""
    unseen: float = 1.0
    """For a channel event that may still follow a failed originate."""
    ending: float = 8.0
    """For the end of a call that we hang up: it is asked for more than once, and then no longer waited
    for."""


class Due(Enum):
    """What must be done after a timer has run out."""

    NOTHING = auto()
    PROBE = auto()
    """Ask the PBX whether the channel exists, and tell the tracker by `find` or `miss`."""
    HANG_UP = auto()
    """End the channel."""
    SETTLE = auto()
    """End the call with what is known, because nothing more will come. The tracker does this itself."""


class Timer(Enum):
    """The timers of every kind of PBX."""

    OVERDUE = auto()
    """No answer and no failure, for longer than the PBX's own timeout."""
    ATTACH = auto()
    """An answered channel cannot be spoken on yet."""
    SETTLE = auto()
    """The last facts of a call that is over are missing."""
    LOST = auto()
    """The connection is lost."""
    ENDING = auto()
    """A channel that was told to end has not ended."""


class CallFacts:
    """One call's facts."""

    def __init__(self, timeouts: LegTimeouts, now: float) -> None:
        self.timeouts = timeouts
        self.placed_at = now
        self.up_at: float | None = None
        """When the channel was answered; None: not yet."""
        self.is_blind, self.lost_at = False, now
        """Whether events may have been missed, and since when."""
        self.losses = 0
        """How often the connection was lost during the call."""
        self.is_asked = False
        """Whether we want the call to end."""
        self.is_ending = False
        """Whether the channel was told to end, by us or for another reason."""
        self.is_channel_seen = False
        """Whether the PBX ever reported the channel."""
        self.holds, self.is_held = 0, False
        """How often the far end put us on hold, and whether it does now."""
        self._told: list[LegSignal] = []
        self._timers: dict[Enum, float] = {Timer.OVERDUE: now + timeouts.ring + timeouts.late}

    @property
    def told(self) -> Sequence[LegSignal]:
        """The signals so far, in order."""
        return self._told

    @property
    def end(self) -> Hangup | None:
        """The signal that ended the call; None: it has not ended."""
        last = self._told[-1] if self._told else None
        return last if isinstance(last, Hangup) else None

    @property
    def is_settled(self) -> bool:
        """Return whether the Hangup was reported."""
        return self.end is not None

    @property
    def is_lost(self) -> bool:
        """Return whether the connection to the PBX is lost now."""
        return Timer.LOST in self._timers

    @property
    def next_due(self) -> float | None:
        """When the next timer runs out; None: only new facts can change something."""
        return min(self._timers.values(), default=None)

    def tell_once(self, signal: LegSignal) -> None:
        """Add a signal that was not reported yet, unless the call is settled."""
        # A PBX says some things twice, as Asterisk does of ringing: by Newstate and by DialState.
        if not self.is_settled and signal not in self._told:
            self._told.append(signal)

    def settle(self, hangup: Hangup) -> None:
        """Add the end, unless it was reported; all timers stop."""
        # The first end counts: what a PBX sends later is about a channel that is over.
        if not self.is_settled:
            self._told.append(hangup)
            self._timers.clear()

    def give_up(self, reason: GaveUp) -> None:
        """Settle at once, whatever the facts are."""
        self.settle(Hangup(gave_up=reason))

    def ask_hangup(self) -> None:
        """Record that we end the call."""
        self.is_asked = True

    def await_end(self, now: float) -> None:
        """Record that the channel was told to end at `now`."""
        self.is_ending = True
        # The first order counts: repeating it must not put the end off.
        self._timers.setdefault(Timer.ENDING, now + self.timeouts.ending)

    def lose(self, now: float) -> None:
        """Record that events may be missed from now on."""
        self.is_blind, self.lost_at = True, now
        self.losses += 1
        # The first loss counts: a connection that comes and goes must not put the end off.
        self._timers.setdefault(Timer.LOST, now + self.timeouts.lost)

    def find_channel(self) -> None:
        """Record that the PBX was asked and knows the channel."""
        self.is_channel_seen = True
        self.stop(Timer.LOST)

    def mark_up(self, now: float) -> None:
        """Record that the channel was answered."""
        # Once: a PBX reports an answer more than once, and must not start the wait for the channel anew.
        if self.up_at is None:
            self.up_at = now
            self.stop(Timer.OVERDUE)
            self.start(Timer.ATTACH, now + self.timeouts.attach)

    def note_hold(self, *, is_held: bool) -> None:
        """Record that the far end put us on hold, or ended that."""
        self.is_held = is_held
        self.holds += is_held

    def start(self, timer: Enum, until: float) -> None:
        """Start a timer, or set a running one anew; it runs out at `until`."""
        self._timers[timer] = until

    def stop(self, timer: Enum) -> None:
        """Stop a timer."""
        self._timers.pop(timer, None)

    def is_running(self, timer: Enum) -> bool:
        """Return whether a timer is running."""
        return timer in self._timers

    def run_out(self, now: float) -> Iterator[Enum]:
        """Stop and yield each timer that has run out by now; one that is not taken runs out next time."""
        for timer in [timer for timer, until in self._timers.items() if until <= now]:
            # Settling, for an earlier one, stops the rest.
            if self.is_running(timer):
                self.stop(timer)
                yield timer

    def due_after(self, timer: Enum, now: float, *, is_over: bool) -> Due:
        """Return what must be done for one of the shared timers; `is_over`: enough is known to settle."""
        if timer is Timer.ENDING and self.is_lost:
            # Nobody could be told to end it; the loss has its own end.
            self.start(timer, now + self.timeouts.ending)
            return Due.NOTHING
        if timer in (Timer.LOST, Timer.ENDING) or (timer is Timer.SETTLE and is_over):
            return Due.SETTLE
        # A settling call is over, it seems, and its end did not come.
        return Due.NOTHING if timer is Timer.SETTLE and self.is_lost else Due.PROBE
