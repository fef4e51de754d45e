"""Factors and challenges as the Okta door shows them: in Okta's shape, with what really happened on the call
embedded.

Numbers are whole here, unlike everywhere else: Okta shows a factor's telephone to the client that
enrolled it, and its 3.x SDK takes no masked one. The call's own number is masked as always.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from msgspec import UNSET

from voicegate.adapters.http.okta.schemas import (
    CallTruth,
    Embedded,
    FactorResult,
    FactorStatus,
    FactorView,
    Hints,
    Link,
    Links,
    Profile,
    Sharing,
    SupportedFactor,
    Verification,
    VerificationState,
)
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.store_port import FactorRecord
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.factor import FactorState
from voicegate.domain.phone_number import Destination

_STATUSES: Final[Mapping[FactorState, FactorStatus]] = {
    FactorState.PENDING_ACTIVATION: "PENDING_ACTIVATION",
    FactorState.ACTIVE: "ACTIVE",
    FactorState.LOCKED: "DISABLED",
}
_RESULTS: Final[Mapping[ChallengeState, FactorResult]] = {
    ChallengeState.DELIVERING: "CHALLENGE",
    ChallengeState.DELIVERED: "CHALLENGE",
    # The code still counts: the person may have heard what we cannot prove.
    ChallengeState.UNDELIVERABLE: "CHALLENGE",
    ChallengeState.VERIFIED: "SUCCESS",
    ChallengeState.EXPIRED: "EXPIRED",
    ChallengeState.LOCKED: "FAILED",
    ChallengeState.CANCELED: "REJECTED",
    ChallengeState.REPORTED: "REJECTED",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of one client's answers."""

    base: str
    """Scheme and host of its links."""
    user: str
    """The subscriber, as in its path."""
    is_sdk3: bool = False
    """Must Okta's 3.x Python SDK understand them?"""

    def link(self, path: str, *allow: str, name: str | None = None) -> Link:
        """Return a link to `path` under the subscriber."""
        user = quote(self.user, safe="")
        # A path of dots alone would lead to the folder above.
        user = user.replace(".", "%2E") if not user.strip(".") else user
        href = f"{self.base}/api/v1/users/{user}{path}"
        return Link(href=href, hints=Hints(allow=list(allow)), name=name or UNSET)

    def factor_link(self, factor_id: str) -> Link:
        """Return the link to a factor."""
        return self.link(f"/factors/{factor_id}", "GET", "DELETE")


def factor(record: FactorRecord, shape: Shape) -> FactorView:
    """Return a factor with the state of its newest code."""
    enrolled = record.factor
    return FactorView(
        id=enrolled.id,
        factor_type="call",
        provider="OKTA",
        vendor_name="OKTA",
        status=_STATUSES[enrolled.state],
        created=enrolled.created_at,
        last_updated=enrolled.updated_at,
        profile=_profile(enrolled.destination),
        embedded=_embedded(record),
        links=_links(record, shape),
    )


def supported(records: Sequence[FactorRecord], shape: Shape) -> SupportedFactor:
    """Return the only kind of factor, with the state of the subscriber's enrollment."""
    return SupportedFactor(
        factor_type="call",
        provider="OKTA",
        vendor_name="OKTA",
        status=_STATUSES[records[0].factor.state] if records else "NOT_SETUP",
        enrollment="OPTIONAL",
        links=Links(enroll=shape.link("/factors", "POST")),
    )


def challenge(record: FactorRecord, shape: Shape) -> Verification:
    """Return the state of a factor's newest challenge."""
    found = record.challenge
    if found is None:
        raise LookupError(record.factor.id)
    path = f"/factors/{record.factor.id}"
    return Verification(
        factor_result=_RESULTS[found.challenge.state],
        expires_at=found.challenge.expires_at,
        # The 3.x SDK believes a profile's values to be objects (its issue 539).
        profile=UNSET if shape.is_sdk3 else _profile(record.factor.destination),
        embedded=_embedded(record),
        links=Links(
            verify=shape.link(f"{path}/verify", "POST"),
            poll=shape.link(f"{path}/transactions/{found.challenge.id}", "GET"),
            factor=shape.factor_link(record.factor.id),
        ),
    )


def _links(record: FactorRecord, shape: Shape) -> Links:
    path = f"/factors/{record.factor.id}"
    own = shape.factor_link(record.factor.id)
    user = shape.link("", "GET")
    match record.factor.state:
        case FactorState.PENDING_ACTIVATION:
            resend = shape.link(f"{path}/resend", "POST", name="call")
            return Links(
                self_=own,
                activate=shape.link(f"{path}/lifecycle/activate", "POST"),
                resend=resend if shape.is_sdk3 else [resend],
                user=user,
            )
        case FactorState.ACTIVE:
            return Links(self_=own, verify=shape.link(f"{path}/verify", "POST"), user=user)
        case _:
            return Links(self_=own, user=user)


def _embedded(record: FactorRecord) -> Embedded:
    found = record.challenge
    return Embedded(
        phone=Sharing(enrollments=record.sharing),
        verification=_verification(found) if found else UNSET,
        call=_call(found.calls[-1]) if found and found.calls else UNSET,
    )


def _verification(record: ChallengeRecord) -> VerificationState:
    found = record.challenge
    return VerificationState(
        id=found.id, status=found.state, expires_at=found.expires_at, attempts_left=found.guesses_left
    )


def _call(record: CallRecord) -> CallTruth:
    call, outcome = record.call, record.outcome
    return CallTruth(
        id=call.id,
        state=call.state,
        evidence=call.evidence.strongest.name.lower(),  # type: ignore[arg-type]  # the rungs' names
        outcome=outcome.outcome if outcome else None,
        blame=outcome.blame if outcome else None,
        retry_safe=outcome.retry_safe if outcome else None,
        caller_id=call.caller_id,
        destination=call.destination.masked,
        is_test=call.is_test,
        created_at=call.created_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
    )


def _profile(destination: Destination) -> Profile:
    return Profile(phone_number=destination.number, phone_extension=destination.extension)
