"""The shapes of the settings of metrics and traces, as `shapes` has those of all else."""

from typing import Annotated

from msgspec import Meta, Struct


class MetricsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[metrics]`: figures for Prometheus, on a port of their own."""

    enabled: bool = False
    host: Annotated[str, Meta(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 9770
    token_file: str = ""
    certificate: str = ""
    key: str = ""


class TracesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[traces]`: each call as a trace, for OpenTelemetry."""

    enabled: bool = False
