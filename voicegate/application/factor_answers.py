"""What the use cases around a factor answer, each with the decision that the audit notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import ALLOWED
from voicegate.domain.challenge import VerifyResult
from voicegate.domain.factor import Factor


@dataclass(frozen=True, slots=True)
class FactorCalled(FactorRecord):
    """A factor as the request leaves it: enrolled, or called."""

    is_replay: bool = False
    """Was that done by an earlier request?"""
    decision: ClassVar[str] = ALLOWED
    """What the audit notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorGuess(VerifyResult):
    """The answer to a guess at a factor's code."""

    record: FactorRecord
    """The factor after it."""


@dataclass(frozen=True, slots=True)
class FactorReset:
    """A factor is over."""

    factor: Factor
    """The factor."""
    decision: ClassVar[str] = ALLOWED
    """What the audit notes."""


@dataclass(frozen=True, slots=True)
class FactorsReset:
    """All factors of a subscriber are over."""

    factors: Sequence[Factor]
    """The factors; there may have been none."""
    decision: ClassVar[str] = ALLOWED
    """What the audit notes."""


@dataclass(frozen=True, slots=True)
class OtherTelephone:
    """The request names another telephone than the factor's."""

    decision: ClassVar[str] = "other_telephone"
    """What the audit notes."""
