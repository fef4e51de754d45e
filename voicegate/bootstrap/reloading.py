"""A reload of the settings: which of them a running daemon takes, and for which it needs a restart.

Each part says which settings are its own and how they are taken; what belongs to no part needs a restart. A
part that is wrong stays as it was, and the others are taken. What is read whenever it is used needs no
reload: the secrets of PBXs and webhooks, clients and their API keys, and the lists of numbers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from voicegate.adapters import logs
from voicegate.adapters.http.identity import Identity, peers_of
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.http.server import Listener
from voicegate.adapters.http.tcp_port import renew_certificate
from voicegate.adapters.pbx.simulator.pbx import SimulatedPbx
from voicegate.application.reloading import NotReloaded, NotTaken, Reloaded
from voicegate.bootstrap.app import App
from voicegate.bootstrap.doors import providers
from voicegate.bootstrap.endpoints import allowed_uids, tcp_port
from voicegate.bootstrap.policies import call_policy
from voicegate.bootstrap.receipts import receipt_keys
from voicegate.bootstrap.routing import routes
from voicegate.bootstrap.webhooks import check_webhooks
from voicegate.config import InternalSettings, Settings, TrunkSettings
from voicegate.domain.errors import VoicegateError
from voicegate.domain.routing import Routes

log = structlog.get_logger(__name__)

_NEEDS_RESTART: Final = "needs a restart"
_ORDER: Final = "trunks (their order)"


@dataclass(frozen=True, slots=True)
class Part:
    """Settings that are taken together."""

    name: str
    """What it is, for the log."""
    settings: tuple[str, ...]
    """Its settings, or the beginnings of their names."""
    take: Callable[[Settings], Awaitable[None]]
    """Takes them; raises VoicegateError where they are wrong, and then nothing has changed."""
    files: tuple[str, ...] = ()
    """Its settings that name files, whose present contents are taken too."""
    but_not: tuple[str, ...] = ()
    """Settings among them that need a restart all the same."""

    def has(self, setting: str) -> bool:
        """Return whether a setting is taken by this part."""
        is_own = bool(self.settings) and setting.startswith(self.settings)
        return is_own and not (bool(self.but_not) and setting.endswith(self.but_not))


@dataclass(frozen=True, slots=True)
class Running:
    """The running daemon's parts that can be changed."""

    app: App
    """The use cases."""
    listeners: Sequence[Listener]
    """Where the API listens."""
    identity: Identity
    """Who may ask."""
    providers: dict[str, Mapped]
    """How identity providers' messages are read."""


