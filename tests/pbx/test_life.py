"""What happens to calls when somebody changes their mind, or something dies."""

import asyncio

import pytest

from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.daemons import daemon
from tests.pbx.second_daemon import Raw, begin, follow, is_over, second_daemon
from tests.unit.application.conftest import TESTER
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import IssueRequest
from voicegate.client import ApiError
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind

pytestmark = EACH_PBX

PRESSES = find_number("presses-key")
# The host says that the port is closed: FreeSWITCH listens to that, Asterisk does not.
NOBODY_THERE = {
    PbxKind.ASTERISK: ("trunk_silent", "trunk", False),
    PbxKind.FREESWITCH: ("trunk_unreachable", "trunk", True),
}


@pytest.mark.parametrize(
    ("state", "name"), [("ringing", "rings-for-ever"), ("awaiting_human", "never-presses")]
)
async def test_canceling_hangs_up(backend: Backend, state: str, name: str) -> None:
    created = await backend.created(find_number(name).british(7))
    await backend.reaches(created.id, state)
    with pytest.raises(ApiError) as refused:
        await backend.client.redial(created.id)
    assert refused.value.status == 409
    assert (await backend.client.cancel(created.id)).status == "canceled"
    verification = await backend.settled(created.id)
    assert verification.call is not None
    assert verification.call.outcome == "canceled"
    await backend.quiet()


async def test_the_sounds_of_a_call_are_gone_with_it(backend: Backend) -> None:
    created = await backend.created(PRESSES.british(8))
    await backend.reaches(created.id, "awaiting_human")
    during = list(backend.lab.settings.audio.iterdir())
    assert [(file.stat().st_mode & 0o777) for file in during] == [0o640] * 2
    await backend.client.cancel(created.id)
    await backend.settled(created.id)
    assert list(backend.lab.settings.audio.iterdir()) == []


async def test_a_pbx_killed_in_mid_call_is_told_truthfully_and_the_next_call_works(backend: Backend) -> None:
    created = await backend.created(PRESSES.american("808"))
    await backend.reaches(created.id, "announcing")
    await asyncio.to_thread(backend.lab.kill_pbx)
    await asyncio.to_thread(backend.lab.start_pbx)
    verification = await backend.settled(created.id)
    assert verification.call is not None
    assert (verification.call.outcome, verification.call.evidence.announced) == ("pbx_lost", 0)
    assert verification.status == "undeliverable"
    await backend.trunk_is("available")
    call = (await backend.call(PRESSES.american("810"))).call
    assert call is not None
    assert call.outcome == "delivered"


async def test_a_controller_killed_in_mid_call_settles_it_and_calls_nobody_again(backend: Backend) -> None:
    number = PRESSES.american("901")
    created = await backend.created(number)
    await backend.reaches(created.id, "awaiting_human")
    await backend.listens(number)
    await asyncio.to_thread(backend.lab.kill_controller)
    await asyncio.to_thread(backend.lab.start_controller)
    verification = await backend.settled(created.id)
    assert verification.call is not None
    assert verification.call.outcome == "interrupted"
    await backend.recording(number)
    await backend.quiet()
    assert len(backend.lab.recordings(number)) == 1
    assert list(backend.lab.settings.audio.iterdir()) == []
    await redialed(backend, created.id)
    again = await backend.settled(created.id)
    assert [call.outcome for call in again.calls] == ["interrupted", "delivered"]


async def redialed(backend: Backend, verification_id: str) -> None:
    """Call again as soon as it is certain that the telephone does not ring for the call before."""

    async def is_refused() -> bool:
        try:
            await backend.client.redial(verification_id)
        except ApiError as refused:
            if refused.problem.name != "call_in_progress":
                raise
            return True
        return False

    assert await is_refused()
    async with within(60):
        while await is_refused():
            await asyncio.sleep(1)


async def test_a_dead_carrier_is_no_answer_and_once_known_to_be_dead_is_not_waited_for(
    backend: Backend,
) -> None:
    (kind,) = backend.lab.settings.pbxs
    await asyncio.to_thread(backend.lab.kill_carrier)
    try:
        silent = (await backend.call(PRESSES.american("913"))).call
        assert silent is not None
        assert (silent.outcome, silent.blame, silent.retry_safe) == NOBODY_THERE[kind]
        assert silent.evidence.strongest == "none"
        await backend.trunk_is("unreachable")
        with pytest.raises(ApiError) as refused:
            await backend.client.create_verification(PRESSES.american("914"))
        assert refused.value.problem.name == "trunks_down"
    finally:
        await asyncio.to_thread(backend.lab.start_carrier)
        await backend.trunk_is("available")


async def test_a_sound_that_the_pbx_cannot_read_is_never_delivered(backend: Backend) -> None:
    def misplace(raw: Raw) -> None:
        raw["audio"]["pbx_folder"] = "/nowhere"

    async with second_daemon(backend.lab, misplace) as app:
        request = IssueRequest(TESTER, ChallengeSpec(Destination.parse(PRESSES.british(9))))
        record = await follow(app, await begin(app, request), is_over)
    (call,) = record.calls
    assert call.outcome is not None
    assert (call.outcome.outcome, call.outcome.blame) == ("playback_failed", "us")
    assert call.call.evidence.answered
    assert not call.call.evidence.human


async def test_told_to_stop_in_mid_call_the_daemon_lets_the_person_hear_the_code(backend: Backend) -> None:
    number = PRESSES.american("813")
    async with daemon(backend.lab, "carrier", **{"call.drain_timeout_s": 60}) as stopping:
        created = await stopping.created(number)
        await stopping.reaches(created.id, "announcing")
        stopping.told_to_stop.set()
        async with within(10):
            while not await is_refused(stopping):
                await asyncio.sleep(0.05)
    code = await backend.hear(number)
    assert code is not None
    assert len(code) == 6


async def is_refused(backend: Backend) -> bool:
    try:
        await backend.client.dry_run(PRESSES.american("814"))
    except ApiError as refused:
        return refused.problem.name == "stopping"
    return False
