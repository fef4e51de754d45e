"""The way in to any kind of PBX, as `voicegate doctor` goes it."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from voicegate.adapters.pbx.common import checking
from voicegate.adapters.pbx.common.checking import Desks, ManagementInterface
from voicegate.application.diagnostics import Finding, Level, failed, passed
from voicegate.domain.errors import PbxRefused, PbxUnavailable

INSIDE, OUTSIDE = passed("version", "1"), passed("port", "free")


async def look(session: str) -> AsyncIterator[Finding]:
    yield INSIDE
    if session == "lost":
        raise PbxUnavailable("the connection ended")


async def look_from_outside() -> Sequence[Finding]:
    return [OUTSIDE]


async def found_by(
    session: str | Exception, address: str = "pbx:5038", *, is_encrypted: bool = True
) -> list[Finding]:
    @asynccontextmanager
    async def log_in() -> AsyncIterator[str]:
        if isinstance(session, Exception):
            raise session
        yield session

    interface = ManagementInterface(
        name="AMI",
        title="manager interface",
        address=address,
        open=log_in,
        login_fix="the password",
        address_fix="the port",
        exposed_fix="the address",
        is_encrypted=is_encrypted,
    )
    return [finding async for finding in interface.check(look, look_from_outside)]


async def test_who_is_let_in_looks_around_inside_only() -> None:
    assert await found_by("logged in") == [INSIDE]


async def test_an_account_that_is_not_taken_is_told_with_its_own_fix() -> None:
    refused = failed("AMI", "log-in refused: wrong password", "the password")
    assert await found_by(PbxRefused("wrong password")) == [refused, OUTSIDE]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError(), "no answer in time"),
        (PbxUnavailable("it hung up"), "it hung up"),
    ],
)
async def test_a_pbx_that_is_not_there_is_told_with_its_address(error: Exception, why: str) -> None:
    unreached = failed("AMI", f"no manager interface at pbx:5038: {why}", "the port")
    assert await found_by(error) == [unreached, OUTSIDE]


@asynccontextmanager
async def listening_at(host: str, greeting: bytes, port: int = 0) -> AsyncIterator[int]:
    came: list[asyncio.StreamWriter] = []

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        writer.write(greeting)

    async with await asyncio.start_server(greet, host, port) as server:
        yield server.sockets[0].getsockname()[1]
        for writer in came:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address that is this machine's on the network, for the check."""
    monkeypatch.setattr(checking, "own_address", lambda: "127.0.0.9")
    return "127.0.0.9"


async def test_an_interface_that_answers_on_the_network_is_told_with_its_fix(outside: str) -> None:
    async with listening_at("127.0.0.1", b"") as port:
        _, closed = await found_by("logged in", f"127.0.0.1:{port}")
        async with listening_at(outside, b"Asterisk Call Manager/11.0.0\r\n", port):
            _, told = await found_by("logged in", f"127.0.0.1:{port}")
        async with listening_at(outside, b"Content-Type: text/rude-rejection\n", port):
            _, guarded = await found_by("logged in", f"127.0.0.1:{port}")
    assert (closed.level, guarded.level) == (Level.OK, Level.OK)
    assert (told.level, told.about, told.fix) == (Level.WARNING, "AMI from outside", "the address")


async def test_an_interface_on_another_machine_is_told_unless_it_is_encrypted() -> None:
    (_, told) = await found_by("logged in", is_encrypted=False)
    assert (told.level, told.fix) == (Level.WARNING, "the address")


def test_a_machine_without_a_network_has_nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_DOCUMENTATION", ("127.0.0.1", 9))
    assert checking.own_address() is None


@pytest.mark.parametrize(
    ("endpoint", "fitting", "other"),
    [("{extension}", "4200", "5200"), ("desk-{extension}", "desk-4200", "4200"), ("hall", "hall", "4200")],
)
def test_an_extensions_endpoint_is_known_by_its_pattern(endpoint: str, fitting: str, other: str) -> None:
    desks = Desks(re.compile("4[0-9]{3}|4"), endpoint)
    assert (desks.fits(fitting), desks.fits(other)) == (True, False)


async def test_a_pbx_that_is_lost_on_the_way_is_told_after_what_was_seen() -> None:
    lost = failed("AMI", "no manager interface at pbx:5038: the connection ended", "the port")
    assert await found_by("lost") == [INSIDE, lost, OUTSIDE]
