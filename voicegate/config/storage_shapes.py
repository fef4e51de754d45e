"""The shapes of the settings about what is stored where, and for how long, as in `shapes`."""

from typing import Annotated

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=1, le=36500)]
# A password in it would be shown by `voicegate config show`; it stands in a file of its own.
DatabaseLocation = Annotated[str, Meta(pattern=r"^(?!.*://[^/?@:]*:[^@]*@|.*[?&]password=)[^\x00]+\Z")]


class Storage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[storage]`: what is kept where."""

    database: DatabaseLocation = "/var/lib/voicegate/voicegate.db"
    key_file: str = "/var/lib/voicegate/key"
    state_folder: str = "/var/lib/voicegate"
    copies_kept: Annotated[int, Meta(ge=0, le=100)] = 3
    upgrade_at_start: bool = True
    request_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5
    call_timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 60


class RetentionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[retention]`: how long what is over is kept."""

    calls_days: Days = 90
    numbers_days: Annotated[int, Meta(ge=0, le=36500)] = 0
    timelines_days: Days = 90
    audit_days: Days = 365
    page_sessions_days: Days = 365
    webhooks_days: Days = 30
    receipts_days: Days = 365
