"""The connection to a real FreeSWITCH cut, and FreeSWITCH killed, in each state of a call: a truthful end,
nobody rung twice, nothing left behind, and the next call goes through."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.pbx.relay import Relay
from tests.pbx.second_daemon import Raw, begin, follow, is_over, second_daemon
from tests.unit.application.conftest import TESTER
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.sign_in import IssueRequest
from voicegate.bootstrap.app import App
from voicegate.domain.call import CallState
from voicegate.domain.phone_number import Destination
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

PRESSES, OFFICE, LATE = (find_number(name) for name in ("presses-key", "office", "rings-late"))
STATES = {
    CallState.ORIGINATING: LATE,
    CallState.RINGING: PRESSES,
    CallState.SENDING_EXTENSION: OFFICE,
    CallState.AWAITING_HUMAN: PRESSES,
    CallState.ANNOUNCING: PRESSES,
}
EACH_STATE = pytest.mark.parametrize("state", STATES)
GRACE_S = 2
# Area codes, so that each call has a number that nobody else calls.
SHORTLY = dict(zip(STATES, ("903", "904", "906", "931", "908"), strict=True))
FOR_GOOD = dict(zip(STATES, ("909", "910", "912", "915", "916"), strict=True))
KILLED = dict(zip(STATES, ("917", "918", "919", "920", "925"), strict=True))
AFTERWARDS = "928"


@dataclass(frozen=True)
class Fate:
    """What became of a call in the middle of which something broke."""

    call: CallRecord
    rung: Callable[[], int]
    """How often a telephone heard it."""
    following: CallRecord | None = None
    """A later call of the same daemon."""


@dataclass(frozen=True)
class Faults:
    """All of them, by the state in which they struck."""

    cut: Mapping[CallState, Fate]
    """Off, and at once back."""
    lost: Mapping[CallState, Fate]
    """Off for longer than a call is kept."""
    killed: Mapping[CallState, Fate]
    """FreeSWITCH ended by SIGKILL."""


@dataclass
class Scene:
    """A daemon whose connection to FreeSWITCH goes through a relay."""

    lab: Lab
    relay: Relay
    app: App

    async def call(
        self, number: LabNumber, area: str, until: Callable[[ChallengeRecord], bool] = is_over
    ) -> ChallengeRecord:
        """Ask for a call, and wait for something to become true of it."""
        request = IssueRequest(
            TESTER, ChallengeSpec(Destination.parse(number.american(area), number.extension))
        )
        return await follow(self.app, await begin(self.app, request), until)

    async def connected(self) -> None:
        """Wait until calls can be placed."""
        async with within(20):
            while not self.app.pbxs[PbxKind.FREESWITCH.section].is_connected:
                await asyncio.sleep(0.05)

    async def fate(self, record: ChallengeRecord) -> Fate:
        ended = await follow(self.app, record, is_over)
        number = ended.challenge.destination.number
        return Fate(last(ended), lambda: len(self.lab.recordings(number)))


def last(record: ChallengeRecord) -> CallRecord:
    (call,) = record.calls
    return call


def has_reached(state: CallState) -> Callable[[ChallengeRecord], bool]:
    def is_reached(record: ChallengeRecord) -> bool:
        assert last(record).call.is_live
        return last(record).call.state is state

    return is_reached


def outcome_of(call: CallRecord | None) -> str:
    assert call is not None
    assert call.outcome is not None
    return call.outcome.outcome.value


@asynccontextmanager
async def staged(lab: Lab, name: str) -> AsyncIterator[Scene]:
    async with Relay(lab.settings.ports.esl).running() as relay:

        def detour(raw: Raw) -> None:
            raw["pbx"][PbxKind.FREESWITCH.section] |= {"esl_port": relay.port, "lost_grace_s": GRACE_S}

        async with second_daemon(lab, detour, name=name) as app:
            yield Scene(lab, relay, app)


async def cut(scene: Scene, state: CallState, area: str, *, for_good: bool) -> Fate:
    """Cut a daemon off in the middle of a call; call once more when it is back."""
    record = await scene.call(STATES[state], area, has_reached(state))
    await scene.relay.silence()
    scene.relay.is_closed = for_good
    scene.relay.cut()
    fate = await scene.fate(record)
    scene.relay.is_closed = False
    await scene.connected()
    return replace(fate, following=last(await scene.call(PRESSES, AFTERWARDS)))


async def kill(lab: Lab) -> Mapping[CallState, Fate]:
    """Kill FreeSWITCH in each state; call once more when it is back for the last time."""
    fates: dict[CallState, Fate] = {}
    async with staged(lab, "killed") as scene:
        for state, number in STATES.items():
            await scene.connected()
            record = await scene.call(number, KILLED[state], has_reached(state))
            await asyncio.to_thread(lab.kill_pbx)
            await asyncio.to_thread(lab.start_pbx)
            fates[state] = await scene.fate(record)
        await scene.connected()
        following = last(await scene.call(PRESSES, AFTERWARDS))
    return {state: replace(fate, following=following) for state, fate in fates.items()}


async def live_through(lab: Lab) -> Faults:
    """Everything that is cut, all at once, each at a daemon of its own; and then the killing."""
    ways = [(state, areas[state]) for areas in (SHORTLY, FOR_GOOD) for state in STATES]
    async with AsyncExitStack() as stack:
        # One after the other: stores that are made at once in one process are in each other's way.
        scenes = [await stack.enter_async_context(staged(lab, area)) for _, area in ways]
        fates = await asyncio.gather(
            *(
                cut(scene, state, area, for_good=area in FOR_GOOD.values())
                for scene, (state, area) in zip(scenes, ways, strict=True)
            )
        )
    await quiet(lab)
    count = len(STATES)
    is_cut, is_lost = (dict(zip(STATES, part, strict=True)) for part in (fates[:count], fates[count:]))
    return Faults(is_cut, is_lost, await kill(lab))


async def quiet(lab: Lab) -> None:
    """Wait until FreeSWITCH has no channel."""
    async with within(20):
        while await asyncio.to_thread(lab.pbxs[0].channels):
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def faults(freeswitch_lab: Lab) -> Faults:
    return asyncio.run(live_through(freeswitch_lab))


@EACH_STATE
def test_a_connection_that_comes_back_at_once_costs_no_call(faults: Faults, state: CallState) -> None:
    fate = faults.cut[state]
    assert (outcome_of(fate.call), fate.rung()) == ("delivered", 1)
    # What was being said when it broke is not held to be said.
    assert fate.call.call.evidence.announced == (1 if state is CallState.ANNOUNCING else 2)


@EACH_STATE
def test_a_connection_that_stays_away_loses_the_call_and_ends_it_when_it_is_back(
    faults: Faults, state: CallState
) -> None:
    fate = faults.lost[state]
    assert outcome_of(fate.call) == "pbx_lost"
    assert fate.call.call.evidence.announced == 0
    assert fate.rung() <= 1


@EACH_STATE
def test_a_freeswitch_that_is_killed_has_lost_its_call(faults: Faults, state: CallState) -> None:
    fate = faults.killed[state]
    assert outcome_of(fate.call) == "pbx_lost"
    assert fate.call.call.evidence.announced == 0
    assert fate.rung() <= 1


def test_the_next_call_goes_through_every_time(faults: Faults) -> None:
    fates = [*faults.cut.values(), *faults.lost.values(), *faults.killed.values()]
    assert [outcome_of(fate.following) for fate in fates] == ["delivered"] * 15
