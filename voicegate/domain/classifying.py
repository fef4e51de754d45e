"""The outcome of an ended call, from how it ended (`call_outcome`) and what happened on it.

The SIP status is used before the Q.850 cause, because a PBX derives the cause from it and loses detail. Where
both say only that the call ended, what happened on the call decides.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Call, Evidence
from voicegate.domain.call_outcome import (
    BLOCKED,
    NO_ANSWER,
    Q850_CAUSES,
    SIP_FAILURES,
    TRUNK_FAILED,
    TRUNK_SILENT,
    TRUNK_UNREACHABLE,
    UNAVAILABLE,
    Blame,
    CallOutcome,
    GaveUp,
    Hangup,
    Outcome,
)

_V = CallOutcome
_O = Outcome
_B = Blame

_CAUSES_BY_PROGRESS: Final = frozenset({0, 16, 18, 19, 31})
_STATUSES_BY_PROGRESS: Final = frozenset({408, 480, 487})
# What RFC 3398 makes of the status (FreeSWITCH), or Asterisk 22 of any that it has no cause for (127): they
# say no more than the status does.
_ECHOES: Final = frozenset({(408, 102), (408, 127), (480, 127), (487, 127)})
# Far ends in North America answer "603 Network Blocked" in the name of a person whom they never rang.
_BLOCKED_AT_ONCE: Final = timedelta(seconds=1)
_BLOCKING_COUNTRIES: Final = "+1"

_OUR_REASONS: Final[Mapping[GaveUp, CallOutcome]] = {
    # No telephone rings any more; that this client does not call it again at once is policy's, and
    # other clients' calls are not to wait as they do after an INVITE that may still ring.
    GaveUp.REPORTED: _V(_O.REPORTED, _B.NOBODY, retry_safe=True),
    GaveUp.CANCELED: _V(_O.CANCELED, _B.NOBODY, retry_safe=True),
    GaveUp.PLAYBACK_FAILED: _V(_O.PLAYBACK_FAILED, _B.US, retry_safe=True),
    GaveUp.CONTROLLER_UNREACHABLE: _V(_O.CONTROLLER_UNREACHABLE, _B.US, retry_safe=True),
    GaveUp.PBX_UNAVAILABLE: _V(_O.PBX_UNAVAILABLE, _B.US, retry_safe=True),
    GaveUp.QUEUE_TIMEOUT: _V(_O.QUEUE_TIMEOUT, _B.US, retry_safe=True),
    GaveUp.PBX_LOST: _V(_O.PBX_LOST, _B.US, retry_safe=False),
    GaveUp.INTERRUPTED: _V(_O.INTERRUPTED, _B.US, retry_safe=False),
    GaveUp.INTERNAL_ERROR: _V(_O.INTERNAL_ERROR, _B.US, retry_safe=False),
}
_UNKNOWN_FAILURE: Final = _V(_O.TRUNK_FAILED, _B.UNKNOWN, retry_safe=False)


def is_delivered(evidence: Evidence, check: HumanCheck) -> bool:
    """Return whether the code was delivered: announced, and human where the check is on; without the check,
    some media."""
    if not evidence.announced:
        return False
    return evidence.media if check is HumanCheck.NONE else evidence.human


def is_blocked(call: Call, hangup: Hangup) -> bool:
    """Return whether the network refused our caller ID, and no telephone rang.

    608 says so (RFC 8688). 603 says so in North America (ATIS-1000099), if it comes at once and before any
    ringing. Elsewhere, and from a desk telephone on "do not disturb", 603 is the called person's.
    """
    if hangup.sip_status == 608:
        return True
    is_at_once = hangup.after is not None and hangup.after < _BLOCKED_AT_ONCE
    is_unrung = not (call.rang or call.progressed or call.evidence.answered)
    number = call.destination.number
    return hangup.sip_status == 603 and is_at_once and is_unrung and number.startswith(_BLOCKING_COUNTRIES)


def classify(call: Call, hangup: Hangup, check: HumanCheck) -> CallOutcome:
    """Return the outcome of an ended call, from how it ended and what happened on it."""
    if is_delivered(call.evidence, check):
        return _V(_O.DELIVERED, _B.NOBODY, retry_safe=True)
    if hangup.gave_up is not None and hangup.gave_up in _OUR_REASONS:
        return _OUR_REASONS[hangup.gave_up]
    if call.evidence.answered:
        return _classify_answered(call.evidence, hangup, check)
    outcome = _classify_unanswered(call, hangup)
    if outcome.blame is Blame.TRUNK and (call.rang or call.progressed):
        # A telephone was reached, or may have been: another call at once would ring it again.
        return replace(outcome, retry_safe=False)
    return outcome


def _classify_answered(evidence: Evidence, hangup: Hangup, check: HumanCheck) -> CallOutcome:
    if evidence.announced:
        return _V(_O.NO_MEDIA, _B.UNKNOWN, retry_safe=True)
    if hangup.gave_up in (GaveUp.RING_TIMEOUT, GaveUp.PROGRESS_TIMEOUT):
        # Answered in the moment that our ring timeout ended: we hung up.
        return NO_ANSWER
    if not evidence.human and (fault := _fault_after_answer(evidence, hangup)):
        return fault
    is_asked = check is not HumanCheck.NONE
    if is_asked and hangup.gave_up in (GaveUp.NO_KEY, GaveUp.TIME_CAP) and not evidence.human:
        return _V(_O.NO_HUMAN, _B.CALLEE, retry_safe=True)
    if hangup.gave_up in (GaveUp.TIME_CAP, GaveUp.FINISHED):
        # Someone was there and every reading fell short: what we sent did not go out.
        return _V(_O.PLAYBACK_FAILED, _B.US, retry_safe=True)
    return _V(_O.HUNG_UP, _B.CALLEE, retry_safe=True)


def _fault_after_answer(evidence: Evidence, hangup: Hangup) -> CallOutcome | None:
    """Return why an answered call could not carry sound; None: it could, or the reason is unknown.

    Never safe to retry if it is the trunk's fault: a person had answered, and would be rung again.
    """
    if hangup.nothing_sent is not None:
        return _V(_O.NO_MEDIA, hangup.nothing_sent, retry_safe=hangup.nothing_sent is Blame.CALLEE)
    if evidence.media or hangup.gave_up is not None:
        return None
    known = SIP_FAILURES.get(hangup.sip_status or 0) or Q850_CAUSES.get(hangup.cause or 0)
    return replace(known, retry_safe=False) if known is not None and known.blame is Blame.TRUNK else None


def _classify_unanswered(call: Call, hangup: Hangup) -> CallOutcome:
    if hangup.is_unreachable:
        # No trunk leads to a desk: its telephone is away.
        return UNAVAILABLE if call.destination.is_internal else TRUNK_UNREACHABLE
    if hangup.gave_up is not None:
        return _by_call_progress(call)
    if is_blocked(call, hangup):
        return BLOCKED
    if hangup.sip_status is not None and hangup.sip_status in SIP_FAILURES:
        return SIP_FAILURES[hangup.sip_status]
    is_echo = (hangup.sip_status, hangup.cause) in _ECHOES
    if hangup.sip_status in _STATUSES_BY_PROGRESS and (is_echo or hangup.cause not in Q850_CAUSES):
        return _by_status_and_progress(call, hangup)
    if hangup.cause is not None and hangup.cause in Q850_CAUSES:
        return Q850_CAUSES[hangup.cause]
    if hangup.cause in _CAUSES_BY_PROGRESS:
        return _by_call_progress(call)
    return _UNKNOWN_FAILURE


def _by_status_and_progress(call: Call, hangup: Hangup) -> CallOutcome:
    # A 480 from the far end before any ringing: the network looked and the telephone is away.
    # Asterisk writes the same 480 for its own timeout, which arrives here as `gave_up`.
    if hangup.sip_status == 480 and not call.rang:
        return UNAVAILABLE
    if hangup.sip_status == 487 and not (call.rang or call.progressed):
        # Broken off on the way, by nobody whom it reached: unlike silence, that is a final answer.
        return TRUNK_FAILED
    return _by_call_progress(call)


def _by_call_progress(call: Call) -> CallOutcome:
    # Ringing or early media proves that the trunk lives; then silence is the called person's.
    return NO_ANSWER if call.rang or call.progressed else TRUNK_SILENT
