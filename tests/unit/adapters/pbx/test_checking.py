"""The way in to any kind of PBX, as `voicegate doctor` goes it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from voicegate.adapters.pbx.common.checking import ManagementInterface
from voicegate.application.diagnostics import Finding, failed, passed
from voicegate.domain.errors import PbxRefused, PbxUnavailable

INSIDE, OUTSIDE = passed("version", "1"), passed("port", "free")


async def look(session: str) -> AsyncIterator[Finding]:
    yield INSIDE
    if session == "lost":
        raise PbxUnavailable("the connection ended")


async def look_from_outside() -> Sequence[Finding]:
    return [OUTSIDE]


async def found_by(session: str | Exception) -> list[Finding]:
    @asynccontextmanager
    async def log_in() -> AsyncIterator[str]:
        if isinstance(session, Exception):
            raise session
        yield session

    interface = ManagementInterface(
        name="AMI",
        title="manager interface",
        address="pbx:5038",
        open=log_in,
        login_fix="the password",
        address_fix="the port",
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


async def test_a_pbx_that_is_lost_on_the_way_is_told_after_what_was_seen() -> None:
    lost = failed("AMI", "no manager interface at pbx:5038: the connection ended", "the port")
    assert await found_by("lost") == [INSIDE, lost, OUTSIDE]
