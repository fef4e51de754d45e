"""The shapes of the settings of webhooks, as `shapes` has those of all else."""

from typing import Annotated

from msgspec import Meta, Struct

from voicegate.domain.webhook import DEFAULT_TYPES, EventType

Wait = Annotated[float, Meta(gt=0, le=86400)]
ClientName = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?\Z")]
WebhookUrl = Annotated[
    str, Meta(max_length=2000, pattern=r"^https?://[^\s/?#@]+([/?][^\s#\x00-\x1f\x7f]*)?\Z")
]


class WebhookSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[webhooks.NAME]`: a program that is told of calls and verifications."""

    url: WebhookUrl
    secret_file: str
    client: ClientName = ""
    events: Annotated[tuple[EventType, ...], Meta(min_length=1)] = DEFAULT_TYPES
    ca_file: str = ""


class WebhookDeliverySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[webhook_delivery]`: how webhooks' messages are sent."""

    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 10
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 4
    retry_s: Wait = 5
    retry_max_s: Wait = 14400
    give_up_after_s: Annotated[float, Meta(ge=1, le=2592000)] = 259200
    allowed_networks: tuple[str, ...] = ()
    http_on_loopback: bool = False
