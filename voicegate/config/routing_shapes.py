"""The shapes of the settings of routing, as `shapes` has those of all else."""

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=86400)]


class RoutingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routing]`: which trunk is tried and which caller ID is shown, by how calls ended."""

    trunk_faults: Annotated[int, Meta(ge=1, le=1000)] = 3
    trunk_rest_s: Seconds = 60
    trunk_rest_max_s: Seconds = 900
    caller_id_memory_s: Seconds = 86400
    failover_within_s: Annotated[float, Meta(ge=0, le=600)] = 45
    key_press_floor: Annotated[float, Meta(ge=0, le=1)] = 0.2
    key_press_window_s: Annotated[float, Meta(ge=60, le=86400)] = 3600
    key_press_calls: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
