"""The server on its Unix socket: its file, its peers, what is no HTTP, and an orderly end."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import Served, people_waiting, serve_unix, serving
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http import acceptor, protocol
from voicegate.adapters.unix_socket import SocketFile, listening
from voicegate.client import AsyncClient, Unreachable
from voicegate.domain.call import Rang
from voicegate.domain.errors import ConfigError
from voicegate.lab.deadlines import within


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def test_a_head_that_is_never_finished_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "HANDSHAKE_WITHIN_S", 0.1)
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 0.1)
    for pending in (b"", b"GET /healthz HTTP/1.1\r\nX-Slow: "):
        reader, writer = await asyncio.open_unix_connection(str(served.path))
        writer.write(pending)
        async with within(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_was_answered_is_not_kept_idle_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "IDLE_S", 0.1)
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(b"GET /v1/calls HTTP/1.1\r\nHost: voicegate\r\n\r\n")
    async with within(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" not in answer
    writer.close()


async def test_the_socket_has_its_mode_and_group_and_goes_when_the_server_does(
    bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "folder" / "api.sock"
    async with serve_unix(bench, SocketFile(path, 0o600, os.getgid())):
        status = path.stat()
        assert stat.S_ISSOCK(status.st_mode)
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o600, os.getgid())
    assert not path.exists()


async def test_a_socket_that_a_dead_daemon_left_is_replaced(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "s" / "api.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(bench, tmp_path) as served:
        assert (await served.http.get("/healthz")).status_code == 200


async def test_a_living_daemon_keeps_its_socket(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"socket\.path: another daemon answers at .*api\.sock"):
        async with serve_unix(served.bench, SocketFile(served.path)):
            pass
    assert (await served.http.get("/healthz")).status_code == 200


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    with pytest.raises(ConfigError, match="is not a socket"), listening(SocketFile(file)):
        pass
    assert file.read_text() == "mine"


def test_a_socket_that_another_daemon_put_in_our_place_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as other:
        with listening(SocketFile(path)):
            path.rename(tmp_path / "ours")
            other.bind(str(path))
        assert path.exists()


@pytest.mark.parametrize("name", ["x" * 120, "nul\0"])
def test_a_path_that_cannot_be_a_socket_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"socket\.path: "), listening(SocketFile(tmp_path / name)):
        pass


async def test_a_peer_who_may_not_ask_is_refused_before_its_body_is_read(
    bench: Bench, tmp_path: Path
) -> None:
    async with serving(bench, tmp_path, frozenset({4_000_000})) as served:
        # The body that is promised here never comes.
        answer = await served.raw(
            b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        )
    assert answer.status == 403
    assert b"urn:voicegate:problem:peer_not_allowed" in answer.body


async def test_what_is_no_http_is_a_problem_too(served: Served) -> None:
    for sent in (
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad\0Name: b\r\n\r\n",
    ):
        answer = await served.raw(sent)
        assert answer.status == 400
        assert "Content-Type: application/problem+json" in answer.head
    assert (await served.http.get("/healthz")).status_code == 200


async def test_a_body_in_broken_chunks_is_a_problem_too(served: Served) -> None:
    answer = await served.raw(
        b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"
    )
    assert answer.status == 400
    assert "application/problem+json" in answer.head


async def test_who_hangs_up_in_the_middle_harms_nobody(served: Served) -> None:
    for sent in (b"", b"POST /v1/verifi", b"POST /v1/verifications HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
        _, writer = await asyncio.open_unix_connection(str(served.path))
        writer.write(sent)
        writer.close()
        await writer.wait_closed()
    assert (await served.http.get("/healthz")).status_code == 200


async def test_who_hangs_up_in_mid_body_is_no_fault_of_ours(served: Served) -> None:
    head = b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with capture_logs() as logs:
        for length, part in (
            (b"Content-Length: 99\r\n\r\n", b"{"),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
        ):
            _, writer = await asyncio.open_unix_connection(str(served.path))
            writer.write(head + length + part)
            await writer.drain()
            await asyncio.sleep(0)
            writer.transport.abort()
        before = len(asyncio.all_tasks())
        async with within(5):
            while served.bench.notifier._watchers or len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)
        assert (await served.http.get("/v1/calls")).status_code == 200
    assert [entry for entry in logs if entry["log_level"] in ("error", "warning")] == []


async def test_the_server_does_not_say_what_it_is_made_of(served: Served) -> None:
    responses = [
        await served.http.get("/healthz"),
        await served.http.get("/v1/nothing"),
        await served.remote.get("/v1/calls"),
    ]
    assert {response.headers["Server"] for response in responses} == {"Voicegate"}
    assert "aiohttp" not in (await served.raw(b"garbage\r\n\r\n")).head


@pytest.mark.parametrize("expected", ["100-continue", "a-miracle"])
async def test_a_client_that_waits_for_leave_to_send_is_served(served: Served, expected: str) -> None:
    body = b'{"destination": "+12025550101"}'
    answer = await served.raw(
        b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\n"
        + f"Expect: {expected}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    assert answer.status == (100 if expected == "100-continue" else 202)
    assert "HTTP/1.1 202" in answer.head + answer.body.decode()


async def test_stopping_answers_those_who_wait_at_once(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [rings]
    path = tmp_path / "api.sock"
    server = serve_unix(bench, SocketFile(path))
    await server.__aenter__()
    async with AsyncClient(path) as client:
        created = await client.create_verification("+12025550101")
        while (seen := await client.verification(created.id)).calls[0].state != "ringing":
            await client.verification(created.id, 5, seen.revision)
        waiting = asyncio.create_task(client.verification(created.id, 60, seen.revision))
        while not people_waiting(bench):
            await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await server.__aexit__(None, None, None)
        assert (await waiting).revision == seen.revision
        assert asyncio.get_running_loop().time() - began < 4
        with pytest.raises(Unreachable):
            await client.health()


async def test_neither_numbers_nor_codes_are_logged(served: Served) -> None:
    with capture_logs() as logs:
        created = await served.create(passcode="918273")
        await served.http.get(f"/v1/{created['id']}/918273")
        await served.http.post("/v1/verifications", json={"destination": "+12025550", "passcode": "918273"})
    text = repr(logs)
    assert "request" in text
    assert "918273" not in text
    assert "12025550" not in text
