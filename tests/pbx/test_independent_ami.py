"""What our adapter says of calls, held against what an AMI client that is not ours hears of them."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.pbx.conftest import Backend
from voicegate.client import Call
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number

PROGRAM: Final = Path(__file__).with_name("independent_ami.py")
TIMEOUT_S: Final = 20
NAMES: Final = ("never-presses", "busy", "rejects", "forbidden", "hangs-up-midway", "rings-for-ever")
EVENTS: Final = {
    "OriginateResponse",
    "Newstate",
    "DialBegin",
    "DialState",
    "DialEnd",
    "HangupRequest",
    "Hangup",
    "Hold",
    "Unhold",
}


@dataclass
class Independent:
    """What the other client heard."""

    heard: list[dict[str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)

    def of(self, call: Call, event: str) -> list[dict[str, str]]:
        return [
            entry
            for entry in self.heard
            if entry["Event"] == event and call.id in (entry.get("Uniqueid"), entry.get("DestUniqueid"))
        ]


@asynccontextmanager
async def listening(backend: Backend) -> AsyncIterator[Independent]:
    """The other client listens while the context lasts; afterwards it has told what it heard."""
    here, told = backend.lab.settings, Independent()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", str(PROGRAM), str(here.ports.ami), stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(here.secret_file.read_bytes().strip() + b"\n")
        async with within(TIMEOUT_S):
            assert await process.stdout.readline() == b"ready\n"
        yield told
        async with within(TIMEOUT_S):
            output, _ = await process.communicate(b"\n")
        vars(told).update(json.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_another_client_hears_the_same_calls_end_the_same_way(backend: Backend) -> None:
    async with listening(backend) as other:
        verifications = await asyncio.gather(
            *(backend.call(find_number(name).american("606")) for name in NAMES)
        )
        await backend.quiet()
    calls = [call for verification in verifications for call in verification.calls]
    assert {entry["Event"] for entry in other.heard} <= EVENTS
    placed = [entry["Uniqueid"] for entry in other.heard if entry["Event"] == "OriginateResponse"]
    assert sorted(placed) == sorted(call.id for call in calls)
    for call in calls:
        compare(call, other)
    assert other.channels == []
    assert set(other.answers.values()) == {"Permission denied"}


def compare(call: Call, other: Independent) -> None:
    """The same end, and the same way there."""
    (hangup,) = other.of(call, "Hangup")
    (response,) = other.of(call, "OriginateResponse")
    told: dict[str, Any] = {step.event: step for step in call.timeline}
    # Its zero is no cause of Q.850: none is known.
    assert call.hangup_cause == (int(hangup["Cause"]) or None)
    if call.sip_status is not None:
        assert call.sip_status == int(hangup["TechCause"])
    assert (call.answered_at is not None) == (response["Response"] == "Success")
    rang = {entry.get("DialStatus") for entry in other.of(call, "DialState")} & {"RINGING"}
    states = {entry["ChannelStateDesc"] for entry in other.of(call, "Newstate")}
    assert ("rang" in told) == bool(rang or "Ringing" in states)
    assert ("answered" in told) == ("Up" in states)
