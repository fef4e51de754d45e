"""Okta's own Python SDKs, unmodified but for the base URL, through the daemon and the lab's telephones.

Each lives a factor's whole life with real calls, all at once, at a daemon of its own on the lab's PBX: the
3.x one needs another setting than the 2.x one.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from tests.acceptance.okta_sdk.environment import HERE
from tests.acceptance.test_daemon import daemon
from voicegate.lab.deadlines import within
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.rendering import render_controller
from voicegate.lab.world import Lab

if TYPE_CHECKING:
    from tests.acceptance.conftest import Sdks

# Two calls of three quarters of a minute, and an environment for each SDK the first time.
pytestmark = pytest.mark.timeout(400)

OFFICE, BUSY = find_number("office"), find_number("busy")
WRONG: Final = {"status": 403, "code": "E0000068", "cause": "Your passcode doesn't match. Guesses left: 4."}
REPLAYED: Final = {
    "status": 403,
    "code": "E0000082",
    "cause": "Each code can only be used once. Please wait for a new code and try again.",
}
GONE: Final = {"status": 404, "code": "E0000007", "cause": "This user has no such factor."}
PENDING, ACTIVE = "PENDING_ACTIVATION", "ACTIVE"
DELIVERED: Final = {"status": ACTIVE, "outcome": "delivered", "evidence": "announced"}

Step = dict[str, Any]


@dataclass(frozen=True)
class Flow:
    """One SDK's life at its own daemon and telephones."""

    version: str
    area: str
    tcp_port: int
    sdk3_compat: bool

    @property
    def number(self) -> str:
        return OFFICE.american(self.area)


def flows(lab: Lab) -> list[Flow]:
    # Of the lab's five hundred ports, two that nobody uses.
    spare = lab.settings.port_base + 90
    return [
        Flow("2.9.13", "503", spare, sdk3_compat=False),
        Flow("3.4.6", "504", spare + 1, sdk3_compat=True),
    ]


async def live_all(
    lab: Lab, pythons: Sequence[Path], folders: pytest.TempPathFactory
) -> dict[str, list[Step]]:
    """What each SDK was told, step by step."""
    lives = [
        live(lab, flow, python, folders.mktemp("okta"))
        for flow, python in zip(flows(lab), pythons, strict=True)
    ]
    told = await asyncio.gather(*lives)
    return {flow.version: steps for flow, steps in zip(flows(lab), told, strict=True)}


@pytest.fixture
def lives(sdks: "Sdks") -> dict[str, list[Step]]:
    return sdks.okta


async def live(lab: Lab, flow: Flow, python: Path, folder: Path) -> list[Step]:
    """Run one flow to its end; whenever it needs a code, hear it from the telephone."""
    async with serving(lab, flow, folder) as key:
        process = await asyncio.create_subprocess_exec(
            str(python),
            str(HERE / f"flow_{flow.version.replace('.', '_')}.py"),
            env=environment(flow, key, folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        told: list[Step] = []
        calls = 0
        async for line in process.stdout:
            step = json.loads(line)
            if "needs" not in step:
                told.append(step)
                continue
            calls += 1
            process.stdin.write(f"{await heard(lab, flow.number, calls)}\n".encode())
        assert await process.wait() == 0
        return told


@asynccontextmanager
async def serving(lab: Lab, flow: Flow, folder: Path) -> AsyncIterator[str]:
    """A daemon on the lab's PBX, and the key of a client that may have factors."""
    overrides = {
        "storage.database": str(folder / "voicegate.db"),
        "storage.key_file": str(folder / "key"),
        "storage.state_folder": str(folder / "state"),
        "socket.path": str(folder / "voicegate.sock"),
        "audio.folder": str(lab.settings.volatile / f"audio-{flow.version}"),
        "pbx.main.agi_port": 0,
        "tcp.enabled": True,
        "tcp.port": flow.tcp_port,
        "okta.sdk3_compat": flow.sdk3_compat,
        "policy.call_spacing_s": 30,
    }
    settings = folder / "voicegate.toml"
    merged = {**lab.settings.overrides, **overrides}
    settings.write_text(render_controller(replace(lab.settings, overrides=merged)))
    async with daemon(settings):
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "voicegate.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://voicegate") as admin:
            added = await admin.post("/v1/clients", json={"name": "okta-sdk", "scopes": ["factors"]})
        yield str(added.json()["key"])


def environment(flow: Flow, key: str, folder: Path) -> dict[str, str]:
    """The flow's variables; a home of its own, for the SDKs read settings there."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OKTA_TESTING_TESTINGDISABLEHTTPSCHECK": "true",
        "VOICEGATE_URL": f"http://127.0.0.1:{flow.tcp_port}",
        "VOICEGATE_KEY": key,
        "FLOW_USER": "alice",
        "FLOW_NUMBER": flow.number,
        "FLOW_EXTENSION": str(OFFICE.extension),
        "FLOW_BUSY": BUSY.american(flow.area),
    }


async def heard(lab: Lab, number: str, count: int) -> str:
    """The code that the independent ear reads from the `count`th call to a number."""
    async with within(120):
        while len(found := lab.recordings(number)) < count:
            await asyncio.sleep(0.1)
    code = await asyncio.to_thread(hear_code, found[count - 1], 6)
    assert code is not None
    return code


def whole_life(flow_number: str, **enrolled: object) -> list[Step]:
    """What both SDKs must be told; `enrolled` is what one of them can see of an enrollment besides."""
    number = {"number": flow_number, "extension": OFFICE.extension}
    pending = {"step": "enroll", "status": PENDING, **number, **enrolled}
    return [
        pending,
        {"step": "activate wrong", **WRONG},
        {"step": "activate", **DELIVERED},
        {"step": "list", "ids": [True]},
        {"step": "get", "status": ACTIVE},
        {"step": "catalog", "kinds": ["call"]},
        {"step": "challenge", "result": "CHALLENGE", "state": "delivering"},
        {"step": "verify wrong", **WRONG},
        {"step": "verify right", "result": "SUCCESS"},
        {"step": "verify again", **REPLAYED},
        {"step": "reset", **GONE},
        pending,
        {"step": "delete", "same": False, "left": 0},
    ]


def test_okta_2_9_13_lives_a_factors_whole_life(lives: dict[str, list[Step]]) -> None:
    links = ["activate", "resend", "self", "user"]
    assert lives["2.9.13"] == whole_life(OFFICE.american("503"), links=links)


def test_okta_3_4_6_lives_it_with_the_switch(lives: dict[str, list[Step]]) -> None:
    life = [step for step in lives["3.4.6"] if step["step"] != "redial"]
    assert life == whole_life(OFFICE.american("504"), resend=True)


def test_its_redial_waits_out_the_thirty_seconds_by_itself(lives: dict[str, list[Step]]) -> None:
    (redial,) = [step for step in lives["3.4.6"] if step["step"] == "redial"]
    assert redial["outcomes"] == ["busy", "busy"]
