"""A daemon in the test's own process, at the same PBXs as the lab's, with a store and a folder of its own."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from tests.unit.application.conftest import TESTER
from voicegate import bootstrap, config
from voicegate.application.ports import ChallengeRecord
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap.app import App
from voicegate.lab.deadlines import within
from voicegate.lab.world import Lab

Raw = dict[str, Any]
"""Its settings, as decoded from TOML."""


@asynccontextmanager
async def second_daemon(
    lab: Lab, change: Callable[[Raw], None] = lambda _: None, *, name: str = "second"
) -> AsyncIterator[App]:
    """The lab's daemon once more, with changed settings; entered when its PBXs are connected."""
    raw = tomllib.loads(lab.settings.config_file.read_text("utf-8"))
    second = lab.settings.volatile / name
    raw["audio"]["folder"] = str(second)
    raw["storage"] = {"database": f"{second}.db", "key_file": f"{second}.key"}
    for pbx in raw["pbx"].values():
        if pbx["kind"] == "asterisk":
            pbx["agi_port"] = 0
    change(raw)
    async with bootstrap.running(config.parse(raw)) as app:
        async with within(10):
            while not all(pbx.is_connected for pbx in app.pbxs.values()):
                await asyncio.sleep(0.05)
        yield app


async def begin(app: App, request: IssueRequest) -> ChallengeRecord:
    """Ask for a call."""
    issued = await app.sign_in.issue(request)
    assert isinstance(issued, Issued)
    return issued.record


async def follow(
    app: App, record: ChallengeRecord, until: Callable[[ChallengeRecord], bool]
) -> ChallengeRecord:
    """Wait for something to become true of it."""
    since = -1
    async with within(90):
        while not until(record):
            found = await app.challenges.look(
                TESTER, record.challenge.id, since=since, wait=timedelta(seconds=10)
            )
            assert found is not None
            since, record = found.revision, found
    return record


def is_over(record: ChallengeRecord) -> bool:
    return not record.calls[-1].call.is_live
