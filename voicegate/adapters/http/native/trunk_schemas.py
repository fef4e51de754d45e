"""What the native door says of trunks, and is asked about them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from voicegate.domain.routing import TrunkState

Reason = Annotated[
    str, Meta(min_length=1, max_length=200, description="Why; kept in the audit.", examples=["carrier works"])
]
Share = Annotated[float, Meta(ge=0, le=1)]


class Draining(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Why a trunk is drained."""

    reason: Reason


class Resuming(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Why a trunk is resumed."""

    reason: Reason | None = None


class FiguresQuery(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which calls the figures are of."""

    window_s: Annotated[
        int, Meta(ge=60, le=86400, description="Those made in so many seconds up to now.")
    ] = 3600


class DrainView(Struct, kw_only=True, frozen=True):
    """Since when a trunk gets no new calls."""

    at: datetime
    client: Annotated[str, Meta(description="Who drained it.")]
    reason: str


class FiguresView(Struct, kw_only=True, frozen=True):
    """How a trunk's calls went: those that were sent to it and have ended; null: there is none to tell by."""

    country: Annotated[str, Meta(description="Where they went; empty: anywhere.")]
    calls: int
    answer_seizure_ratio: Annotated[Share, Meta(description="Answered calls among all.")] | None
    post_dial_delay_s: (
        Annotated[float, Meta(description="From originate to the first sign of life, on average.")] | None
    )
    call_duration_s: Annotated[float, Meta(description="From the answer on, on average.")] | None
    verified_ratio: Annotated[Share, Meta(description="Calls whose code was entered among all.")] | None
    failures: Annotated[int, Meta(description="Calls that the trunk is to blame for.")]
    keys_asked: Annotated[int, Meta(description="Calls that asked a person for a key.")]
    key_press_share: Annotated[Share, Meta(description="Those of them on which one came.")] | None


class TrunkView(Struct, kw_only=True, frozen=True):
    """A trunk as its PBX sees it."""

    name: str
    pbx: str
    endpoint: str
    state: TrunkState
    pbx_connected: bool
    set_aside_until: Annotated[
        datetime | None,
        Meta(description="Until when it is tried last, for its calls failed; null: it is not set aside."),
    ]
    drained: Annotated[
        DrainView | None, Meta(description="An admin lets it get no new calls; null: it gets calls.")
    ]
    figures: Annotated[
        FiguresView | None, Meta(description="How its calls went; null for others than admins.")
    ]


class TrunkList(Struct, kw_only=True, frozen=True):
    """Trunks in the order they are tried."""

    trunks: list[TrunkView]


class TrunkFiguresView(Struct, kw_only=True, frozen=True):
    """How a trunk's calls went, by country and by SIP status."""

    name: str
    window_s: int
    total: FiguresView
    countries: Annotated[list[FiguresView], Meta(description="By country.")]
    sip_failures: Annotated[
        dict[str, int], Meta(description="Calls that ended before the answer, by SIP status.")
    ]
