"""Tells systemd how the daemon is, where systemd started it. Source: sd_notify(3)."""

import asyncio
import os
import socket

import structlog

log = structlog.get_logger(__name__)


def tell_systemd(*facts: str) -> None:
    """Tell systemd facts such as `READY=1`; does nothing where systemd did not start this process."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the kernel's own namespace
        address = f"\0{address[1:]}"
    try:
        # Never waits: a systemd that does not read must not hold calls up.
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with socket.socket(socket.AF_UNIX, kind) as sender:
            sender.sendto("\n".join(facts).encode(), address)
    except OSError as error:
        log.warning("systemd not told", error=str(error))


async def keep_watchdog_quiet() -> None:
    """Tell systemd twice in each of its watchdog's periods that the event loop runs, until cancelled; return
    at once where it has no watchdog for this process."""
    period_us, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not period_us.isdecimal() or pid not in ("", str(os.getpid())):
        return
    while True:
        tell_systemd("WATCHDOG=1")
        await asyncio.sleep(int(period_us) / 1e6 / 2)
