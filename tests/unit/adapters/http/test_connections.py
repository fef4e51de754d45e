"""Who keeps a connection when there are too many: keyless crowds never shut out whoever has a key."""

import asyncio
import errno
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import Served, native_dependencies, serve_unix, serving
from tests.unit.application.conftest import Bench
from voicegate.adapters.http.connections import Connection, ConnectionLimits, Connections, affordable
from voicegate.adapters.http.forwarding import Proxies, counted
from voicegate.adapters.http.identity import Identity, own_uids, peers_of
from voicegate.adapters.http.native.door import native_door
from voicegate.adapters.http.server import Listener, ServerSettings, serve_on
from voicegate.adapters.unix_socket import SocketFile
from voicegate.application import throttled_log
from voicegate.domain.client import Scope
from voicegate.lab.deadlines import within

FEW = ServerSettings(ConnectionLimits(total=12, per_address=6, per_client=8))
MANY = 40
HERE = "127.0.0.1"
ATTACKERS = [f"127.0.0.{last}" for last in range(2, 21)]


class Open:
    """Connections for the registry alone."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.connections = Connections(limits)
        self.closed: list[str] = []

    def connection(self, address: str, name: str = "", *, is_busy: bool = False) -> Connection:
        one = Connection(address, is_busy=lambda: is_busy)
        one.abort = lambda: self.closed.append(name or address)
        return one

    def add(self, address: str, name: str = "", *, client: str = "", is_busy: bool = False) -> bool:
        one = self.connection(address, name, is_busy=is_busy)
        return self.connections.add(one) and (not client or self.connections.know(one, client))


def test_past_its_cap_an_address_loses_its_own_oldest_idle_connection() -> None:
    crowd = Open(ConnectionLimits(total=10, per_address=3))
    for name in ("a", "b", "c", "d", "e"):
        assert crowd.add("192.0.2.1", name)
    assert crowd.closed == ["a", "b"]
    assert crowd.add("192.0.2.2")
    assert len(crowd.connections) == 4


def test_what_was_used_last_is_the_last_to_go() -> None:
    crowd = Open(ConnectionLimits(total=10, per_address=2))
    first = crowd.connection("192.0.2.1", "first")
    assert crowd.connections.add(first)
    assert crowd.add("192.0.2.1", "second")
    crowd.connections.touch(first)
    assert crowd.add("192.0.2.1", "third")
    assert crowd.closed == ["second"]


def test_when_all_are_taken_the_largest_keyless_crowd_makes_room() -> None:
    crowd = Open(ConnectionLimits(total=6, per_address=5))
    for client in ("a", "b"):
        assert crowd.add("192.0.2.9", client=client)
    for name in ("old", "new", "newest"):
        assert crowd.add("192.0.2.1", name)
    assert crowd.add("192.0.2.2", "alone")
    assert crowd.add("192.0.2.3", "newcomer")
    assert crowd.closed == ["old"]


def test_what_is_busy_is_never_closed() -> None:
    crowd = Open(ConnectionLimits(total=2, per_address=2))
    assert crowd.add("192.0.2.1", is_busy=True)
    assert crowd.add("192.0.2.1", client="a", is_busy=True)
    assert not crowd.add("192.0.2.2")
    assert crowd.closed == []


def test_few_keyless_ones_are_spared_before_idle_clients() -> None:
    crowd = Open(ConnectionLimits(total=8, per_address=8))
    for number in range(7):
        assert crowd.add("192.0.2.9", f"client {number}", client=f"c{number}")
    assert crowd.add("192.0.2.1", "newcomer")
    assert crowd.add("192.0.2.2", "another")
    assert crowd.closed == ["client 0"]


def test_a_client_past_its_cap_loses_its_own_idle_connection_only() -> None:
    crowd = Open(ConnectionLimits(total=9, per_address=9, per_client=2))
    assert crowd.add("192.0.2.1", "other", client="other")
    assert crowd.add("192.0.2.1", "own", client="greedy")
    assert crowd.add("192.0.2.1", client="greedy", is_busy=True)
    assert crowd.add("192.0.2.1", client="greedy", is_busy=True)
    assert crowd.closed == ["own"]
    assert not crowd.add("192.0.2.1", client="greedy")


def test_forgetting_twice_counts_once() -> None:
    crowd = Open(ConnectionLimits(total=2, per_address=2))
    one = crowd.connection("192.0.2.1")
    for _ in range(2):
        assert crowd.connections.add(one)
        crowd.connections.discard(one)
        crowd.connections.discard(one)
    assert len(crowd.connections) == 0


def test_a_trusted_proxy_has_no_cap_of_its_own_and_those_behind_it_have() -> None:
    crowd = Open(ConnectionLimits(total=10, per_address=2))
    ones = [crowd.connection("192.0.2.1", f"{number}") for number in range(4)]
    for one in ones:
        one.is_proxied = True
        assert crowd.connections.add(one)
    for one in ones[:3]:
        assert crowd.connections.forward(one, "198.51.100.7")
    assert crowd.closed == ["0"]
    assert len(crowd.connections) == 3


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["203.0.113.1, 198.51.100.7"], "198.51.100.7"),
        (["203.0.113.1", "198.51.100.7, 10.0.0.3"], "198.51.100.7"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        (["[2001:db8::1]:4711"], "2001:db8::/64"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["unknown"], None),
        (["203.0.113.1, garbage"], None),
        (["10.0.0.3"], None),
        ([], None),
    ],
)
def test_a_proxys_word_is_read_from_its_end(headers: list[str], address: str | None) -> None:
    assert Proxies.of(["10.0.0.0/8"]).client_of(headers) == address


def test_few_descriptors_lower_the_cap_and_the_log_says_so() -> None:
    asked = ConnectionLimits(total=1500)
    assert affordable(asked, listeners=2, descriptors=20_000) is asked
    with capture_logs() as logs:
        assert affordable(asked, listeners=2, descriptors=1024).total == 312
    assert logs[0]["allowed"] == 312


def test_an_ipv6_network_counts_as_one_address() -> None:
    assert counted("2001:db8::1") == counted("2001:db8::2:3") != counted("2001:db8:0:1::1")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-days", "2", "-keyout", str(file), "-out", f"{file}.c"],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + Path(f"{file}.c").read_text())
    return file


@asynccontextmanager
async def crowd_of(port: int, addresses: list[str], sent: bytes) -> AsyncIterator[None]:
    """Many connections from these addresses in turn, which send that and then nothing."""
    writers = []
    for number in range(MANY):
        source = (addresses[number % len(addresses)], 0)
        _, writer = await asyncio.open_connection(HERE, port, local_addr=source)
        writer.write(sent)
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


@pytest.mark.parametrize("is_encrypted", [False, True])
@pytest.mark.parametrize("addresses", [ATTACKERS, [HERE]], ids=["from many addresses", "from one address"])
@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_a_keyless_crowd_shuts_out_nobody_with_a_key(
    bench: Bench, tmp_path: Path, certificate: Path, addresses: list[str], sent: bytes, *, is_encrypted: bool
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if is_encrypted else None
    if tls is not None:
        tls.load_cert_chain(certificate)
    file = SocketFile(tmp_path / "api.sock")
    async with serve_unix(bench, file, settings=FEW, tls=tls) as port:
        served = Served(bench, httpx.AsyncClient(), httpx.AsyncClient(), file.path)
        key = await served.key(Scope.VERIFICATIONS)
        base = f"{'https' if is_encrypted else 'http'}://{HERE}:{port}"
        async with crowd_of(port, addresses, sent), within(10):
            for _ in range(3):
                async with httpx.AsyncClient(verify=False) as client:
                    assert (await client.get(f"{base}/v1/calls", headers=key)).status_code == 200


def client_hello() -> bytes:
    """The first bytes of a handshake."""
    sent = ssl.MemoryBIO()
    handshake = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return sent.read()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("sent", "at_most_bytes"), [(b"", 20_000), (client_hello(), 100_000)])
async def test_a_connection_that_does_not_finish_its_handshake_costs_little(
    bench: Bench, tmp_path: Path, certificate: Path, sent: bytes, at_most_bytes: int
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    count, loop = 300, asyncio.get_running_loop()
    async with serve_unix(bench, SocketFile(tmp_path / "api.sock"), tls=tls) as port:
        before, sockets = resident_bytes(), []
        for _ in range(count):
            one = socket.socket()
            one.setblocking(False)
            sockets.append(one)
            await loop.sock_connect(one, (HERE, port))
            await loop.sock_sendall(one, sent)
        if sent:  # each has had its answer, so its handshake is under way
            for one in sockets:
                assert await loop.sock_recv(one, 1)
        assert (resident_bytes() - before) / count < at_most_bytes
        for one in sockets:
            one.close()


async def test_a_keyless_connection_ends_with_its_first_answer(served: Served) -> None:
    for path, headers, status in (
        ("/v1/calls", {}, 401),
        ("/v1/calls", {"Authorization": "Bearer vgk_x_y"}, 401),
        ("/nowhere", {}, 401),
        ("/healthz", {}, 200),
        ("/readyz", {}, 200),
        ("/healthz/", {}, 200),
        ("/readyz/", {}, 200),
    ):
        response = await served.remote.get(path, headers=headers)
        assert (response.status_code, response.headers["Connection"]) == (status, "close"), path
    kept = await served.remote.get("/v1/calls", headers=await served.key(Scope.VERIFICATIONS))
    assert "Connection" not in kept.headers


async def test_a_user_who_may_not_ask_loses_the_connection_too(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, frozenset({4_000_000})) as served:
        response = await served.http.get("/v1/calls")
        assert (response.status_code, response.headers["Connection"]) == (403, "close")
        assert (await served.http.get("/healthz")).status_code == 200


async def test_a_crowd_on_tcp_shuts_nobody_out_of_the_socket(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, settings=FEW) as served:
        port = served.remote.base_url.port
        assert port is not None
        async with crowd_of(port, [HERE], b""):
            assert (await served.http.get("/healthz")).status_code == 200


class Exhausted(socket.socket):
    """A listener whose process has no descriptor left, until it has."""

    is_exhausted = True

    def accept(self) -> tuple[socket.socket, Any]:
        if self.is_exhausted:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


async def test_once_there_are_descriptors_again_those_who_waited_are_served(
    bench: Bench, tmp_path: Path
) -> None:
    loop, path = asyncio.get_running_loop(), str(tmp_path / "api.sock")
    identity = Identity(bench.clients, peers_of(own_uids()))
    doors = [native_door(native_dependencies(bench))]
    with Exhausted(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(path)
        listener.setblocking(False)
        waiting.setblocking(False)
        with capture_logs() as logs:
            async with serve_on([Listener(listener)], doors, identity.of), within(10):
                await loop.sock_connect(waiting, path)
                await loop.sock_sendall(waiting, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                while not logs:
                    await asyncio.sleep(0.01)
                listener.is_exhausted = False
                assert (await loop.sock_recv(waiting, 100)).startswith(b"HTTP/1.1 200")
    assert logs[0]["event"] == "no connection can be accepted"
    assert len(logs) <= 2


async def test_behind_a_trusted_proxy_its_word_is_what_counts(bench: Bench, tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    for proxies, address in (([HERE], "198.51.100.7"), ([], HERE)):
        settings = ServerSettings(proxies=Proxies.of(proxies))
        async with serving(bench, tmp_path, settings=settings) as served:
            with capture_logs() as logs:
                assert (await served.remote.get("/v1/calls", headers=forwarded)).status_code == 401
        assert [entry["address"] for entry in logs if entry.get("why") == "key_missing"] == [address]


async def test_what_strangers_do_is_summed_up_in_the_log(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttled_log, "SUM_UP_EVERY_S", 0.2)
    with capture_logs() as logs:
        for _ in range(30):
            await served.remote.get("/v1/calls")
            await served.remote.get("/v1/calls", headers={"Authorization": "Bearer vgk_x_y"})
            await served.raw(b"garbage\r\n\r\n")
        async with within(5):
            while sum(entry.get("times", 1) for entry in logs if entry["event"] == "not HTTP") < 30:
                await asyncio.sleep(0.02)
    for what in ("key_missing", "key_wrong", "not HTTP"):
        told = [entry for entry in logs if what in (entry["event"], entry.get("why"))]
        assert told[0]["address"] in (HERE, f"uid:{os.getuid()}")
        assert len(told) < 30
    assert len(logs) < 60
    assert "vgk_x_y" not in repr(logs)
