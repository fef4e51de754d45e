"""`voicegate limits` and `voicegate spend`: what is in force, how much is used, and when it is free again."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import SPACED, UNHURRIED
from tests.unit.application.scripted import answers
from tests.unit.cli.conftest import Run
from voicegate.domain.policy import CallPolicy, SpendPolicy, VelocityPolicy
from voicegate.domain.policy.limits import limits_of
from voicegate.domain.policy.spend import Cap, Rate, Rates, SpendKind

RATES = Rates({("*", "+1"): Rate(100_000)})
CAPS = {SpendKind.CLIENT: Cap(minutes=100), SpendKind.TRUNK: Cap(micros=400_000)}


@pytest.fixture
async def used(served: Served) -> Served:
    """A telephone that was called once for alice, with a wrong guess, and may not be called again."""
    service = served.bench.challenge_service
    velocity = VelocityPolicy(per_subscriber=1, per_prefix=7)
    spend = SpendPolicy(RATES, CAPS)
    service.policy = replace(SPACED, velocity=velocity, spend=spend, call_lock_after=1)
    served.bench.pbx.plots = [answers]
    factor = await served.factor()
    code = served.bench.code(factor["verification"]["id"])
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    await served.http.post(f"/v1/factors/{factor['id']}/activate", json={"passcode": wrong})
    return served


async def look(voicegate: Run, *words: str) -> dict[str, Any]:
    result = await voicegate("limits", *words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def of(found: dict[str, Any], rule: str) -> dict[str, Any]:
    (limit,) = (one for one in found["limits"] if one["rule"] == rule)
    return dict(limit)


async def test_every_limit_is_shown_with_its_setting_value_and_what_it_counts_by(
    used: Served, voicegate: Run
) -> None:
    found = await look(voicegate)
    assert {"policy.calls_per_country", "policy.sequential_numbers", "call.max_queued"} <= {
        one["rule"] for one in found["limits"]
    }
    prefix = of(found, "policy.calls_per_prefix")
    assert (prefix["value"], prefix["unit"], prefix["counted_by"]) == (7, "calls", "client and prefix")
    assert (prefix["window_s"], prefix["counter"], prefix["is_reached"]) == (3600, None, False)
    spacing = [wait.total_seconds() for wait in SPACED.call_spacing]
    assert of(found, "policy.call_spacing_s")["value"] == spacing
    assert of(found, "trunks.carrier.max_calls")["counted_by"] == "trunk"
    assert found["refused"] is None


async def test_a_numbers_and_a_subscribers_use_is_what_refuses_them(used: Served, voicegate: Run) -> None:
    found = await look(voicegate, "--number", NUMBER, "--subscriber", "alice")
    own = of(found, "policy.calls_per_subscriber")
    assert (own["counter"], own["used"], own["is_reached"]) == ("alice", 1, True)
    prefix = of(found, "policy.calls_per_prefix")
    assert (prefix["counter"], prefix["used"], prefix["free_at"]) == ("+1202555", 1, None)
    locked = of(found, "policy.call_lock_after")
    assert (locked["used"], locked["is_reached"]) == (1, True)
    guesses = of(found, "policy.guesses_per_subscriber")
    assert guesses["used"] == 5, "one was wrong, four can still be made"
    failures = of(found, "100 wrong guesses in a row")
    assert (failures["counter"], failures["used"], failures["is_reached"]) == ("alice", 1, False)
    assert of(found, "one call in progress")["used"] == 0
    assert NUMBER not in json.dumps(found)
    # What is shown is what the door answers, to the second.
    refused = await used.http.post("/v1/dry-run", json={"destination": NUMBER})
    assert refused.json()["type"].endswith(found["refused"]["reason"])
    assert found["refused"]["rule"] == "policy.call_lock_after"
    left = datetime.fromisoformat(found["refused"]["retry_at"]) - datetime.fromisoformat(found["at"])
    assert left == timedelta(seconds=refused.json()["retry_after_s"])
    assert locked["free_at"] == found["refused"]["retry_at"]


async def test_a_number_that_was_not_called_is_free(used: Served, voicegate: Run) -> None:
    found = await look(voicegate, "--number", "+12125550177", "--client", "another")
    assert found["refused"] is None
    numbers = [one for one in found["limits"] if one["rule"].startswith("policy.")]
    assert not [one for one in numbers if one["is_reached"]]
    shown = (await voicegate("limits", "--number", "+12125550177")).output
    assert "a call now: allowed" in shown
    denied = (await voicegate("limits", "--number", "+353871234567")).output
    assert "country_not_allowed by policy.allowed_countries" in denied


async def test_what_was_spent_today_is_shown_beside_the_caps(used: Served, voicegate: Run) -> None:
    spent = json.loads((await voicegate("spend", "--json")).stdout)
    by = {one["counted_by"]: one for one in spent}
    assert set(by) == {"trunk", "country", "prefix", "client", "subscriber"}
    assert (by["trunk"]["counter"], by["trunk"]["money"], by["trunk"]["money_cap"]) == ("carrier", 0.1, 0.4)
    assert (by["client"]["minutes"], by["client"]["minutes_cap"]) == (1, 100)
    assert "carrier" in (await voicegate("spend")).output
    found = await look(voicegate, "--number", "+12125550177")
    trunk = of(found, "spend.money_per_trunk")
    assert (trunk["counter"], trunk["used"], trunk["value"]) == ("carrier", 0.1, 0.4)
    # The next call could pass the cap by its worst case, and so is refused by it.
    assert trunk["is_reached"] == (found["refused"] is not None)


async def test_another_call_is_decided_about_refused_by_its_price_and_placed(
    used: Served, voicegate: Run
) -> None:
    service = used.bench.challenge_service
    service.policy = replace(UNHURRIED, spend=SpendPolicy(RATES))
    used.bench.pbx.plots = [answers] * 3
    created = await used.create(destination="+12125550177")
    await used.settled(created["id"])
    for words in (("call-again", created["id"]), ("factors", "call-again", "alice")):
        decided = await voicegate(*words, "--dry-run")
        assert (decided.exit_code, "would be called" in decided.output) == (0, True), decided.output
        dear = await voicegate(*words, "--max-price", "0.001")
        assert (dear.exit_code != 0, "price" in dear.output) == (True, True), dear.output
        placed = await voicegate(*words, "--max-price", "1", "--ttl", "60")
        assert placed.output.startswith("calling"), placed.output
        assert len(await found_calls(voicegate, is_alices=words[-1] == "alice")) == 2


async def found_calls(voicegate: Run, *, is_alices: bool) -> list[object]:
    only = ("--subscriber", "alice") if is_alices else ("--number", "+12125550177")
    return list(json.loads((await voicegate("calls", "list", *only, "--json")).stdout))


@pytest.mark.parametrize("query", ["number=%2B1", "end_user_ip=nowhere", "color=red"])
async def test_a_question_that_cannot_be_read_is_refused(served: Served, query: str) -> None:
    assert (await served.http.get(f"/v1/limits?{query}")).status_code == 422


def test_a_limit_that_allows_any_number_is_not_in_force() -> None:
    unlimited = VelocityPolicy(per_prefix=0, sequential_numbers=0)
    rules = {limit.rule for limit in limits_of(CallPolicy(velocity=unlimited, call_lock_after=0))}
    assert not rules & {"policy.calls_per_prefix", "policy.sequential_numbers", "policy.call_lock_after"}
    assert "policy.calls_per_country" in rules
