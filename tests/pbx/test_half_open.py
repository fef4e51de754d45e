"""The connections between a daemon and its PBX cut, or silent, in mid-call: AMI, FastAGI and the event socket
through a relay that stops forwarding and closes nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

import pytest

from tests.pbx.relay import Relay
from tests.pbx.second_daemon import Raw, begin, follow, is_over, second_daemon
from tests.pbx.test_freeswitch_faults import has_reached, last, outcome_of, quiet
from tests.unit.application.conftest import TESTER
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import ChallengeRecord
from voicegate.application.sign_in import IssueRequest
from voicegate.bootstrap.app import App
from voicegate.domain.call import CallState
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

PRESSES: Final = find_number("presses-key")
GRACE_S: Final = 2
MOMENT_S: Final = 4
"""Shorter than a daemon lets a silent PBX be before it asks whether it lives."""
BESIDE: Final = "127.0.0.2"


class How(Enum):
    """What happens to a connection."""

    CUT = "cut"
    MOMENT = "silent for a moment"
    FOR_GOOD = "silent until the call is over"


@dataclass(frozen=True)
class Case:
    """A connection, what happens to it, and what a call then comes to."""

    wire: str
    how: How
    area: str
    outcome: str


ASTERISK: Final = (
    Case("ami", How.CUT, "501", "delivered"),
    Case("ami", How.MOMENT, "502", "delivered"),
    Case("ami", How.FOR_GOOD, "505", "pbx_lost"),
    Case("agi", How.CUT, "507", "pbx_lost"),
    Case("agi", How.MOMENT, "508", "delivered"),
    Case("agi", How.FOR_GOOD, "509", "pbx_lost"),
)
FREESWITCH: Final = (
    Case("esl", How.MOMENT, "510", "delivered"),
    Case("esl", How.FOR_GOOD, "512", "pbx_lost"),
)
AFTERWARDS: Final = "928"


@dataclass(frozen=True)
class Fate:
    """What a call came to, how often its telephone heard it, and what the next call came to."""

    outcome: str
    announced: int
    rung: int
    following: str


def relay_of(lab: Lab, wire: str) -> Relay:
    if wire != "agi":
        return Relay(lab.settings.ports.ami if wire == "ami" else lab.settings.ports.esl)
    with socket.create_server((BESIDE, 0)) as free:
        port = free.getsockname()[1]
    # The same port at another address, for a daemon tells its PBX no other port than its own.
    return Relay(port, port, BESIDE)


@asynccontextmanager
async def staged(lab: Lab, wire: str, name: str) -> AsyncIterator[tuple[App, Relay]]:
    """A daemon, one of whose connections goes through a relay."""
    async with relay_of(lab, wire).running() as relay:

        def detour(raw: Raw) -> None:
            changes: dict[str, Raw] = {
                "ami": {"ami_port": relay.port},
                "esl": {"esl_port": relay.port},
                "agi": {"agi_port": relay.port, "agi_advertised_host": BESIDE},
            }
            (pbx,) = raw["pbx"].values()
            pbx |= {"lost_grace_s": GRACE_S, **changes[wire]}

        async with second_daemon(lab, detour, name=name) as app:
            yield app, relay


async def call(app: App, area: str, until: CallState | None = None) -> ChallengeRecord:
    request = IssueRequest(TESTER, ChallengeSpec(Destination.parse(PRESSES.american(area))))
    return await follow(app, await begin(app, request), has_reached(until) if until else is_over)


async def break_off(relay: Relay, how: How) -> None:
    """Do it; what is silent for good stays so."""
    if how is How.CUT:
        relay.cut()
        return
    relay.freeze()
    if how is How.MOMENT:
        await asyncio.sleep(MOMENT_S)  # it is what is tried
        relay.thaw()


async def live_through(lab: Lab, case: Case) -> Fate:
    async with staged(lab, case.wire, f"half-open-{case.area}") as (app, relay):
        record = await call(app, case.area, CallState.AWAITING_HUMAN)
        await break_off(relay, case.how)
        ended = last(await follow(app, record, is_over))
        relay.thaw()
        async with within(60):
            while not all(pbx.is_connected for pbx in app.pbxs.values()):
                await asyncio.sleep(0.05)
        following = last(await call(app, AFTERWARDS))
    rung = len(lab.recordings(PRESSES.american(case.area)))
    return Fate(outcome_of(ended), ended.call.evidence.announced, rung, outcome_of(following))


async def judge(lab: Lab, case: Case) -> None:
    fate = await live_through(lab, case)
    await quiet(lab)
    print(f"{case.wire} {case.how.value}: {fate}")
    assert (fate.outcome, fate.following) == (case.outcome, "delivered")
    assert (fate.announced > 0) is (case.outcome == "delivered")
    assert fate.rung == 1


@pytest.mark.soak
@pytest.mark.parametrize("case", ASTERISK, ids=lambda case: f"{case.wire} {case.how.value}")
async def test_a_connection_to_asterisk(asterisk_lab: Lab, case: Case) -> None:
    await judge(asterisk_lab, case)


@pytest.mark.soak
@pytest.mark.parametrize("case", FREESWITCH, ids=lambda case: f"{case.wire} {case.how.value}")
async def test_a_connection_to_freeswitch(freeswitch_lab: Lab, case: Case) -> None:
    assert PbxKind.FREESWITCH in freeswitch_lab.settings.pbxs
    await judge(freeswitch_lab, case)