class Reloading:
    """Reloads the settings."""

    def __init__(self, started_with: Settings, running: Running, reread: Callable[[], Settings]) -> None:
        self._started = started_with
        self._in_force = dict(_flat(msgspec.to_builtins(started_with)))
        self._trunks, self._internal = started_with.trunks, started_with.internal
        self._running = running
        self._reread = reread
        self._one_at_a_time = asyncio.Lock()
        self._parts = self._all_parts()

    async def reload(self) -> Reloaded | NotReloaded:
        """Read the settings again, and take what can be taken. Never raises."""
        async with self._one_at_a_time:
            try:
                settings = await asyncio.to_thread(self._reread)
            except (VoicegateError, OSError) as error:
                log.error("settings not reloaded: the previous ones stay in force", error=str(error))
                return NotReloaded(str(error))
            done = await self._take(settings)
            log.info("settings reloaded", log_level=settings.log.level, taken=list(done.taken))
            return done

    async def reload_at_each(self, hung_up: asyncio.Event) -> None:
        """Reload each time when `hung_up` is set, until cancelled."""
        while True:
            await hung_up.wait()
            hung_up.clear()
            await self.reload()

    async def _take(self, settings: Settings) -> Reloaded:
        wanted = dict(_flat(msgspec.to_builtins(settings)))
        changed = self._changed(settings, wanted)
        taken: set[str] = set()
        read_again: list[str] = []
        not_taken = dict.fromkeys(changed, _NEEDS_RESTART)
        for part in self._parts:
            own = {name for name in changed if part.has(name)}
            files = [name for name in part.files if wanted.get(name)]
            try:
                await part.take(settings)
            except (VoicegateError, OSError) as error:
                log.error(f"{part.name} not reloaded: the previous one stays in force", error=str(error))
                not_taken |= dict.fromkeys(own or files or part.settings, str(error))
            else:
                taken |= own
                read_again += files
        taken -= self._of_new_pbxs(settings, taken)
        not_taken = {name: why for name, why in not_taken.items() if name not in taken}
        for name in taken & wanted.keys():
            self._in_force[name] = wanted[name]
        for name in taken - wanted.keys():
            self._in_force.pop(name, None)
        if restart := sorted(name for name, why in not_taken.items() if why == _NEEDS_RESTART):
            log.warning("changed settings need a restart", settings=restart)
        left = tuple(NotTaken(name, why) for name, why in sorted(not_taken.items()))
        return Reloaded(tuple(sorted(taken)), tuple(read_again), left)

    def _changed(self, settings: Settings, wanted: Mapping[str, object]) -> set[str]:
        names = self._in_force.keys() | wanted.keys()
        changed = {name for name in names if self._in_force.get(name) != wanted.get(name)}
        if list(settings.trunks) != list(self._trunks) and settings.trunks.keys() == self._trunks.keys():
            changed.add(_ORDER)
        return changed

    def _of_new_pbxs(self, settings: Settings, names: Collection[str]) -> set[str]:
        """Return those names that belong to a trunk or an internal route of a PBX that is not connected."""
        pbxs = self._running.app.pbxs
        tables: tuple[tuple[str, Mapping[str, TrunkSettings | InternalSettings]], ...] = (
            ("trunks", settings.trunks),
            ("internal", settings.internal),
        )
        prefixes = tuple(
            f"{table}.{name}."
            for table, entries in tables
            for name, entry in entries.items()
            if entry.pbx not in pbxs
        )
        return {name for name in names if name.startswith(prefixes)} if prefixes else set()

    def _all_parts(self) -> Sequence[Part]:
        return (
            Part("log level", ("log.level",), self._take_log_level),
            Part(
                "certificate",
                ("tcp.certificate", "tcp.key"),
                self._take_certificates,
                files=("tcp.certificate", "tcp.key"),
            ),
            Part("key file", (), self._take_keys, files=("storage.key_file",)),
            Part("allowed users", ("socket.allowed_users",), self._take_users),
            Part("trunks", ("trunks", "internal."), self._take_routes),
            Part(
                "policy",
                ("policy.", "spend.", "service.support_contact"),
                self._take_policy,
                files=("policy.denied_prefixes_file", "spend.rates_file"),
                # It is about codes too.
                but_not=("policy.profile",),
            ),
            Part(
                "providers",
                tuple(f"providers.{name}." for name in self._started.providers),
                self._take_providers,
                files=tuple(
                    f"providers.{name}.signature_secret_file"
                    for name, entry in self._started.providers.items()
                    if entry.signature_secret_file
                ),
                but_not=(".errors",),
            ),
            Part("webhooks", ("webhooks.",), self._take_webhooks),
        )

    async def _take_log_level(self, settings: Settings) -> None:
        logs.set_level(settings.log.level)

    async def _take_certificates(self, settings: Settings) -> None:
        port = tcp_port(settings)
        for listener in self._running.listeners:
            if listener.tls is not None and port is not None and port.certificate is not None:
                await asyncio.to_thread(renew_certificate, listener.tls, port)

    async def _take_keys(self, _settings: Settings) -> None:
        # From where it was at the start: another place needs a restart.
        await asyncio.to_thread(self._running.app.take_keys, Path(self._started.storage.key_file))
        if self._running.app.receipts is not None:
            signer = await asyncio.to_thread(receipt_keys, self._started)
            if signer is not None:
                self._running.app.receipts.take_signer(signer)

    async def _take_users(self, settings: Settings) -> None:
        self._running.identity.take_peers(peers_of(allowed_uids(settings)))

    async def _take_routes(self, settings: Settings) -> None:
        pbxs = self._running.app.pbxs
        wanted = msgspec.structs.replace(
            self._started,
            trunks=_with_running_pbx(settings.trunks, self._trunks, pbxs),
            internal=_with_running_pbx(settings.internal, self._internal, pbxs),
        )
        _take_routes(self._running.app, routes(wanted))
        for name, pbx in pbxs.items():
            if isinstance(pbx, SimulatedPbx):
                pbx.take_endpoints([one.endpoint for one in wanted.trunks.values() if one.pbx == name])
        self._trunks, self._internal = wanted.trunks, wanted.internal

    async def _take_policy(self, settings: Settings) -> None:
        contact = settings.service.support_contact
        wanted = msgspec.structs.replace(
            self._started,
            policy=settings.policy,
            spend=settings.spend,
            service=msgspec.structs.replace(self._started.service, support_contact=contact),
            trunks=self._trunks,
        )
        self._running.app.take_policy(await asyncio.to_thread(call_policy, wanted))

    async def _take_providers(self, settings: Settings) -> None:
        known = {name: one for name, one in settings.providers.items() if name in self._started.providers}
        wanted = msgspec.structs.replace(self._started, providers=known)
        mapped = await asyncio.to_thread(providers, wanted)
        self._running.providers.clear()
        self._running.providers.update(mapped)

    async def _take_webhooks(self, settings: Settings) -> None:
        wanted = msgspec.structs.replace(self._started, webhooks=settings.webhooks)
        await asyncio.to_thread(check_webhooks, wanted)
        if self._running.app.take_webhooks is not None:
            await self._running.app.take_webhooks(wanted)


def _take_routes(app: App, taken: Routes) -> None:
    """Choose among these from now on. Calls in progress end as they began; who waits for a trunk that is gone
    goes by another one."""
    routes, drains = app.trunks.routes, app.standings.drains
    before, present = ({trunk.name for trunk in one.trunks} for one in (routes.now, taken))
    routes.now = taken
    drains.removed = (drains.removed | before) - present
    app.delivery.take_trunks((*taken.trunks, *(way.trunk for way in taken.internal)))


T = TypeVar("T", TrunkSettings, InternalSettings)


def _with_running_pbx(
    wanted: Mapping[str, T], before: Mapping[str, T], pbxs: Collection[str]
) -> dict[str, T]:
    """Return the wanted entries; one of a PBX that does not run stays as it was, if it was there."""
    kept = {name: one if one.pbx in pbxs else before.get(name) for name, one in wanted.items()}
    return {name: one for name, one in kept.items() if one is not None}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, entry in value.items():
        yield from _flat(entry, f"{path}.{key}" if path else str(key))
