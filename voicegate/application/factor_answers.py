"""The answers of the use cases around a factor, each with its decision for the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from voicegate.application.ports import ChallengeRecord
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import ALLOWED
from voicegate.domain.challenge import VerifyResult
from voicegate.domain.factor import Factor


@dataclass(frozen=True, slots=True)
class FactorCalled(FactorRecord):
    """A factor after the request: enrolled, or called."""

    is_replay: bool = False
    """Was this done by an earlier request with the same idempotency key?"""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorGuess(VerifyResult):
    """The answer to a guess at a factor's code."""

    record: FactorRecord
    """The factor after the guess."""


@dataclass(frozen=True, slots=True)
class FactorReset:
    """A factor was reset."""

    factor: Factor
    """The factor."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class FactorsReset:
    """All factors of a subscriber were reset."""

    factors: Sequence[Factor]
    """The factors; empty if there were none."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class OtherTelephone:
    """The request names another telephone than the factor's."""

    decision: ClassVar[str] = "other_telephone"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class GuessEffect:
    """A guess that was judged, and what it changed."""

    result: VerifyResult
    """What the guess came to."""
    record: ChallengeRecord
    """The challenge after the guess."""
    factor: Factor | None
    """The challenge's factor after the guess; None: it has none."""
