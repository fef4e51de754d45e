"""What service numbers say: phrases spoken once a user, digits and samples from the prompts."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.pack import load_spoken
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.config import project_folder
from voicegate.lab import phrases
from voicegate.lab.errors import PackageError
from voicegate.lab.listener import Samples, find_sound, hear_digits
from voicegate.lab.numbers import NUMBERS, find_number
from voicegate.lab.phrases import SAMPLE_CODE, in_words, make_sounds
from voicegate.lab.services import CODE, all_services


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setattr(phrases, "cache_folder", lambda: tmp_path / "cache/packages")
    monkeypatch.setattr(phrases, "TABLE", NUMBERS[:2])
    return tmp_path / "cache/phrases"


def heard(file: Path) -> Samples:
    samples, rate = soundfile.read(file, dtype="int16")
    assert rate == 8000
    return np.asarray(samples, np.int16)


def test_every_service_has_its_sound(cache: Path, tmp_path: Path) -> None:
    make_sounds(tmp_path / "sounds", tmp_path)
    made = {file.name for file in (tmp_path / "sounds").iterdir()}
    assert made == {f"{service.name}.wav" for service in all_services()}


def test_the_table_is_read_with_the_prompts_digits(cache: Path, tmp_path: Path) -> None:
    make_sounds(tmp_path, tmp_path)
    table, english = heard(tmp_path / "numbers.wav"), project_folder("sounds") / "en"
    places = [find_sound(table, heard(english / f"digit_{digit}.wav")) for digit in "012"]
    assert None not in places
    assert find_sound(table, heard(english / "digit_7.wav")) is None


@pytest.mark.parametrize("language", [pack.language for pack in load_spoken(project_folder("sounds"))])
def test_a_sample_reads_each_digit_once(cache: Path, tmp_path: Path, language: str) -> None:
    make_sounds(tmp_path, tmp_path)
    said = hear_digits(heard(tmp_path / f"sample-{language}.wav"), project_folder("sounds") / language)
    assert said == SAMPLE_CODE


def test_a_sample_has_the_admins_own_recordings(cache: Path, tmp_path: Path) -> None:
    own = tmp_path / FOLDER / "en"
    own.mkdir(parents=True)
    english = project_folder("sounds") / "en"
    for suffix in FORMATS:
        shutil.copyfile(english / f"digit_3.{suffix}", own / f"digit_8.{suffix}")
    make_sounds(tmp_path, tmp_path)
    assert hear_digits(heard(tmp_path / "sample-en.wav"), english) == SAMPLE_CODE.replace("8", "3")


def test_a_phrase_is_spoken_once_a_user(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sounds(tmp_path / "one", tmp_path)
    monkeypatch.setattr(phrases, "ensure_program", lambda *_args, **_more: pytest.fail("spoken again"))
    make_sounds(tmp_path / "two", tmp_path)
    first, second = (tmp_path / lab / f"{CODE.name}.wav" for lab in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_engine_that_makes_no_sound_is_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrases, "ensure_program", lambda *_args, **_more: ("true",))
    with pytest.raises(PackageError, match="flite made no sound"):
        make_sounds(tmp_path, tmp_path)


def test_what_stands_in_parentheses_is_not_read_out() -> None:
    assert in_words(find_number("busy")) == "Is busy."
