"""What the Okta door answers about factors, in Python's own names, tolerant of a newer daemon.

What each field means stands in the daemon's `/openapi/okta.json`; what the other door answers is
`models`'s.
"""

from datetime import datetime

import msgspec
from msgspec import Struct


class Telephone(Struct, kw_only=True, rename="camel"):
    """An enrolled telephone, whole."""

    phone_number: str
    phone_extension: str | None = None

    def __repr__(self) -> str:
        return f"Telephone(•••{self.phone_number[-2:]})"


class FactorCode(Struct, kw_only=True, rename="camel"):
    """Where the newest code of a factor stands; `Client.watch` takes its id."""

    id: str
    status: str
    expires_at: datetime
    attempts_left: int


class FactorCall(Struct, kw_only=True, rename="camel"):
    """What really happened on the newest call with that code; `evidence` is its strongest."""

    id: str
    state: str
    evidence: str
    caller_id: str
    destination: str
    created_at: datetime
    outcome: str | None = None
    blame: str | None = None
    retry_safe: bool | None = None
    is_test: bool = False
    answered_at: datetime | None = None
    ended_at: datetime | None = None


class Shared(Struct, kw_only=True):
    """How many factors are bound to a number."""

    enrollments: int = 1


class Truth(Struct, kw_only=True):
    """What Okta's own answers do not have."""

    phone: Shared = msgspec.field(default_factory=Shared)
    verification: FactorCode | None = None
    call: FactorCall | None = None


class _Told(Struct, kw_only=True, rename="camel"):
    """What factors and challenges have in common."""

    embedded: Truth = msgspec.field(name="_embedded", default_factory=Truth)

    @property
    def code(self) -> FactorCode | None:
        """Its newest code; None: there never was one."""
        return self.embedded.verification

    @property
    def call(self) -> FactorCall | None:
        """The newest call with that code."""
        return self.embedded.call

    @property
    def enrollments(self) -> int:
        """How many factors are bound to the same number, this one included."""
        return self.embedded.phone.enrollments


class Factor(_Told, kw_only=True, rename="camel"):
    """A subscriber's telephone; `status` is PENDING_ACTIVATION, ACTIVE or DISABLED."""

    id: str
    status: str
    created: datetime
    last_updated: datetime
    profile: Telephone


class FactorChallenge(_Told, kw_only=True, rename="camel"):
    """A code that is out for a sign-in; `factor_result` is CHALLENGE."""

    factor_result: str
    expires_at: datetime


class FactorJudgement(Struct, kw_only=True, rename="camel"):
    """What a guess at a factor's code came to: right when there is no `reason`."""

    reason: str | None = None
    detail: str = ""
    factor_result: str = "SUCCESS"
    """What the door calls it; an activation is answered by the factor instead."""

    @property
    def status(self) -> str:
        """As of a verification's guess: verified or denied."""
        return "verified" if self.reason is None and self.factor_result == "SUCCESS" else "denied"


class Nothing(Struct):
    """Done, and no more to say."""


class Cause(Struct, rename="camel"):
    """What is wrong this time."""

    error_summary: str = ""
    reason: str = ""


class OktaError(Struct, kw_only=True, rename="camel"):
    """The door's error object."""

    error_code: str
    error_summary: str = ""
    error_id: str = ""
    error_causes: list[Cause] = msgspec.field(default_factory=list)
