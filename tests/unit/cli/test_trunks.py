"""`voicegate trunks`: each command of its page, as an admin types it."""

import json
import shlex

from tests.pages import ROOT, blocks
from tests.unit.adapters.http.serving import Served
from tests.unit.cli.conftest import Run

PAGE = ROOT / "docs/operate/trunks.md"


def commands() -> list[list[str]]:
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines]


async def test_every_command_of_the_page_does_what_it_says(served: Served, voicegate: Run) -> None:
    said = []
    for words in commands():
        result = await voicegate(*words)
        assert result.exit_code == 0, result.output
        said.append(result.stdout)
    shown, as_json, figures, as_json_too, drained, resumed, audit = said
    assert "no calls" in shown
    assert "keys pressed" in figures
    assert json.loads(as_json_too)["window_s"] == 86400
    assert "available" in shown
    assert [trunk["name"] for trunk in json.loads(as_json)] == ["carrier"]
    assert "carrier works" in drained
    assert "carrier works" not in resumed
    assert "carrier works" in audit
    await served.create()


async def test_figures_are_shown_as_people_read_them(served: Served, voicegate: Run) -> None:
    created = await served.create()
    await served.bench.settled(created["id"])
    shown = (await voicegate("trunks", "show", "carrier")).stdout
    assert [line.split()[:3] for line in shown.splitlines()[1:]] == [
        ["all", "1", "100%"],
        ["US", "1", "100%"],
    ]
    assert "1 calls, 100% answered" in (await voicegate("trunks")).stdout
    assert (await voicegate("trunks", "show", "other")).exit_code == 4


async def test_a_drain_without_a_reason_is_wrong_usage(voicegate: Run) -> None:
    assert (await voicegate("trunks", "drain", "carrier")).exit_code == 2


async def test_an_unknown_trunk_is_refused(voicegate: Run) -> None:
    assert (await voicegate("trunks", "drain", "other", "--reason", "works")).exit_code == 4
