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


class NotTakenView(Struct, frozen=True):
    """A setting that stays as it was."""

    setting: Annotated[str, Meta(description="Its name, as in `call.max_queued`.")]
    why: Annotated[str, Meta(description="Why, and what to do.")]


class ReloadView(Struct, kw_only=True, frozen=True):
    """What a reload of the settings did."""

    error: Annotated[
        str | None, Meta(description="What is wrong with the configuration file; null: it was read.")
    ]
    taken: Annotated[list[str], Meta(description="Settings whose new values are in force now.")]
    read_again: Annotated[
        list[str], Meta(description="Settings that name files whose present contents are in force now.")
    ]
    not_taken: Annotated[
        list[NotTakenView], Meta(description="Changed settings, and files, that are not in force.")
    ]
