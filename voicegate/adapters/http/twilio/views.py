"""Verifications and calls in Twilio's format.

A `completed` call is one that delivered its code: that somebody, or a machine, answered is not enough here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from voicegate.adapters.http.twilio.schemas import (
    AttemptView,
    Channel,
    ChannelData,
    CheckView,
    ConversionStatus,
    SendCodeAttempt,
    SummaryView,
    VerificationView,
)
from voicegate.adapters.http.twilio.sids import sid_of
from voicegate.application.listing import ServiceCall, Summary
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.domain.call import CallState
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import Challenge, ChallengeState

PENDING: Final = "pending"
_STATUSES: Final[Mapping[ChallengeState, str]] = {
    ChallengeState.VERIFIED: "approved",
    ChallengeState.CANCELED: "canceled",
    # Twilio knows no better one.
    ChallengeState.REPORTED: "canceled",
    ChallengeState.LOCKED: "max_attempts_reached",
    ChallengeState.EXPIRED: "expired",
}
_LIVE: Final[Mapping[CallState, str]] = {
    CallState.QUEUED: "queued",
    CallState.ORIGINATING: "queued",
    CallState.RINGING: "ringing",
}
_ENDED: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "completed",
    Outcome.BUSY: "busy",
    Outcome.REJECTED: "busy",
    Outcome.NO_ANSWER: "no-answer",
    Outcome.UNAVAILABLE: "no-answer",
    Outcome.NO_HUMAN: "no-answer",
    Outcome.CANCELED: "canceled",
    Outcome.REPORTED: "canceled",
}


@dataclass(frozen=True, slots=True)
class UrlContext:
    """The context of an answer's URLs."""

    origin: str
    """The start of URLs, such as `https://voicegate.example:8770`."""
    account: str
    """The account that asks."""


def verification(record: ChallengeRecord, place: UrlContext) -> VerificationView:
    """Return a verification with its calls."""
    challenge, service, sid = record.challenge, str(record.challenge.service), sid_of(record.challenge.id)
    return VerificationView(
        sid=sid,
        service_sid=service,
        account_sid=place.account,
        to=challenge.destination.number,
        channel=Channel.CALL,
        status=status(challenge),
        valid=challenge.state is ChallengeState.VERIFIED,
        lookup={},
        send_code_attempts=[
            SendCodeAttempt(time=_shown(call.created_at), channel=Channel.CALL, attempt_sid=sid_of(call.id))
            for call in (entry.call for entry in record.calls)
        ],
        date_created=_shown(challenge.issued_at),
        date_updated=_shown(_updated(record)),
        url=f"{place.origin}/v2/Services/{service}/Verifications/{sid}",
    )


def check(record: ChallengeRecord, place: UrlContext) -> CheckView:
    """Return the result of a guess at a verification."""
    challenge = record.challenge
    return CheckView(
        sid=sid_of(challenge.id),
        service_sid=str(challenge.service),
        account_sid=place.account,
        to=challenge.destination.number,
        channel=Channel.CALL,
        status=status(challenge),
        valid=challenge.state is ChallengeState.VERIFIED,
        date_created=_shown(challenge.issued_at),
        date_updated=_shown(_updated(record)),
    )


def attempt(found: ServiceCall, place: UrlContext) -> AttemptView:
    """Return a call, its number masked as everywhere in lists."""
    call, challenge, outcome = found.record.call, found.challenge, found.record.outcome
    sid, verification_sid = sid_of(call.id), sid_of(challenge.id)
    return AttemptView(
        sid=sid,
        account_sid=place.account,
        service_sid=str(challenge.service),
        verification_sid=verification_sid,
        date_created=_shown(call.created_at),
        date_updated=_shown(_last(found.record)),
        conversion_status=ConversionStatus.CONVERTED if found.is_converted else ConversionStatus.UNCONVERTED,
        channel=Channel.CALL,
        price={},
        channel_data=ChannelData(
            verification_sid=verification_sid,
            to=call.destination.masked,
            status="converted" if found.is_converted else "unconfirmed",
            call_status=call_status(found.record),
            country=call.destination.country,
            code_length=challenge.passcode_length,
            locale=challenge.language,
            outcome=str(outcome.outcome) if outcome else None,
            evidence=call.evidence.strongest.name.lower(),
        ),
        url=f"{place.origin}/v2/Attempts/{sid}",
    )


def summary(counted: Summary, place: UrlContext) -> SummaryView:
    """Return the figures of attempts."""
    rate = 100 * counted.converted / counted.calls if counted.calls else 0
    return SummaryView(
        total_attempts=counted.calls,
        total_converted=counted.converted,
        total_unconverted=counted.calls - counted.converted,
        conversion_rate_percentage=f"{rate:.9f}",
        url=f"{place.origin}/v2/Attempts/Summary",
    )


def status(challenge: Challenge) -> str:
    """Return the status of a verification."""
    return _STATUSES.get(challenge.state, PENDING)


def call_status(record: CallRecord) -> str:
    """Return the status of a call, or its outcome."""
    if record.call.is_live:
        return _LIVE.get(record.call.state, "in-progress")
    return _ENDED.get(record.outcome.outcome, "failed") if record.outcome else "failed"


def _updated(record: ChallengeRecord) -> datetime:
    return max((_last(call) for call in record.calls), default=record.challenge.issued_at)


def _last(record: CallRecord) -> datetime:
    call = record.call
    return call.ended_at or call.answered_at or call.created_at


def _shown(moment: datetime) -> str:
    # To the second: Twilio's SDKs read no other form.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
