"""Two digits at the native door: told in the answer and spoken before the code, where a request asks so."""

from datetime import timedelta

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import Bench
from voicegate.domain.announcement import Digit, Prompt, PromptName

ENROLL = {"subscriber": "alice", "destination": NUMBER}
ASKED = {"matching_digits": True}


def spoken(bench: Bench) -> list[str | None]:
    """The digits that each call's invitation tells beside the key; None: none."""
    told = []
    for invitation, _ in bench.speech.said:
        digits = [part.value for part in invitation if isinstance(part, Digit) and not part.is_key]
        has_words = Prompt(PromptName.YOUR_SCREEN_SHOWS) in invitation
        assert has_words == bool(digits)
        assert not any(isinstance(part, Digit) and part.is_code for part in invitation)
        told.append("".join(digits) or None)
    return told


async def test_a_verification_tells_the_digits_that_all_its_calls_speak(served: Served) -> None:
    created = await served.create(**ASKED)
    digits = created["matching_digits"]
    assert len(set(digits)) == len(digits) == 2
    assert digits.isdecimal()
    seen = await served.settled(created["id"])
    assert seen["matching_digits"] == digits
    again = await served.http.post(f"/v1/verifications/{created['id']}/calls")
    assert again.status_code == 202, again.text
    assert (await served.settled(created["id"]))["matching_digits"] == digits
    assert spoken(served.bench) == [digits, digits]


async def test_they_are_no_code(served: Served) -> None:
    created = await served.create(passcode="9042", **ASKED)
    await served.settled(created["id"])
    path = f"/v1/verifications/{created['id']}/check"
    refused = await served.http.post(path, json={"passcode": created["matching_digits"]})
    assert refused.status_code == 422
    right = await served.http.post(path, json={"passcode": "9042"})
    assert right.json()["status"] == "verified"


async def test_there_are_none_unless_they_are_asked_for(served: Served) -> None:
    created = await served.create()
    factor = await served.factor(number="+12025550102")
    assert (await served.settled(created["id"]))["matching_digits"] is None
    assert (created["matching_digits"], factor["verification"]["matching_digits"]) == (None, None)
    assert spoken(served.bench) == [None, None]


async def test_a_request_with_the_same_idempotency_key_is_told_the_same(served: Served) -> None:
    body, key = {"destination": NUMBER, **ASKED}, {"Idempotency-Key": "one"}
    first, second = [await served.http.post("/v1/verifications", json=body, headers=key) for _ in range(2)]
    assert first.json()["matching_digits"] == second.json()["matching_digits"] is not None


async def test_a_factor_has_them_at_its_activation_and_at_each_sign_in(served: Served) -> None:
    factor = (await served.http.post("/v1/factors", json=ENROLL | ASKED)).json()
    path, code = f"/v1/factors/{factor['id']}", factor["verification"]
    await served.bench.settled(code["id"])
    again = (await served.http.post(f"{path}/calls")).json()
    await served.bench.settled(code["id"])
    assert again["matching_digits"] == code["matching_digits"] is not None
    await served.http.post(f"{path}/activate", json={"passcode": served.bench.code(code["id"])})
    served.bench.clock.time += timedelta(seconds=1)
    challenged = (await served.http.post(f"{path}/challenges", json=ASKED)).json()
    await served.bench.settled(challenged["id"])
    shown = (await served.http.get(path)).json()["verification"]
    assert (shown["id"], shown["matching_digits"]) == (challenged["id"], challenged["matching_digits"])
    assert spoken(served.bench) == [code["matching_digits"]] * 2 + [challenged["matching_digits"]]


@pytest.mark.parametrize("wrong", ["yes", 42, None])
async def test_they_are_asked_for_by_true_or_false(served: Served, wrong: object) -> None:
    response = await served.http.post(
        "/v1/verifications", json={"destination": NUMBER, "matching_digits": wrong}
    )
    assert (response.status_code, response.json()["field"]) == (422, "matching_digits")
