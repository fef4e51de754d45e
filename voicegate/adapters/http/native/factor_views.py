"""Factors as the native door shows them, with the state of their newest code."""

from voicegate.adapters.http import views
from voicegate.adapters.http.native.factor_schemas import FactorJudgement, FactorVerification, FactorView
from voicegate.application.factor_answers import FactorGuess
from voicegate.application.ports import ChallengeRecord
from voicegate.application.store_port import FactorRecord


def factor(record: FactorRecord) -> FactorView:
    """Return a factor, its number whole."""
    enrolled, newest = record.factor, record.challenge
    return FactorView(
        id=enrolled.id,
        subscriber=enrolled.subscriber,
        client=enrolled.client,
        status=enrolled.state,
        destination=enrolled.destination.number,
        extension=enrolled.destination.extension,
        language=enrolled.language,
        enrollments=max(record.sharing, 1),
        created_at=enrolled.created_at,
        updated_at=enrolled.updated_at,
        verified_at=enrolled.verified_at,
        verification=_verification(newest) if newest else None,
        call=views.summary(newest.calls[-1]) if newest and newest.calls else None,
    )


def judgement(guess: FactorGuess) -> FactorJudgement:
    """Return the result of a guess, and the factor after it."""
    plain = views.judgement(guess)
    return FactorJudgement(
        status=plain.status,
        attempts_left=plain.attempts_left,
        reason=plain.reason,
        factor=factor(guess.record),
    )


def _verification(record: ChallengeRecord) -> FactorVerification:
    challenge = record.challenge
    return FactorVerification(
        id=challenge.id,
        purpose=challenge.purpose.value,  # type: ignore[arg-type]  # a factor's are never plain
        status=challenge.state,
        expires_at=challenge.expires_at,
        attempts_left=challenge.guesses_left,
        matching_digits=challenge.matching_digits,
    )
