"""What Asterisk tells of one call, and what it amounts to: facts and the time in, signals out. Pure.

What every PBX shares (signals told once, timers, loss and hold) is the `CallFacts` that the tracker holds.
Facts come from four sides in any order: AMI events, the FastAGI connection, the loss and return of the AMI
connection, and timers. A call is settled only when its last needed fact is in, or a grace time is over:
Asterisk 22.10.1 sends OriginateResponse, HangupRequest, DialEnd and Hangup in an order that differs from
call to call.

Settled as                        when
the far end's failure             Hangup and OriginateResponse are in (cause and SIP status are Hangup's)
an unusable answer                Hangup says 488, and HangupRequest no status: `Answered` is told before
302                               DialEnd carries `Forward`: Hangup says 23/302 only in some runs, else 0
ring timeout                      OriginateResponse has reason 3, and no HangupRequest came
unreachable                       OriginateResponse failed, and no event of the channel ever came
the end of an answered call       Hangup is in; interrupted, where neither HangupRequest came nor we asked:
                                  somebody ended it at the PBX; PBX lost, where AMI goes right after
controller unreachable            the channel was up and ended, and FastAGI never attached; `Answered` is told
                                  all the same, for a person did pick up
PBX lost                          the AMI connection was lost and not back in time, or the channel is gone
                                  and nobody knows how
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, assert_never

from voicegate.adapters.pbx.asterisk.ami_events import (
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
from voicegate.adapters.pbx.common.call_facts import CallFacts, Due, LegTimeouts, Timer
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup

# 22.10.1 gives this Q.850 cause to a 302 in those runs in which it names the status at all.
_FORWARDED: Final = Hangup(cause=23, sip_status=302)
_TOGETHER: Final = 1.0
"""Two connections that end within this many seconds count as one stop of the PBX."""
_UNUSABLE: Final = Hangup(cause=58, sip_status=488)


@dataclass(frozen=True, slots=True)
class AsteriskTimeouts(LegTimeouts):
    """How long each thing is waited for, in seconds."""

    apology: float = 10.0
    """For the dialplan to play the apology and hang up."""
    quick: float = 1.0
    """A far end that hangs up so soon after the answer may do it before the dialplan has connected to
    FastAGI."""


class _Timer(Enum):
    APOLOGY = auto()


class CallTracker:
    """One call's facts, as Asterisk reports them."""

    def __init__(self, action_id: str, timeouts: AsteriskTimeouts, now: float) -> None:
        self.facts = CallFacts(timeouts, now)
        self._action_id = action_id
        self._apology, self._quick = timeouts.apology, timeouts.quick
        self._response: Originated | None = None
        self._request: HangupRequested | None = None
        self._requested_at = now
        self._ended: ChannelEnded | None = None
        self._ended_at = now
        self._farewell: int | None = None
        self._forward = ""
        self._is_attached = self._is_out_of_touch = self._is_cut = False
        self._is_detached, self._detached_at = False, now

    @property
    def may_attach(self) -> bool:
        """Return whether a FastAGI request may take the channel over: only once, and not after the call was
        given up."""
        is_given_up = self.facts.is_settled or self.facts.is_running(_Timer.APOLOGY)
        return not (self._is_attached or is_given_up)

    @property
    def is_seen(self) -> bool:
        """Return whether the PBX ever reported the channel or its end."""
        return self.facts.is_channel_seen or self._response is not None

    def observe(self, event: AmiEvent, now: float) -> None:
        """Record an AMI event of this call."""
        if isinstance(event, Originated):
            if event.action_id == self._action_id:
                self._hear_response(event, now)
            return
        self.facts.is_channel_seen = True
        match event:
            case StateChanged(state=state):
                self._hear_state(state, now)
            case DialChanged():
                self._hear_dial(event, now)
            case HangupRequested():
                self._request, self._requested_at = event, now
                self._settle_if_complete(now)
            case HoldChanged(is_held=is_held):
                self.facts.note_hold(is_held=is_held)
            case ChannelEnded():
                self._ended, self._ended_at = event, now
                self._await_rest(now)
                self._settle_if_complete(now)
            case _:
                assert_never(event)

    def attach(self, now: float) -> None:
        """Record that the FastAGI request came: the leg can be spoken on."""
        self._is_attached = True
        self.facts.mark_up(now)
        self.facts.stop(Timer.ATTACH)
        self.facts.tell_once(Answered())

    def lose_touch(self, *, is_cut: bool = False) -> None:
        """Record that it is unknown whether the PBX did what it was told, and that we end the call for this
        reason. `is_cut`: the connection was closed by neither side, without word of a hangup."""
        # The dialplan hangs up then, or we do: only a request of the far end's is its own doing.
        self._is_out_of_touch = not is_cut
        self._is_cut = is_cut

    def detach(self, cause: int | None, now: float) -> None:
        """Record that FastAGI ended; `cause` is the channel's hangup cause, if it could still be asked."""
        # Over FastAGI the cause is known even where AMI, and with it Hangup, was lost.
        self._farewell, self._is_detached, self._detached_at = cause, True, now
        self._await_rest(now)

    def find(self, state: ChannelState, now: float) -> None:
        """Record that the PBX was asked and knows the channel, in `state`."""
        self.facts.find_channel()
        self._hear_state(state, now)
        if self._is_detached:
            self._await_rest(now)

    def miss(self, now: float) -> None:
        """Record that the PBX was asked and does not know the channel."""
        self.facts.stop(Timer.LOST)
        self._settle_as_known(now)

    def due(self, now: float) -> Due:
        """Settle the call if its time is over, and return what must be done."""
        for timer in self.facts.run_out(now):
            due = self._due_after(timer, now)
            if due is Due.SETTLE:
                self._settle_as_known(now)
            elif due is not Due.NOTHING:
                return due
        return Due.NOTHING

    def _hear_response(self, event: Originated, now: float) -> None:
        self._response = event
        if event.is_answered:
            self.facts.mark_up(now)
        elif self.facts.is_channel_seen:
            self._await_rest(now)
        else:
            # No event of the channel: it may have failed before it was made, or its events are behind.
            self.facts.start(Timer.SETTLE, now + self.facts.timeouts.unseen)
        self._settle_if_complete(now)

    def _await_rest(self, now: float) -> None:
        self.facts.start(Timer.SETTLE, now + self.facts.timeouts.settle)

    def _hear_state(self, state: ChannelState, now: float) -> None:
        if state is ChannelState.RINGING:
            self.facts.tell_once(Rang())
        elif state is ChannelState.UP:
            self.facts.mark_up(now)

    def _hear_dial(self, event: DialChanged, now: float) -> None:
        # The one sure sign of a 302: Hangup says 23/302 only in some runs, else 0.
        self._forward = self._forward or event.forward
        match event.status:
            case "RINGING":
                self.facts.tell_once(Rang())
            case "PROGRESS":
                self.facts.tell_once(Progressed())
            case "ANSWER":
                self.facts.mark_up(now)

    def _due_after(self, timer: Enum, now: float) -> Due:
        if timer is Timer.ATTACH:
            # The dialplan found no controller: it apologises, hangs up by itself, and must not be cut short.
            self.facts.start(_Timer.APOLOGY, now + self._apology)
            self.facts.tell_once(Answered())
            return Due.NOTHING
        if timer is _Timer.APOLOGY:
            return Due.HANG_UP
        return self.facts.due_after(timer, now, is_over=self._is_over())

    def _is_over(self) -> bool:
        return self._ended is not None or self._is_unreachable or self._farewell is not None

    def _settle_if_complete(self, now: float) -> None:
        # 22.10.1 sends response, request and end in an order that differs from call to call.
        is_rest_in = self.facts.up_at is not None or self._response is not None
        if self._ended is not None and is_rest_in and not self._is_request_due:
            self._settle_as_known(now)

    @property
    def _is_request_due(self) -> bool:
        """Return whether the far end's request to hang up may still be on its way."""
        is_timeout = self._response is not None and self._response.reason == REASON_TIMEOUT
        is_known = self._request is not None or bool(self._forward) or is_timeout
        return not (is_known or self.facts.is_asked or self.facts.is_blind)

    def _settle_as_known(self, now: float) -> None:
        if self.facts.up_at is not None:
            self.facts.tell_once(Answered())
            self.facts.settle(self._judge_answered(self.facts.up_at))
        elif self._is_unreachable:
            self.facts.settle(Hangup(is_unreachable=True))
        elif self._is_unusable:
            self.facts.tell_once(Answered())
            self.facts.settle(Hangup(_UNUSABLE.cause, _UNUSABLE.sip_status))
        else:
            self.facts.settle(self._judge_unanswered(now))

    @property
    def _is_unusable(self) -> bool:
        """Return whether a person answered with an SDP that Asterisk refused. Asterisk then reports a 488
        that nobody sent."""
        ended, request = self._ended, self._request
        is_made_up = request is not None and request.sip_status is None
        return ended is not None and ended.sip_status == _UNUSABLE.sip_status and is_made_up

    @property
    def _is_unreachable(self) -> bool:
        response = self._response
        is_failed = response is not None and not response.is_answered and response.reason != REASON_TIMEOUT
        return is_failed and not self.facts.is_channel_seen and not self.facts.is_blind

    def _judge_answered(self, up_at: float) -> Hangup:
        if self._is_out_of_touch or (self._is_cut and self._request is None):
            # Ended by us for want of a reply: the cause that it has then is our own.
            return Hangup(gave_up=GaveUp.PBX_LOST)
        cause = self._known_cause()
        is_quick = self._request is not None and self._requested_at - up_at < self._quick
        if self._is_attached or self.facts.is_asked or is_quick:
            status = self._ended.sip_status if self._ended is not None else None
            return Hangup(cause, status, gave_up=self._gave_up_answered(cause))
        if self._ended is None:
            return Hangup(cause=cause, gave_up=GaveUp.PBX_LOST)
        # It was up and ended, and the dialplan never found us.
        return Hangup(cause=cause, gave_up=GaveUp.CONTROLLER_UNREACHABLE)

    def _gave_up_answered(self, cause: int | None) -> GaveUp | None:
        """Return why we ended an answered call, or that the reason is unknown; None: the far end ended it."""
        if self._ended is None and (cause is None or self._is_stopped):
            return GaveUp.PBX_LOST
        return self._meddling if self._is_meddled_with else None

    def _judge_unanswered(self, now: float) -> Hangup:
        last = self._ended or self._request
        if self._forward:
            return replace(_FORWARDED, forwarded_to=self._forward)
        if self._is_rung_out(now):
            return Hangup(cause=last.cause if last else None, gave_up=GaveUp.RING_TIMEOUT)
        if last is None:
            return Hangup(gave_up=GaveUp.PBX_LOST)
        if self._is_meddled_with and last.sip_status is None:
            return Hangup(cause=last.cause, gave_up=self._meddling)
        return Hangup(cause=last.cause, sip_status=last.sip_status)

    @property
    def _is_stopped(self) -> bool:
        """Return whether AMI and FastAGI ended together. A PBX that stops also ends its channels, with the
        same notice."""
        is_asked_for = self._request is not None or self.facts.is_asked
        return not is_asked_for and self.facts.is_blind and self.facts.lost_at > self._detached_at - _TOGETHER

    @property
    def _is_meddled_with(self) -> bool:
        """Return whether the PBX ended the channel although neither we nor the far end asked for it."""
        is_missed = self.facts.is_blind and self.facts.lost_at <= self._ended_at
        is_asked_for = self._request is not None or self.facts.is_asked or is_missed
        return self._ended is not None and not is_asked_for

    @property
    def _meddling(self) -> GaveUp:
        """Return the reason: a PBX that goes away directly after has stopped."""
        return GaveUp.PBX_LOST if self.facts.is_blind else GaveUp.INTERRUPTED

    def _is_rung_out(self, now: float) -> bool:
        if self._request is not None or self.facts.is_asked:
            return False
        if self._response is not None:
            # At its timeout Asterisk says 19/480 of the channel, as of a far end that is away: the reason
            # tells.
            return self._response.reason == REASON_TIMEOUT
        # The response was missed; what ends by itself just then was the PBX's timeout.
        is_time = abs(now - self.facts.placed_at - self.facts.timeouts.ring) < self.facts.timeouts.settle + 1
        return self.facts.is_blind and self._ended is not None and is_time

    def _known_cause(self) -> int | None:
        if self._ended is not None:
            return self._ended.cause
        if self._farewell is not None:
            return self._farewell
        return self._request.cause if self._request is not None else None
