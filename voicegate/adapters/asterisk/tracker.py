"""What is known of one call, and what it amounts to: facts and the time in, signals out. Pure.

Facts come from four sides in any order: AMI events, the FastAGI connection, the loss and return of the AMI
connection, and timers. A call is settled only when its last needed fact is in, or a grace time is over:
Asterisk 22.10.1 sends OriginateResponse, HangupRequest, DialEnd and Hangup in an order that differs from
call to call.

Settled as                        when
the far end's failure             Hangup and OriginateResponse are in (cause and SIP status are Hangup's)
302                               DialEnd carries `Forward`: Hangup says 23/302 only in some runs, else 0
ring timeout                      OriginateResponse has reason 3, and no HangupRequest came
unreachable                       OriginateResponse failed, and no event of the channel ever came
the end of an answered call       Hangup is in
controller unreachable            the channel was up and ended, and FastAGI never attached; `Answered` is told
                                  all the same, for a person did pick up
PBX lost                          the AMI connection was lost and not back in time, or the channel is gone
                                  and nobody knows how
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, assert_never

from voicegate.adapters.asterisk.ami_events import (
    REASON_TIMEOUT,
    AmiEvent,
    ChannelEnded,
    ChannelState,
    DialChanged,
    HangupRequested,
    HoldChanged,
    Originated,
    StateChanged,
)
from voicegate.application.ports import LegSignal
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.hangup_cause import GaveUp, Hangup

_FORWARDED: Final = Hangup(cause=23, sip_status=302)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each thing is waited for, in seconds."""

    ring: float
    """From originate to answer: the PBX's own timeout."""
    lost: float
    """For a lost AMI connection."""
    apology: float = 10.0
    """For the dialplan to apologise and hang up."""
    late: float = 5.0
    """Beyond `ring`, for a PBX that forgets its timeout."""
    attach: float = 5.0
    """From answer to the FastAGI request."""
    settle: float = 2.0
    """For the facts still missing once a call is known to be over."""
    unseen: float = 1.0
    """For a channel event that may still follow a failed OriginateResponse."""
    quick: float = 1.0
    """A far end that hangs up so soon after answer may do so before the dialplan reached FastAGI."""


class Due(Enum):
    """What the tracker cannot do itself."""

    NOTHING = auto()
    PROBE = auto()
    """Ask the PBX whether the channel lives, and say so by `found` or `gone`."""
    HANG_UP = auto()
    """End the channel."""


class _Timer(Enum):
    OVERDUE = auto()
    ATTACH = auto()
    APOLOGY = auto()
    SETTLE = auto()
    LOST = auto()


