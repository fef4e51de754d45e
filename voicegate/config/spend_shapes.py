"""The shape of the settings about what calls cost, as in `shapes`."""

from typing import Annotated

from msgspec import Meta, Struct

Minutes = Annotated[int, Meta(ge=0, le=10_000_000)]
Money = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class SpendSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[spend]`: what calls may cost in a day."""

    rates_file: str = ""
    minutes_per_trunk: Minutes = 0
    minutes_per_country: Minutes = 0
    minutes_per_prefix: Minutes = 0
    minutes_per_client: Minutes = 0
    minutes_per_subscriber: Minutes = 0
    money_per_trunk: Money = 0
    money_per_country: Money = 0
    money_per_prefix: Money = 0
    money_per_client: Money = 0
    money_per_subscriber: Money = 0
