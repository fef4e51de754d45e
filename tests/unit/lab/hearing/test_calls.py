"""Whole calls: mixed as the daemon mixes them, heard as a person hears them, and phrases written down."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.pack import load_pack
from voicegate.adapters.speech.voice import load_voice
from voicegate.config import project_folder
from voicegate.lab.ear import hear_code
from voicegate.lab.hearing import measuring
from voicegate.lab.hearing.calls import choose_ear, cut_digits, hear_call, mix_call, read_code, words_of
from voicegate.lab.hearing.digits import DigitEar
from voicegate.lab.hearing.lines import find_line
from voicegate.lab.hearing.measuring import GOALS
from voicegate.lab.hearing.phrases import count_errors, split_words

SOUNDS = project_folder("sounds")
CODE = "470192"


def voice_of(language: str, suffix: str = "ulaw", variant: str | None = None):  # type: ignore[no-untyped-def]
    return load_voice(load_pack(SOUNDS, language), FORMATS[suffix], SOUNDS / "none", variant=variant)


@pytest.mark.parametrize("suffix", ["ulaw", "wav16"])
def test_a_call_says_its_code_twice_where_it_says_it_does(suffix: str) -> None:
    voice = voice_of("en", suffix)
    call = mix_call(voice, CODE, "7")
    assert call.rate == voice.kind.rate
    assert len(call.digits) == 12
    for digit, (begin, end) in zip(CODE * 2, call.digits, strict=True):
        assert (call.samples[begin:end] == voice.prompts[f"digit_{digit}"]).all()


def test_what_is_cut_out_of_a_call_holds_no_other_digit() -> None:
    call = mix_call(voice_of("en"), CODE, "7")
    sounds = cut_digits(call, call.samples)
    for sound in sounds:
        assert not sound[: 16000 // 5].any()
        assert not sound[-16000 // 5 :].any()


def test_a_code_is_read_out_of_a_recording_of_a_whole_call(tmp_path: Path) -> None:
    voice = voice_of("en")
    ear = DigitEar("en", words_of(voice.pack))
    call = mix_call(voice, CODE, "7")
    assert read_code(ear, cut_digits(call, call.samples)) == CODE
    soundfile.write(tmp_path / "call.wav", np.pad(call.samples, 6000), 8000)
    assert hear_call(ear, tmp_path / "call.wav", 6) == CODE
    assert hear_call(ear, tmp_path / "call.wav", 5) is None


def test_english_calls_are_read_by_the_ear_that_finds_the_code_itself() -> None:
    assert choose_ear(SOUNDS, "en") is hear_code
    assert choose_ear(SOUNDS, "de") is not hear_code


def test_a_recording_at_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "wide.wav", np.zeros(16000), 16000)
    with pytest.raises(ValueError, match="16000 Hz"):
        hear_call(DigitEar("en", words_of(voice_of("en").pack)), tmp_path / "wide.wav", 6)


def test_a_variant_s_words_are_those_that_are_listened_for() -> None:
    pack = load_pack(SOUNDS, "de")
    assert (words_of(pack)[2], words_of(pack, "zwo")[2]) == ("zwei", "zwo")
    assert words_of(pack, "zwo")[3] == "drei"


def test_a_language_is_measured_in_each_variant_and_in_every_phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(measuring, "LINES", [find_line(name) for name in GOALS])
    heard = measuring.measure(SOUNDS, "de", codes=1, report=lambda what, share: told.append(what))
    readers = [(reader.ear, reader.variant) for reader in heard.readers]
    assert readers == [("whisper", None), ("whisper", "zwo")]
    for reader in heard.readers:
        assert [line.line for line in reader.lines] == [*GOALS]
        clean = reader.lines[0]
        assert (clean.of_codes, clean.of_digits, clean.of_once) == (1, 6, 12)
        assert clean.digits >= 4
    apology = next(phrase for phrase in heard.phrases if phrase.name == "apology")
    assert apology.wrong < apology.words / 2
    assert set(heard.prompts) == set(load_pack(SOUNDS, "de").scripts)
    assert "de: G.711" in told


@pytest.mark.parametrize(
    ("wanted", "heard", "errors"),
    [
        ("Your code is", "your code, is...", 0),
        ("Your code is", "Your coat is", 1),
        ("Your code is", "code is", 1),
        ("Your code is", "Your own code is", 1),
        ("Your code is", "", 3),
        ("L'éléphant", "l’éléphant", 0),
    ],
)
def test_words_are_compared_whatever_their_letters_and_points(wanted: str, heard: str, errors: int) -> None:
    assert count_errors(split_words("en", wanted), split_words("en", heard)) == errors


def test_where_words_do_not_stand_apart_characters_are_compared() -> None:
    assert split_words("ja", "さよなら。") == ["さ", "よ", "な", "ら"]
