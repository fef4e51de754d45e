"""The pages about toll fraud, regulation and caller ID: each of their examples is taken as it stands."""

import asyncio
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.http.serving import Served
from tests.unit.application.conftest import Bench
from tests.unit.application.test_reports import NINE, presses
from tests.unit.cli.conftest import Run, run
from tests.unit.cli.test_policy import CONFIGURATION
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import rules
from voicegate.cli.exits import Exit
from voicegate.config import parse, project_folder
from voicegate.domain.client import Principal, Scope
from voicegate.domain.phone_number import Destination

PAGES = Path(__file__).parents[3] / "docs/operate"
NAMES = ("toll-fraud", "regulation", "caller-id")
EXAMPLES = [
    pytest.param(block, id=f"{name}-{place}")
    for name in NAMES
    for place, block in enumerate(
        re.findall(r"```toml\n(.*?)```", (PAGES / f"{name}.md").read_text("utf-8"), re.DOTALL)
    )
]


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Settings, with those of an example in their places, table by table."""
    both = below.keys() & above.keys()
    inner = {
        key: merged(below[key], above[key])
        for key in both
        if isinstance(below[key], dict) and isinstance(above[key], dict) and "kind" not in above[key]
    }
    return below | above | inner


def test_each_page_has_examples() -> None:
    shown = {str(param.id).rpartition("-")[0] for param in EXAMPLES}
    assert shown == set(NAMES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_settings_is_taken_by_the_daemon(example: str) -> None:
    rates = str(project_folder("config") / "rates-example.csv")
    given = tomllib.loads(example.replace("/etc/voicegate/rates.csv", rates))
    made = rules(parse(merged(tomllib.loads(CONFIGURATION), given)))
    assert made.policy.allowed_countries
    if "spend" in given:
        assert made.policy.spend.rates.by_prefix
        assert made.policy.spend.caps


def test_the_page_about_regulation_shows_what_is_printed(tmp_path: Path, monkeypatch: Any) -> None:
    page = (PAGES / "regulation.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    command, line = page.partition("```console\n")[2].partition("```")[0].splitlines()
    wrong = CONFIGURATION.replace('[policy]\nallowed_countries = ["US"]\n', example)
    (tmp_path / "voicegate.toml").write_text(f"{wrong}\n[passcode]\nlength = 4\n")
    monkeypatch.chdir(tmp_path)
    result = run(*shlex.split(command)[2:])
    assert result.exit_code != Exit.OK
    assert line in result.output.splitlines()


WEB = Principal("web", frozenset({Scope.VERIFICATIONS}), "req_web")
WITHOUT_DAEMON = ("policy", "config")


def commands_of(name: str) -> list[list[str]]:
    """Every command of a page's examples, in the page's order, as a shell takes it."""
    text = (PAGES / f"{name}.md").read_text("utf-8")
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = (line.removeprefix("$ ") for block in blocks for line in block.splitlines())
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("voicegate ")]


async def report(bench: Bench, number: str) -> None:
    """Have a person press 9 on a call that the client `web` asked for."""
    bench.pbx.plots, bench.speech.can_say_reports = [presses(NINE)], True
    issued = await bench.sign_in.issue(IssueRequest(WEB, ChallengeSpec(Destination(number))))
    assert isinstance(issued, Issued)
    await bench.settled(issued.record.challenge.id)


async def test_every_command_of_the_page_about_toll_fraud_does_what_it_says(
    voicegate: Run, served: Served, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(PAGES.parents[1])
    file = tmp_path / "voicegate.toml"
    settings = (PAGES / "toll-fraud.md").read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    file.write_text(CONFIGURATION.replace('[policy]\nallowed_countries = ["US"]\n', settings))
    await report(served.bench, "+12025550143")
    commands = commands_of("toll-fraud")
    assert len(commands) >= 16
    for words in commands:
        if words[0] in WITHOUT_DAEMON:
            result = await asyncio.to_thread(run, "--config", str(file), *words)
        else:
            result = await voicegate(*words)
        wanted = Exit.NO if shlex.join(words).startswith("policy explain") else Exit.OK
        assert result.exit_code == wanted, (words, result.output)
        if words[:2] == ["numbers", "list"]:
            # Each list is shown while something is on it.
            assert "•" in result.output, words
    left = await served.bench.app.numbers.all()
    assert [str(one.list) for one in left] == ["trusted"]


def test_the_pages_have_no_other_commands() -> None:
    assert [words[:2] for words in commands_of("regulation")] == [["config", "check"]]
    assert commands_of("caller-id") == []
