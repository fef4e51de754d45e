"""The SQLite file locked by another program in mid-load: requests are refused in words and soon, calls go on,
and all of it is stored once it can be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.daemons import (
    PASSCODE,
    begin_call,
    fast,
    noted,
    number_of,
    running,
    sign_in,
    write_settings,
)
from tests.faults.settled import Memory, assert_all_is_settled
from voicegate.client import ApiError

REFUSALS = 4
"""Each takes a second: the calls in progress end meanwhile."""


async def test_while_another_program_holds_the_file_calls_go_on_and_none_begins(tmp_path: Path) -> None:
    settings = write_settings(tmp_path)
    settings.write_text(settings.read_text().replace("[storage]\n", "[storage]\nrequest_timeout_s = 1\n"))
    async with running(settings, fast(tmp_path)) as (client, process):
        await sign_in(client, number_of(0))
        memory = Memory.of(process.pid)
        called = [await begin_call(client, index) for index in range(1, 6)]
        with closing(sqlite3.connect(tmp_path / "voicegate.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for index in range(REFUSALS):
                with pytest.raises(ApiError) as refused:
                    await client.create_verification(number_of(10 + index))
                assert (refused.value.status, refused.value.problem.name) == (503, "store_unavailable")
                assert refused.value.problem.retry_after_s == 1
            with pytest.raises(ApiError, match="database is locked"):
                await client.ready()
            other.execute("ROLLBACK")
        settled = await assert_all_is_settled(
            client, audio=tmp_path / "audio", rung=noted(tmp_path, "originated"), memory=memory
        )
        assert [one.id for one in settled.verifications[1:]] == called
        assert settled.outcomes == {"delivered": 6}
        for name in called:
            assert (await client.check(name, PASSCODE)).status == "verified"
        assert await sign_in(client, number_of(20))
    print(f"{REFUSALS} refused, {dict(settled.outcomes)}, {settled.grown_mb:+.1f} MB")
