"""The composition root: `Settings` -> a running daemon. The only room that names concrete adapters."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import structlog

from voicegate.adapters.http.identity import Identity, peers_of
from voicegate.adapters.http.server import Listener, serve_on
from voicegate.adapters.http.tcp_port import listening_on, tls_of
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.pbx.simulator.pbx import SimulatedPbx
from voicegate.adapters.speech.mixer import Mixer, SpeechSettings
from voicegate.adapters.speech.pack import find_languages
from voicegate.adapters.storage.store import SqlStore, Waits
from voicegate.adapters.system import SystemClock, SystemEntropy
from voicegate.adapters.systemd import keep_watchdog_quiet, tell_systemd
from voicegate.adapters.webhooks.sender import HttpSender
from voicegate.application.challenges import Defaults
from voicegate.application.housekeeping import settle_orphans, tidy_for_ever, void_keyless
from voicegate.application.ports import Pbx
from voicegate.bootstrap.app import TEST_PBX, Adapters, App, Rules, assemble
from voicegate.bootstrap.asterisk import group_id
from voicegate.bootstrap.controllers import join, new_controller_id, take_over
from voicegate.bootstrap.database import retention, sole_user, upgrade_rules
from voicegate.bootstrap.doors import (
    doors,
    extensions,
    providers,
    server_settings,
    telephone_doors,
    twilio_services,
)
from voicegate.bootstrap.endpoints import allowed_uids, listening_alone, socket_file, tcp_port
from voicegate.bootstrap.fetching import call_sounds_url, check_fetching, prompts_url
from voicegate.bootstrap.monitoring import check_monitoring, make_metrics, observed, serving_metrics
from voicegate.bootstrap.pages import brands, page_rules
from voicegate.bootstrap.pbxs import make_pbx
from voicegate.bootstrap.policies import call_policy, report_rules
from voicegate.bootstrap.preloading import preload
from voicegate.bootstrap.receipts import receipt_keys
from voicegate.bootstrap.reloading import Reloading, Running
from voicegate.bootstrap.routing import routes
from voicegate.bootstrap.settings_checks import warn_of_open_secrets
from voicegate.bootstrap.times import call_limits, check_times, timings
from voicegate.bootstrap.webhooks import (
    check_webhooks,
    sending_rules,
    take_webhooks,
    webhook_sender,
    webhooks,
)
from voicegate.config import (
    Settings,
    SimulatorPbxSettings,
    sounds_folder,
)
from voicegate.config.profile import MAX_LIFETIME_S, MIN_DIGITS, NIST
from voicegate.domain.errors import ConfigError, SpeechError, UnknownLanguage
from voicegate.domain.language import best_language, match_language
from voicegate.domain.passcode import Passcode
from voicegate.domain.standing import RestRules
from voicegate.domain.trunk_figures import KeyAlarm

if TYPE_CHECKING:
    from voicegate.adapters.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What the daemon's owner tells it."""

    told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    """It is to end in order."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """It is to reload its settings."""


async def serve(
    settings: Settings,
    signals: Signals | None = None,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """Run the daemon until it is told to stop and its calls have ended, or until cancelled; calls that are
    left are hung up and recorded before it returns.

    Once told to stop, new calls are refused, and those in progress have `call.drain_timeout_s` to end. At a
    hang-up signal, or when an admin asks, it takes the settings that `reread` returns, as far as they need
    no restart; `reread` blocks, and None stands for settings that come from no file.

    Raises:
        VoicegateError: it could not start; the message names the setting or the file.
    """
    preload()
    warn_of_open_secrets(settings)
    async with AsyncExitStack() as stack:
        # Whoever holds the socket is the daemon: until that is known, a running one must not be disturbed.
        listeners = [Listener(stack.enter_context(listening_alone(socket_file(settings))))]
        if (port := tcp_port(settings)) is not None:
            listeners.append(stack.enter_context(listening_on(port)))
        signals, peers = signals or Signals(), peers_of(allowed_uids(settings))
        app = await stack.enter_async_context(running(settings))
        identity = Identity(app.clients, peers)
        mapped = dict(providers(settings))
        running_parts = Running(app, listeners, identity, mapped)
        reloading = Reloading(settings, running_parts, reread or (lambda: settings))
        server = serve_on(
            listeners,
            doors(app, settings, mapped=mapped, reload=reloading.reload),
            identity.of,
            settings=server_settings(app, settings),
        )
        await stack.enter_async_context(server)
        log.info("serving", socket=settings.socket.path, tcp=settings.tcp.port if port else None)
        hearing = reloading.reload_at_each(signals.hung_up)
        stack.callback(asyncio.create_task(hearing, name="reloading").cancel)
        stack.callback(asyncio.create_task(keep_watchdog_quiet(), name="watchdog").cancel)
        tell_systemd("READY=1")
        await signals.told_to_stop.wait()
        tell_systemd("STOPPING=1")
        left = await app.delivery.stopping.wait(timedelta(seconds=settings.call.drain_timeout_s))
        log.info("stopping", interrupted_calls=left)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Give the daemon's parts, started: the store is migrated, calls of an earlier run are ended, PBXs
    connect."""
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.storage.database))
        metrics = make_metrics(settings)
        store = await stack.enter_async_context(_store(settings, metrics))
        keyring = _keyring(Path(settings.storage.key_file), may_create=not await store.recent_calls(1))
        speech = Mixer(speech_settings(settings))
        await speech.prepare()
        _check_sounds(settings, speech)
        check_webhooks(settings)
        sender = await stack.enter_async_context(webhook_sender(settings, SystemClock()))
        adapters = Adapters(
            store=store,
            keyring=keyring,
            speech=speech,
            pbxs=await _connect_pbxs(stack, settings),
            clock=SystemClock(),
            entropy=SystemEntropy(),
            receipt_signer=await asyncio.to_thread(receipt_keys, settings),
            webhook_sender=sender,
            observer=await stack.enter_async_context(observed(settings, metrics)),
        )
        app = _renewable(_connected(assemble(adapters, rules(settings)), store, metrics), keyring, sender)
        await app.trunks.load()
        await stack.enter_async_context(serving_metrics(settings, metrics, store=store, app=app))
        await _start_calls(stack, settings, app=app, adapters=adapters, store=store)
        tidying = tidy_for_ever(
            store=store, clock=adapters.clock, retention=retention(settings), receipts=app.receipts
        )
        for name, work in (
            ("housekeeping", tidying),
            ("prefix holds", app.prefix_holds.judge_for_ever()),
            ("trunk watch", app.trunk_watch.watch_for_ever()),
        ):
            stack.callback(asyncio.create_task(work, name=name).cancel)
        yield app


