"""`voicegate serve`: the daemon in the foreground, as systemd and containers want it."""

import asyncio
import signal

import rich_click as click

from voicegate import bootstrap
from voicegate.adapters import logs, process
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.config import Settings


@click.command()
@click.pass_obj
def serve(options: Options) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    Calls in progress are hung up and recorded before it ends; a second signal ends it at once.
    """
    settings = read_settings(options)
    logs.configure(settings.log.level, settings.log.format)
    process.use_all_descriptors()
    process.keep_memory_private()
    asyncio.run(run_until_told(settings))


async def run_until_told(settings: Settings) -> None:
    """Serve until a signal says stop, then return when all is in order."""
    loop, serving = asyncio.get_running_loop(), asyncio.ensure_future(bootstrap.serve(settings))

    def stop() -> None:
        # The next signal has its usual effect: whoever insists is obeyed.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        serving.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.wait({serving})
    if not serving.cancelled():
        serving.result()
