"""The native door on a real socket, over the use cases' own bench."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.unit.application.conftest import ADMIN, Bench
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.identity import Identity, own_uids, peers_of
from voicegate.adapters.http.native.door import ApiDependencies, native_door, waiters_of
from voicegate.adapters.http.server import Listener, ServerSettings, serve_on
from voicegate.adapters.http.waiting import Waiters, WaitingLimits
from voicegate.adapters.unix_socket import SocketFile, listening
from voicegate.application.clients import NewKey
from voicegate.bootstrap.doors import native_dependencies as make_native_dependencies
from voicegate.client.transports import no_authorities
from voicegate.domain.client import Scope

NUMBER = "+12025550101"
PAGES_URL = "https://pages.example"
BODY_TIMEOUT = timedelta(milliseconds=50)


def native_dependencies(bench: Bench) -> ApiDependencies:
    """What the native door needs, of the bench."""
    return make_native_dependencies(bench.app, PAGES_URL)


@asynccontextmanager
async def serve_unix(
    bench: Bench,
    file: SocketFile,
    uids: frozenset[int] | None = None,
    doors: Sequence[Door] = (),
    *,
    settings: ServerSettings | None = None,
    waiting: Waiters | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The door at a socket file of its own and on TCP, as `bootstrap` puts it there, behind others; gives
    the port."""
    dependencies = replace(native_dependencies(bench), body_timeout=BODY_TIMEOUT)
    identity = Identity(bench.clients, peers_of(own_uids() if uids is None else uids))
    with listening(file) as local, socket.create_server(("127.0.0.1", 0)) as remote:
        remote.setblocking(False)
        listeners = [Listener(local), Listener(remote, tls)]
        async with serve_on(
            listeners,
            [*doors, native_door(dependencies, waiting)],
            identity.of,
            settings=settings,
        ):
            yield int(remote.getsockname()[1])


@dataclass
class Answer:
    """An answer read from the wire by hand."""

    status: int
    head: str
    body: bytes


@dataclass
class Served:
    """A running server, a client of it, and the bench behind it."""

    bench: Bench
    http: httpx.AsyncClient
    """On the socket."""
    remote: httpx.AsyncClient
    """On TCP, without a key."""
    path: Path

    async def key(self, *scopes: Scope, name: str = "backend") -> dict[str, str]:
        """Headers with the key of a new client."""
        added = await self.bench.clients.add(ADMIN, name, frozenset(scopes))
        assert isinstance(added, NewKey)
        return {"Authorization": f"Bearer {added.key}"}

    async def create(self, **body: object) -> dict[str, Any]:
        response = await self.http.post("/v1/verifications", json={"destination": NUMBER} | body)
        assert response.status_code == 202, response.text
        return dict(response.json())

    async def factor(self, number: str = NUMBER, *, is_active: bool = False) -> dict[str, Any]:
        """Alice's factor; its call has ended."""
        body = {"subscriber": "alice", "destination": number}
        response = await self.http.post("/v1/factors", json=body)
        assert response.status_code == 201, response.text
        factor = dict(response.json())
        await self.bench.settled(factor["verification"]["id"])
        if is_active:
            guess = {"passcode": self.bench.code(factor["verification"]["id"])}
            activated = await self.http.post(f"/v1/factors/{factor['id']}/activate", json=guess)
            assert activated.json()["status"] == "verified", activated.text
            self.bench.clock.time += timedelta(seconds=1)  # the next code is a newer one
        return factor

    async def challenge(self, factor_id: str) -> dict[str, Any]:
        """A challenge of an active factor; its call has ended."""
        response = await self.http.post(f"/v1/factors/{factor_id}/challenges")
        assert response.status_code == 202, response.text
        await self.bench.settled(response.json()["id"])
        return dict(response.json())

    async def settled(self, verification_id: str) -> dict[str, Any]:
        await self.bench.settled(verification_id)
        return dict((await self.http.get(f"/v1/verifications/{verification_id}")).json())

    async def raw(self, sent: bytes) -> Answer:
        """Send bytes and read the answer until the server closes the connection."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(sent)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        head, _, body = received.partition(b"\r\n\r\n")
        return Answer(int(head.split(b" ")[1]), head.decode("latin-1"), body)


@asynccontextmanager
async def serving(
    bench: Bench,
    folder: Path,
    uids: frozenset[int] | None = None,
    doors: Sequence[Door] = (),
    *,
    settings: ServerSettings | None = None,
    waiting: WaitingLimits | Waiters | None = None,
) -> AsyncIterator[Served]:
    path = folder / "s" / "api.sock"
    waiting = waiters_of(bench.clients, waiting) if isinstance(waiting, WaitingLimits) else waiting
    async with (
        serve_unix(bench, SocketFile(path), uids, doors, settings=settings, waiting=waiting) as port,
        httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(verify=no_authorities(), uds=str(path)),
            base_url="http://voicegate",
        ) as http,
        httpx.AsyncClient(verify=no_authorities(), base_url=f"http://127.0.0.1:{port}") as remote,
    ):
        yield Served(bench, http, remote, path)


def people_waiting(bench: Bench) -> int:
    """How many requests and pages wait for a change; each call in progress waits for changes too."""
    return sum(map(len, bench.notifier._watchers.values())) - len(bench.delivery._in_progress)
