"""Can a code be stored and a telephone be called now? Answered within seconds, whatever hangs."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from voicegate.application.ports import Clock, Pbx
from voicegate.application.store_port import Store
from voicegate.domain.errors import StoreError

_WITHIN: Final = timedelta(seconds=3)
_FRESH: Final = timedelta(seconds=1)
"""For this time an answer of the database is used for the next questions too."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The state of the parts, and whether calls can be placed."""

    parts: Mapping[str, str]
    """By part, such as `database` or `pbx main`: `ok`, or what is wrong."""
    is_ready: bool
    """Can the database store, is a PBX connected, and are new calls taken?"""


class Readiness:
    """Checks the parts that every call needs."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        pbxs: Mapping[str, Pbx],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._pbxs = pbxs
        self._is_stopping = is_stopping
        self._probe: asyncio.Task[None] | None = None
        self._probed_at = 0.0

    async def look(self) -> Ready:
        """Return the state of the parts, within three seconds."""
        database = await self._look_at_database()
        connected = {name: pbx.is_connected for name, pbx in self._pbxs.items()}
        parts = {"database": database}
        parts |= {f"pbx {name}": "ok" if is_so else "not connected" for name, is_so in connected.items()}
        if not connected:
            parts["pbx"] = "none is configured"
        if is_stopping := self._is_stopping():
            parts["daemon"] = "is being stopped"
        can_call = database == "ok" and any(connected.values())
        return Ready(parts, is_ready=can_call and not is_stopping)

    async def _look_at_database(self) -> str:
        loop = asyncio.get_running_loop()
        if self._probe is None or (
            self._probe.done() and loop.time() - self._probed_at > _FRESH.total_seconds()
        ):
            # One for all who ask meanwhile: a database that hangs must not be given more to do.
            self._probe = asyncio.create_task(self._store.probe(self._clock.now()), name="probe")
            self._probed_at = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(_WITHIN.total_seconds()):
                await asyncio.wait((self._probe,))
        if not self._probe.done():
            return f"no answer for {_WITHIN.total_seconds():.0f} s"
        error = self._probe.exception()
        if error is None:
            return "ok"
        return str(error) if isinstance(error, StoreError) else type(error).__name__
