"""What the pages name is there: links, commands, targets, settings, files; and the written ones are fresh."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from docs import generate
from tests.pages import PAGES, ROOT, anchors, blocks, links, spans
from voicegate import DISTRIBUTION, __version__, config
from voicegate.adapters.pbx.simulator.pbx import Behaviour
from voicegate.cli.main import main as command_line
from voicegate.config import Settings
from voicegate.domain.webhook import EventType

MAKEFILE: Final = (ROOT / "Makefile").read_text("utf-8")
# A path of the checkout: a known folder, then names without placeholders.
FILE: Final = re.compile(r"(?:voicegate|tests|docs|config|dialplan|sounds|docker)/[\w./-]*[\w/]")
# What a command makes, and no checkout comes with.
MADE: Final = ("docs/_build",)
# CHANGELOG tells of what was.
PRESENT: Final = tuple(page for page in PAGES if page.name not in ("CHANGELOG.md", "changelog.md"))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path, program: str) -> Iterator[str]:
    """Every command line of a program, in a page's fences and sentences."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for line in [*lines, *spans(page)]:
        command = re.sub(r"^(runuser -u \w+ -- |/opt/voicegate/bin/)", "", line.strip())
        if command.startswith(f"{program} "):
            yield command


def test_the_readme_is_a_page_and_no_book() -> None:
    assert (ROOT / "README.md").stat().st_size <= 8000


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_command_is_one(page: Path) -> None:
    for line in commands(page, "voicegate"):
        words = shlex.split(line, comments=True)[1:]
        parse(words, line)
    for line in commands(page, "make"):
        target = shlex.split(line, comments=True)[1]
        assert re.search(rf"^{re.escape(target)}:", MAKEFILE, re.MULTILINE) or target.isupper(), line


def parse(words: list[str], line: str) -> None:
    """Walk down to the command, and have it know every option; placeholders are in capitals."""
    command: click.Command = command_line
    context = click.Context(command, info_name="voicegate")
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, line
        elif isinstance(command, click.Group) and not word.isupper() and re.fullmatch(r"[a-z-]+", word):
            following = command.get_command(context, word)
            assert following is not None, line
            command = following
            context = click.Context(command, info_name=word, parent=context)
            known |= {option for parameter in command.get_params(context) for option in parameter.opts}


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_setting_is_one(page: Path) -> None:
    sections = Settings.__annotations__
    for span in spans(page):
        found = re.fullmatch(r"([a-z_]+)\.([a-z0-9_]+)(?: = .*)?", span)
        if span in set(EventType):
            continue  # an event of webhooks, such as `call.rang`, and no setting of `[call]`
        if found and found[1] in sections and hasattr(sections[found[1]], "__struct_fields__"):
            assert found[2] in sections[found[1]].__struct_fields__, span


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_toml_is_a_piece_of_settings(page: Path) -> None:
    for block in blocks(page, "toml"):
        config.parse(tomllib.loads(block))


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_file_is_there(page: Path) -> None:
    for span in spans(page):
        if FILE.fullmatch(span) and not any(part.isupper() for part in span.split("/")):
            assert span in MADE or (ROOT / span).exists(), span


def hops() -> Iterator[tuple[Path, str]]:
    """Yield every file of the walks with each name that is said to be in it."""
    for row in re.findall(
        r"^\| \d+ \| (.+?) \|", (ROOT / "docs/architecture.md").read_text("utf-8"), re.MULTILINE
    ):
        files: list[Path] = []
        has_names = False
        for span in re.findall(r"`([^`]+)`", row):
            if FILE.fullmatch(span):
                files = [ROOT / span] if has_names else [*files, ROOT / span]
                has_names = False
            else:
                has_names = True
                yield from ((file, span) for file in files)


def test_every_name_in_the_changes_is_in_a_file_of_its_row_or_step() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = page.split("## Where does my change go?")[1].split("\n## ")[0]
    absent = []
    # A row of the table is a line, a step of a list goes on in the lines that are set in.
    for row in re.split(r"\n(?! )", table):
        named = re.findall(r"`([^`]+)`", row)
        files = [ROOT / span for span in named if FILE.fullmatch(span) and (ROOT / span).is_file()]
        texts = [file.read_text("utf-8") for file in files]
        names = [span for span in named if re.fullmatch(r"_?[A-Za-z]+(_[a-z]+)*", span)]
        absent += [name for name in names if not any(re.search(rf"\b{name}\b", text) for text in texts)]
    assert not absent, "docs/architecture.md: name what does this now"


def test_every_hop_of_the_walks_is_in_its_file() -> None:
    found = list(hops())
    assert len(found) > 30
    absent = [
        f"{file.relative_to(ROOT)}: {name}"
        for file, name in found
        if not re.search(rf"\b(?:def|class) {name}\b", file.read_text("utf-8"))
    ]
    assert not absent, "the walks in docs/architecture.md: name what does this now"


def test_the_newest_release_of_the_changelog_is_our_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1].partition(", ")[0] == __version__


def test_each_line_of_the_changelog_stands_once_and_in_a_group() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line for line in lines if lines.count(line) > 1] == []
    loose, *groups = text.split("\n## ")[1].split("\n### ")
    assert "\n- " not in loose, "a line stands above the first group"
    assert [group.partition("\n")[0] for group in groups] == ["Added", "Changed", "Fixed", "Removed"]


def test_pip_is_told_our_own_name_and_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    told = re.compile(
        r"pip install '?([\w-]+|\.)\[([^\]]+)\]|how_to_install\(['\"]([\w-]+)|(?<=extra=)\"([\w-]+)"
    )
    sources = [*(ROOT / "voicegate").rglob("*.py"), *PRESENT]
    found = [match for file in sources for match in told.finditer(file.read_text("utf-8"))]
    assert {match[1] for match in found} <= {".", DISTRIBUTION, None}
    extras = {extra for match in found for group in match.groups()[1:] if group for extra in group.split(",")}
    assert extras >= {"classic-agi", "freeswitch", "lab", "voices"}
    assert extras <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", generate.pages(), ids=name_of)
def test_generated_pages_are_what_make_pages_writes(page: Path) -> None:
    assert page.read_text("utf-8") == generate.pages()[page], (
        "run `make pages`, or `.venv/bin/python docs/generate.py`"
    )


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_table_has_a_header(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        assert not re.fullmatch(r"[|:\- ]*-{3}[|:\- ]*", line) or "|" not in line or above.startswith("|"), (
            line
        )


def test_the_page_of_test_numbers_has_every_ending() -> None:
    page = (ROOT / "docs/backends/test-numbers.md").read_text("utf-8")
    assert re.findall(r"^\| (\d\d) \|", page, re.MULTILINE) == [behaviour.value for behaviour in Behaviour]
