"""`voicegate call` and `voicegate check`: from the number to the verified code."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import UNHURRIED
from tests.unit.application.scripted import ScriptedLeg
from tests.unit.cli.conftest import Run, json_lines
from voicegate.client import Client, Step
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.policy import VelocityPolicy


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


async def congested(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(34, 503))


async def test_a_call_is_placed_and_tells_how_to_check_its_code(voicegate: Run) -> None:
    result = await voicegate("call", NUMBER)
    assert result.exit_code == 0
    assert result.stdout.startswith("calling +1••••••••01\ncheck the code with: voicegate check ver_")


async def test_a_call_may_be_asked_for_a_person_at_an_address(served: Served, voicegate: Run) -> None:
    velocity = VelocityPolicy(per_end_user_ip=1)
    served.bench.challenge_service.policy = replace(UNHURRIED, velocity=velocity)
    address = ("--end-user-ip", "198.51.100.7")
    results = [await voicegate("call", f"+1202555019{n}", *address) for n in range(2)]
    assert [result.exit_code for result in results] == [0, 4]
    assert (await voicegate("factors", "enroll", "bob", "+12025550180", *address)).exit_code == 4


async def test_a_watched_call_shows_each_step_and_how_it_ended(voicegate: Run) -> None:
    result = await voicegate("call", NUMBER, "--extension", "204", "--watch")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split(" s  ")[1] for line in lines if " s  " in line] == [
        "queued",
        "originating",
        "ringing",
        "answered",
        "sending_extension",
        "awaiting_human",
        "announcing 1",
        "announcing 2",
        "ended",
    ]
    assert lines[-2] == (
        "delivered: blame nobody, evidence announced, hangup cause 16, our reason finished, trunk carrier,"
        " caller ID +12025550100"
    )
    assert lines[-1].startswith("check the code with: voicegate check ver_")


async def test_a_watched_call_that_fails_exits_1(served: Served, voicegate: Run) -> None:
    served.bench.pbx.plots = [busy]
    result = await voicegate("call", NUMBER, "--watch")
    assert result.exit_code == 1
    assert "busy: blame callee, evidence none, hangup cause 17, SIP 486" in result.stdout


async def test_a_watched_call_in_json_is_a_line_a_step_and_the_verification(voicegate: Run) -> None:
    result = await voicegate("call", NUMBER, "--watch", "--json")
    *steps, verification = json_lines(result)
    assert [step["event"] for step in steps][:4] == ["queued", "originated", "rang", "answered"]
    assert steps[-1]["state"] == "ended"
    assert {step["call_id"] for step in steps} == {verification["call"]["id"]}
    assert (verification["status"], result.exit_code) == ("delivered", 0)


async def test_an_own_code_is_read_from_standard_input(voicegate: Run) -> None:
    placed = await voicegate("call", NUMBER, "--passcode-stdin", "--json", input="4711\n")
    verification_id = json.loads(placed.stdout)["id"]
    result = await voicegate("check", verification_id, input="4711\n")
    assert (result.exit_code, result.stdout) == (0, "verified\n")


async def test_a_wrong_code_is_denied_with_the_attempts_left(voicegate: Run) -> None:
    placed = await voicegate("call", NUMBER, "--passcode-stdin", "--json", input="4711\n")
    verification_id = json.loads(placed.stdout)["id"]
    result = await voicegate("check", verification_id, input="4712\n")
    assert (result.exit_code, result.stdout) == (1, "denied: wrong passcode; 4 guesses left\n")
    as_json = await voicegate("check", verification_id, "--json", input="4712\n")
    assert json.loads(as_json.stdout) == {
        "status": "denied",
        "attempts_left": 3,
        "reason": "wrong_passcode",
        "retry_after_s": None,
    }


async def test_a_code_on_the_command_line_is_refused(voicegate: Run) -> None:
    assert (await voicegate("check", "ver_1", "4711")).exit_code == 2


async def test_a_code_is_asked_for_on_a_terminal_and_not_shown(
    voicegate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await voicegate("call", NUMBER, "--passcode-stdin", "--json", input="4711\n")
    asked: list[bool] = []

    def prompt(_: str, *, hide_input: bool) -> str:
        asked.append(hide_input)
        return "4711"

    monkeypatch.setattr("voicegate.cli.check.is_terminal", lambda: True)
    monkeypatch.setattr("voicegate.cli.check.click.prompt", prompt)
    result = await voicegate("check", json.loads(placed.stdout)["id"])
    assert (result.stdout, asked) == ("verified\n", [True])


async def test_a_refusal_is_one_line_and_exit_code_4(voicegate: Run) -> None:
    result = await voicegate("call", "+442079460123")
    assert result.exit_code == 4
    assert result.stderr == (
        "voicegate: Calls to this country are not allowed. The setting `policy.allowed_countries` "
        "lists those that may. (country_not_allowed, 403)\n"
    )


async def test_an_unknown_verification_is_refused(voicegate: Run) -> None:
    result = await voicegate("check", "nobody", input="4711\n")
    assert result.exit_code == 4
    assert result.stderr == "voicegate: there is no verification 'nobody' (not_found, 404)\n"


async def test_an_unknown_call_is_refused_by_its_id(voicegate: Run) -> None:
    result = await voicegate("calls", "show", "call_1")
    assert result.exit_code == 4
    assert result.stderr == "voicegate: there is no call 'call_1' (not_found, 404)\n"


async def test_calls_are_listed_and_shown(served: Served, voicegate: Run) -> None:
    created = await served.create()
    await served.bench.settled(created["id"])
    listed = await voicegate("calls", "list")
    heading, row = listed.stdout.splitlines()
    assert heading.split() == ["when", "call", "destination", "trunk", "outcome", "evidence"]
    assert created["call"]["id"] in row
    assert row.split()[-3:] == ["carrier", "delivered", "announced"]
    assert [call["id"] for call in json.loads((await voicegate("calls", "list", "--json")).stdout)] == [
        created["call"]["id"]
    ]
    shown = await voicegate("calls", "show", created["call"]["id"])
    assert "announcing 2" in shown.stdout
    as_json = json.loads((await voicegate("calls", "show", created["call"]["id"], "--json")).stdout)
    assert as_json["timeline"][0]["event"] == "queued"


async def test_calls_of_another_day_are_left_out(served: Served, voicegate: Run) -> None:
    await served.create()
    assert json.loads((await voicegate("calls", "list", "--before", "2025-06-01", "--json")).stdout) == []


async def test_trunks_are_listed_with_their_state(served: Served, voicegate: Run) -> None:
    assert "available" in (await voicegate("trunks")).stdout
    served.bench.pbx.is_connected = False
    assert "main (not connected: see the daemon's log)" in (await voicegate("trunks")).stdout
    assert json.loads((await voicegate("trunks", "--json")).stdout)[0]["name"] == "carrier"


async def test_a_daemon_that_breaks_is_exit_code_6(served: Served, voicegate: Run) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError

    served.bench.pbx.trunk_states = fail  # type: ignore[method-assign, assignment]
    result = await voicegate("trunks")
    assert (result.exit_code, "internal_error, 500" in result.stderr) == (6, True)


async def test_who_stops_watching_learns_that_the_call_goes_on(
    voicegate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> Iterator[Step]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "watch", interrupt)
    result = await voicegate("call", NUMBER, "--watch")
    assert result.exit_code == 1
    assert result.stderr.startswith("voicegate: the call goes on; check the code with: voicegate check ver_")


async def test_a_code_is_checked_as_it_is_typed_and_one_that_is_none_costs_nothing(
    served: Served, voicegate: Run
) -> None:
    placed = (await voicegate("call", "tel:+1\u00a0202\u2011555\u20110101 x204", "--json")).stdout
    verification_id = json.loads(placed)["id"]
    await served.bench.settled(verification_id)
    for none in ("", "12", "hello"):
        result = await voicegate("check", verification_id, input=f"{none}\n")
        assert (result.exit_code, result.stdout) == (
            1,
            "denied: a code has 4 to 10 digits; it did not count as a guess\n",
        )
    code = served.bench.code(verification_id)
    result = await voicegate("check", verification_id, input=f" {code[:3]} {code[3:]} \n")
    assert (result.exit_code, result.stdout) == (0, "verified\n")
