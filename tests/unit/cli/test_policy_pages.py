"""The pages about toll fraud, regulation and caller ID: each of their examples is taken as it stands."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import run
from tests.unit.cli.test_policy import CONFIGURATION
from voicegate.bootstrap import rules
from voicegate.cli.exits import Exit
from voicegate.config import parse, project_folder

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
