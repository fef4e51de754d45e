"""Turns rows of `tables` into objects of the domain, and back; pure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from voicegate.adapters.storage.prepared import AnyRow
from voicegate.adapters.storage.quality_rows import quality_column, quality_of
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.ports import CallRecord, TimelineEntry
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Call, CallState, Evidence
from voicegate.domain.call_outcome import Blame, CallOutcome, GaveUp, Hangup, Outcome
from voicegate.domain.challenge import Challenge, ChallengeState, Purpose
from voicegate.domain.client import Client, ClientKey, Scope
from voicegate.domain.factor import Factor, FactorState
from voicegate.domain.phone_number import Destination

_MS: Final = timedelta(milliseconds=1)

Columns = dict[str, object]
"""The values to write into a row, by the names of its columns."""


def challenge_row(challenge: Challenge) -> Columns:
    """Return the row of a challenge, without its revision."""
    return {
        "id": challenge.id,
        "client": challenge.client,
        "number": challenge.destination.number,
        "extension": challenge.destination.extension,
        "language": challenge.language,
        "human_check": str(challenge.human_check),
        "passcode_length": challenge.passcode_length,
        "digest": challenge.digest,
        "sealed": challenge.sealed,
        "issued_at": challenge.issued_at,
        "expires_at": challenge.expires_at,
        "guesses_left": challenge.guesses_left,
        "state": str(challenge.state),
        "reference": challenge.reference,
        "factor_id": challenge.factor_id,
        "purpose": str(challenge.purpose),
        "service": challenge.service,
        "matching_digits": challenge.matching_digits,
        "bucket": challenge.bucket,
    }


def challenge_of(row: AnyRow) -> Challenge:
    """Return the challenge of a row."""
    return Challenge(
        id=row["id"],
        client=row["client"],
        destination=Destination(row["number"], row["extension"]),
        language=row["language"],
        human_check=HumanCheck(row["human_check"]),
        passcode_length=row["passcode_length"],
        digest=row["digest"],
        sealed=row["sealed"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        guesses_left=row["guesses_left"],
        state=ChallengeState(row["state"]),
        reference=row["reference"],
        factor_id=row["factor_id"],
        purpose=Purpose(row["purpose"]),
        service=row["service"],
        matching_digits=row["matching_digits"],
        bucket=row["bucket"],
    )


def call_row(record: CallRecord) -> Columns:
    """Return the row of a call with its outcome, without its position."""
    call = record.call
    return {
        "id": call.id,
        "challenge_id": call.challenge_id,
        "number": call.destination.number,
        "extension": call.destination.extension,
        "trunk": call.trunk,
        "caller_id": call.caller_id,
        "created_at": call.created_at,
        "is_test": call.is_test,
        "state": str(call.state),
        "rang": call.rang,
        "progressed": call.progressed,
        "key_asked": call.key_asked,
        "originated_at": call.originated_at,
        "post_dial_delay_ms": _milliseconds(call.post_dial_delay),
        "talk_ms": _milliseconds(_talk(call)),
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        **_evidence_columns(call.evidence),
        **_outcome_columns(record.outcome),
        **_hangup_columns(record.hangup),
    }


def call_of(row: AnyRow, timeline: Sequence[TimelineEntry] = ()) -> CallRecord:
    """Return the call of a row, with the timeline given."""
    call = Call(
        id=row["id"],
        challenge_id=row["challenge_id"],
        destination=Destination(row["number"], row["extension"]),
        trunk=row["trunk"],
        caller_id=row["caller_id"],
        created_at=row["created_at"],
        is_test=row["is_test"],
        state=CallState(row["state"]),
        rang=row["rang"],
        progressed=row["progressed"],
        evidence=Evidence(
            answered=row["answered"],
            media=row["media"],
            extension_sent=row["extension_sent"],
            human=row["human"],
            announced=row["announced"],
        ),
        key_asked=row["key_asked"],
        originated_at=row["originated_at"],
        post_dial_delay=_duration(row["post_dial_delay_ms"]),
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
    )
    return CallRecord(call, outcome=_outcome_of(row), hangup=_hangup_of(row), timeline=timeline)


def entry_row(call_id: str, entry: TimelineEntry) -> Columns:
    """Return the row of a step of a call."""
    return {
        "call_id": call_id,
        "seq": entry.seq,
        "at": entry.at,
        "state": str(entry.state),
        "event": entry.event,
        "detail": dict(entry.detail),
    }


def entry_of(row: AnyRow) -> TimelineEntry:
    """Return the step of a row."""
    return TimelineEntry(
        seq=row["seq"], at=row["at"], state=row["state"], event=row["event"], detail=row["detail"]
    )


def factor_row(factor: Factor) -> Columns:
    """Return the row of a factor."""
    return {
        "id": factor.id,
        "client": factor.client,
        "subscriber": factor.subscriber,
        "number": factor.destination.number,
        "extension": factor.destination.extension,
        "language": factor.language,
        "activation_lifetime_s": int(factor.activation_lifetime.total_seconds()),
        "created_at": factor.created_at,
        "updated_at": factor.updated_at,
        "state": str(factor.state),
        "failures": factor.failures,
        "verified_at": factor.verified_at,
    }


def factor_of(row: AnyRow) -> Factor:
    """Return the factor of a row."""
    return Factor(
        id=row["id"],
        client=row["client"],
        subscriber=row["subscriber"],
        destination=Destination(row["number"], row["extension"]),
        language=row["language"],
        activation_lifetime=timedelta(seconds=row["activation_lifetime_s"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        state=FactorState(row["state"]),
        failures=row["failures"],
        verified_at=row["verified_at"],
    )


def client_row(client: Client) -> Columns:
    """Return the row of a client."""
    return {
        "name": client.name,
        "scopes": sorted(client.scopes),
        "created_at": client.created_at,
        "revoked_at": client.revoked_at,
    }


def client_of(row: AnyRow) -> Client:
    """Return the client of a row."""
    scopes = frozenset(Scope(scope) for scope in row["scopes"])
    return Client(row["name"], scopes, created_at=row["created_at"], revoked_at=row["revoked_at"])


def key_row(key: ClientKey) -> Columns:
    """Return the row of a client's key."""
    return {
        "id": key.id,
        "client": key.client,
        "digest": key.digest,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "retired_at": key.retired_at,
    }


