"""Metrics and traces, as configured: who is told what happens, and where the figures are served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from voicegate import how_to_install
from voicegate.adapters.http.metrics_door import LIMITS, MetricsPage, metrics_door, reader_of
from voicegate.adapters.http.server import Listener, ServerSettings, serve_on
from voicegate.adapters.http.tcp_port import TcpPort, is_loopback, listening_on, renew_certificate, tls_of
from voicegate.application.monitor import Condition, Monitor, MonitorSources
from voicegate.application.observing import Observer, Observers
from voicegate.application.queueing import CallLimits
from voicegate.application.store_port import Store
from voicegate.bootstrap.app import App
from voicegate.bootstrap.times import call_limits
from voicegate.config import Settings, read_secret
from voicegate.domain.errors import ConfigError

if TYPE_CHECKING:
    from voicegate.adapters.metrics import Metrics
    from voicegate.adapters.storage.store import SqlStore
    from voicegate.adapters.traces import Traces

log = structlog.get_logger(__name__)

_RENEW_EVERY_S: Final = 3600.0
_LOOK_WITHIN_S: Final = 5.0
"""How long a page of metrics waits for the event loop; then it fails, and Prometheus sees that."""


def make_metrics(settings: Settings) -> "Metrics | None":
    """Return what counts; None: metrics are off."""
    if not settings.metrics.enabled:
        return None
    from voicegate.adapters.metrics import Metrics  # noqa: PLC0415  # off, it costs no start any time

    return Metrics()


def traces_maker(settings: Settings) -> "Callable[[], Traces] | None":
    """Return what makes traces; None: they are off.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if not settings.traces.enabled:
        return None
    try:
        from voicegate.adapters.traces import traces_by_otlp  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        fix = how_to_install("traces")
        raise ConfigError(f"traces.enabled: {error.name} is not installed: {fix}") from error
    return traces_by_otlp


@asynccontextmanager
async def observed(settings: Settings, metrics: "Metrics | None") -> AsyncIterator[Observer]:
    """Give who is told what happens: metrics and traces, as far as they are on."""
    observers: list[Observer] = [] if metrics is None else [metrics]
    async with AsyncExitStack() as stack:
        if (make := traces_maker(settings)) is not None:
            observers.append(traces := make())
            await stack.enter_async_context(traces.sending())
        yield Observers(observers)


def metrics_port(settings: Settings) -> TcpPort:
    """Return where metrics are served, as configured."""
    metrics = settings.metrics
    certificate = Path(metrics.certificate) if metrics.certificate else None
    key = Path(metrics.key) if metrics.key else None
    return TcpPort(metrics.host, metrics.port, certificate, key, section="metrics")


def check_monitoring(settings: Settings) -> None:
    """Check the settings of metrics and traces. Blocks.

    Raises:
        ConfigError: others than this machine could read the figures, or a file cannot be read; names the
            setting.
    """
    metrics = settings.metrics
    if metrics.enabled:
        if metrics.token_file:
            _token(settings)
        elif not is_loopback(metrics.host):
            raise ConfigError(f"metrics.token_file: is missing; {metrics.host} is not loopback")
        tls_of(metrics_port(settings))
    traces_maker(settings)


@asynccontextmanager
async def serving_metrics(
    settings: Settings, metrics: "Metrics | None", *, store: "SqlStore", app: App
) -> AsyncIterator[None]:
    """Serve the metrics while the context lasts; None: do nothing.

    Raises:
        ConfigError: as `check_monitoring`, or the port is taken.
    """
    if metrics is None:
        yield
        return
    from voicegate.adapters.metrics import CONTENT_TYPE  # noqa: PLC0415  # as above
    from voicegate.adapters.metrics.gauges import StoreGauges  # noqa: PLC0415

    check_monitoring(settings)
    read_token = partial(_token, settings) if settings.metrics.token_file else None
    monitor = monitor_of(app, store, limits=call_limits(settings))
    metrics.watch(_in_loop(monitor.look), StoreGauges(store.undone_writes, store.write_delay_s))
    page = MetricsPage(CONTENT_TYPE, metrics.page)
    async with AsyncExitStack() as stack:
        port = metrics_port(settings)
        listener = stack.enter_context(listening_on(port))
        renewing = asyncio.create_task(_renew_for_ever(listener, port), name="metrics certificate")
        stack.callback(renewing.cancel)
        watching = asyncio.create_task(monitor.watch_for_ever(), name="monitor")
        stack.callback(watching.cancel)
        server = ServerSettings(limits=LIMITS, on_failure=metrics.authentication_failed)
        serving = serve_on([listener], [metrics_door(page)], reader_of(read_token), settings=server)
        await stack.enter_async_context(serving)
        log.info("serving metrics", host=settings.metrics.host, port=listener.socket.getsockname()[1])
        yield


def monitor_of(app: App, store: Store, *, limits: CallLimits) -> Monitor:
    """Return what watches the daemon's parts."""
    sources = MonitorSources(
        store=store,
        clock=app.clock,
        pbxs=app.pbxs,
        trunks=lambda: app.trunks.routes.trunks,
        standings=app.standings,
        limits=limits,
        occupancy=app.delivery.occupancy,
        caps=lambda: app.limits.caps,
        is_stopping=lambda: app.delivery.stopping.is_on,
    )
    return Monitor(sources)


def _in_loop(look: Callable[[], Condition]) -> Callable[[], Condition]:
    """Return a `look` for other threads: what it reads changes in the event loop."""
    loop = asyncio.get_running_loop()

    async def looked() -> Condition:
        return look()

    return lambda: asyncio.run_coroutine_threadsafe(looked(), loop).result(_LOOK_WITHIN_S)


def _token(settings: Settings) -> str:
    return read_secret(settings.metrics.token_file, "metrics.token_file")


async def _renew_for_ever(listener: Listener, port: TcpPort) -> None:
    """Use the certificate's present files from time to time, until cancelled."""
    while listener.tls is not None and port.certificate is not None:
        await asyncio.sleep(_RENEW_EVERY_S)
        try:
            await asyncio.to_thread(renew_certificate, listener.tls, port)
        except ConfigError as error:
            log.error("certificate of metrics not renewed: the previous one stays", error=str(error))
