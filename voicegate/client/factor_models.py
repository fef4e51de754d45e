"""What the daemon answers about factors, as `models` has what it answers about verifications and calls.

What each field means stands in the daemon's `/openapi.json`.
"""

from datetime import datetime

from msgspec import Struct

from voicegate.client.models import Call


class FactorVerification(Struct, kw_only=True):
    """A factor's newest code; `purpose` is activation or sign_in. `Client.watch` takes its id."""

    id: str
    purpose: str
    status: str
    expires_at: datetime
    attempts_left: int
    matching_digits: str | None = None


class Factor(Struct, kw_only=True):
    """A subscriber's telephone, its number whole; `status` is pending_activation, active or locked.

    `verification` is its newest code, `call` the newest call with that code; `enrollments` counts the factors
    on the same number, this one included. `verified_at` is when it was last used: when a right code was
    entered; None: never, or an older daemon does not say.
    """

    id: str
    subscriber: str
    client: str
    status: str
    destination: str
    created_at: datetime
    updated_at: datetime
    extension: str | None = None
    language: str | None = None
    enrollments: int = 1
    verified_at: datetime | None = None
    verification: FactorVerification | None = None
    call: Call | None = None

    def __repr__(self) -> str:
        return f"Factor({self.id}, {self.status}, •••{self.destination[-2:]})"


class FactorPage(Struct, kw_only=True):
    """A page of factors; `next` is the `cursor` of the next one, None: there is none."""

    factors: list[Factor]
    next: str | None = None


class FactorJudgement(Struct, kw_only=True):
    """What a guess at a factor's code came to: `status` is verified or denied, `factor` the factor after it.

    `attempts_left` and `factor` are None where nothing was judged: the guess was no code at all, no code is
    out, or the factor is locked.
    """

    status: str
    attempts_left: int | None = None
    reason: str | None = None
    factor: Factor | None = None


class ResetFactors(Struct, kw_only=True):
    """The ids of factors that are over."""

    reset: list[str]
