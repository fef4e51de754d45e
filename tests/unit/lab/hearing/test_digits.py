"""The ear for every language, on people whom it never heard before, and on sound that is no digit."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from voicegate.config import project_folder
from voicegate.lab.errors import PackageError
from voicegate.lab.hearing import whisper
from voicegate.lab.hearing.digits import DECIDED, DigitEar, margins, spoken_language
from voicegate.lab.packages import ensure_packages, no_progress

DIGITS = "0123456789"
# Free recordings for Asterisk: people who speak a language as their first one.
PEOPLE = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}


def words_of(language: str) -> Sequence[str]:
    script = tomllib.loads((project_folder("sounds") / language / "prompts.toml").read_text("utf-8"))
    return [script["digits"][digit] for digit in DIGITS]


def sharpen(file: Path) -> np.ndarray:
    sound, rate = soundfile.read(file)
    return np.asarray(soxr.resample(np.pad(sound, rate // 4), rate, whisper.RATE), np.float32)


@pytest.mark.parametrize("language", PEOPLE)
def test_the_ear_reads_ten_of_ten_digits_that_a_person_says(language: str) -> None:
    root = ensure_packages((f"asterisk-core-sounds-{language}-wav",), suites=(), progress=no_progress)
    (folder,) = root.glob(f"usr/share/asterisk/sounds/{PEOPLE[language]}/digits")
    ear = DigitEar(language, words_of(language))
    sounds = [sharpen(folder / f"{digit}.wav") for digit in DIGITS]
    assert ear.hear(sounds) == DIGITS
    assert margins(ear.score(sounds), DIGITS).min() > 0


def test_a_sound_is_scored_as_itself_whatever_it_is_heard_with() -> None:
    ear, again = (DigitEar("en", words_of("en")) for _ in range(2))
    sounds = [sharpen(project_folder("sounds") / "en" / f"digit_{digit}.wav") for digit in "428"]
    alone = np.concatenate([again.score([sound]) for sound in sounds])
    together = ear.score([*sounds, sounds[0]])
    assert np.abs(together[:3] - alone).max() < 0.5
    assert (together[3] == together[0]).all()
    assert ear.hear(sounds) == "428"


def test_a_margin_tells_how_far_the_right_digit_lies_ahead() -> None:
    scores = np.full((2, 10), -9.0)
    scores[0, 4], scores[1, 4] = -1.0, -4.0
    assert margins(scores, "47") == pytest.approx([8.0, -5.0])
    assert DECIDED > 0


def test_a_model_that_is_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(whisper.HASHES, "vocabulary.json", "0" * 64)
    with pytest.raises(PackageError, match=r"vocabulary\.json .* hash differs"):
        whisper.read_model()


def test_a_country_s_form_of_a_language_is_heard_as_the_language() -> None:
    assert [spoken_language(folder) for folder in ("en", "pt-BR", "zh")] == ["en", "pt", "zh"]