class CallTracker:
    """One call's facts."""

    def __init__(self, action_id: str, patience: Patience, now: float) -> None:
        self._action_id = action_id
        self._patience = patience
        self._placed_at = now
        self._told: list[LegSignal] = []
        self._timers = {_Timer.OVERDUE: now + patience.ring + patience.late}
        self._response: Originated | None = None
        self._request: HangupRequested | None = None
        self._ended: ChannelEnded | None = None
        self._farewell: int | None = None
        self._up_at: float | None = None
        self._is_seen = False
        self._is_blind = False
        self._is_forwarded = False
        self._is_attached = False
        self._is_detached = False
        self._is_asked = False
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
    def may_attach(self) -> bool:
        """May a FastAGI request take the channel over? Not twice, and not once it was given up."""
        return not self._is_attached and not self.is_settled and _Timer.APOLOGY not in self._timers

    @property
    def is_seen(self) -> bool:
        """Did the PBX ever speak of the channel, or of its end?"""
        return self._is_seen or self._response is not None

    @property
    def next_due(self) -> float | None:
        """When `due` should be asked again; None when only facts can change anything."""
        return min(self._timers.values(), default=None)

    def observe(self, event: AmiEvent, now: float) -> None:
        """Note an AMI event of this call."""
        if isinstance(event, Originated):
            if event.action_id == self._action_id:
                self._hear_response(event, now)
            return
        self._is_seen = True
        match event:
            case StateChanged(state=state):
                self._hear_state(state, now)
            case DialChanged():
                self._hear_dial(event, now)
            case HangupRequested():
                self._request = event
            case HoldChanged(is_held=is_held):
                self.is_held = is_held
                self.holds += is_held
            case ChannelEnded():
                self._ended = event
                self._await_rest(self._patience.settle, now)
                self._settle_if_complete(now)
            case _:
                assert_never(event)

    def attach(self, now: float) -> None:
        """Note that the FastAGI request came: the leg can be spoken to."""
        self._is_attached = True
        self._mark_up(now)
        self._timers.pop(_Timer.ATTACH, None)
        self._tell_once(Answered())

    def detach(self, cause: int | None, now: float) -> None:
        """Note that FastAGI ended; `cause` is the channel's, where it could still be asked."""
        self._farewell, self._is_detached = cause, True
        self._await_rest(self._patience.settle, now)

    def ask_hangup(self) -> None:
        """Note that our side ends the call."""
        self._is_asked = True

    def lose(self, now: float) -> None:
        """Note that events may be missed from now on."""
        self._is_blind = True
        self._timers.setdefault(_Timer.LOST, now + self._patience.lost)

    def find(self, state: ChannelState, now: float) -> None:
        """Note that the PBX, asked, knows the channel, in `state`."""
        self._timers.pop(_Timer.LOST, None)
        self._is_seen = True
        self._hear_state(state, now)
        if self._is_detached:
            self._await_rest(self._patience.settle, now)

    def miss(self, now: float) -> None:
        """Note that the PBX, asked, does not know the channel."""
        self._timers.pop(_Timer.LOST, None)
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

    def _hear_response(self, event: Originated, now: float) -> None:
        self._response = event
        if event.is_answered:
            self._mark_up(now)
        elif self._is_seen:
            self._await_rest(self._patience.settle, now)
        else:
            self._await_rest(self._patience.unseen, now)
        self._settle_if_complete(now)

    def _hear_state(self, state: ChannelState, now: float) -> None:
        if state is ChannelState.RINGING:
            self._tell_once(Rang())
        elif state is ChannelState.UP:
            self._mark_up(now)

    def _hear_dial(self, event: DialChanged, now: float) -> None:
        self._is_forwarded = self._is_forwarded or event.is_forwarded
        match event.status:
            case "RINGING":
                self._tell_once(Rang())
            case "PROGRESS":
                self._tell_once(Progressed())
            case "ANSWER":
                self._mark_up(now)

    def _mark_up(self, now: float) -> None:
        if self._up_at is None:
            self._up_at = now
            self._timers.pop(_Timer.OVERDUE, None)
            self._timers[_Timer.ATTACH] = now + self._patience.attach

    def _await_rest(self, patience: float, now: float) -> None:
        self._timers[_Timer.SETTLE] = now + patience

    def _expire(self, timer: _Timer, now: float) -> Due:
        match timer:
            case _Timer.SETTLE:
                return self._settle_late(now)
            case _Timer.OVERDUE:
                return Due.PROBE
            case _Timer.ATTACH:
                self._timers[_Timer.APOLOGY] = now + self._patience.apology
                self._tell_once(Answered())
                return Due.NOTHING
            case _Timer.APOLOGY:
                return Due.HANG_UP
            case _Timer.LOST:
                self._settle_as_known(now)
                return Due.NOTHING
            case _:
                assert_never(timer)

    def _settle_if_complete(self, now: float) -> None:
        if self._ended is not None and (self._up_at is not None or self._response is not None):
            self._settle_as_known(now)

    def _settle_late(self, now: float) -> Due:
        if self._ended is not None or self._is_unreachable or self._farewell is not None:
            self._settle_as_known(now)
            return Due.NOTHING
        # Over, it seems, and its Hangup did not come.
        return Due.NOTHING if _Timer.LOST in self._timers else Due.PROBE

    def _settle_as_known(self, now: float) -> None:
        if self._up_at is not None:
            self._tell_once(Answered())
            self._tell_end(self._judge_answered(self._up_at, now))
        elif self._is_unreachable:
            self._tell_end(Hangup(is_unreachable=True))
        else:
            self._tell_end(self._judge_unanswered(now))

    @property
    def _is_unreachable(self) -> bool:
        response = self._response
        is_failed = response is not None and not response.is_answered and response.reason != REASON_TIMEOUT
        return is_failed and not self._is_seen and not self._is_blind

    def _judge_answered(self, up_at: float, now: float) -> Hangup:
        cause = self._known_cause()
        is_quick = self._request is not None and now - up_at < self._patience.quick
        if self._is_attached or self._is_asked or is_quick:
            is_known = self._ended is not None or cause is not None
            return Hangup(cause=cause, gave_up=None if is_known else GaveUp.PBX_LOST)
        if self._ended is None:
            return Hangup(cause=cause, gave_up=GaveUp.PBX_LOST)
        return Hangup(cause=cause, gave_up=GaveUp.CONTROLLER_UNREACHABLE)

    def _judge_unanswered(self, now: float) -> Hangup:
        last = self._ended or self._request
        if self._is_forwarded:
            return _FORWARDED
        if self._is_rung_out(now):
            return Hangup(cause=last.cause if last else None, gave_up=GaveUp.RING_TIMEOUT)
        if last is None:
            return Hangup(gave_up=GaveUp.PBX_LOST)
        return Hangup(cause=last.cause, sip_status=last.sip_status)

    def _is_rung_out(self, now: float) -> bool:
        if self._request is not None or self._is_asked:
            return False
        if self._response is not None:
            return self._response.reason == REASON_TIMEOUT
        # The response was missed; what ends by itself just then was the PBX's timeout.
        is_time = abs(now - self._placed_at - self._patience.ring) < self._patience.settle + 1
        return self._is_blind and self._ended is not None and is_time

    def _known_cause(self) -> int | None:
        if self._ended is not None:
            return self._ended.cause
        if self._farewell is not None:
            return self._farewell
        return self._request.cause if self._request is not None else None

    def _tell_once(self, signal: LegSignal) -> None:
        if not self.is_settled and signal not in self._told:
            self._told.append(signal)

    def _tell_end(self, hangup: Hangup) -> None:
        if not self.is_settled:
            self._told.append(hangup)
            self._timers.clear()
