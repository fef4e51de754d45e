"""`voicegate serve`: the daemon in the foreground, as systemd and containers want it."""

import asyncio
import signal
from collections.abc import Callable

import rich_click as click
import structlog
import uvloop

from voicegate import bootstrap
from voicegate.adapters import logs, process
from voicegate.cli.options import Options
from voicegate.cli.place import MIGRATE, read_settings
from voicegate.config import Settings
from voicegate.config.renames import Renamed

log = structlog.get_logger(__name__)


@click.command()
@click.pass_obj
def serve(options: Options) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    Once told to stop it refuses new calls, gives those in progress time to end (`call.drain_timeout_s`),
    plays an apology to who is left, and records all; a second signal ends it at once. SIGHUP reads the
    configuration file again, as `voicegate reload` does, which says what was taken and what was not.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    renamed: list[Renamed] = []
    settings = read_settings(options, renamed.append)
    logs.configure(settings.log.level, settings.log.format)
    for setting in renamed:
        _warn(setting)
    process.use_all_descriptors()
    process.keep_memory_private()
    with logs.in_background():
        uvloop.run(run_until_told(settings, lambda: read_settings(options, _warn)))


def _warn(renamed: Renamed) -> None:
    log.warning("setting has an old name", setting=renamed.old, new_name=renamed.new, fix=MIGRATE)


async def run_until_told(settings: Settings, reread: Callable[[], Settings]) -> None:
    """Serve until a signal says stop, then return when everything is stored; SIGHUP rereads the settings."""
    loop, signals = asyncio.get_running_loop(), bootstrap.Signals()
    serving = asyncio.ensure_future(bootstrap.serve(settings, signals, reread))

    def stop() -> None:
        # The next signal has its usual effect: whoever insists is obeyed.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        signals.told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    # Not by the loop, which at its end gives the signal back the effect of ending the process.
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(signals.hung_up.set))
    try:
        await asyncio.wait({serving})
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if not serving.cancelled():
        serving.result()
