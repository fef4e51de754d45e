"""The native door's answers about the daemon itself, as `schemas` for verifications."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Health(Struct, kw_only=True, frozen=True):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(Struct, kw_only=True, frozen=True):
    """Calls can be placed."""

    status: Literal["ok"]
    parts: Annotated[
        dict[str, str],
        Meta(
            description="How each part is, such as `database` and `pbx main`: `ok`, or what is wrong with it."
        ),
    ]
