"""`voicegate calls` and `voicegate audit`: found by what an admin knows of a call, its number above all."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.unit.adapters.http.serving import Served
from tests.unit.application.scripted import answers
from tests.unit.cli.conftest import Run
from voicegate.cli.printing import describe_end
from voicegate.client.models import Call
from voicegate.domain.errors import PbxError

OTHER = "+12125550198"
IRISH = "+353871234567"


@pytest.fixture
async def placed(served: Served) -> Served:
    """A delivered call, one that no PBX took, and one that was refused."""
    served.bench.pbx.plots = [answers, PbxError("gone")]
    for number in ("+12025550101", OTHER):
        served.bench.clock.time += timedelta(seconds=1)
        created = await served.create(destination=number, reference=f"order {number[-2:]}")
        await served.settled(created["id"])
    refused = await served.http.post(
        "/v1/verifications", json={"destination": IRISH, "reference": "order 67"}
    )
    assert refused.status_code == 403
    return served


@pytest.fixture
async def enrolled(placed: Served) -> Served:
    """A telephone of a subscriber's, called for its activation, beside those."""
    placed.bench.pbx.plots = [answers]
    body = {"subscriber": "alice", "destination": "+12025550123"}
    factor = (await placed.http.post("/v1/factors", json=body)).json()
    await placed.settled(factor["verification"]["id"])
    return placed


async def found(voicegate: Run, *words: str) -> list[dict[str, Any]]:
    result = await voicegate(*words, "--json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ((), ["98", "01"]),
        (("--number", OTHER), ["98"]),
        (("--number", "+1 (212) 555-0198"), ["98"]),
        (("--number", "+12125550199"), []),
        (("--outcome", "delivered"), ["01"]),
        (("--trunk", "carrier"), ["98", "01"]),
        (("--trunk", "other"), []),
        (("--client", "nobody"), []),
        (("--reference", "order 98"), ["98"]),
        (("--reference", "order 67"), []),
        (("--subscriber", "alice"), []),
        (("--after", "2025-12-01", "--before", "2026-02-01"), ["98", "01"]),
        (("--before", "2025-12-01"), []),
    ],
)
async def test_calls_are_found_by_what_is_known_of_them(
    placed: Served, voicegate: Run, words: tuple[str, ...], ends: list[str]
) -> None:
    calls = await found(voicegate, "calls", "list", *words)
    assert [call["destination"][-2:] for call in calls] == ends
    assert not any(OTHER in str(call) for call in calls)


@pytest.mark.parametrize(
    ("words", "decisions"),
    [
        (("--number", IRISH), ["country_not_allowed"]),
        (("--number", "+353 87 123 4567"), ["country_not_allowed"]),
        (("--number", OTHER), ["allowed"]),
        (("--number", "+353871234568"), []),
        (("--decision", "country_not_allowed"), ["country_not_allowed"]),
        (
            ("--action", "verification.create", "--client", "root"),
            ["country_not_allowed", "allowed", "allowed"],
        ),
        (("--client", "nobody"), []),
        (("--reference", "order 67"), ["country_not_allowed"]),
        (("--reference", "order 98", "--trunk", "carrier"), ["allowed"]),
        (("--trunk", "other"), []),
        (("--subscriber", "alice"), []),
        (("--since", "2025-12-01", "--until", "2026-02-01"), ["country_not_allowed", "allowed", "allowed"]),
        (("--since", "2026-02-01"), []),
    ],
)
async def test_what_was_asked_about_a_number_is_found_though_it_is_kept_nowhere(
    placed: Served, voicegate: Run, words: tuple[str, ...], decisions: list[str]
) -> None:
    entries = await found(voicegate, "audit", *words)
    assert [entry["decision"] for entry in entries] == decisions
    assert IRISH not in str(entries)


async def test_a_subscribers_calls_and_requests_are_found(enrolled: Served, voicegate: Run) -> None:
    calls = await found(voicegate, "calls", "list", "--subscriber", "alice")
    assert [call["destination"][-2:] for call in calls] == ["23"]
    (entry,) = await found(voicegate, "audit", "--subscriber", "alice")
    assert (entry["action"], entry["trunk"]) == ("factor.enroll", "carrier")
    (same,) = await found(voicegate, "audit", "--subject", entry["subject"])
    assert same == entry
    drained = await voicegate("trunks", "drain", "carrier", "--reason", "work on the line")
    assert drained.exit_code == 0, drained.output
    newest = (await found(voicegate, "audit", "--trunk", "carrier"))[0]
    assert (newest["action"], newest["reason"]) == ("trunk.drain", "work on the line")
    await enrolled.http.post("/v1/trunks/carrier/resume", json={})


@pytest.mark.parametrize(
    "words", [("calls", "list", "--before", "0001-01-01"), ("audit", "--since", "9999-12-31")]
)
async def test_a_moment_at_either_end_of_time_is_no_fault(
    placed: Served, voicegate: Run, words: tuple[str, ...]
) -> None:
    result = await voicegate(*words)
    assert result.exit_code in (0, 2)
    assert "Traceback" not in result.output
    for query in ("before=0001-01-01T00:00:00%2B14:00", "after=9999-12-31T23:59:59-12:00"):
        assert (await placed.http.get(f"/v1/calls?{query}")).json()["calls"] == []


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/audit"])
async def test_a_number_whose_plus_became_a_blank_is_found_and_what_is_none_is_told(
    placed: Served, path: str
) -> None:
    answer = (await placed.http.get(f"{path}?number=+12125550198")).json()
    assert len(answer["calls" if path == "/v1/calls" else "entries"]) == 1
    refused = await placed.http.get(f"{path}?number=%2B1")
    assert (refused.status_code, refused.json()["field"]) == (422, "number")


async def test_a_call_is_shown_with_who_is_to_blame_what_was_counted_and_the_digit_pressed(
    placed: Served, voicegate: Run
) -> None:
    delivered, failed = reversed(await found(voicegate, "calls", "list"))
    shown = (await voicegate("calls", "show", delivered["id"])).stdout
    assert "line: SIP Call-ID a1@pbx, codec ulaw" in shown
    assert "blame nobody" in shown
    assert "2 readings proven, RTP packets 100 received, 100 sent, no RTCP received" in shown
    pressed = next(
        step["digit"]
        for step in (await placed.http.get(f"/v1/calls/{delivered['id']}")).json()["timeline"]
        if "digit" in step
    )
    assert f"DTMF digits {pressed}" in shown
    assert "blame us" in (await voicegate("calls", "show", failed["id"])).stdout


def test_no_cause_is_no_cause() -> None:
    call = {
        "id": "call_1",
        "verification_id": "ver_1",
        "destination": "+1••••••••01",
        "state": "ended",
        "evidence": {"strongest": "none"},
        "trunk": "carrier",
        "caller_id": "+12025550100",
        "created_at": "2026-01-01T00:00:00Z",
        "outcome": "no_answer",
        "blame": "callee",
        "hangup_cause": 0,
    }
    shown = describe_end(msgspec.convert(call, Call))
    assert shown == "no_answer: blame callee, evidence none, trunk carrier, caller ID +12025550100"


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("words", [("calls", "list"), ("audit",)])
async def test_who_searches_for_a_number_without_its_plus_is_told(
    voicegate: Run, words: tuple[str, ...]
) -> None:
    assert "plus sign" in (await voicegate(*words, "--number", OTHER[2:])).output
    for number in (OTHER, "+12125550199", "4001"):
        assert "plus sign" not in (await voicegate(*words, "--number", number)).output
