"""The Okta door's requests and answers, as msgspec types in Okta's own field names.

Requests are lenient where Okta is: what a client sends beyond these fields is left unread, for its SDKs
send whole objects back. Lengths are told to clients only: each wrong value has an error code of its own.
What Okta's answers lack (how the call went) is in `_embedded`, where its clients expect what is not the
thing itself. How answers are filled is `views`. Source: Okta's Management API (OpenAPI 5.1.0), tag
UserFactor.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from voicegate.adapters.http.schemas import (
    EXTENSION_TEXT,
    GUESS_TEXT,
    NUMBER_TEXT,
    Discreet,
    Strongest,
)
from voicegate.domain.call import CallState
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.number_reading import MAX_WRITTEN

MAX_EXTENSION = 15
"""Characters of an extension, as Okta has it."""

FactorStatus = Literal["PENDING_ACTIVATION", "ACTIVE", "DISABLED"]
FactorResult = Literal["CHALLENGE", "SUCCESS", "FAILED", "REJECTED", "TIMEOUT", "EXPIRED", "ERROR"]


class _Request(Discreet, kw_only=True, frozen=True, rename="camel"):
    """What a client sends."""


class _Answer(Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """What we answer."""


class PhoneProfile(_Request, kw_only=True, frozen=True):
    """A telephone as a client writes it."""

    phone_number: Annotated[
        str,
        Meta(
            description=NUMBER_TEXT,
            examples=["+12025550143", "+1-202-555-0143"],
            extra_json_schema={"minLength": 2, "maxLength": MAX_WRITTEN},
        ),
    ]
    phone_extension: (
        Annotated[
            str,
            Meta(
                description=EXTENSION_TEXT,
                examples=["1234"],
                extra_json_schema={"maxLength": MAX_EXTENSION},
            ),
        ]
        | None
    ) = None


class NewFactor(_Request, kw_only=True, frozen=True):
    """A telephone to enroll."""

    factor_type: Annotated[str, Meta(description="`call`, and nothing else.", examples=["call"])]
    provider: Annotated[str, Meta(description="`OKTA`, and nothing else.", examples=["OKTA"])] = "OKTA"
    profile: PhoneProfile


class Resend(_Request, kw_only=True, frozen=True):
    """The factor to call again; the path says which, and what else is sent must agree with it."""

    profile: PhoneProfile | None = None


class PassCode(_Request, kw_only=True, frozen=True):
    """One guess at the code."""

    pass_code: (
        Annotated[
            str,
            Meta(
                description=f"{GUESS_TEXT} Empty: none.",
                examples=["493817"],
            ),
        ]
        | None
    ) = None


class EnrollQuery(_Request, kw_only=True, frozen=True):
    """How to enroll."""

    update_phone: Annotated[bool, Meta(description="End the subscriber's present factor for this one.")] = (
        False
    )
    token_lifetime_seconds: (
        Annotated[int, Meta(ge=1, le=86400, description="Seconds a code of the activation counts.")] | None
    ) = None
    activate: Annotated[
        bool, Meta(description="The telephone was proven elsewhere: no call, no code. Admins only.")
    ] = False


class ChallengeQuery(_Request, kw_only=True, frozen=True):
    """How to challenge."""

    token_lifetime_seconds: (
        Annotated[int, Meta(ge=1, le=86400, description="Seconds the code counts.")] | None
    ) = None


class UnenrollQuery(_Request, kw_only=True, frozen=True):
    """How to unenroll."""

    remove_recovery_enrollment: Annotated[
        bool, Meta(description="Without effect: a telephone here recovers nothing.")
    ] = False


class Hints(_Answer, kw_only=True, frozen=True):
    """What a link is for."""

    allow: Annotated[list[str], Meta(description="HTTP methods.")]


class Link(_Answer, kw_only=True, frozen=True):
    """Where to go next."""

    href: str
    hints: Hints
    name: str | UnsetType = UNSET


class Links(_Answer, kw_only=True, frozen=True):
    """What can be done next."""

    self_: Link | UnsetType = msgspec.field(name="self", default=UNSET)
    activate: Link | UnsetType = UNSET
    resend: (
        Annotated[
            list[Link] | Link,
            Meta(description="A list of one; with the setting `okta.sdk3_compat`, that one itself."),
        ]
        | UnsetType
    ) = UNSET
    verify: Link | UnsetType = UNSET
    poll: Link | UnsetType = UNSET
    factor: Link | UnsetType = UNSET
    enroll: Link | UnsetType = UNSET
    user: Link | UnsetType = UNSET


class Profile(_Answer, kw_only=True, frozen=True):
    """A factor's telephone, whole, for who enrolled it."""

    phone_number: str
    phone_extension: str | None


