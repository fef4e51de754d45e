"""Where every connection has a request in progress, a newcomer is told so and when to come again: never a
reset."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.http.serving import Served, serve_unix
from tests.unit.adapters.http.test_connections import FEW, HERE, Open, certificate
from tests.unit.adapters.http.test_waiting import end, ringing, waiting
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import acceptor
from voicegate.adapters.http.connections import REFUSED_AT_ONCE, ConnectionLimits
from voicegate.adapters.unix_socket import SocketFile
from voicegate.domain.client import Scope
from voicegate.lab.deadlines import within

__all__ = ["certificate"]


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
async def crowded(
    request: pytest.FixtureRequest, bench: Bench, tmp_path: Path, certificate: Path
) -> AsyncIterator[tuple[Served, str]]:
    """A server whose TCP listener has no room, for all wait for news there; and its URL."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if request.param else None
    if tls is not None:
        tls.load_cert_chain(certificate)
    file = SocketFile(tmp_path / "api.sock")
    async with serve_unix(bench, file, settings=FEW, tls=tls) as port, AsyncExitStack() as stack:
        base = f"{'https' if tls else 'http'}://{HERE}:{port}"
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(file.path)), base_url="http://x")
        )
        served = Served(bench, http, httpx.AsyncClient(), file.path)
        path = await ringing(served)
        crowd = await stack.enter_async_context(watchers(served, base + path))
        yield served, base
        await end(served, path)
        assert {answer.status_code for answer in await asyncio.gather(*crowd)} == {200}


@asynccontextmanager
async def watchers(served: Served, url: str) -> AsyncIterator[list["asyncio.Task[httpx.Response]"]]:
    """Long polls on all connections that there may be, of two clients."""
    names = ["one"] * (FEW.limits.total // 2) + ["other"] * (FEW.limits.total // 2)
    keys = {name: await served.key(Scope.ADMIN, name=name) for name in ("one", "other")}
    async with httpx.AsyncClient(verify=False, timeout=None) as client:
        tasks = []
        # One after the other: so many that have not shown their keys yet would be too many.
        for name in names:
            tasks.append(asyncio.create_task(client.get(url, headers=keys[name])))
            await waiting(served, len(tasks))
        yield tasks


async def test_past_the_cap_a_client_gets_503_with_a_time_and_the_health_is_told(
    crowded: tuple[Served, str],
) -> None:
    served, base = crowded
    key = await served.key(Scope.VERIFICATIONS, name="third")
    async with within(20):
        for _ in range(3):
            async with httpx.AsyncClient(verify=False) as client:
                refused = await client.post(
                    f"{base}/v1/verifications", headers=key, json={"destination": "+12025550177"}
                )
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
                assert refused.headers["Connection"] == "close"
                assert refused.json()["type"] == "urn:voicegate:problem:overloaded"
                assert (await client.get(f"{base}/healthz")).status_code == 200
    assert len(await served.bench.store.recent_calls(9)) == 1


async def test_past_the_cap_a_silent_crowd_keeps_nobody_from_being_told(
    crowded: tuple[Served, str],
) -> None:
    served, base = crowded
    port, writers = httpx.URL(base).port, []
    for _ in range(3 * REFUSED_AT_ONCE):
        _, writer = await asyncio.open_connection(HERE, port)
        writers.append(writer)
    key = await served.key(Scope.VERIFICATIONS, name="third")
    async with within(20), httpx.AsyncClient(verify=False) as client:
        assert (await client.get(f"{base}/v1/calls", headers=key)).status_code == 503
    for writer in writers:
        writer.transport.abort()


async def test_a_burst_of_requests_past_the_cap_is_answered_to_the_last(bench: Bench, tmp_path: Path) -> None:
    """All of them are sent before the first is read."""
    count, loop = 8 * REFUSED_AT_ONCE, asyncio.get_running_loop()
    async with serve_unix(bench, SocketFile(tmp_path / "api.sock"), settings=FEW) as port:
        sockets = []
        for _ in range(count):
            one = socket.create_connection((HERE, port))
            one.sendall(b"GET /v1/calls HTTP/1.1\r\nHost: x\r\n\r\n")
            one.setblocking(False)
            sockets.append(one)
        async with within(30):
            answers = Counter([(await loop.sock_recv(one, 1000))[9:12] for one in sockets])
        for one in sockets:
            one.close()
    assert set(answers) == {b"401", b"503"}
    assert sum(answers.values()) == count


async def test_of_a_burst_of_silent_connections_no_more_stay_than_may(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are accepted before the first is served; none is closed for its silence."""
    monkeypatch.setattr(acceptor, "HANDSHAKE_WITHIN_S", 600)
    loop, most = asyncio.get_running_loop(), FEW.limits.per_address
    async with serve_unix(bench, SocketFile(tmp_path / "api.sock"), settings=FEW) as port:
        sockets = [socket.create_connection((HERE, port)) for _ in range(10 * most)]
        for one in sockets:
            one.setblocking(False)
        async with within(10):
            closed = [await loop.sock_recv(one, 1) for one in sockets[:-most]]
        for one in sockets:
            one.close()
    assert closed == [b""] * len(closed)


def test_of_those_that_are_refused_so_many_are_held_and_the_oldest_yields() -> None:
    crowd = Open(ConnectionLimits(total=1, per_address=1))
    assert crowd.add("192.0.2.1", is_busy=True)
    ones = [crowd.connection("192.0.2.2", f"{number}") for number in range(REFUSED_AT_ONCE + 2)]
    for one in ones:
        assert not crowd.connections.add(one)
        assert crowd.connections.may_refuse
        crowd.connections.refuse(one)
        assert one.is_refused
    assert crowd.closed == ["0", "1"]
    for one in ones:
        crowd.connections.discard(one)
        crowd.connections.discard(one)
    assert len(crowd.connections) == 1
    crowd.connections.refuse(crowd.connection("192.0.2.3"))
    assert crowd.closed == ["0", "1"]


def test_while_all_that_are_refused_are_being_answered_no_more_are_accepted() -> None:
    crowd = Open(ConnectionLimits(total=1, per_address=1))
    for number in range(REFUSED_AT_ONCE):
        crowd.connections.refuse(crowd.connection("192.0.2.2", f"{number}", is_busy=True))
    assert not crowd.connections.may_refuse
    assert crowd.closed == []


def test_whose_bytes_are_not_read_yet_is_not_closed_for_others() -> None:
    crowd = Open(ConnectionLimits(total=2, per_address=2))
    first = crowd.connection("192.0.2.1", "first")
    first.has_unread = lambda: True
    assert crowd.connections.add(first)
    assert crowd.add("192.0.2.1", "second")
    assert crowd.add("192.0.2.1", "third")
    assert crowd.closed == ["second"]
