"""Trunks and internal routes, from the settings."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from voicegate.bootstrap.app import TEST_PBX
from voicegate.bootstrap.policies import test_pattern
from voicegate.config import (
    CallerIdSettings,
    InternalSettings,
    PooledCallerIdSettings,
    Settings,
    TrunkSettings,
)
from voicegate.domain.errors import ConfigError
from voicegate.domain.routing import CallerId, InternalRoute, Routes, Trunk

_TEST_ENDPOINT: Final = "test"


def routes(settings: Settings) -> Routes:
    """Return trunks and internal routes, as configured.

    Raises:
        ConfigError: an internal route's pattern is no regular expression.
    """
    trunks = tuple(
        replace(
            _trunk(name, entry, caller_ids=entry.caller_ids),
            number_format=entry.number_format,
            international_prefix=entry.international_prefix,
            number_prefix=entry.number_prefix,
            withholds_caller_id=entry.withhold_caller_id,
            diversion=entry.diversion,
            home_country=entry.home_country,
            countries=frozenset(entry.countries),
            prefixes=entry.prefixes,
            priority=entry.priority,
            weight=entry.weight,
            max_calls_per_second=entry.max_calls_per_second,
            caller_ids=tuple(map(_pooled, entry.caller_ids)),
        )
        for name, entry in settings.trunks.items()
    )
    internal = tuple(
        InternalRoute(name, _pattern(name, entry.pattern), _trunk(name, entry, caller_ids=(entry.caller_id,)))
        for name, entry in settings.internal.items()
    )
    return Routes(trunks, internal, _test_route(settings))


def _test_route(settings: Settings) -> InternalRoute | None:
    pattern = test_pattern(settings)
    if pattern is None:
        return None
    caller_ids = (CallerId(f"{settings.test_numbers.prefix}00"),)
    # What lists and people see of such a call; that it is one, is `is_test`.
    trunk = Trunk(TEST_PBX, TEST_PBX, _TEST_ENDPOINT, caller_ids, is_test=True)
    return InternalRoute(trunk.name, pattern, trunk)


def _trunk(
    name: str,
    entry: TrunkSettings | InternalSettings,
    *,
    caller_ids: tuple[CallerIdSettings, ...],
) -> Trunk:
    return Trunk(
        name=name,
        pbx=entry.pbx,
        endpoint=entry.endpoint,
        caller_ids=tuple(CallerId(shown.number, shown.name) for shown in caller_ids),
        ring_timeout=timedelta(seconds=entry.ring_timeout_s),
        progress_timeout=timedelta(seconds=entry.progress_timeout_s),
        packet=timedelta(milliseconds=entry.packet_ms),
        max_calls=entry.max_calls,
    )


def _pooled(entry: PooledCallerIdSettings) -> CallerId:
    return CallerId(
        entry.number, entry.name, frozenset(entry.countries), entry.weight, is_excepted=entry.is_excepted
    )


def _pattern(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise ConfigError(f"internal.{name}.pattern: not a regular expression: {error}") from error
