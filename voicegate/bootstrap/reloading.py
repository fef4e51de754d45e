"""SIGHUP: which settings a running daemon applies, and for which it asks for a restart."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
import structlog

from voicegate.adapters import logs
from voicegate.adapters.http.server import Listener
from voicegate.adapters.http.tcp_port import renew_certificate
from voicegate.bootstrap.endpoints import tcp_port
from voicegate.bootstrap.policies import call_policy
from voicegate.config import Settings
from voicegate.domain.errors import ConfigError
from voicegate.domain.policy import CallPolicy

log = structlog.get_logger(__name__)

_TAKEN: Final = frozenset({"log.level", "tcp.certificate", "tcp.key", "service.support_contact"})
_TAKEN_SECTIONS: Final = ("policy.", "spend.")
"""Settings that need no restart, and sections of them."""
_NOT_TAKEN: Final = frozenset({"policy.profile"})
"""Settings in such a section that need one all the same: the profile is about codes too."""


async def reload_for_ever(
    started_with: Settings,
    listeners: Sequence[Listener],
    wanted: "asyncio.Queue[Settings]",
    *,
    take_policy: Callable[[CallPolicy], None] = lambda _: None,
) -> None:
    """Apply each of the `wanted` settings as far as possible, until cancelled. Wrong settings do not end
    it."""
    while True:
        settings = await wanted.get()
        logs.set_level(settings.log.level)
        _renew_certificates(settings, listeners)
        _renew_policy(started_with, settings, take_policy)
        changed = {name for name in changed_settings(started_with, settings) if not _is_taken(name)}
        if changed:
            log.warning("changed settings need a restart", settings=sorted(changed))
        log.info("settings reloaded", log_level=settings.log.level)


def changed_settings(before: Settings, after: Settings) -> frozenset[str]:
    """Return the names of the settings that differ, as in "policy.max_calls"."""
    old, new = dict(_flat(msgspec.to_builtins(before))), dict(_flat(msgspec.to_builtins(after)))
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _renew_certificates(settings: Settings, listeners: Sequence[Listener]) -> None:
    port = tcp_port(settings)
    for listener in listeners:
        if listener.tls is None or port is None or port.certificate is None:
            continue
        try:
            renew_certificate(listener.tls, port)
        except ConfigError as error:
            log.error("certificate not reloaded: the previous one stays in force", error=str(error))


def _is_taken(name: str) -> bool:
    return name in _TAKEN or (name.startswith(_TAKEN_SECTIONS) and name not in _NOT_TAKEN)


def _renew_policy(
    started_with: Settings, settings: Settings, take_policy: Callable[[CallPolicy], None]
) -> None:
    # With the trunks of the start: those need a restart.
    contact = settings.service.support_contact
    service = msgspec.structs.replace(started_with.service, support_contact=contact)
    policy, spend = settings.policy, settings.spend
    now = msgspec.structs.replace(started_with, policy=policy, spend=spend, service=service)
    try:
        take_policy(call_policy(now))
    except ConfigError as error:
        log.error("policy not reloaded: the previous one stays in force", error=str(error))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, entry in value.items():
        yield from _flat(entry, f"{path}.{key}" if path else str(key))
