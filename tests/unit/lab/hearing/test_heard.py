"""No prompt ships unheard, the pages say what was heard, and nobody writes their figures by hand."""

import shutil
from pathlib import Path

import pytest

from voicegate.adapters.speech.manifest import HEARD_FILE
from voicegate.adapters.speech.pack import find_languages, load_pack
from voicegate.config import project_folder
from voicegate.domain.errors import SpeechError
from voicegate.lab.hearing.measuring import CODES, GOALS
from voicegate.lab.hearing.results import (
    Heard,
    find_unheard,
    hash_prompts,
    read_heard,
    write_heard,
)
from voicegate.lab.hearing.table import TABLE, percent, read_languages, render_pages

SOUNDS = project_folder("sounds")
DOCS = Path(__file__).parents[4] / "docs"
CLEAN, BAD = GOALS
FLOORS = {
    "en": {**dict.fromkeys((CLEAN, "3 % lost", "5 % lost", "G.722", "Opus"), 99.5), "bursts of 3 lost": 99.0},
    "es": {CLEAN: 99.5, BAD: 97.0},
    "de": {CLEAN: 99.0, BAD: 65.0},
    "fr": {CLEAN: 99.0, BAD: 83.0},
}
"""Line -> percent of digits; of German and French, on the bad line, the best that was reached."""
OTHERS = {CLEAN: 98.0}
JUDGED = [language for language in find_languages(SOUNDS) if load_pack(SOUNDS, language).is_judged]


@pytest.mark.parametrize("language", JUDGED)
def test_every_prompt_that_ships_was_heard_as_it_is(language: str) -> None:
    assert not find_unheard(load_pack(SOUNDS, language)), f"hear it: make hear HEAR={language}"


@pytest.mark.parametrize("language", JUDGED)
def test_a_language_that_is_spoken_by_default_is_understood(language: str) -> None:
    heard = read_heard(SOUNDS / language)
    assert heard is not None
    reader = heard.readers[0]
    assert (reader.ear, reader.variant) == ("whisper", None)
    shares = {on.line: 100 * on.digits / on.of_digits for on in reader.lines}
    floors = FLOORS.get(language, OTHERS)
    assert {line: share for line, share in shares.items() if share < floors.get(line, 0)} == {}
    calls = {on.line: on.of_codes for on in reader.lines}
    assert min(calls[goal] for goal in GOALS) >= (CODES if language in FLOORS else CODES // 3)


def test_the_pages_are_what_the_results_make() -> None:
    for name, page in render_pages(read_languages(SOUNDS)).items():
        assert (DOCS / name).read_text("utf-8") == page, f"write them: make hear ({name})"


def test_the_pages_name_the_languages_that_nobody_judged() -> None:
    page = render_pages(read_languages(SOUNDS))[TABLE].partition("## Not judged")[2]
    for language in find_languages(SOUNDS):
        assert (f"- {language}: unjudged" in page) == (language not in JUDGED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOUNDS / "en", tmp_path / "en"))


def heard_as_it_is(folder: Path) -> None:
    pack = load_pack(folder.parent, "en")
    write_heard(folder, Heard("model", (), (), hash_prompts(pack)))


def test_a_prompt_that_changed_since_it_was_heard_is_told(folder: Path) -> None:
    heard_as_it_is(folder)
    assert not find_unheard(load_pack(folder.parent, "en"))
    (folder / "digit_4.alaw").write_bytes(b"another sound")
    (folder / "star.wav").unlink()
    assert find_unheard(load_pack(folder.parent, "en")) == ["digit_4", "star"]


def test_a_word_that_was_never_heard_is_told(folder: Path) -> None:
    heard_as_it_is(folder)
    script = folder / "prompts.toml"
    script.write_text(script.read_text("utf-8") + '\n[variants.oh]\n0 = "oh"\n', "utf-8")
    assert find_unheard(load_pack(folder.parent, "en")) == ["digit_0-oh"]


def test_without_a_measurement_everything_is_unheard(folder: Path) -> None:
    (folder / HEARD_FILE).unlink(missing_ok=True)
    pack = load_pack(folder.parent, "en")
    assert read_heard(folder) is None
    assert set(find_unheard(pack)) == set(pack.scripts)


def test_results_that_nobody_can_read_are_told_by_their_file(folder: Path) -> None:
    (folder / HEARD_FILE).write_text('{"codes": 60}')
    with pytest.raises(SpeechError, match=r"heard\.json"):
        read_heard(folder)


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert [percent(*share) for share in ((60, 60), (2999, 3000), (0, 60), (0, 0))] == [
        "100.0",
        "99.9",
        "0.0",
        "0.0",
    ]
