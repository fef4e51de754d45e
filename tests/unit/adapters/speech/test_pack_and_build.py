"""A language's folder: strict about its scripts, and built by the real engine."""

import shutil
from pathlib import Path

import pytest

from tests.unit.adapters.speech.conftest import SOUNDS
from voicegate.adapters.speech.build import Progress, build
from voicegate.adapters.speech.pack import Script, load_pack
from voicegate.adapters.speech.tts import speak
from voicegate.domain.errors import SpeechError

FORMATS = ("wav", "wav16", "ulaw", "alaw")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A copy of the shipped scripts, without their sounds."""
    (tmp_path / "en").mkdir()
    shutil.copy(SOUNDS / "en" / "prompts.toml", tmp_path / "en")
    return tmp_path


def edit(sounds: Path, old: str, new: str) -> None:
    file = sounds / "en" / "prompts.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("goodbye =", "godbye =", "phrases.godbye: Unknown key"),
        ('goodbye = "Goodbye."\n', "", "phrases.goodbye: Missing"),
        ("digit_pause_ms = 450", "digit_pause_ms = 4", "reading.digit_pause_ms"),
        ("6 = [3, 3]", "6 = [3, 4]", "reading.groups.6: The sizes do not add up to 6"),
        ('engine = "flite"', 'engine = "sam"', "engine"),
        ('voice = "rms"', 'voice = "http://x/y"', "voice"),
        ('engine = "flite"', 'engin = "flite"', "engin"),
        ('engine = "flite"', 'speed = 9\nengine = "flite"', "speed"),
        ("This is {service}.", "This is us.", "phrases.this_is: The phrase must say {service}"),
        (
            'order = ["to_hear_your_code",',
            'order = ["key",',
            "asking.order: Must hold once each of to_hear_your_code, press, key",
        ),
        ('order = ["to_hear_your_code",', 'order = ["push",', "asking.order"),
        ("[phrases]", "[phrases", "is not TOML"),
    ],
)
def test_a_wrong_script_file_is_named_with_its_key(sounds: Path, old: str, new: str, says: str) -> None:
    edit(sounds, old, new)
    with pytest.raises(SpeechError) as error:
        load_pack(sounds, "en")
    assert "prompts.toml" in str(error.value)
    assert says in str(error.value)


def test_a_languages_pace_is_that_of_its_phrases_and_not_of_its_digits(sounds: Path) -> None:
    usual = load_pack(sounds, "en").scripts
    edit(sounds, 'voice = "rms"', 'speed = 1.2\nvoice = "rms"')
    paced = load_pack(sounds, "en").scripts
    assert (paced["press"].speed, paced["digit_7"].speed) == (1.2, 1)
    assert paced["press"].fingerprint != usual["press"].fingerprint
    assert paced["digit_7"].fingerprint == usual["digit_7"].fingerprint


async def test_a_digit_is_spelt_for_the_engine_as_it_says_it_best(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = load_pack(sounds, "en").scripts["digit_9"]
    edit(sounds, "[pronunciations]", "[pronunciations]\nnine = 'niner'")
    spelt = load_pack(sounds, "en").scripts["digit_9"]
    assert (spelt.text, spelt.spelling) == ("nine", "niner")
    assert spelt.fingerprint != usual.fingerprint
    spy = tmp_path / "flite"
    spy.write_text(f'#!/bin/sh\n[ "$1" = -lv ] && echo "Voices: rms" || cat > {tmp_path}/text\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SpeechError):
        await speak(spelt)
    assert (tmp_path / "text").read_text() == "niner\n"


async def test_a_language_is_built_by_its_engine_and_only_what_changed_again(
    engine: Path, sounds: Path
) -> None:
    seen: list[Progress] = []
    made = await build(load_pack(sounds, "en"), report=seen.append)
    assert len(made) == 27
    assert (seen[-1].done, seen[-1].total) == (27, 27)
    assert all((sounds / "en" / f"{name}.{suffix}").is_file() for name in made for suffix in FORMATS)
    assert await build(load_pack(sounds, "en")) == []
    edit(sounds, '"Goodbye."', '"Bye."')
    assert await build(load_pack(sounds, "en")) == ["goodbye"]


async def test_a_voice_that_the_engine_lacks_is_not_replaced_in_silence(engine: Path) -> None:
    with pytest.raises(SpeechError, match="has no voice 'nobody'; it has"):
        await speak(Script("flite", "nobody", "Hello."))


async def test_an_engine_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpeechError, match="flite: is not installed"):
        await speak(Script("flite", "rms", "Hello."))


async def test_what_is_spoken_is_on_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "flite"
    spy.write_text(
        '#!/bin/sh\n[ "$1" = -lv ] && { echo "Voices available: rms"; exit; }\n'
        f'echo "$@" > {tmp_path}/arguments; cat > {tmp_path}/text\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SpeechError):
        await speak(Script("flite", "rms", "Secret words."))
    assert "Secret" not in (tmp_path / "arguments").read_text()
    assert "Secret words." in (tmp_path / "text").read_text()
