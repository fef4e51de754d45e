"""`voicegate factors`: a telephone's whole life on the command line."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from click.shell_completion import ShellComplete

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import SPACED
from tests.unit.application.scripted import ScriptedLeg, answers
from tests.unit.cli.conftest import Run, json_lines
from voicegate.cli.exits import Exit
from voicegate.cli.main import main
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.client import Scope


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


async def enroll(served: Served, voicegate: Run, *more: str) -> dict[str, Any]:
    """An enrolled factor whose call has ended, and whose subscriber may be called again."""
    result = await voicegate("factors", "enroll", "alice", NUMBER, "--watch", "--json", *more)
    assert result.exit_code == Exit.OK, result.output
    served.bench.clock.time += timedelta(seconds=30)
    return json_lines(result)[-1]


def code_of(served: Served, factor: dict[str, Any]) -> str:
    return served.bench.code(factor["verification"]["id"])


async def test_a_telephone_is_enrolled_activated_used_and_reset(served: Served, voicegate: Run) -> None:
    factor = await enroll(served, voicegate, "--extension", "4321")
    assert (factor["status"], factor["extension"]) == ("pending_activation", "4321")
    activated = await voicegate("factors", "activate", "alice", input=code_of(served, factor))
    assert (activated.exit_code, activated.stdout) == (Exit.OK, "verified\n")
    challenged = await voicegate("factors", "challenge", "alice", "--watch", "--json")
    signing_in = json_lines(challenged)[-1]
    assert signing_in["call"]["outcome"] == "delivered"
    verified = await voicegate("factors", "verify", "alice", "--json", input=code_of(served, signing_in))
    judged = json.loads(verified.stdout)
    assert (judged["status"], judged["reason"], judged["factor"]["id"]) == ("verified", None, factor["id"])
    shown = (await voicegate("factors", "show", "alice")).stdout
    assert f"{factor['id']}: active, {NUMBER} extension 4321, since " in shown
    assert "code: verified, until " in shown
    assert "last call: delivered, announced" in shown
    assert "last used: 20" in shown
    assert (await voicegate("factors", "reset", "alice")).stdout == f"{factor['id']}: reset\n"
    assert json.loads((await voicegate("factors", "list", "alice", "--json")).stdout) == []


async def test_a_watched_enrollment_shows_its_call_and_what_to_do_next(voicegate: Run) -> None:
    result = await voicegate("factors", "enroll", "alice", NUMBER, "--watch")
    assert result.exit_code == Exit.OK
    calling, *_, ended, end, next_step = result.stdout.splitlines()
    assert calling == "calling +1••••••••01"
    assert ended.endswith("ended")
    assert end.startswith("delivered: blame nobody, evidence announced")
    assert next_step.startswith("activate it with: voicegate factors activate alice fac_")


async def test_a_telephone_that_is_not_reached_exits_1_and_is_called_again(
    served: Served, voicegate: Run
) -> None:
    served.bench.pbx.plots = [busy, answers]
    result = await voicegate("factors", "enroll", "alice", NUMBER, "--watch")
    assert (result.exit_code, "busy: blame callee, evidence none" in result.stdout) == (Exit.NO, True)
    served.bench.challenge_service.policy = SPACED
    soon = await voicegate("factors", "call-again", "alice")
    assert soon.exit_code == Exit.REFUSED
    assert soon.stderr.endswith("(too_soon, 429)\n")
    served.bench.clock.time += timedelta(seconds=30)
    again = json_lines(await voicegate("factors", "call-again", "alice", "--watch", "--json"))
    assert {step["call_id"] for step in again[:-1]} == {again[-1]["call"]["id"]}
    assert again[-2]["outcome"] == "delivered"


async def test_a_wrong_code_is_denied_with_what_is_left(served: Served, voicegate: Run) -> None:
    await enroll(served, voicegate)
    denied = await voicegate("factors", "activate", "alice", input="not it\n")
    assert denied.exit_code == Exit.NO
    wrong = await voicegate("factors", "activate", "alice", input="0000000\n")
    assert wrong.stdout == "denied: wrong passcode; 4 guesses left\n"


async def test_who_has_no_telephone_is_told_how_to_get_one(voicegate: Run) -> None:
    result = await voicegate("factors", "show", "alice smith")
    assert result.exit_code == Exit.REFUSED
    assert result.stderr == (
        "voicegate: alice smith has no telephone yet; enroll one with: "
        "voicegate factors enroll 'alice smith' NUMBER\n"
    )
    assert (await voicegate("factors", "reset", "alice", "fac_1")).exit_code == Exit.REFUSED


async def test_an_admin_vouches_replaces_and_resets_all(served: Served, voicegate: Run) -> None:
    proven = await voicegate("factors", "enroll", "alice", NUMBER, "--proven")
    assert proven.stdout.endswith(": active\n")
    taken = await voicegate("factors", "enroll", "alice", "+12025550199")
    assert (taken.exit_code, "(already_enrolled, 409)" in taken.stderr) == (Exit.REFUSED, True)
    replaced = await voicegate("factors", "enroll", "alice", "+12025550199", "--replace")
    assert replaced.stdout.startswith("calling +1••••••••99\n")
    table = (await voicegate("factors", "list", "alice")).stdout.splitlines()
    assert (len(table), "+12025550199" in table[1]) == (2, True)
    assert "reset fac_" in (await voicegate("factors", "reset-all", "alice")).stdout
    assert (
        await voicegate("factors", "reset-all", "alice")
    ).stdout == "alice: reset nothing: there was none\n"


async def test_where_there_are_several_one_must_be_named(served: Served, voicegate: Run) -> None:
    await enroll(served, voicegate)
    headers = await served.key(Scope.FACTORS, name="other")
    body = {"subscriber": "alice", "destination": NUMBER}
    assert (await served.remote.post("/v1/factors", json=body, headers=headers)).status_code == 201
    result = await voicegate("factors", "show", "alice")
    assert result.exit_code == Exit.USAGE
    assert "alice has 2 telephones; name one of fac_" in result.stderr


async def test_a_code_that_is_not_out_was_taken_back_or_is_locked_is_told_as_that(
    served: Served, voicegate: Run
) -> None:
    factor = await enroll(served, voicegate)
    for _ in range(4):
        await voicegate("factors", "activate", "alice", input="0000000\n")
    again = f"call with another: voicegate factors call-again alice {factor['id']}\n"
    locked = await voicegate("factors", "activate", "alice", input="0000000\n")
    assert locked.stdout == f"denied: the code is locked by wrong guesses; {again}"
    served.bench.clock.time += timedelta(minutes=30)
    anew = json_lines(await voicegate("factors", "call-again", "alice", "--watch", "--json"))[-1]
    assert (await served.http.delete(f"/v1/verifications/{anew['verification']['id']}")).is_success
    canceled = await voicegate("factors", "activate", "alice", input="0000000\n")
    assert (canceled.exit_code, canceled.stdout) == (Exit.NO, f"denied: the code was taken back; {again}")
    as_json = json.loads((await voicegate("factors", "activate", "alice", "--json", input="1234\n")).stdout)
    assert (as_json["status"], as_json["reason"]) == ("denied", "canceled")


async def test_a_sign_in_that_nobody_was_called_for_is_told_as_that(served: Served, voicegate: Run) -> None:
    proven = json.loads((await voicegate("factors", "enroll", "bob", NUMBER, "--proven", "--json")).stdout)
    early = await voicegate("factors", "verify", "bob", input="471029\n")
    assert (early.exit_code, early.stdout) == (
        Exit.NO,
        f"denied: no code is out; call with another: voicegate factors challenge bob {proven['id']}\n",
    )


async def test_the_old_name_of_call_again_is_taken_and_tells_the_new_one(
    served: Served, voicegate: Run
) -> None:
    await enroll(served, voicegate)
    resent = await voicegate("factors", "resend", "alice")
    assert (resent.exit_code, "`call-again`" in resent.stderr) == (Exit.OK, True)
    assert "resend" not in (await voicegate("factors", "--help")).stdout


async def test_shells_complete_subscribers_and_their_factors(served: Served, voicegate: Run) -> None:
    factor = json.loads((await voicegate("factors", "enroll", "alice smith", NUMBER, "--json")).stdout)

    def complete(socket: str, line: list[str], incomplete: str) -> list[str]:
        shell = ShellComplete(main, {}, "voicegate", "_VOICEGATE_COMPLETE")
        return [item.value for item in shell.get_completions(["--socket", socket, *line], incomplete)]

    def all_of(*words: str) -> list[list[str]]:
        return [
            complete(place, ["factors", "show", *words[:-1]], words[-1])
            for place in (str(served.path), "/no")
        ]

    assert await asyncio.to_thread(all_of, "ali") == [["alice smith"], []]
    assert await asyncio.to_thread(all_of, "bo") == [[], []]
    assert await asyncio.to_thread(all_of, "alice smith", "fac_") == [[factor["id"]], []]
    assert await asyncio.to_thread(all_of, "bob", "fac_") == [[], []]
