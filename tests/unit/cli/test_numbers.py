"""`voicegate numbers`, and what `policy explain` says of a number on a list."""

import asyncio
import json
from pathlib import Path

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.cli.conftest import Run, run

REASON = ("--reason", "complaint 7")


async def test_a_number_is_blocked_listed_and_removed(voicegate: Run) -> None:
    assert (await voicegate("numbers", "block", NUMBER, *REASON)).stdout == "+1••••••••01: blocked\n"
    listed = await voicegate("numbers", "list", "--number", NUMBER, "--json")
    assert json.loads(listed.stdout)[0]["reason"] == "complaint 7"
    assert "complaint 7" in (await voicegate("numbers", "list")).stdout
    assert (await voicegate("call", NUMBER)).exit_code == 4
    audited = await voicegate("audit", "--number", NUMBER, "--action", "number.blocked", "--json")
    assert json.loads(audited.stdout)[0]["reason"] == "complaint 7"
    assert (await voicegate("numbers", "remove", NUMBER, "blocked", *REASON)).exit_code == 0
    assert (await voicegate("call", NUMBER)).exit_code == 0


async def test_trust_needs_a_reason_and_a_time(voicegate: Run) -> None:
    assert (await voicegate("numbers", "trust", NUMBER, *REASON)).exit_code == 2
    assert (await voicegate("numbers", "trust", NUMBER, "--days", "30")).exit_code == 2
    trusted = await voicegate("numbers", "trust", NUMBER, *REASON, "--days", "30")
    assert trusted.stdout.startswith("+1••••••••01: trusted until ")


async def test_explain_names_the_list_that_refuses(served: Served, voicegate: Run, tmp_path: Path) -> None:
    await voicegate("numbers", "do-not-call", NUMBER, *REASON)
    settings = tmp_path / "voicegate.toml"
    settings.write_text(
        '[policy]\nallowed_countries = ["US"]\n[pbx.main]\nkind = "simulator"\n[trunks.carrier]\n'
        'pbx = "main"\nendpoint = "carrier"\ncaller_ids = [{ number = "+12025550100" }]\n',
        encoding="utf-8",
    )
    command = ("--config", str(settings), "--socket", str(served.path), "policy", "explain", NUMBER)
    explained = await asyncio.to_thread(run, *command)
    assert explained.exit_code == 1, explained.output
    assert "+12025550101: do_not_call by numbers do_not_call" in explained.stdout
    assert "complaint 7" in explained.stdout
    alone = await asyncio.to_thread(run, "--config", str(settings), "policy", "explain", NUMBER)
    assert alone.exit_code == 0
    assert "lists of numbers were not asked" in alone.output