def key_of(row: AnyRow) -> ClientKey:
    """Return the key of a row."""
    return ClientKey(
        id=row["id"],
        client=row["client"],
        digest=row["digest"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        retired_at=row["retired_at"],
    )


def audit_row(entry: AuditEntry) -> Columns:
    """Return the row of an audit entry, without its id."""
    return {
        "at": entry.at,
        "client": entry.client,
        "request_id": entry.request_id,
        "action": entry.action,
        "decision": entry.decision,
        "subject": entry.subject,
        "number": entry.number,
        "number_digest": entry.number_digest,
        "rule": entry.rule,
        "reason": entry.reason,
        "subscriber": entry.subscriber,
        "reference": entry.reference,
        "trunk": entry.trunk,
    }


def audit_of(row: AnyRow) -> AuditEntry:
    """Return the audit entry of a row."""
    return AuditEntry(**row)


def _talk(call: Call) -> timedelta | None:
    if call.answered_at is None or call.ended_at is None:
        return None
    # Never negative: the clock may have been set back.
    return max(call.ended_at - call.answered_at, timedelta())


def _milliseconds(length: timedelta | None) -> int | None:
    return None if length is None else round(length / _MS)


def _duration(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else milliseconds * _MS


def _evidence_columns(evidence: Evidence) -> Columns:
    return {
        "answered": evidence.answered,
        "media": evidence.media,
        "extension_sent": evidence.extension_sent,
        "human": evidence.human,
        "announced": evidence.announced,
    }


def _outcome_columns(outcome: CallOutcome | None) -> Columns:
    if outcome is None:
        return {"outcome": None, "blame": None, "retry_safe": None}
    return {
        "outcome": str(outcome.outcome),
        "blame": str(outcome.blame),
        "retry_safe": outcome.retry_safe,
    }


def _outcome_of(row: AnyRow) -> CallOutcome | None:
    if row["outcome"] is None:
        return None
    return CallOutcome(Outcome(row["outcome"]), Blame(row["blame"]), retry_safe=row["retry_safe"])


def _hangup_columns(hangup: Hangup | None) -> Columns:
    if hangup is None:
        return dict.fromkeys(("cause", "sip_status", "is_unreachable", "gave_up", "quality"))
    return {
        "cause": hangup.cause,
        "sip_status": hangup.sip_status,
        "is_unreachable": hangup.is_unreachable,
        "gave_up": None if hangup.gave_up is None else str(hangup.gave_up),
        "quality": quality_column(hangup.quality),
    }


def _hangup_of(row: AnyRow) -> Hangup | None:
    if row["is_unreachable"] is None:
        return None
    return Hangup(
        cause=row["cause"],
        sip_status=row["sip_status"],
        is_unreachable=row["is_unreachable"],
        gave_up=None if row["gave_up"] is None else GaveUp(row["gave_up"]),
        quality=quality_of(row["quality"]),
    )
