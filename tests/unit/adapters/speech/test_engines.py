"""Every engine: run by its table's row, told apart from one that is missing, and free to be sold."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from voicegate.adapters.speech import engines, kokoro
from voicegate.adapters.speech.engines import ENGINES, is_installed, licence_of, version_of
from voicegate.adapters.speech.pack import Script
from voicegate.adapters.speech.takes import Take
from voicegate.adapters.speech.tts import speak
from voicegate.domain.errors import SpeechError

SPY = """#!/bin/sh
[ "$1" = -lv ] && { echo "Voices available: v"; exit; }
echo "$@" > %(folder)s/arguments; cat > %(folder)s/text
for last; do :; done
cp %(sound)s "$last"
"""
WAV = Path(__file__).resolve().parents[4] / "sounds" / "en" / "digit_7.wav"


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "kokoro"])
async def test_an_engine_is_given_text_by_its_input_and_speed_as_it_takes_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / ENGINES[name].program
    spy.write_text(SPY % {"folder": tmp_path, "sound": WAV})
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(engines, "RHVOICE_VOICES", tmp_path)
    (tmp_path / "v").mkdir()
    spoken = await speak(Script(name, "v", "Secret words", speed=0.5), Take("{}!"))
    assert spoken.samples.any()
    arguments, text = (tmp_path / "arguments").read_text(), (tmp_path / "text").read_text()
    assert "Secret" not in arguments
    assert "Secret words!" in text
    assert any(
        sign in arguments + text for sign in ("duration_stretch=2.000", "-s 75", "-r 50", 'level="50"')
    )


async def test_rhvoice_does_not_speak_by_another_voice_than_the_one_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / "RHVoice-test"
    spy.write_text(SPY % {"folder": tmp_path, "sound": WAV})
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(engines, "RHVOICE_VOICES", tmp_path / "voices")
    with pytest.raises(SpeechError, match="has no voice 'michal'"):
        await speak(Script("rhvoice", "michal", "Osiem."))
    assert not (tmp_path / "text").exists()


@pytest.mark.parametrize("name", ENGINES)
async def test_an_engine_that_is_missing_tells_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not is_installed(name)
    with pytest.raises(SpeechError, match="is not installed") as error:
        await speak(Script(name, "v", "Hello."))
    assert ENGINES[name].needs in str(error.value)


@pytest.mark.parametrize("name", ENGINES)
def test_a_licence_allows_sale_and_change(name: str) -> None:
    engine = ENGINES[name]
    for licence in (engine.licence, *engine.licences.values()):
        assert "-NC" not in licence.name
        assert "-ND" not in licence.name
        assert licence.source.startswith("https://")
    assert licence_of(name, "any") == engine.licence


def test_a_voice_whose_licence_nobody_looked_up_is_not_said_to_be_free() -> None:
    # Most voices of RHVoice may not be sold; "arina" is CC BY-NC-ND.
    assert licence_of("rhvoice", "arina").name == "NOASSERTION"


def test_a_version_is_what_the_program_says(engine: Path) -> None:
    assert version_of("flite").startswith("2.")
    assert version_of("espeak-ng").startswith("1.")


def test_phonemes_are_the_models_letters(engine: Path) -> None:
    assert kokoro.phonemize("cinco, ocho.", "es") == "θˈinko, ˈoʧo."
    assert kokoro.phonemize("zwei acht", "de") == "ʦvˈI ˈaxt"


def test_sounds_between_slashes_are_taken_as_they_stand(engine: Path) -> None:
    assert kokoro.phonemize("/ssˈɛttə/.", "fr-fr") == "ssˈɛttə."
    assert kokoro.phonemize("zwei, /axt/!", "de") == "ʦvˈI, axt!"


def test_a_language_that_espeak_lacks_is_named(engine: Path) -> None:
    with pytest.raises(SpeechError, match="espeak-ng"):
        kokoro.phonemize("hello", "xx-none")


def test_voices_that_are_not_the_expected_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "voicegate").mkdir()
    voice = tmp_path / "ef_dora.bin"
    np.zeros(256, dtype="<f4").tofile(voice)
    with tarfile.open(tmp_path / "voicegate" / "kokoro-js-1.2.1.tgz", "w:gz") as archive:
        archive.add(voice, "package/voices/ef_dora.bin")
    with pytest.raises(SpeechError, match="is not what it should be"):
        kokoro.read_voice("ef_dora")


def test_the_model_as_a_program_says_what_is_wrong() -> None:
    done = subprocess.run(
        (sys.executable, "-m", kokoro.__name__),
        input=kokoro.Line("hola", "ef_dora", 1.0, 0, "/nowhere/x.wav").encode(),
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": "/nowhere"},
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("kokoro: ")
