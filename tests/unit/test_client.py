"""The client, blocking and not, against a served bench; and against what is no daemon of ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.client import ApiError, AsyncClient, Client, Step, Unreachable
from voicegate.client.models import Call, Problem
from voicegate.client.requests import Request, read
from voicegate.domain.call_outcome import Hangup

__all__ = ["bench", "limits", "timings", "trunks"]


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(bench, tmp_path) as server:
        yield server


async def unreachable(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(cause=20, is_unreachable=True))


async def test_both_clients_take_a_verification_from_the_number_to_the_code(served: Served) -> None:
    def walk() -> None:
        with Client(served.path) as client:
            created = client.create_verification(NUMBER, extension="204", reference="order 1")
            steps = list(client.watch(created.id))
            assert (steps[0].event, steps[-1].state) == ("queued", "ended")
            seen = client.verification(created.id)
            assert (seen.status, seen.reference, seen.is_settled) == ("delivered", "order 1", True)
            assert client.check(created.id, served.bench.code(created.id)).status == "verified"
            assert client.call(created.call.id).timeline[0].event == "queued"
            assert [call.id for call in client.calls()] == [created.call.id]
            assert client.trunks()[0].state == "available"
            assert (client.health().status, client.ready().status) == ("ok", "ok")

    await asyncio.to_thread(walk)
    async with AsyncClient(served.path) as client:
        created = await client.create_verification(NUMBER)
        steps = [step async for step in client.watch(created.id)]
        assert (steps[0].event, steps[-1].state) == ("queued", "ended")
        assert (await client.redial(created.id)).state == "queued"
        assert (await client.cancel(created.id)).status == "canceled"
        assert len(await client.calls(limit=1)) == 1
        assert (await client.call(created.call.id)).outcome == "delivered"
        assert (await client.trunks())[0].name == "carrier"
        assert (await client.ready()).status == "ok"
        assert (await client.check(created.id, "000000")).reason == "canceled"


async def test_on_tcp_both_clients_show_their_key_and_an_admin_gives_them_out(served: Served) -> None:
    async with AsyncClient(served.path) as admin:
        given = await admin.add_client("web", ["verifications"])
        remote = str(served.remote.base_url)
        async with AsyncClient(base_url=remote, key=given.key) as client:
            assert (await client.create_verification(NUMBER)).status == "delivering"
            with pytest.raises(ApiError, match="it needs the scope admin"):
                await client.clients()
        newer = await admin.rotate_key("web")
        assert [len(one.keys) for one in await admin.clients()] == [2]

        def look() -> None:
            with Client(base_url=remote, key=newer.key) as client:
                assert len(client.calls()) == 1
            with Client(base_url=remote, key=given.key) as client, pytest.raises(ApiError) as refused:
                client.calls()
            assert refused.value.problem.name == "key_wrong"

        await asyncio.to_thread(look)
        assert (await admin.revoke_client("web")).name == "web"
        assert [entry.action for entry in await admin.audit(2)] == ["client.revoke", "client.rotate"]
    assert given.key not in repr(given)


async def test_a_watch_sees_each_step_once_over_all_calls(served: Served) -> None:
    served.bench.pbx.plots = [unreachable, answers]
    async with AsyncClient(served.path) as client:
        created = await client.create_verification(NUMBER)
        first = [step async for step in client.watch(created.id)]
        again = await client.redial(created.id)
        steps = [step async for step in client.watch(created.id)]
    assert {step.call_id for step in first} == {created.call.id}
    assert [step.call_id for step in steps if step.event == "queued"] == [created.call.id, again.id]
    assert len({(step.call_id, step.seq) for step in steps}) == len(steps)


STEP = '{"call_id": "call_1", "seq": %d, "at": "2026-01-01T00:00:00Z", "state": "%s", "event": "%s"}'
STREAMS = (
    f":\n\nid: 1.1.\nevent: step\ndata: {STEP % (1, 'ringing', 'rang')}\n\n:\n\n",
    'id: 1.1.delivered\nevent: status\ndata: {"status": "delivered"}\n\n:\n\nid: 1.2.deliv',
    f":\n\nid: 1.2.delivered\nevent: step\ndata: {STEP % (2, 'ended', 'hangup')}\n\n",
)
"""Heartbeats, a connection that is cut in the middle of an event, and the event again."""


async def test_a_watch_that_is_cut_asks_for_what_comes_after_the_last_whole_event() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return httpx.Response(200, headers=headers, text=STREAMS[(len(asked) - 1) % 3])

    async with AsyncClient(base_url="http://voicegate") as client:
        client._http = httpx.AsyncClient(base_url="http://voicegate", transport=httpx.MockTransport(answer))
        steps = [step async for step in client.watch("vrf_1")]
    with Client(base_url="http://voicegate") as blocking:
        blocking._http = httpx.Client(base_url="http://voicegate", transport=httpx.MockTransport(answer))
        assert list(blocking.watch("vrf_1")) == steps
    assert [(step.seq, step.event, step.call_id) for step in steps] == [
        (1, "rang", "call_1"),
        (2, "hangup", "call_1"),
    ]
    assert asked == ["", "after=1.1.", "after=1.1.delivered"] * 2


@pytest.mark.parametrize(
    ("media_type", "text"),
    [("text/html", "<p>It works!</p>"), ("text/event-stream", "event: step\ndata: {}\n\n")],
)
async def test_a_watch_of_what_is_no_daemon_ends_and_says_so(media_type: str, text: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": media_type}, text=text)

    async with AsyncClient(base_url="http://voicegate") as client:
        client._http = httpx.AsyncClient(base_url="http://voicegate", transport=httpx.MockTransport(answer))
        with pytest.raises(ApiError, match="not an answer of Voicegate"):
            await anext(client.watch("vrf_1"))


async def test_an_idempotency_key_makes_a_repeat_a_repeat(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        first, second = [
            await client.create_verification(NUMBER, idempotency_key="order-1", passcode="4711")
            for _ in range(2)
        ]
    assert first.id == second.id


async def test_a_refusal_carries_its_problem(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        with pytest.raises(ApiError, match="no prompts for") as refused:
            await client.create_verification(NUMBER, language="klingon")
    assert refused.value.status == 422
    assert (refused.value.problem.name, refused.value.problem.field) == ("invalid", "language")


def test_a_socket_that_is_not_there_is_named_with_the_fix(tmp_path: Path) -> None:
    with Client(tmp_path / "none") as client, pytest.raises(Unreachable, match="none: is `voicegate serve`"):
        client.health()


async def test_a_socket_that_nobody_serves_is_named_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Client(path) as client, pytest.raises(Unreachable, match="dead: is `voicegate serve`"):
        client.health()
    async with AsyncClient(path) as client_too:
        with pytest.raises(Unreachable, match="dead: is `voicegate serve`"):
            await client_too.health()


def test_a_socket_that_may_not_be_opened_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("voicegate.client.transports.sockets.socket.connect", refuse)
    with Client(tmp_path / "s") as client, pytest.raises(Unreachable, match="in the socket's group"):
        client.health()


def test_a_daemon_on_tcp_that_is_not_there_is_named() -> None:
    with (
        Client(base_url="http://127.0.0.1:1") as client,
        pytest.raises(Unreachable, match="nothing answers at http://127"),
    ):
        client.health()


def test_a_client_needs_one_place() -> None:
    with pytest.raises(ValueError, match="either"):
        Client()
    with pytest.raises(ValueError, match="either"):
        AsyncClient("/s", base_url="http://localhost")


def test_fields_of_a_newer_daemon_are_ignored() -> None:
    body = b'{"seq": 1, "at": "2026-01-01T00:00:00Z", "state": "dreaming", "event": "dreamt", "of": "sheep"}'
    step = read(Request("GET", "/", Step), httpx.Response(200, content=body))
    assert step.state == "dreaming"


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"{}"), (502, b"bad gateway")])
def test_what_is_no_answer_of_ours_is_an_error_with_its_status(status: int, body: bytes) -> None:
    with pytest.raises(ApiError, match="not an answer of Voicegate") as error:
        read(Request("GET", "/", Call), httpx.Response(status, content=body))
    assert error.value.status == status


def test_a_problem_is_known_by_the_last_word_of_its_type() -> None:
    assert Problem(type="urn:voicegate:problem:not_found").name == "not_found"
    assert Problem().name == "blank"
