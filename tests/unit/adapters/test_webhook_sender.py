"""Webhooks on the wire: signed as Standard Webhooks, to addresses that were judged, and nowhere else."""

import asyncio
import base64
import ipaddress
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from voicegate.adapters.system import SystemClock
from voicegate.adapters.webhooks.addresses import AddressRefused, AddressRules, CheckedResolver
from voicegate.adapters.webhooks.sender import HttpSender, Receiver
from voicegate.application.outbox import Message, SendResult

BODY = b'{"type":"call.ended","data":{"outcome":"delivered"}}'
NOW = SystemClock().now()
MESSAGE = Message("msg_1", "web", "call.ended", NOW, BODY, NOW + timedelta(days=3))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def new_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(32)).decode()}"


@dataclass
class Backend:
    """A backend that takes messages."""

    port: int
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def backend(answer: Handler | None = None) -> AsyncIterator[Backend]:
    async def take(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        made.taken.append((headers, await request.read()))
        return await answer(request) if answer else web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Backend(listening.getsockname()[1])
        await web.SockSite(runner, listening).start()
        try:
            yield made
        finally:
            await runner.cleanup()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(new_secret() + "\n")
    return file


async def send(url: str, secret_file: Path, timeout_s: float = 10, *, allow: bool = True) -> SendResult:
    sender = HttpSender(
        {"web": Receiver(url, secret_file)},
        clock=SystemClock(),
        timeout=timedelta(seconds=timeout_s),
        connections=2,
        allowed_networks=LOOPBACK if allow else (),
    )
    async with sender:
        return await sender.send(MESSAGE)


async def test_a_public_verifier_takes_what_is_signed_and_nothing_that_was_changed(secret_file: Path) -> None:
    async with backend() as made:
        assert await send(f"http://127.0.0.1:{made.port}/events?a=b", secret_file) == SendResult(200)
    ((headers, body),) = made.taken
    verifier = Verifier(secret_file.read_text().strip())
    assert verifier.verify(body, headers) == json.loads(BODY)
    assert headers["webhook-id"] == "msg_1"
    assert headers["content-type"] == "application/json"
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers | {name: headers[name][:-1] + "0"})
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body + b" ", headers)


async def test_with_two_secrets_a_receiver_with_either_takes_it(secret_file: Path) -> None:
    old, new = secret_file.read_text().strip(), new_secret()
    secret_file.write_text(f"{old}\n{new}\n")
    async with backend() as made:
        await send(f"http://127.0.0.1:{made.port}/", secret_file)
    ((headers, body),) = made.taken
    for secret in (old, new):
        assert Verifier(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(new_secret()).verify(body, headers)


@pytest.mark.parametrize("content", ["", "whsec_", "secret", "whsec_c2hvcnQ=", "\n".join([new_secret()] * 3)])
async def test_a_secret_that_is_none_sends_nothing_and_is_not_shown(secret_file: Path, content: str) -> None:
    secret_file.write_text(content)
    async with backend() as made:
        result = await send(f"http://127.0.0.1:{made.port}/", secret_file)
    assert made.taken == []
    assert result.error
    assert result.error.startswith("webhooks.web.secret_file")
    assert "c2hvcnQ" not in result.error


async def test_a_redirect_is_not_followed(secret_file: Path) -> None:
    async with backend() as other:

        async def away(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{other.port}/")

        async with backend(away) as made:
            result = await send(f"http://127.0.0.1:{made.port}/", secret_file)
    assert (result.status, other.taken) == (307, [])
    assert result.error == "answered with status 307"


async def test_gone_is_final_and_other_failures_are_not(secret_file: Path) -> None:
    statuses = [410, 500]

    async def fail(_: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0), text="x" * 100_000)

    async with backend(fail) as made:
        gone = await send(f"http://127.0.0.1:{made.port}/", secret_file)
        broken = await send(f"http://127.0.0.1:{made.port}/", secret_file)
    assert (gone.status, gone.is_final, broken.status, broken.is_final) == (410, True, 500, False)


async def test_a_receiver_that_does_not_answer_is_given_up_in_time(secret_file: Path) -> None:
    may_end = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await may_end.wait()
        return web.Response()

    async with backend(hang) as made:
        result = await send(f"http://127.0.0.1:{made.port}/", secret_file, 0.2)
        may_end.set()
    assert result == SendResult(error="no answer within 0.2 s")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_a_private_address_is_connected_to(secret_file: Path, host: str) -> None:
    async with backend() as made:
        result = await send(f"https://{host}:{made.port}/", secret_file, allow=False)
    assert made.taken == []
    assert result.status is None
    assert result.error


async def test_http_goes_to_this_machine_only(secret_file: Path) -> None:
    result = await send("http://192.0.2.1:9/", secret_file)
    assert result.error == "192.0.2.1 is not this machine: http:// goes nowhere else"


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
     "224.0.0.1", "fe80::1%eth0", "fc00::1", "::", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
     "2002:a00:1::", "2001:0:4136:e378:8000:63bf:f5ff:fffe"],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        AddressRules().judge(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_and_allowed_networks_pass(address: str) -> None:
    AddressRules().judge(address)
    AddressRules((ipaddress.ip_network("10.1.0.0/16"),)).judge("10.1.2.3")
    with pytest.raises(AddressRefused):
        AddressRules((ipaddress.ip_network("10.1.0.0/16"),)).judge("10.2.2.3")


async def test_a_name_with_one_private_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = ["93.184.215.14", "10.0.0.1"] if host == "mixed.example" else ["93.184.215.14"]
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    resolver = CheckedResolver(AddressRules())
    with pytest.raises(AddressRefused):
        await resolver.resolve("mixed.example", 443)
    found = await resolver.resolve("public.example", 443)
    # The connection is made to this very address: it is told as one, so that nobody resolves it again.
    assert [(one["host"], one["flags"]) for one in found] == [("93.184.215.14", socket.AI_NUMERICHOST)]
    assert asked == ["mixed.example", "public.example"]
