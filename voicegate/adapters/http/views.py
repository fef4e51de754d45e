"""The domain's records as the native door shows them: masked, in the API's words, ready for JSON.

A timeline's facts are copied one by one, so that a client sees no other fact.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from voicegate.adapters.http.schemas import (
    CallSummary,
    CallView,
    CreatedVerification,
    DeniedReason,
    DryRun,
    EvidenceView,
    Judgement,
    QualityView,
    StepView,
    TrunkPrice,
    VerificationView,
)
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import CallRecord, ChallengeRecord, TimelineEntry
from voicegate.domain.call import Call, CallState, Evidence
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.policy.spend import MICROS, Quote

_REASONS: Mapping[GuessResult, DeniedReason] = {
    GuessResult.DENIED: "wrong_passcode",
    GuessResult.LOCKED: "locked",
    GuessResult.EXPIRED: "expired",
    GuessResult.CANCELED: "canceled",
    GuessResult.REPORTED: "reported",
    GuessResult.ALREADY_USED: "already_used",
}
# A timeline's facts that are shown under their own names.
_SHOWN = (
    "reading",
    "proven",
    "media",
    "digit",
    "outcome",
    "sip_status",
    "gave_up",
    "forwarded_to",
    "refused",
)


def created(record: ChallengeRecord) -> CreatedVerification:
    """Return the answer for a verification that was accepted."""
    challenge = record.challenge
    return CreatedVerification(
        id=challenge.id,
        status=challenge.state,
        expires_at=challenge.expires_at,
        matching_digits=challenge.matching_digits,
        call=summary(record.calls[0]),
    )


def verification(record: ChallengeRecord) -> VerificationView:
    """Return a verification with its calls and their timelines."""
    challenge = record.challenge
    calls = [call(entry) for entry in record.calls]
    return VerificationView(
        id=challenge.id,
        status=challenge.state,
        revision=record.revision,
        created_at=challenge.issued_at,
        expires_at=challenge.expires_at,
        attempts_left=challenge.guesses_left,
        destination=challenge.destination.masked,
        has_extension=challenge.destination.extension is not None,
        language=challenge.language,
        human_check=challenge.human_check,
        matching_digits=challenge.matching_digits,
        reference=challenge.reference,
        calls=calls,
        call=calls[-1] if calls else None,
    )


def summary(record: CallRecord) -> CallSummary:
    """Return a call without its timeline."""
    call, outcome, hangup = record.call, record.outcome, record.hangup
    return CallSummary(
        id=call.id,
        verification_id=call.challenge_id,
        destination=call.destination.masked,
        state=call.state,
        outcome=outcome.outcome if outcome else None,
        blame=outcome.blame if outcome else None,
        retry_safe=outcome.retry_safe if outcome else None,
        evidence=_evidence(call.evidence),
        hangup_cause=(hangup.cause or None) if hangup else None,  # 0 is no cause: the PBX has none
        sip_status=hangup.sip_status if hangup else None,
        gave_up=hangup.gave_up if hangup else None,
        quality=_quality(hangup.quality) if hangup and hangup.quality else None,
        trunk=call.trunk,
        caller_id=call.caller_id,
        is_test=call.is_test,
        created_at=call.created_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
    )


def call(record: CallRecord) -> CallView:
    """Return a call with its timeline."""
    timeline = [_queued(record.call), *(_step(entry) for entry in record.timeline)]
    return CallView(**msgspec.structs.asdict(summary(record)), timeline=timeline)


def judgement(result: VerifyResult) -> Judgement:
    """Return the result of a guess; a verification that is over has no guesses left."""
    if result.result is GuessResult.VERIFIED:
        return Judgement(status="verified", attempts_left=result.guesses_left, reason=None)
    return Judgement(
        status="denied",
        attempts_left=result.guesses_left if result.result is GuessResult.DENIED else 0,
        reason=_REASONS[result.result],
    )


def _evidence(evidence: Evidence) -> EvidenceView:
    return EvidenceView(
        strongest=evidence.strongest.name.lower(),  # type: ignore[arg-type]  # the rungs' names
        answered=evidence.answered,
        media=evidence.media,
        extension_sent=evidence.extension_sent,
        human=evidence.human,
        announced=evidence.announced,
    )


def _quality(quality: CallQuality) -> QualityView:
    return QualityView(
        sip_call_id=quality.sip_call_id,
        codec=quality.codec,
        packets_sent=quality.packets_sent,
        packets_received=quality.packets_received,
        lost_sent=quality.lost_sent,
        lost_received=quality.lost_received,
        jitter_sent_ms=_milliseconds(quality.jitter_sent),
        jitter_received_ms=_milliseconds(quality.jitter_received),
        round_trip_ms=_milliseconds(quality.round_trip),
        mos=quality.mos,
    )


def _milliseconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length / timedelta(milliseconds=1), 3)


def _queued(call: Call) -> StepView:
    # The call log begins with the first event; a client wants to see the queueing too.
    return StepView(seq=0, at=call.created_at, state=CallState.QUEUED, event="queued")


def _step(entry: TimelineEntry) -> StepView:
    detail = entry.detail
    return msgspec.convert(
        {
            "seq": entry.seq,
            "at": entry.at,
            "state": entry.state,
            "event": entry.event,
            **{name: detail[name] for name in _SHOWN if detail.get(name) is not None},
            **({"hangup_cause": detail["cause"]} if detail.get("cause") else {}),
        },
        StepView,
    )


def dry_run(pending: PendingCall) -> DryRun:
    """Return what would be placed."""
    quotes = {} if pending.reservation is None else {one.trunk: one for one in pending.reservation.quotes}
    trunks = dict.fromkeys(hop.trunk.name for hop in pending.route)
    return DryRun(decision="allowed", trunks=[_price(trunk, quotes.get(trunk)) for trunk in trunks])


def _price(trunk: str, quote: Quote | None) -> TrunkPrice:
    if quote is None:
        return TrunkPrice(trunk=trunk, price=None, billed_s=None)
    worst = quote.worst
    price = worst.micros / MICROS if quote.is_priced else None
    return TrunkPrice(trunk=trunk, price=price, billed_s=worst.seconds)
