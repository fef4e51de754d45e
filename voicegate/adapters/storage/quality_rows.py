"""How well a call's audio travelled, as the column `calls.quality` keeps it; pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from voicegate.domain.call_quality import CallQuality

_AS_THEY_ARE: Final = (
    "sip_call_id",
    "codec",
    "packets_sent",
    "packets_received",
    "lost_sent",
    "lost_received",
)
_DURATIONS: Final = ("jitter_sent", "jitter_received", "round_trip")
_MS: Final = timedelta(milliseconds=1)


def quality_column(quality: CallQuality | None) -> dict[str, object] | None:
    """Return what is stored; durations in ms, to the microsecond."""
    if quality is None:
        return None
    # Not `asdict`: a field that is renamed in the domain must not change what databases hold.
    lengths: dict[str, timedelta | None] = {name: getattr(quality, name) for name in _DURATIONS}
    kept: dict[str, object] = {name: getattr(quality, name) for name in _AS_THEY_ARE}
    return kept | {f"{name}_ms": None if one is None else one / _MS for name, one in lengths.items()}


def quality_of(column: Mapping[str, Any] | None) -> CallQuality | None:
    """Return what was stored."""
    if column is None:
        return None
    lengths = {name: column.get(f"{name}_ms") for name in _DURATIONS}
    return CallQuality(
        **{name: column.get(name) for name in _AS_THEY_ARE},
        **{name: None if one is None else one * _MS for name, one in lengths.items()},
    )
