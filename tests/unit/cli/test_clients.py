"""`voicegate clients` and `voicegate audit`: keys given, shown once, ended; and who asked for what."""

import json

from tests.unit.adapters.http.serving import Served
from tests.unit.application.conftest import TESTER
from tests.unit.cli.conftest import Run
from voicegate.application.enrollment import EnrollRequest
from voicegate.cli.exits import Exit
from voicegate.domain.phone_number import Destination


async def test_a_key_is_all_that_adding_prints_and_it_opens_the_door(served: Served, voicegate: Run) -> None:
    added = await voicegate("clients", "add", "web", "--scope", "verifications", "--scope", "factors")
    assert added.exit_code == Exit.OK
    (key,) = added.stdout.splitlines()
    answer = await served.remote.get("/v1/calls", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    listed = await voicegate("clients", "list")
    assert "web" in listed.stdout
    assert "factors, verifications" in listed.stdout
    assert key not in listed.stdout


async def test_a_rotated_key_lives_on_for_its_grace_and_a_revoked_client_not_at_all(
    served: Served, voicegate: Run
) -> None:
    await voicegate("clients", "add", "web", "--scope", "hooks")
    rotated = await voicegate("clients", "rotate", "web", "--grace", "3600", "--json")
    assert json.loads(rotated.stdout)["key"].startswith("vgk_")
    assert " until 2026-01-01 " in (await voicegate("clients", "list")).stdout
    assert (await voicegate("clients", "revoke", "web")).stdout == "web: revoked\n"
    (listed,) = json.loads((await voicegate("clients", "list", "--json")).stdout)
    assert listed["revoked_at"] is not None
    assert "revoked 2026" in (await voicegate("clients", "list")).stdout


async def test_what_cannot_be_is_refused_in_one_line(voicegate: Run) -> None:
    await voicegate("clients", "add", "web", "--scope", "hooks")
    again = await voicegate("clients", "add", "web", "--scope", "hooks")
    assert again.exit_code == Exit.REFUSED
    assert again.stderr == "voicegate: A client of this name exists, or existed. (client_exists, 409)\n"
    unknown = await voicegate("clients", "rotate", "nobody")
    assert unknown.exit_code == Exit.REFUSED
    assert (await voicegate("clients", "add", "web")).exit_code == Exit.USAGE


async def test_the_audit_is_a_table_or_json_and_turns_its_pages(voicegate: Run) -> None:
    for name in ("one", "two"):
        await voicegate("clients", "add", name, "--scope", "hooks")
    table = (await voicegate("audit")).stdout.splitlines()
    assert [line.split()[4] for line in table[1:]] == ["client.add"] * 2
    newest, oldest = json.loads((await voicegate("audit", "--json")).stdout)
    assert (newest["subject"], oldest["subject"]) == ("two", "one")
    page = await voicegate("audit", "--before", str(newest["id"]), "--json")
    assert [entry["subject"] for entry in json.loads(page.stdout)] == ["one"]


async def test_what_others_named_gives_the_admins_terminal_no_orders(served: Served, voicegate: Run) -> None:
    destination = Destination.parse("+19002345678")
    await served.bench.enrollment.enroll(EnrollRequest(TESTER, "\x1b]0;owned\x07\x9b31m", destination))
    table = (await voicegate("audit")).stdout
    assert "]0;owned" in table
    assert not {"\x1b", "\x07", "\x9b"} & set(table)
