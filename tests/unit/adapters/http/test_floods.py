"""Floods at one telephone through every door, and what one client's abuse does to the people of others."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.adapters.http.test_okta_hook import event
from tests.unit.adapters.http.twilio.serving import BANK, door_of
from tests.unit.application.conftest import SPACED, Bench
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.adapters.http.okta.door import okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies
from voicegate.adapters.http.okta_hook import PATH as HOOK
from voicegate.adapters.http.okta_hook import OktaHook, okta_hook_door
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.http.providers import Providers, provider_doors
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.client import Scope
from voicegate.lab.deadlines import within

EVERYTHING = (Scope.VERIFICATIONS, Scope.FACTORS, Scope.HOOKS)
SECOND = timedelta(seconds=1)


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    bench.challenge_service.policy = SPACED
    mapped = Mapped(number=("to",), code=("code",), code_pattern=re.compile("[0-9]+"))
    doors = [
        okta_door(OktaDependencies(bench.enrollment, bench.factors)),
        okta_hook_door(OktaHook(bench.sign_in, bench.clock, answer_within=timedelta(seconds=30))),
        *provider_doors(Providers(bench.sign_in, bench.clock, {"courier": mapped})),
        door_of(bench),
    ]
    async with serving(bench, tmp_path, doors=doors) as server:
        server.http.timeout = httpx.Timeout(60)
        yield server


@dataclass
class Backend:
    """A client that asks through every door."""

    served: Served
    headers: dict[str, str]

    async def post(self, path: str, **more: Any) -> httpx.Response:
        return await self.served.http.post(path, headers=self.headers, **more)

    async def native(self, one: int) -> httpx.Response:
        return await self.post("/v1/verifications", json={"destination": NUMBER, "extension": str(one)})

    async def enroll(self, one: int, extension: str | None = None) -> httpx.Response:
        profile = {"phoneNumber": NUMBER, "phoneExtension": extension}
        body = {"factorType": "call", "provider": "OKTA", "profile": profile}
        return await self.post(f"/api/v1/users/user{one}/factors", json=body)

    async def twilio(self, one: int) -> httpx.Response:
        form = {"To": NUMBER, "Channel": "call", "SendDigits": f"ww{one}"}
        key = self.headers["Authorization"].removeprefix("Bearer ")
        path = f"/v2/Services/{BANK}/Verifications"
        return await self.served.http.post(path, data=form, auth=("SK" + "0" * 32, key))

    async def hook(self, one: int) -> httpx.Response:
        return await self.post(HOOK, json=event(f"event-{one}", otpCode=f"{one:06}"))

    async def courier(self, one: int) -> httpx.Response:
        return await self.post("/hooks/providers/courier", json={"to": NUMBER, "code": f"{one:06}"})

    def doors(self) -> list[Callable[[int], Awaitable[httpx.Response]]]:
        return [self.native, self.enroll, self.twilio, self.hook, self.courier]


async def backend(served: Served, name: str) -> Backend:
    return Backend(served, await served.key(*EVERYTHING, name=name))


def told(response: httpx.Response) -> tuple[object, ...]:
    """An answer's status, its word for it, and when to ask again."""
    wait, body = response.headers.get("Retry-After"), response.json()
    if "commands" in body:
        (value,) = body["commands"][0]["value"]
        return response.status_code, value["status"], value["transactionMetadata"]
    word = body.get("errorCode") or body.get("code") or body.get("type", "").rpartition(":")[2]
    return response.status_code, word, wait


async def calls(served: Served) -> int:
    return len(await served.bench.store.recent_calls(1000))


async def end_all(served: Served) -> None:
    """Let every call in progress end."""
    store = served.bench.store
    for leg in served.bench.pbx.legs:
        await leg.hang_up()
    async with within(10):
        while await store.live_calls():
            await asyncio.sleep(0.01)


REFUSALS = {
    (409, "call_in_progress", "30"),
    (429, "E0000133", "30"),
    (429, 60212, "30"),
    (200, "FAILED", "call_in_progress"),
}