async def _start_calls(
    stack: AsyncExitStack, settings: Settings, *, app: App, adapters: Adapters, store: SqlStore
) -> None:
    """End or place the calls that an earlier run left, before the first request; then place calls until
    `stack` is left."""
    sharing = None
    if store.controller is None:
        await _settle_the_past(app, adapters)
    else:
        sharing = await join(stack, settings, app=app, store=store, keyring=adapters.keyring)
        await adapters.speech.sweep()
    await _void_keyless(app, adapters)
    await stack.enter_async_context(app.webhook_delivery)
    await stack.enter_async_context(app.delivery)
    if sharing is not None:
        await take_over(stack, sharing)


def _store(settings: Settings, metrics: "Metrics | None") -> SqlStore:
    on_commit = metrics.committed if metrics else None
    return SqlStore(
        settings.storage.database,
        waits(settings),
        controller=new_controller_id(settings),
        on_commit=on_commit,
        rules=upgrade_rules(settings),
    )


def _connected(app: App, store: SqlStore, metrics: "Metrics | None") -> App:
    app = replace(app, store_delay=store.write_delay_s)
    return app if metrics is None else replace(app, on_failure=metrics.authentication_failed)


def _renewable(app: App, keyring: FileKeyring, sender: HttpSender) -> App:
    """Return the parts with what a reload needs of these adapters."""
    taking = partial(take_webhooks, app=app, sender=sender)
    return replace(app, take_keys=keyring.renew, take_webhooks=taking)


async def _settle_the_past(app: App, adapters: Adapters) -> None:
    """End what an earlier run left, before the first request."""
    store = adapters.store
    orphans = await settle_orphans(
        store=store,
        calls=app.calls,
        pbxs=tuple(adapters.pbxs.values()),
        speech=adapters.speech,
        reports=app.delivery.reports,
    )
    if orphans:
        log.warning("calls of an earlier run ended", calls=orphans)


async def _void_keyless(app: App, adapters: Adapters) -> None:
    """End the codes that cannot be checked any more, before the first request."""
    store = adapters.store
    void = await void_keyless(store=store, keyring=adapters.keyring, clock=adapters.clock, audit=app.audit)
    if void:
        log.warning("challenges canceled: their key is not in the key file", challenges=void)


async def _connect_pbxs(stack: AsyncExitStack, settings: Settings) -> dict[str, Pbx]:
    pbxs: dict[str, Pbx] = {}
    for name in settings.pbx:
        endpoints = tuple(trunk.endpoint for trunk in settings.trunks.values() if trunk.pbx == name)
        pbxs[name] = await stack.enter_async_context(make_pbx(name, settings, endpoints))
    if settings.test_numbers.enabled:
        log.warning("test numbers are enabled: their code is known", prefix=settings.test_numbers.prefix)
        pbxs[TEST_PBX] = SimulatedPbx(pace=settings.test_numbers.pace)
    return pbxs


