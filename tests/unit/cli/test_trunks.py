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
    shown, as_json, drained, resumed, audit = said
    assert "available" in shown
    assert [trunk["name"] for trunk in json.loads(as_json)] == ["carrier"]
    assert "carrier works" in drained
    assert "carrier works" not in resumed
    assert "carrier works" in audit
    await served.create()


async def test_a_drain_without_a_reason_is_wrong_usage(voicegate: Run) -> None:
    assert (await voicegate("trunks", "drain", "carrier")).exit_code == 2


async def test_an_unknown_trunk_is_refused(voicegate: Run) -> None:
    assert (await voicegate("trunks", "drain", "other", "--reason", "works")).exit_code == 4
