"""What service numbers say: phrases spoken once a user, digits and samples from the prompts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicegate.config import project_folder
from voicegate.lab import phrases
from voicegate.lab.ear import hear_code
from voicegate.lab.errors import PackageError
from voicegate.lab.listener import find_sound
from voicegate.lab.numbers import NUMBERS, find_number
from voicegate.lab.phrases import SAMPLE_CODE, in_words, make_sounds
from voicegate.lab.services import CODE, all_services


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setattr(phrases, "cache_folder", lambda: tmp_path / "cache/packages")
    monkeypatch.setattr(phrases, "TABLE", NUMBERS[:2])
    return tmp_path / "cache/phrases"


def heard(file: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    samples, rate = soundfile.read(file, dtype="int16")
    assert rate == 8000
    return np.asarray(samples, np.float64)


def test_every_service_has_its_sound(cache: Path, tmp_path: Path) -> None:
    make_sounds(tmp_path / "sounds")
    made = {file.name for file in (tmp_path / "sounds").iterdir()}
    assert made == {f"{service.name}.wav" for service in all_services()}


def test_the_table_is_read_with_the_prompts_digits(cache: Path, tmp_path: Path) -> None:
    make_sounds(tmp_path)
    table, english = heard(tmp_path / "numbers.wav"), project_folder("sounds") / "en"
    places = [find_sound(table, heard(english / f"digit_{digit}.wav")) for digit in "012"]
    assert None not in places
    assert find_sound(table, heard(english / "digit_7.wav")) is None


def test_a_sample_reads_each_digit_once(cache: Path, tmp_path: Path) -> None:
    make_sounds(tmp_path)
    assert hear_code(tmp_path / "sample-en.wav", len(SAMPLE_CODE)) == SAMPLE_CODE


def test_a_phrase_is_spoken_once_a_user(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sounds(tmp_path / "one")
    monkeypatch.setattr(phrases, "ensure_program", lambda *_args, **_more: pytest.fail("spoken again"))
    make_sounds(tmp_path / "two")
    first, second = (tmp_path / lab / f"{CODE.name}.wav" for lab in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_engine_that_makes_no_sound_is_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrases, "ensure_program", lambda *_args, **_more: ("true",))
    with pytest.raises(PackageError, match="flite made no sound"):
        make_sounds(tmp_path)


def test_what_stands_in_parentheses_is_not_read_out() -> None:
    assert in_words(find_number("busy")) == "Is busy."
