"""The time of day set forward and back by an hour in mid-call, for the daemon's process: by libfaketime, told
to leave the monotonic clock alone, as who sets a machine's clock does."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.faults.daemons import (
    PASSCODE,
    begin_call,
    end_of,
    fast,
    noted,
    number_of,
    running,
    sign_in,
    write_settings,
)
from tests.faults.settled import Memory, assert_all_is_settled
from voicegate.lab.deadlines import within
from voicegate.lab.errors import PackageError
from voicegate.lab.packages import ensure_packages, no_progress

HOUR: Final = timedelta(hours=1)
PACE: Final = "0.05"


class Clock:
    """A daemon's clock, which a test sets."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(timedelta())

    async def step(self, settings: Path, by: timedelta) -> None:
        """Set it, and wait until the daemon's answers have the new time."""
        self.set(by)
        transport = httpx.AsyncHTTPTransport(uds=str(settings.with_name("voicegate.sock")))
        async with within(30), httpx.AsyncClient(transport=transport, base_url="http://voicegate") as http:
            while True:
                told = parsedate_to_datetime((await http.get("/healthz")).headers["Date"])
                if abs(told - datetime.now(UTC) - by) < timedelta(minutes=1):
                    return
                await asyncio.sleep(0.1)

    def set(self, by: timedelta) -> None:
        """Have it differ from the machine's by so much, from soon on."""
        # By a rename: else the daemon could read half of it.
        new = self._file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():+.0f}\n")
        new.rename(self._file)

    def environment(self) -> dict[str, str]:
        """What has a process live by it; skips where the library cannot be had."""
        try:
            root = ensure_packages(("libfaketime",), suites=(), progress=no_progress)
        except PackageError as error:
            pytest.skip(f"libfaketime's package cannot be fetched: {error}")
        (library,) = root.glob("usr/lib/*/faketime/libfaketimeMT.so.1")
        own = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PACE": PACE,
        }
        return dict(os.environ) | own


async def test_a_clock_that_is_set_forward_and_back_in_mid_call_costs_no_call(tmp_path: Path) -> None:
    clock, settings = Clock(tmp_path), write_settings(tmp_path)
    async with running(settings, fast(tmp_path), environment=clock.environment()) as (client, process):
        await sign_in(client, number_of(0))
        memory = Memory.of(process.pid)
        called = [await begin_call(client, index) for index in (1, 2)]
        await clock.step(settings, HOUR)
        for name in called:
            # An hour is longer than a code lives: who is called is told so, unless the code is being read.
            assert (await end_of(client, name)).calls[0].outcome in ("delivered", "canceled")
            assert (await client.check(name, PASSCODE)).reason == "expired"
        await sign_in(client, number_of(3))
        called = [await begin_call(client, index) for index in (4, 5)]
        await clock.step(settings, timedelta())
        for name in called:
            assert (await end_of(client, name)).calls[0].outcome == "delivered"
            assert (await client.check(name, PASSCODE)).status == "verified"
        await sign_in(client, number_of(6))
        settled = await assert_all_is_settled(
            client, audio=tmp_path / "audio", rung=noted(tmp_path, "originated"), memory=memory
        )
    assert len(settled.verifications) == 7
    print(f"{dict(settled.outcomes)}, {settled.grown_mb:+.1f} MB")
