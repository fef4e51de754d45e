"""What the Twilio door reads and answers; names and forms are those of Twilio's OpenAPI file (Verify v2)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from voicegate.adapters.http.schemas import EXTENSION_TEXT, GUESS_TEXT, NUMBER_TEXT


class Channel(StrEnum):
    """Ways to bring a code to a person, of which only one is offered here."""

    SMS = "sms"
    CALL = "call"
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    RBM = "rbm"
    SNA = "sna"
    AUTO = "auto"


class ConversionStatus(StrEnum):
    """Was an attempt's code entered?"""

    CONVERTED = "converted"
    UNCONVERTED = "unconverted"


class VerificationForm(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Whom to call."""

    to: Annotated[str, Meta(description=NUMBER_TEXT, examples=["+12025550143"])]
    channel: Annotated[Literal["call"], Meta(description="`call`: no other is offered.")]
    send_digits: Annotated[str, Meta(description=EXTENSION_TEXT, examples=["ww204"])] | None = None
    locale: (
        Annotated[
            str,
            Meta(
                description="Language tag. Absent: the service's, else one of the number's country.",
                examples=["de"],
            ),
        ]
        | None
    ) = None
    custom_code: Annotated[str, Meta(description="A code of the caller's own, 4-10 digits.")] | None = None
    device_ip: (
        Annotated[
            str,
            Meta(
                description="The address of the person who signs in, by which calls are counted "
                "(`policy.calls_per_end_user_ip`). It is kept for a day.",
                examples=["203.0.113.9"],
            ),
        ]
        | None
    ) = None


class UpdateForm(Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a verification comes to."""

    status: Literal["canceled", "approved"]


class CheckForm(Struct, frozen=True, kw_only=True, rename="pascal"):
    """A guess at the code of a verification, which its SID or its number names."""

    code: Annotated[str, Meta(description=GUESS_TEXT, examples=["493817"])]
    verification_sid: str | None = None
    to: Annotated[str, Meta(description=NUMBER_TEXT)] | None = None


class SendCodeAttempt(Struct, frozen=True, kw_only=True):
    """A call of a verification."""

    time: str
    channel: str
    attempt_sid: str


class VerificationView(Struct, frozen=True, kw_only=True):
    """A verification."""

    sid: str
    service_sid: str
    account_sid: str
    to: str
    channel: str
    status: str
    valid: bool
    lookup: dict[str, Any]
    amount: None = None
    payee: None = None
    send_code_attempts: list[SendCodeAttempt]
    sna: None = None
    date_created: str
    date_updated: str
    url: str


class CheckView(Struct, frozen=True, kw_only=True):
    """What a guess came to."""

    sid: str
    service_sid: str
    account_sid: str
    to: str
    channel: str
    status: str
    valid: bool
    amount: None = None
    payee: None = None
    sna_attempts_error_codes: None = None
    date_created: str
    date_updated: str


class ChannelData(Struct, frozen=True, kw_only=True):
    """A call; the last two are Voicegate's own, and say what really happened."""

    verification_sid: str
    to: str
    status: str
    call_status: str
    country: str | None
    code_length: int
    locale: str
    outcome: str | None
    evidence: str


class AttemptView(Struct, frozen=True, kw_only=True):
    """An attempt to bring a code to a person."""

    sid: str
    account_sid: str
    service_sid: str
    verification_sid: str
    date_created: str
    date_updated: str
    conversion_status: ConversionStatus
    channel: str
    price: dict[str, Any]
    channel_data: ChannelData
    url: str


class PageMeta(Struct, frozen=True, kw_only=True):
    """Where a page lies."""

    key: str = "attempts"
    page: int
    page_size: int
    first_page_url: str
    previous_page_url: None = None
    url: str
    next_page_url: str | None


class AttemptPage(Struct, frozen=True, kw_only=True):
    """A page of attempts."""

    attempts: list[AttemptView]
    meta: PageMeta


class SummaryView(Struct, frozen=True, kw_only=True):
    """Figures of attempts."""

    total_attempts: int
    total_converted: int
    total_unconverted: int
    conversion_rate_percentage: str
    url: str


_Moment = Annotated[datetime, Meta(tz=True)]


class _Filter(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Which attempts are meant."""

    date_created_after: _Moment | None = None
    date_created_before: _Moment | None = None
    country: str | None = None
    channel: Channel | None = None
    verify_service_sid: str | None = None


class AttemptsQuery(_Filter, frozen=True, kw_only=True, rename="pascal"):
    """Which attempts to list."""

    to: str | None = msgspec.field(default=None, name="ChannelData.To")
    verification_sid: str | None = None
    status: ConversionStatus | None = None
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    page: Annotated[int, Meta(ge=0)] = 0
    page_token: Annotated[str, Meta(max_length=100)] | None = None


class SummaryQuery(_Filter, frozen=True, kw_only=True, rename="pascal"):
    """Which attempts to count."""

    destination_prefix: str = ""
