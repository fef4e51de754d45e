"""The native door's requests and answers as msgspec types; the OpenAPI document is made from them.

Requests are strict: an unknown field is refused. Names of durations end in their unit (`_s`). `views` fills
the answers. Numbers, extensions and codes have no pattern: the domain reads them as people write them.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import CallState
from voicegate.domain.call_outcome import Blame, GaveUp, Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.number_reading import MAX_WRITTEN
from voicegate.domain.policy import DenyReason

MAX_WAIT_S = 60

NUMBER_TEXT: Final = (
    "A number with its plus sign and country code, however it is separated, or a `tel:` URI; a landline "
    "extension may stand behind it (`;ext=204`, `x204`, `,,204`). Or an extension of the PBX, or its name."
)
EXTENSION_TEXT: Final = (
    "Landline extension, sent by DTMF after answer: 0-9, *, #, A-D; w pauses 0.5 s, W 1 s, a comma 2 s. "
    "Empty: none."
)
GUESS_TEXT: Final = "4-10 decimal digits, as the person typed them: what separates them is taken out."

DestinationText = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=MAX_WRITTEN,
        description=NUMBER_TEXT,
        examples=["+12025550143", "+1 (202) 555-0143"],
    ),
]
ExtensionText = Annotated[
    str,
    Meta(
        max_length=MAX_WRITTEN,
        description=EXTENSION_TEXT,
        examples=["W204"],
    ),
]
LanguageTag = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=35,
        description="Language tag of an installed language.",
        examples=["en", "es-MX"],
    ),
]
OwnPasscode = Annotated[
    str,
    Meta(
        max_length=MAX_WRITTEN,
        description="The caller's own code, 4-10 decimal digits, separated or not; absent: one is made.",
    ),
]
EndUserIp = Annotated[
    str,
    Meta(
        max_length=45,
        description="The IP address of the person who signs in: calls are limited by it "
        "(`policy.calls_per_end_user_ip`). It is kept for a day.",
        examples=["198.51.100.7"],
    ),
]
LifetimeSeconds = Annotated[int, Meta(ge=1, le=86400, description="Seconds from now to the last guess.")]
Reference = Annotated[
    str,
    Meta(
        max_length=200,
        description="The caller's own note, given back as it came; no control characters.",
    ),
]
MaxPrice = Annotated[
    float,
    Meta(
        ge=0,
        le=1_000_000,
        description="What the call may cost at most, in the currency of `spend.rates_file`; its worst case "
        "counts.",
    ),
]
TtlSeconds = Annotated[
    float,
    Meta(gt=0, le=3600, description="A call that waited longer for a line, in seconds, is not placed."),
]
Strongest = Annotated[
    Literal["none", "answered", "media", "human", "announced"],
    Meta(description="The strongest thing shown."),
]
DeniedReason = Literal["wrong_passcode", "locked", "expired", "canceled", "reported", "already_used"]
Revision = Annotated[
    int,
    Meta(
        ge=0,
        le=2**53,
        description="The revision already known; absent: wait for the next change from now on.",
    ),
]


WantsMatchingDigits = Annotated[
    bool,
    Meta(description="Speak two digits before the code, told in the answer: show them where the call began."),
]
MatchingDigits = Annotated[
    str | None,
    Meta(
        description="Two digits to show: the call speaks them before the code, and they prove nothing; null: "
        "none were asked for.",
        examples=["42"],
    ),
]


class Discreet(Struct, frozen=True):
    """A body that holds codes, keys or whole numbers, and keeps them out of logs, traces and errors."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(redacted)"


