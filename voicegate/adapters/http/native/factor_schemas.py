"""The native door's requests and answers about factors, as `schemas` for verifications.

Numbers are whole here, unlike everywhere else: a factor's telephone is shown to the client that enrolled it,
and to admins. The calls' own numbers are masked as always.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from voicegate.adapters.http.schemas import (
    GUESS_TEXT,
    CallSummary,
    DeniedReason,
    DestinationText,
    Discreet,
    EndUserIp,
    ExtensionText,
    LanguageTag,
    LifetimeSeconds,
    MatchingDigits,
    MaxPrice,
    TtlSeconds,
    WantsMatchingDigits,
)
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.factor import FactorState
from voicegate.domain.number_reading import MAX_WRITTEN

SubscriberName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="The person, by the caller's own name for them; no control characters.",
        examples=["alice", "4711"],
    ),
]
WhoseText = Annotated[
    SubscriberName, Meta(description="Whose factor it must be; another's is not found. Absent: anybody's.")
]


class _Request(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""


class NewFactor(_Request, kw_only=True, frozen=True):
    """A telephone to enroll. What is absent or null takes the configured default."""

    subscriber: SubscriberName
    destination: DestinationText
    extension: ExtensionText | None = None
    language: LanguageTag | None = None
    lifetime_s: LifetimeSeconds | None = None
    matching_digits: WantsMatchingDigits = False
    end_user_ip: EndUserIp | None = None
    max_price: MaxPrice | None = None
    ttl_s: TtlSeconds | None = None
    replace: Annotated[
        bool, Meta(description="End the subscriber's present factor for this one; else it stands in the way.")
    ] = False
    is_activated: Annotated[
        bool, Meta(description="The telephone was proven elsewhere: no call, no code. For admins only.")
    ] = False


class FactorPasscode(_Request, kw_only=True, frozen=True):
    """One guess at a factor's code."""

    passcode: Annotated[str, Meta(max_length=MAX_WRITTEN, description=GUESS_TEXT, examples=["493817"])]
    subscriber: WhoseText | None = None


class NewFactorCall(_Request, kw_only=True, frozen=True):
    """Another call for the activation; may be left out."""

    matching_digits: WantsMatchingDigits = False
    subscriber: WhoseText | None = None
    end_user_ip: EndUserIp | None = None
    max_price: MaxPrice | None = None
    ttl_s: TtlSeconds | None = None


class NewFactorChallenge(_Request, kw_only=True, frozen=True):
    """A code for a sign-in; may be left out."""

    lifetime_s: LifetimeSeconds | None = None
    matching_digits: WantsMatchingDigits = False
    subscriber: WhoseText | None = None
    end_user_ip: EndUserIp | None = None
    max_price: MaxPrice | None = None
    ttl_s: TtlSeconds | None = None


class FactorQuery(_Request, kw_only=True, frozen=True):
    """Whose factor is meant."""

    subscriber: WhoseText | None = None


class SubscriberQuery(_Request, kw_only=True, frozen=True):
    """Whose factors are meant."""

    subscriber: SubscriberName


class FactorsQuery(_Request, kw_only=True, frozen=True):
    """Which factors to list."""

    subscriber: Annotated[SubscriberName, Meta(description="Only this subscriber's.")] | None = None
    client: (
        Annotated[str, Meta(max_length=64, description="Only factors of this client; an admin sees all.")]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Factors to list at most.")] = 50
    cursor: (
        Annotated[str, Meta(max_length=100, description="Only factors after a page's last: its `next`.")]
        | None
    ) = None


class FactorVerification(Struct, kw_only=True, frozen=True):
    """The newest code of a factor; all of it is at `/v1/verifications/{id}`."""

    id: str
    purpose: Annotated[Literal["activation", "sign_in"], Meta(description="What a right guess is good for.")]
    status: ChallengeState
    expires_at: Annotated[datetime, Meta(description="From then on no guess counts.")]
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain.")]
    matching_digits: MatchingDigits


class FactorView(Discreet, kw_only=True, frozen=True):
    """A subscriber's telephone."""

    id: str
    subscriber: str
    client: Annotated[str, Meta(description="Who enrolled it.")]
    status: Annotated[
        FactorState,
        Meta(
            description="locked: by wrong guesses or a reported call, until it is reset. reset: it is over; "
            "seen only where an earlier request is answered again."
        ),
    ]
    destination: Annotated[str, Meta(description="The number, whole: E.164, or an extension of the PBX.")]
    extension: Annotated[str, Meta(description="Landline extension.")] | None
    language: Annotated[str, Meta(description="Of its calls; null: as configured.")] | None
    enrollments: Annotated[int, Meta(ge=1, description="Factors on this number, this one included.")]
    created_at: datetime
    updated_at: Annotated[datetime, Meta(description="When its status last changed.")]
    verified_at: (
        Annotated[
            datetime,
            Meta(description="When it was last used: a right code entered, to activate it or to sign in."),
        ]
        | None
    )
    verification: Annotated[FactorVerification, Meta(description="Its newest code.")] | None
    call: (
        Annotated[
            CallSummary,
            Meta(description="The newest call with that code; `created_at` is when it was last called."),
        ]
        | None
    )


class FactorList(Struct, kw_only=True, frozen=True):
    """Factors, by client and then by subscriber."""

    factors: list[FactorView]
    next: Annotated[str, Meta(description="`cursor` of the next page; null: no more.")] | None


class FactorJudgement(Discreet, kw_only=True, frozen=True):
    """What a guess came to. A code that is over denies every guess; `reason` says so."""

    status: Literal["verified", "denied"]
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain; 0 once the code is over.")]
    reason: Annotated[DeniedReason, Meta(description="Why it was denied; null when verified.")] | None
    factor: Annotated[FactorView, Meta(description="The factor after it.")]


class ResetFactors(Struct, kw_only=True, frozen=True):
    """Factors that are over."""

    reset: Annotated[list[str], Meta(description="Their ids.")]
