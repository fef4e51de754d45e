"""The shapes of the settings about what people say of calls, and what is proven of them, as in `shapes`."""

from typing import Annotated

from msgspec import Meta, Struct


class ReportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[reports]`: what a person can say by a key about a call that they did not ask for."""

    enabled: bool = True
    cooling_s: Annotated[int, Meta(ge=0, le=31536000)] = 86400
    lock_factor: bool = False


class ReceiptSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[receipts]`: signed records of calls' ends."""

    enabled: bool = False
