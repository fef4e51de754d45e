"""What FreeSWITCH tells of one call, and what it amounts to: facts and the time in, signals out. Pure.

What every PBX shares (signals told once, timers, loss and hold) is the `CallFacts` that the tracker holds.
CHANNEL_HANGUP_COMPLETE says all of an end; BACKGROUND_JOB floats, before it or after, and is needed only for
calls that never had a channel: FreeSWITCH 1.10.12.

Settled as                        when
the far end's failure             the channel ended, with the far end's SIP status
302                               the same: `outbound_redirect_fatal` stops it
ring timeout                      the channel ended by NO_ANSWER without a SIP status
unreachable                       the job failed for a gateway that is down, and no event of the channel ever
                                  came; or the channel ended by a 503 that FreeSWITCH made up
refused by the PBX                the job failed for another reason, and no event of the channel ever came
interrupted                       the PBX ended the channel and we did not ask: `hupall`, `uuid_kill`, a
                                  restarted profile, …; PBX lost when it shuts down
the end of an answered call       the channel ended
PBX lost                          the ESL connection was lost and not back in time, or the channel is gone
                                  and nobody knows how
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, assert_never

from voicegate.adapters.pbx.common.call_facts import CallFacts, Due, LegTimeouts, Timer
from voicegate.adapters.pbx.freeswitch.esl_events import (
    Ended,
    EslEvent,
    Executed,
    HoldChanged,
    JobDone,
    KeyPressed,
    Moved,
    ReportedBack,
    Step,
)
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup

_TIMEOUTS: Final = frozenset(("NO_ANSWER", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT"))
_GATEWAY_DOWN: Final = "GATEWAY_DOWN"
_DESKS: Final[Mapping[str, int]] = {"USER_NOT_REGISTERED": 20, "SUBSCRIBER_ABSENT": 1}
"""The causes when no telephone is registered: Q.850's subscriber absent. FreeSWITCH uses the same for an
extension that its directory does not know; that is an invalid number."""
_MADE_UP: Final = 503
_UNUSABLE: Final = "INCOMPATIBLE_DESTINATION"
_INCOMPATIBLE: Final = 88
_OK: Final = 200
_NO_SDP: Final = 500
"""The status that FreeSWITCH 1.10.12 makes up for a 200 without SDP."""
_REDIRECTIONS: Final = range(300, 400)
"""FreeSWITCH ends a call itself when the far end names another number: RFC 3261, section 21.3."""
_SHUTDOWN: Final = "SYSTEM_SHUTDOWN"
_FOR_THE_FAR_END: Final = frozenset(("MEDIA_TIMEOUT", "INCOMPATIBLE_DESTINATION", "RECOVERY_ON_TIMER_EXPIRE"))
"""Causes with which FreeSWITCH itself ends a call, because of what the far end does or does not do."""


class CallTracker:
    """One call's facts, as FreeSWITCH reports them."""

    def __init__(self, timeouts: LegTimeouts, now: float) -> None:
        self.facts = CallFacts(timeouts, now)
        self._job: JobDone | None = None
        self._ended: Ended | None = None
        self._is_parked = False
        self._is_out_of_touch = False

    @property
    def is_ours(self) -> bool:
        """Return whether the channel can be spoken on."""
        return self._is_parked and not self.facts.is_settled

    @property
    def is_seen(self) -> bool:
        """Return whether the PBX ever reported the channel."""
        return self.facts.is_channel_seen

    def observe(self, event: EslEvent, now: float) -> None:
        """Record an event of this call."""
        if isinstance(event, JobDone):
            self._hear_job(event, now)
            return
        self.facts.is_channel_seen = True
        match event:
            case Moved(step=step):
                self._reach(step, now)
            case HoldChanged(is_held=is_held):
                self.facts.note_hold(is_held=is_held)
            case Ended():
                self._ended = event
                self._settle_as_known()
            case KeyPressed() | Executed() | ReportedBack():
                pass
            case _:
                assert_never(event)

    def lose_touch(self) -> None:
        """Record that it is unknown whether the PBX did what it was told, and that we end the call for this
        reason."""
        self._is_out_of_touch = True

    def find(self, step: Step, now: float) -> None:
        """Record that the PBX was asked and knows the channel, and its step."""
        self.facts.find_channel()
        self._reach(step, now)

    def miss(self, _now: float) -> None:
        """Record that the PBX was asked and does not know the channel."""
        self.facts.stop(Timer.LOST)
        self._settle_as_known()

    def due(self, now: float) -> Due:
        """Settle the call if its time is over, and return what must be done."""
        for timer in self.facts.run_out(now):
            due = self._due_after(timer, now)
            if due is Due.SETTLE:
                self._settle_as_known()
            elif due is not Due.NOTHING:
                return due
        return Due.NOTHING

    def _reach(self, step: Step, now: float) -> None:
        match step:
            case Step.CREATED:
                pass
            case Step.RINGING:
                self.facts.tell_once(Rang())
            case Step.EARLY_MEDIA:
                self.facts.tell_once(Progressed())
            case Step.ANSWERED:
                self.facts.mark_up(now)
            case Step.PARKED:
                self.facts.mark_up(now)
                self._is_parked = True
                self.facts.stop(Timer.ATTACH)
                self.facts.tell_once(Answered())
            case _:
                assert_never(step)

    def _hear_job(self, job: JobDone, now: float) -> None:
        self._job = job
        if job.is_ok:
            self.facts.mark_up(now)
        elif not self.facts.is_settled:
            # The two come in either order: 1.10.12 sends the job's end before the channel's, or after it.
            timeouts = self.facts.timeouts
            is_seen = self.facts.is_channel_seen
            self.facts.start(Timer.SETTLE, now + (timeouts.settle if is_seen else timeouts.unseen))

    def _due_after(self, timer: Enum, now: float) -> Due:
        if timer is Timer.ATTACH and self.facts.is_lost:
            # It may be parked, and nobody told us: the resync will.
            self.facts.start(Timer.ATTACH, now + self.facts.timeouts.attach)
            return Due.NOTHING
        return self.facts.due_after(timer, now, is_over=self._is_over())

    def _is_over(self) -> bool:
        return self._ended is not None or self._is_unplaced

    @property
    def _is_unplaced(self) -> bool:
        is_failed = self._job is not None and not self._job.is_ok
        return is_failed and not self.facts.is_channel_seen and not self.facts.is_blind

    def _settle_as_known(self) -> None:
        ended = self._ended
        if self.facts.up_at is not None:
            self.facts.tell_once(Answered())
            # Ended by us for want of an answer: the cause that it has then is our own.
            known = None if self._is_out_of_touch else ended
            self.facts.settle(self._judge_answered(known) if known else Hangup(gave_up=GaveUp.PBX_LOST))
        elif ended is not None:
            if self._is_unusable(ended):
                self.facts.tell_once(Answered())
                self.facts.settle(Hangup(cause=_INCOMPATIBLE))
            else:
                self.facts.settle(self._judge_unanswered(ended))
        elif self._job is not None and self._is_unplaced:
            self.facts.settle(_judge_unplaced(self._job))
        else:
            self.facts.settle(Hangup(gave_up=GaveUp.PBX_LOST))

    def _is_unusable(self, ended: Ended) -> bool:
        """Return whether a person answered with an SDP that FreeSWITCH refused. It does not report an answer
        then."""
        is_ours = self.facts.is_asked or ended.name in _TIMEOUTS
        is_refused = ended.sip_status is None and ended.name == _UNUSABLE
        is_made_up = ended.sip_status == _NO_SDP and not ended.is_refused and not ended.is_local
        return not is_ours and (is_refused or is_made_up or ended.sip_status == _OK)

    def _judge_answered(self, ended: Ended) -> Hangup:
        return Hangup(cause=ended.cause, gave_up=self._meddling_of(ended))

    def _judge_unanswered(self, ended: Ended) -> Hangup:
        # A far end that is away says 480 by itself; our timeout has a name and no status.
        if ended.sip_status is None and ended.name in _TIMEOUTS and not self.facts.is_asked:
            return Hangup(cause=ended.cause, gave_up=GaveUp.RING_TIMEOUT)
        if meddling := self._meddling_of(ended):
            return Hangup(cause=ended.cause, gave_up=meddling)
        # Nobody at the address, or none that answers: no carrier said so.
        if ended.sip_status == _MADE_UP and ended.is_local:
            return Hangup(cause=ended.cause, is_unreachable=True)
        return Hangup(ended.cause, ended.sip_status, forwarded_to=ended.forwarded_to)

    def _meddling_of(self, ended: Ended) -> GaveUp | None:
        """Return the reason of an end that neither we nor the far end wanted; None: any other end."""
        is_for_the_far_end = ended.name in _FOR_THE_FAR_END or ended.sip_status in _REDIRECTIONS
        if self.facts.is_asked or not ended.is_by_pbx or is_for_the_far_end:
            return None
        # It hangs up all channels as it stops, and the connection goes right after.
        return GaveUp.PBX_LOST if ended.name == _SHUTDOWN else GaveUp.INTERRUPTED


def _judge_unplaced(job: JobDone) -> Hangup:
    if job.reason == _GATEWAY_DOWN:
        return Hangup(is_unreachable=True)
    if job.reason in _DESKS:
        return Hangup(cause=_DESKS[job.reason])
    return Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)