class _Request(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""


class _Answer(Struct, kw_only=True, frozen=True):
    """What we answer."""


class NewVerification(_Request, kw_only=True, frozen=True):
    """A request to call a telephone and speak a code. What is absent or null takes the configured default."""

    destination: DestinationText
    extension: ExtensionText | None = None
    language: LanguageTag | None = None
    passcode: OwnPasscode | None = None
    human_check: Annotated[HumanCheck, Meta(description="What a person does to hear the code.")] | None = None
    lifetime_s: LifetimeSeconds | None = None
    reference: Reference | None = None
    end_user_ip: EndUserIp | None = None
    max_price: MaxPrice | None = None
    ttl_s: TtlSeconds | None = None
    matching_digits: WantsMatchingDigits = False


class Guess(_Request, kw_only=True, frozen=True):
    """One guess at the code."""

    passcode: Annotated[
        str,
        Meta(
            max_length=MAX_WRITTEN,
            description=GUESS_TEXT,
            examples=["493817"],
        ),
    ]


class LookQuery(_Request, kw_only=True, frozen=True):
    """How long to wait for news of a verification."""

    wait_s: Annotated[
        float, Meta(ge=0, le=MAX_WAIT_S, description="Seconds to wait at most for a change (long poll).")
    ] = 0
    since: Revision | None = None


class EventsQuery(_Request, kw_only=True, frozen=True):
    """From where a verification's events are told."""

    after: (
        Annotated[
            str, Meta(max_length=64, description="The id of the last event seen; absent: from the first.")
        ]
        | None
    ) = None


class NewCall(_Request, kw_only=True, frozen=True):
    """Another call with the same code; may be left out."""

    max_price: MaxPrice | None = None
    ttl_s: TtlSeconds | None = None


class EvidenceView(_Answer, kw_only=True, frozen=True):
    """What a call proved."""

    strongest: Strongest
    answered: Annotated[bool, Meta(description="The far end answered; a machine may have.")]
    media: Annotated[bool, Meta(description="RTP or RTCP came back from the far end.")]
    extension_sent: Annotated[bool, Meta(description="The extension's digits were played to the far end.")]
    human: Annotated[bool, Meta(description="The asked-for key was pressed.")]
    announced: Annotated[int, Meta(ge=0, description="Readings of the code sent to their last sample.")]


class MediaView(_Answer, kw_only=True, frozen=True):
    """Packet counts of a call's leg; null where the PBX could not say."""

    received: int | None
    sent: int | None
    reports_back: Annotated[bool, Meta(description="RTCP came back.")]


class QualityView(_Answer, kw_only=True, frozen=True):
    """How well a call's audio travelled; null where the PBX or the far end does not say."""

    sip_call_id: Annotated[str, Meta(description="The Call-ID, by which Homer or sngrep finds it.")] | None
    codec: str | None
    packets_sent: Annotated[int, Meta(description="RTP packets to the far end.")] | None
    packets_received: int | None
    lost_sent: Annotated[int, Meta(description="How many the far end missed, by its RTCP.")] | None
    lost_received: int | None
    jitter_sent_ms: Annotated[float, Meta(description="By the far end's RTCP.")] | None
    jitter_received_ms: float | None
    round_trip_ms: float | None
    mos: (
        Annotated[
            float,
            Meta(ge=1, le=5, description="Mean opinion score, by the E-model: of what the person heard."),
        ]
        | None
    )


class StepView(_Answer, kw_only=True, frozen=True, omit_defaults=True):
    """One step of a call's timeline."""

    seq: Annotated[int, Meta(ge=0, description="Position; 0 is the queueing.")]
    at: datetime
    state: CallState
    event: Annotated[str, Meta(description="What happened.", examples=["rang", "reading_started"])]
    reading: Annotated[int, Meta(ge=1, description="Which reading of the code.")] | UnsetType = UNSET
    proven: Annotated[bool, Meta(description="Was every digit sent to its last sample?")] | UnsetType = UNSET
    media: MediaView | UnsetType = UNSET
    digit: Annotated[str, Meta(description="The DTMF digit that was pressed.")] | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    hangup_cause: Annotated[int, Meta(description="Q.850 cause.")] | UnsetType = UNSET
    sip_status: int | UnsetType = UNSET
    gave_up: Annotated[GaveUp, Meta(description="Why our side ended the call.")] | UnsetType = UNSET
    forwarded_to: Annotated[str, Meta(description="The number that a SIP 3xx named, masked.")] | UnsetType = (
        UNSET
    )
    refused: Annotated[DenyReason, Meta(description="Why that number was not called.")] | UnsetType = UNSET


class StepEvent(StepView, kw_only=True, frozen=True, omit_defaults=True):
    """The data of an event `step`: a step of a call, and whose it is."""

    call_id: str


class StatusEvent(_Answer, kw_only=True, frozen=True):
    """The data of an event `status`: the verification has another status."""

    status: ChallengeState
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain.")]


class CallSummary(_Answer, kw_only=True, frozen=True):
    """A call without its timeline."""

    id: str
    verification_id: str
    destination: Annotated[str, Meta(description="The called number, masked.")]
    state: CallState
    outcome: Annotated[Outcome, Meta(description="How it ended; null while the call lives.")] | None
    blame: Annotated[Blame, Meta(description="Where to look first; null while the call lives.")] | None
    retry_safe: (
        Annotated[
            bool,
            Meta(description="May another call be placed at once without ringing the person twice?"),
        ]
        | None
    )
    evidence: EvidenceView
    hangup_cause: Annotated[int, Meta(description="Q.850 cause.")] | None
    sip_status: (
        Annotated[int, Meta(description="Final SIP status of a call that failed before answer.")] | None
    )
    gave_up: Annotated[GaveUp, Meta(description="Why our side ended the call.")] | None
    quality: Annotated[QualityView, Meta(description="Null while the call lives.")] | None
    trunk: Annotated[str, Meta(description="The trunk or internal route it went out by.")]
    caller_id: Annotated[str, Meta(description="The number shown to the called person.")]
    is_test: Annotated[bool, Meta(description="Did it go to a test number, that rings at no telephone?")]
    created_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None


class CallView(CallSummary, kw_only=True, frozen=True):
    """A call with its timeline."""

    timeline: Annotated[list[StepView], Meta(description="Its steps, oldest first.")]


class CreatedVerification(_Answer, kw_only=True, frozen=True):
    """A verification that was accepted; its telephone is about to ring."""

    id: str
    status: ChallengeState
    expires_at: datetime
    matching_digits: MatchingDigits
    call: Annotated[CallSummary, Meta(description="Its first call.")]


class TrunkPrice(_Answer, kw_only=True, frozen=True):
    """A trunk that a call would use, and what the call would cost by it at worst."""

    trunk: str
    price: Annotated[float, Meta(description="In the currency of the rates.")] | None
    billed_s: Annotated[int, Meta(description="Billed seconds.")] | None


class DryRun(_Answer, kw_only=True, frozen=True):
    """The call would be placed; a refusal would be answered as by `POST /v1/verifications`."""

    decision: Literal["allowed"]
    trunks: Annotated[list[TrunkPrice], Meta(description="In the order in which they would be tried.")]


class VerificationView(_Answer, kw_only=True, frozen=True):
    """A verification as it stands; never its code, never the whole number."""

    id: str
    status: ChallengeState
    revision: Annotated[int, Meta(ge=0, description="Grows with every change; the next `since`.")]
    created_at: datetime
    expires_at: datetime
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain.")]
    destination: Annotated[str, Meta(description="The called number, masked.")]
    has_extension: Annotated[bool, Meta(description="Was an extension given?")]
    language: str
    human_check: HumanCheck
    matching_digits: MatchingDigits
    reference: str | None
    calls: Annotated[list[CallView], Meta(description="Its calls, oldest first.")]
    call: Annotated[CallView, Meta(description="Its newest call.")] | None


class Judgement(_Answer, kw_only=True, frozen=True):
    """What a guess came to. A verification that is over denies every guess; `reason` says so."""

    status: Literal["verified", "denied"]
    attempts_left: Annotated[int, Meta(ge=0, description="Guesses that remain; 0 once it is over.")]
    reason: (
        Annotated[
            DeniedReason,
            Meta(description="Why it was denied; null when verified."),
        ]
        | None
    )
    retry_after_s: (
        Annotated[
            float,
            Meta(description="Always null, for every guess is judged; kept for clients that read it."),
        ]
        | None
    ) = None


class Redialed(_Answer, kw_only=True, frozen=True):
    """Another call with the same code."""

    call: CallSummary


class CallList(_Answer, kw_only=True, frozen=True):
    """Calls, newest first."""

    calls: list[CallSummary]
    next: Annotated[str, Meta(description="`cursor` of the next page; null: no more.")] | None