class VerificationState(_Answer, kw_only=True, frozen=True):
    """The newest code of a factor."""

    id: Annotated[str, Meta(description="To watch it at /v1/verifications/{id}.")]
    status: ChallengeState
    expires_at: Annotated[datetime, Meta(description="From then on no guess counts.")]
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain.")]


class CallTruth(_Answer, kw_only=True, frozen=True):
    """What really happened on the newest call with that code."""

    id: str
    state: CallState
    evidence: Strongest
    outcome: Annotated[Outcome, Meta(description="How it ended; null while the call lives.")] | None
    blame: Annotated[Blame, Meta(description="Where to look first; null while the call lives.")] | None
    retry_safe: Annotated[bool, Meta(description="Is a redial sure not to ring the person twice?")] | None
    caller_id: Annotated[str, Meta(description="The number shown to the called person.")]
    destination: Annotated[str, Meta(description="The called number, masked.")]
    is_test: Annotated[bool, Meta(description="Did it go to a test number, that rings at no telephone?")]
    created_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None


class Sharing(_Answer, kw_only=True, frozen=True):
    """Who else has this number."""

    enrollments: Annotated[int, Meta(ge=1, description="Factors on this number, this one included.")]


class Embedded(_Answer, kw_only=True, frozen=True):
    """What Okta's answers do not have: the delivery's truth."""

    phone: Sharing | UnsetType = UNSET
    verification: VerificationState | UnsetType = UNSET
    call: CallTruth | UnsetType = UNSET


class FactorView(_Answer, kw_only=True, frozen=True):
    """A factor."""

    id: str
    factor_type: Literal["call"]
    provider: Literal["OKTA"]
    vendor_name: Literal["OKTA"]
    status: Annotated[
        FactorStatus,
        Meta(description="DISABLED: locked by wrong guesses or a reported call, until it is reset."),
    ]
    created: datetime
    last_updated: datetime
    profile: Profile
    embedded: Embedded = msgspec.field(name="_embedded")
    links: Links = msgspec.field(name="_links")


class SupportedFactor(_Answer, kw_only=True, frozen=True):
    """A kind of factor that a subscriber can enroll."""

    factor_type: Literal["call"]
    provider: Literal["OKTA"]
    vendor_name: Literal["OKTA"]
    status: Literal["NOT_SETUP", "PENDING_ACTIVATION", "ACTIVE", "DISABLED"]
    enrollment: Literal["OPTIONAL"]
    links: Links = msgspec.field(name="_links")


class Verification(_Answer, kw_only=True, frozen=True):
    """Where a sign-in stands."""

    factor_result: Annotated[
        FactorResult,
        Meta(
            description="CHALLENGE: a code is out. SUCCESS: it was entered. FAILED: too many wrong ones. "
            "EXPIRED: its time is over. REJECTED: it was canceled."
        ),
    ]
    expires_at: datetime | UnsetType = UNSET
    profile: (
        Annotated[Profile, Meta(description="Absent with the setting `okta.sdk3_compat`.")] | UnsetType
    ) = UNSET
    embedded: Embedded | UnsetType = msgspec.field(name="_embedded", default=UNSET)
    links: Links | UnsetType = msgspec.field(name="_links", default=UNSET)


class Nothing(_Answer, kw_only=True, frozen=True):
    """An empty object."""


class ErrorCause(_Answer, kw_only=True, frozen=True):
    """What is wrong this time."""

    error_summary: str
    reason: (
        Annotated[str, Meta(description="Why, in Voicegate's word: Okta has one code for several reasons.")]
        | UnsetType
    ) = UNSET


class OktaError(_Answer, kw_only=True, frozen=True):
    """Okta's error object."""

    error_code: Annotated[str, Meta(description="To compare by.", examples=["E0000068"])]
    error_summary: Annotated[str, Meta(description="What this kind of error is, for people.")]
    error_link: str
    error_id: Annotated[str, Meta(description="The request's id.")]
    error_causes: Annotated[list[ErrorCause], Meta(min_length=1, description="What is wrong this time.")]