async def test_of_two_hundred_requests_at_once_through_all_doors_one_rings(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each is to be judged: how many of them a busy machine refuses unread is no matter here.
    monkeypatch.setattr(Load, "enter", lambda *_, **__: None)
    monkeypatch.setattr(Load, "leave", lambda *_, **__: None)
    served.bench.pbx.plots = [rings]
    clients = [await backend(served, name) for name in ("a", "b")]
    doors = [ask for client in clients for ask in client.doors()]
    given = await asyncio.gather(*(doors[one % len(doors)](one) for one in range(200)))
    assert await calls(served) == 1
    counted = Counter(told(answer) for answer in given)
    accepted = {answer for answer in counted if answer not in REFUSALS}
    assert sum(counted[answer] for answer in accepted) == 1, counted
    assert counted.keys() >= REFUSALS


async def test_a_client_that_asks_in_turns_waits_longer_and_longer(served: Served) -> None:
    """Made-up users, made-up extensions, canceled and new, through whichever door."""
    served.bench.pbx.plots = [busy]
    abuser, placed = await backend(served, "b"), list[float]()
    began = served.bench.clock.time
    while served.bench.clock.time < began + timedelta(minutes=20):
        for one, ask in enumerate(abuser.doors()):
            before = await calls(served)
            answer = await ask(len(placed) * 10 + one)
            if await calls(served) > before:
                placed.append((served.bench.clock.time - began) / SECOND)
                if (verification := answer.json().get("id", "")).startswith("ver_"):
                    path = f"/v1/verifications/{verification}"
                    await served.http.delete(path, headers=abuser.headers)
            await end_all(served)
        served.bench.clock.time += timedelta(seconds=30)
    gaps = [after - before for before, after in pairwise(placed)]
    assert gaps == [30, 60, 120, *[300] * (len(gaps) - 3)]


async def test_what_one_client_does_refuses_another_no_longer_than_its_call_lasts(served: Served) -> None:
    victim, abuser = await backend(served, "a"), await backend(served, "b")
    served.bench.pbx.plots = [answers, rings]
    enrolled = (await victim.enroll(1)).json()
    code_id = enrolled["_embedded"]["verification"]["id"]
    factor = f"/api/v1/users/user1/factors/{enrolled['id']}"
    code = served.bench.code(code_id)
    await served.bench.settled(code_id)
    assert (await victim.post(f"{factor}/lifecycle/activate", json={"passCode": code})).status_code == 200
    served.bench.clock.time += 30 * SECOND
    for ask in abuser.doors():
        for one in range(3):
            await ask(one)
            # Enrolled under the same name too, and guessed at.
            await abuser.enroll(1)
    # The abuser's call still rings.
    assert told(await victim.post(f"{factor}/verify")) == (429, "E0000133", "30")
    await end_all(served)
    for ask in abuser.doors():
        await ask(7)
    challenged = await victim.post(f"{factor}/verify")
    assert challenged.status_code == 200, challenged.text
    code = served.bench.code(challenged.json()["_embedded"]["verification"]["id"])
    assert (await victim.post(f"{factor}/verify", json={"passCode": code})).json()[
        "factorResult"
    ] == "SUCCESS"


async def test_guesses_at_one_clients_codes_refuse_nothing_to_another(served: Served) -> None:
    victim, abuser = await backend(served, "a"), await backend(served, "b")
    served.bench.pbx.plots = [busy]
    served.bench.challenge_service.policy = replace(SPACED, call_spacing=(timedelta(),))
    opened = (await victim.post("/v1/verifications", json={"destination": NUMBER})).json()["id"]
    await end_all(served)
    for _ in range(10):
        theirs = (await abuser.post("/v1/verifications", json={"destination": NUMBER})).json().get("id")
        await end_all(served)
        for _ in range(5 if theirs else 0):
            await abuser.post(f"/v1/verifications/{theirs}/check", json={"passcode": "0000"})
    refused = await abuser.post("/v1/verifications", json={"destination": NUMBER})
    assert told(refused)[:2] == (429, "too_many_guesses")
    right = {"passcode": served.bench.code(opened)}
    judged = await victim.post(f"/v1/verifications/{opened}/check", json=right)
    assert judged.json()["status"] == "verified"
    again = await victim.post("/v1/verifications", json={"destination": NUMBER})
    assert again.status_code == 202


async def test_thirty_enrolled_extensions_sign_in_at_once_beside_thirty_made_up_ones(served: Served) -> None:
    office, abuser = await backend(served, "office"), await backend(served, "b")
    people = range(100, 130)
    admin = {"phoneNumber": NUMBER}
    factors = {}
    for one in people:
        body = {"factorType": "call", "provider": "OKTA", "profile": admin | {"phoneExtension": f"w{one}"}}
        path = f"/api/v1/users/user{one}/factors?activate=true"
        factors[one] = (await served.http.post(path, json=body)).json()["id"]
    served.bench.pbx.plots = [rings]

    async def sign_in(one: int) -> httpx.Response:
        return await served.http.post(f"/api/v1/users/user{one}/factors/{factors[one]}/verify")

    made_up = [ask(500 + one) for one, ask in enumerate((abuser.doors() + office.doors()) * 3)]
    given = await asyncio.gather(*made_up, *(sign_in(one) for one in people))
    assert [answer.status_code for answer in given[len(made_up) :]] == [200] * 30
    assert await calls(served) == 31
    assert told(await sign_in(100)) == (429, "E0000133", "30")
    assert told(await office.native(100)) == (409, "call_in_progress", "30")


@pytest.mark.parametrize("spelled", ["204", "W204", "2w0w4", "204#"])
async def test_another_spelling_of_an_extension_is_the_same_telephone(served: Served, spelled: str) -> None:
    client = await backend(served, "a")
    served.bench.challenge_service.policy = replace(SPACED, calls_per_number=5, call_spacing=(timedelta(),))
    served.bench.pbx.plots = [rings]
    assert (await client.native(204)).status_code == 202
    assert (await client.native(205)).status_code == 202
    body = {"destination": NUMBER, "extension": spelled}
    assert told(await client.post("/v1/verifications", json=body)) == (409, "call_in_progress", "30")


async def test_a_couriers_message_that_comes_again_during_its_call_is_the_same_one(served: Served) -> None:
    client, other = await backend(served, "a"), await backend(served, "b")
    served.bench.pbx.plots = [rings]
    given = await asyncio.gather(*(client.courier(471029) for _ in range(10)))
    assert {answer.status_code for answer in given} == {200}
    assert len({answer.json()["id"] for answer in given}) == 1
    assert await calls(served) == 1
    assert told(await client.courier(471028)) == (409, "call_in_progress", "30")
    assert told(await other.courier(471029)) == (409, "call_in_progress", "30")
    await end_all(served)
    assert told(await client.courier(471029)) == (429, "too_soon", "30")


async def test_an_event_of_okta_that_comes_again_under_another_id_is_the_same_call(served: Served) -> None:
    client = await backend(served, "a")
    served.bench.pbx.plots = [rings]
    given = [await client.post(HOOK, json=event(name, otpCode="471029")) for name in ("e1", "e2")]
    ids = {answer.json()["commands"][0]["value"][0]["transactionId"] for answer in given}
    assert [told(answer)[1] for answer in given] == ["PENDING", "PENDING"]
    assert len(ids) == 1
    assert await calls(served) == 1
