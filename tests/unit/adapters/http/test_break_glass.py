"""Where no call can be placed, every door says so at once, so that whoever asks can use another way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.adapters.http.doors import doors_beside_the_native
from tests.unit.adapters.http.okta.serving import PHONE
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.test_okta_hook import answer, event
from tests.unit.adapters.http.twilio.serving import BANK, told
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.routing import TrunkState
from voicegate.lab.deadlines import within

OTHER = "+12025550113"
FAILING = ("+12025550121", "+12025550122", "+12025550123")


async def has_no_line(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(34, 503))


async def disconnect(served: Served) -> None:
    served.bench.pbx.is_connected = False


async def unplug(served: Served) -> None:
    served.bench.pbx.states = {"carrier": TrunkState.UNREACHABLE}
    # A PBX that has just started has yet to look: it must say so twice.
    await served.bench.app.trunk_watch.look()
    await served.bench.app.trunk_watch.look()


async def fail(served: Served) -> None:
    served.bench.pbx.plots = [has_no_line]
    for number in FAILING:
        await served.bench.settled(await served.bench.issue(number))


@pytest.fixture(params=[disconnect, unplug, fail], ids=["PBX away", "trunk unreachable", "set aside"])
async def down(
    bench: Bench, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Served, str, str]]:
    """All doors of a daemon, of which no call can go out; an open verification and an enrolled person."""
    make: Callable[[Served], Awaitable[None]] = request.param
    async with serving(bench, tmp_path, doors=doors_beside_the_native(bench)) as served:
        open_one = (await served.create())["id"]
        await bench.settled(open_one)
        body = {"subscriber": "dave", "destination": "+12025550115", "is_activated": True}
        factor = (await served.http.post("/v1/factors", json=body)).json()["id"]
        await make(served)
        before = len(bench.pbx.legs)
        yield served, open_one, factor
        assert len(bench.pbx.legs) == before


async def test_every_door_says_it_within_a_second_and_calls_nobody(down: tuple[Served, str, str]) -> None:
    served, open_one, factor = down
    native = {
        "/v1/verifications": {"destination": OTHER},
        f"/v1/verifications/{open_one}/calls": {},
        "/v1/factors": {"subscriber": "erin", "destination": OTHER},
        f"/v1/factors/{factor}/challenges": {},
        "/v1/dry-run": {"destination": OTHER},
        "/hooks/providers/idp": {"To": OTHER, "Body": "4711"},
    }
    for path, body in native.items():
        async with within(1):
            response = await served.http.post(path, json=body)
        said = (response.status_code, response.json()["type"])
        assert said == (503, "urn:voicegate:problem:trunks_down"), path
    async with within(1):
        okta = await served.http.post("/api/v1/users/alice/factors", json=PHONE)
    assert (okta.status_code, okta.json()["errorCode"]) == (503, "E0000139")
    form = {"To": OTHER, "Channel": "call"}
    async with within(1):
        twilio = await served.http.post(f"/v2/Services/{BANK}/Verifications", data=form)
    assert told(twilio) == (503, 20503)
    async with within(1):
        hook = await answer(served, event())
    assert (hook["status"], hook["transactionMetadata"]) == ("FAILED", "trunks_down")


async def test_what_policy_refuses_is_said_by_every_door_within_a_second(
    bench: Bench, tmp_path: Path
) -> None:
    abroad = "+442079460101"
    async with serving(bench, tmp_path, doors=doors_beside_the_native(bench)) as served, within(5):
        native = await served.http.post("/v1/verifications", json={"destination": abroad})
        profile = PHONE | {"profile": {"phoneNumber": abroad}}
        okta = await served.http.post("/api/v1/users/alice/factors", json=profile)
        form = {"To": abroad, "Channel": "call"}
        twilio = await served.http.post(f"/v2/Services/{BANK}/Verifications", data=form)
        hook = await answer(served, event(phoneNumber=abroad))
        provider = await served.http.post("/hooks/providers/idp", json={"To": abroad, "Body": "4711"})
    refused = "urn:voicegate:problem:country_not_allowed"
    assert (native.status_code, native.json()["type"]) == (403, refused)
    assert (okta.status_code, okta.json()["errorCode"]) == (403, "E0000099")
    assert told(twilio) == (403, 60605)
    assert hook["transactionMetadata"] == "country_not_allowed"
    assert (provider.status_code, provider.json()["type"]) == (403, refused)
    assert bench.pbx.legs == []


async def test_calls_that_fail_to_one_number_only_refuse_nobody_elses(bench: Bench, tmp_path: Path) -> None:
    """Else somebody with a number that their carrier always refuses could keep everybody from signing in."""
    bench.pbx.plots = [has_no_line, has_no_line, has_no_line, has_no_line, answers]
    async with serving(bench, tmp_path) as served:
        for _ in range(4):
            await bench.settled(await bench.issue(FAILING[0]))
        assert bench.app.standings.set_aside_until("carrier") is not None
        created = await served.create(destination=OTHER)
        assert (await bench.settled(created["id"])).challenge.state == "delivered"


async def test_a_trunk_that_was_set_aside_is_tried_again_when_its_time_is_over(
    bench: Bench, tmp_path: Path
) -> None:
    async with serving(bench, tmp_path) as served:
        await fail(served)
        refused = await served.http.post("/v1/verifications", json={"destination": OTHER})
        assert refused.status_code == 503
        bench.pbx.plots = [answers]
        bench.clock.time += bench.rules.rests.first
        created = await served.create(destination=OTHER)
        assert (await bench.settled(created["id"])).challenge.state == "delivered"
        assert bench.app.standings.set_aside_until("carrier") is None
        assert (await served.create(destination="+12025550114"))["status"] == "delivering"


async def test_a_trunk_that_was_not_reached_at_the_first_look_alone_is_tried(
    bench: Bench, tmp_path: Path
) -> None:
    """A PBX that starts together with the daemon has not asked its trunks yet."""
    bench.pbx.states = {"carrier": TrunkState.UNREACHABLE}
    async with serving(bench, tmp_path) as served:
        await bench.app.trunk_watch.look()
        assert (await served.http.post("/v1/verifications", json={"destination": OTHER})).status_code == 202
        bench.pbx.states = {"carrier": TrunkState.AVAILABLE}
        await bench.app.trunk_watch.look()
        bench.pbx.states = {"carrier": TrunkState.UNREACHABLE}
        await bench.app.trunk_watch.look()
        other = await served.http.post("/v1/verifications", json={"destination": "+12025550114"})
        assert other.status_code == 202
