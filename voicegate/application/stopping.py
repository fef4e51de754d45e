"""An orderly stop: new calls are refused, and those that were accepted are given time to end."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

log = structlog.get_logger(__name__)


class Stopping:
    """Knows whether the daemon stops, and which deliveries are not over yet."""

    def __init__(self) -> None:
        self._deliveries: set[asyncio.Task[None]] = set()
        self._is_on = False

    @property
    def is_on(self) -> bool:
        """Are new calls refused, because the daemon stops?"""
        return self._is_on

    def watch(self, delivery: "asyncio.Task[None]") -> None:
        """Wait for this delivery too."""
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def wait(self, within: timedelta) -> int:
        """Refuse new calls from now on, and wait so long for those that were accepted to end; return how many
        are left."""
        self._is_on = True
        if (calls := len(self._deliveries)) > 0:
            log.info("stopping: waiting for calls", calls=calls, timeout_s=within.total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while self._deliveries:
                    await asyncio.wait(self._deliveries)
        return len(self._deliveries)
