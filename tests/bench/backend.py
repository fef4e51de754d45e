"""Who asks the controllers: HTTP over their sockets by aiohttp, at a tenth of what a full client costs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60)
_URL: Final = "http://voicegate"
_ACCEPTED: Final = 202


class HttpBackend:
    """A backend with connections that stay open."""

    def __init__(self, http: aiohttp.ClientSession, url: str = _URL) -> None:
        self._http, self._url = http, url

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        """Post JSON; return the status and the answer."""
        encoded = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        async with self._http.post(f"{self._url}{path}", data=encoded, headers=headers) as response:
            return response.status, msgspec.json.decode(await response.read())

    async def create(self, number: str, **options: object) -> int:
        """Ask for a call; return the status."""
        status, _ = await self.post("/v1/verifications", {"destination": number, **options})
        return status

    async def must_create(self, number: str) -> None:
        """Ask for a call that has to be accepted.

        Raises:
            RuntimeError: it was not; says why.
        """
        status, answer = await self.post("/v1/verifications", {"destination": number})
        if status != _ACCEPTED:
            raise RuntimeError(f"a request was answered {status}: {answer}")

    async def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the answer."""
        async with self._http.get(f"{self._url}{path}") as response:
            return response.status, msgspec.json.decode(await response.read())


@asynccontextmanager
async def http_backend(socket: Path, connections: int = 100) -> AsyncIterator[HttpBackend]:
    """An http_backend at a controller's socket."""
    connector = aiohttp.UnixConnector(str(socket), limit=connections)
    async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as http:
        yield HttpBackend(http)


@asynccontextmanager
async def http_backend_of(url: str) -> AsyncIterator[HttpBackend]:
    """Another server's backend, over TCP."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        yield HttpBackend(http, url)


class Schedule:
    """When each piece of work is due, evenly spaced, whatever became of those before (an open loop)."""

    def __init__(self, rate: float, count: int) -> None:
        self._rate, self._count = rate, count
        self.lateness_s: list[float] = []
        """How late each was begun."""

    async def __aiter__(self) -> AsyncIterator[int]:
        began = time.monotonic()
        for number in range(self._count):
            due = began + number / self._rate
            # Also when it is late already: what was begun must get its turn.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.lateness_s.append(time.monotonic() - due)
            yield number
