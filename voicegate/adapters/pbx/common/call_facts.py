"""What is known of one call whatever the kind of PBX: the signals told, the timers that run, who ended it.

Facts come in any order: the PBX's events, the loss and return of its connection, and time. A call is settled
only when its last needed fact is in, or a grace time is over. Which facts a PBX tells, and what they amount
to, belongs to the tracker of its kind, which holds a `CallFacts` as its own. Pure: no I/O and no clock, every
time is handed in, in seconds of the loop's clock.
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
    """What is to be done once a timer has run out."""

    NOTHING = auto()
    PROBE = auto()
    """Ask the PBX whether the channel lives, and tell the tracker by `find` or `miss`."""
    HANG_UP = auto()
    """End the channel."""
    SETTLE = auto()
    """Tell the end with what is known: there will be no more. The tracker does this itself."""


class Timer(Enum):
    """What is waited for with every kind of PBX."""

    OVERDUE = auto()
    """An answer, or a failure, for longer than the PBX's own timeout."""
    ATTACH = auto()
    """An answered channel being ours to speak to."""
    SETTLE = auto()
    """The last facts of a call that is over."""
    LOST = auto()
    """The connection to come back."""
    ENDING = auto()
    """The end of a channel that was told to end."""


class CallFacts:
    """One call's facts."""

    def __init__(self, timeouts: LegTimeouts, now: float) -> None:
        self.timeouts = timeouts
        self.placed_at = now
        self.up_at: float | None = None
        """When the channel was answered; None: not yet."""
        self.is_blind, self.lost_at = False, now
        """Whether events may have been missed, and from when on."""
        self.losses = 0
        """How often the connection was lost during the call."""
        self.is_asked = False
        """Whether our side wants the call to end."""
        self.is_ending = False
        """Whether the channel is told to end, for our side or for another reason."""
        self.is_channel_seen = False
        """Whether the PBX ever spoke of the channel."""
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
        """The signal that ended the call; None while it lives."""
        last = self._told[-1] if self._told else None
        return last if isinstance(last, Hangup) else None

    @property
    def is_settled(self) -> bool:
        """Was the Hangup told?"""
        return self.end is not None

    @property
    def is_lost(self) -> bool:
        """Is the PBX away just now?"""
        return Timer.LOST in self._timers

    @property
    def next_due(self) -> float | None:
        """When the next timer runs out; None when only facts can change anything."""
        return min(self._timers.values(), default=None)

    def tell_once(self, signal: LegSignal) -> None:
        """Tell a signal that was not told yet, unless the call is settled."""
        # A PBX says some things twice, as Asterisk does of ringing: by Newstate and by DialState.
        if not self.is_settled and signal not in self._told:
            self._told.append(signal)

    def settle(self, hangup: Hangup) -> None:
        """Tell the end, unless it was told; nothing is waited for any more."""
        if not self.is_settled:
            self._told.append(hangup)
            self._timers.clear()

    def give_up(self, reason: GaveUp) -> None:
        """Settle at once, whatever the facts."""
        self.settle(Hangup(gave_up=reason))

    def ask_hangup(self) -> None:
        """Note that our side ends the call."""
        self.is_asked = True

    def await_end(self, now: float) -> None:
        """Note that the channel is told to end from now on."""
        self.is_ending = True
        # The first order counts: repeating it must not put the end off.
        self._timers.setdefault(Timer.ENDING, now + self.timeouts.ending)

    def lose(self, now: float) -> None:
        """Note that events may be missed from now on."""
        self.is_blind, self.lost_at = True, now
        self.losses += 1
        # The first loss counts: a connection that comes and goes must not put the end off.
        self._timers.setdefault(Timer.LOST, now + self.timeouts.lost)

    def find_channel(self) -> None:
        """Note that the PBX, asked, knows the channel."""
        self.is_channel_seen = True
        self.stop(Timer.LOST)

    def mark_up(self, now: float) -> None:
        """Note that the channel was answered."""
        if self.up_at is None:
            self.up_at = now
            self.stop(Timer.OVERDUE)
            self.start(Timer.ATTACH, now + self.timeouts.attach)

    def note_hold(self, *, is_held: bool) -> None:
        """Note that the far end put us on hold, or took us back."""
        self.is_held = is_held
        self.holds += is_held

    def start(self, timer: Enum, until: float) -> None:
        """Have a timer run out then; one that runs is set anew."""
        self._timers[timer] = until

    def stop(self, timer: Enum) -> None:
        """Wait for that no more."""
        self._timers.pop(timer, None)

    def is_running(self, timer: Enum) -> bool:
        """Is that waited for?"""
        return timer in self._timers

    def run_out(self, now: float) -> Iterator[Enum]:
        """Stop and yield each timer that has run out by now; one that is not taken runs out next time."""
        for timer in [timer for timer, until in self._timers.items() if until <= now]:
            # Settling, for an earlier one, stops the rest.
            if self.is_running(timer):
                self.stop(timer)
                yield timer

    def due_after(self, timer: Enum, now: float, *, is_over: bool) -> Due:
        """Return what one of the shared timers asks for; `is_over`: enough is known to settle."""
        if timer is Timer.ENDING and self.is_lost:
            # Nobody could be told to end it; the loss has its own end.
            self.start(timer, now + self.timeouts.ending)
            return Due.NOTHING
        if timer in (Timer.LOST, Timer.ENDING) or (timer is Timer.SETTLE and is_over):
            return Due.SETTLE
        # A settling call is over, it seems, and its end did not come.
        return Due.NOTHING if timer is Timer.SETTLE and self.is_lost else Due.PROBE