def rules(settings: Settings) -> Rules:
    """Return the rules, as configured.

    Raises:
        ConfigError: an internal route's pattern is no regular expression.
    """
    numbers = settings.test_numbers
    return Rules(
        routes=routes(settings),
        policy=call_policy(settings),
        defaults=Defaults(
            language=settings.service.language,
            human_check=settings.call.human_check,
            passcode_length=settings.passcode.length,
            lifetime=timedelta(seconds=settings.passcode.lifetime_s),
            guesses=settings.passcode.guesses,
            **_profiled(settings),
            test_passcode=Passcode(numbers.passcode) if numbers.enabled else None,
        ),
        timings=timings(settings),
        limits=call_limits(settings),
        pages=page_rules(settings),
        webhooks=webhooks(settings),
        sending=sending_rules(settings),
        reports=report_rules(settings),
        rests=RestRules(
            faults=settings.routing.trunk_faults,
            first=timedelta(seconds=settings.routing.trunk_rest_s),
            longest=timedelta(seconds=settings.routing.trunk_rest_max_s),
        ),
        key_alarm=KeyAlarm(
            floor=settings.routing.key_press_floor,
            window=timedelta(seconds=settings.routing.key_press_window_s),
            calls=settings.routing.key_press_calls,
        ),
        caller_id_memory=timedelta(seconds=settings.routing.caller_id_memory_s),
    )


class _Profiled(TypedDict, total=False):
    min_own_digits: int
    max_lifetime: timedelta


def _profiled(settings: Settings) -> _Profiled:
    """Return what the profile asks of codes; nothing if there is none."""
    if settings.policy.profile != NIST:
        return {}
    return {"min_own_digits": MIN_DIGITS, "max_lifetime": timedelta(seconds=MAX_LIFETIME_S)}


def check(settings: Settings) -> None:
    """Check all that the settings name: users, groups, patterns, secrets, folders, languages. Blocks.

    Raises:
        VoicegateError: the daemon could not start or could not call; the message names the setting or the
            file.
    """
    rules(settings)
    providers(settings)
    extensions(settings.okta_hook.extensions)
    twilio_services(settings)
    telephone_doors(settings)
    brands(settings)
    page_rules(settings)
    check_webhooks(settings)
    check_monitoring(settings)
    check_fetching(settings)
    allowed_uids(settings)
    socket_file(settings)
    if (port := tcp_port(settings)) is not None:
        tls_of(port)
    for name, pbx in settings.pbx.items():
        if not isinstance(pbx, SimulatorPbxSettings):
            make_pbx(name, settings, ())
    try:
        speech = Mixer(speech_settings(settings))
    except (SpeechError, UnknownLanguage) as error:
        raise ConfigError(str(error)) from error
    _check_sounds(settings, speech)
    if settings.audio.group:
        group_id(settings.audio.group, "audio.group")


def speech_settings(settings: Settings) -> SpeechSettings:
    """Return the settings of speech, as configured."""
    sounds = sounds_folder(settings)
    return SpeechSettings(
        sounds=sounds,
        audio_folder=Path(settings.audio.folder),
        pbx_audio_folder=call_sounds_url(settings) or settings.audio.pbx_folder or settings.audio.folder,
        pbx_sounds_folder=prompts_url(settings) or settings.audio.pbx_sounds or str(sounds),
        has_suffixes=bool(settings.audio.url),
        service_name=settings.service.name,
        service_names={
            entry.sid: entry.friendly_name or settings.service.name for entry in settings.twilio.values()
        },
        state_folder=Path(settings.storage.state_folder),
        audio_format=settings.audio.format,
        group=settings.audio.group or None,
        unjudged=settings.service.unjudged_languages,
        digit_variants=settings.service.digit_variants,
    )


def waits(settings: Settings) -> Waits:
    """Return how long writes wait for a locked database, as configured."""
    storage = settings.storage
    return Waits(
        request=timedelta(seconds=storage.request_timeout_s), call=timedelta(seconds=storage.call_timeout_s)
    )


def _keyring(file: Path, *, may_create: bool) -> FileKeyring:
    """Return the keys. The key file is made on the first start only, because a new key makes open codes
    void."""
    if may_create and not os.path.exists(file):  # noqa: PTH110 - a folder one may not enter is no error here
        log.warning("key file created: back it up, codes cannot be checked without it", file=str(file))
    return FileKeyring.open(file, may_create=may_create)


def _check_sounds(settings: Settings, speech: Mixer) -> None:
    named = {"service": settings.service.language}
    named |= {f"twilio.{name}": entry.language for name, entry in settings.twilio.items() if entry.language}
    for section, language in named.items():
        try:
            match_language((language,), speech.languages())
        except UnknownLanguage as error:
            there = best_language((language,), find_languages(sounds_folder(settings)))
            fix = f"; service.unjudged_languages can switch on {there!r}" if there else ""
            raise ConfigError(f"{section}.language: {error}{fix}") from None
    check_times(settings, speech)
