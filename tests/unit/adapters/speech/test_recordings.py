"""An admin's own recordings: of any kind, spoken in place of the built prompts, and readable by the PBX."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.unit.adapters.speech.conftest import SOUNDS, settings
from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.inspection import inspect
from voicegate.adapters.speech.levels import loudness
from voicegate.adapters.speech.mixer import Mixer
from voicegate.adapters.speech.pack import load_pack
from voicegate.adapters.speech.recordings import FOLDER, find_recorded, take_in
from voicegate.domain.announcement import PromptName, compose_reading
from voicegate.domain.errors import SpeechError
from voicegate.domain.passcode import Passcode

PACK = load_pack(SOUNDS, "es")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The admin's folder."""
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "state" / FOLDER


def hum(seconds: float, rate: int, hertz: float = 440) -> np.ndarray:
    """A second of silence, a tone, and a second of silence."""
    tone = np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.concatenate((np.zeros(rate), tone, np.zeros(rate)))


def frequency(file: Path) -> float:
    """What sounds loudest in a prompt."""
    sound = FORMATS["wav"].read(file).astype(np.float64)
    return float(np.argmax(np.abs(np.fft.rfft(sound, 80000)))) / 10


def write_wide_stereo(file: Path) -> None:
    tone = hum(0.5, 44100) * 0.01
    soundfile.write(file.with_suffix(".wav"), np.stack((tone, tone), axis=1), 44100, subtype="PCM_24")


def write_flac(file: Path) -> None:
    soundfile.write(file.with_suffix(".flac"), hum(0.5, 48000) * 0.9, 48000)


def write_mu_law(file: Path) -> None:
    soundfile.write(file.with_suffix(".ulaw"), hum(0.5, 8000) * 0.5, 8000, format="RAW", subtype="ULAW")


def write_gsm(file: Path) -> None:
    soundfile.write(file.with_suffix(".gsm"), hum(0.5, 8000) * 0.5, 8000, format="RAW", subtype="GSM610")


@pytest.mark.parametrize("write", [write_wide_stereo, write_flac, write_mu_law, write_gsm])
def test_a_recording_of_any_kind_is_converted_trimmed_and_levelled(
    own: Path, recordings: Path, write: Callable[[Path], None]
) -> None:
    write(own / "goodbye")
    assert take_in(PACK, own, recordings).names == ["goodbye"]
    assert find_recorded(PACK, recordings) == ["goodbye"]
    sound = FORMATS["wav"].read(recordings / "es" / "goodbye.wav")
    assert 0.45 < sound.size / 8000 < 0.9
    assert -21 < loudness(sound, 8000) < -17
    assert abs(frequency(recordings / "es" / "goodbye.wav") - 440) < 5
    assert inspect(PACK, recordings) == []


def test_asterisks_digit_set_becomes_a_languages_digits(own: Path, recordings: Path) -> None:
    for digit in range(10):
        write_gsm(own / str(digit))
        write_wide_stereo(own / str(digit))
    write_gsm(own / "10")
    taken = take_in(PACK, own, recordings)
    assert taken.names == [f"digit_{digit}" for digit in range(10)]
    assert taken.left == sorted(f"{digit}.gsm" for digit in range(11))


@pytest.mark.parametrize(
    ("name", "sound", "says"),
    [
        ("good_bye.wav", hum(0.5, 8000), "holds no recording named as a prompt: this_is, to_hear"),
        ("goodbye.wav", np.zeros(8000), "goodbye.wav: is silent"),
        ("goodbye.wav", hum(30, 8000), "goodbye.wav: is longer than 30 s"),
    ],
)
def test_what_cannot_be_used_is_named(
    own: Path, recordings: Path, name: str, sound: np.ndarray, says: str
) -> None:
    soundfile.write(own / name, sound, 8000)
    with pytest.raises(SpeechError, match=says):
        take_in(PACK, own, recordings)


def test_a_file_that_is_no_sound_keeps_all_the_others_out(own: Path, recordings: Path) -> None:
    write_flac(own / "goodbye")
    (own / "press.wav").write_text("not a sound")
    with pytest.raises(SpeechError, match=r"press\.wav: cannot be read as sound"):
        take_in(PACK, own, recordings)
    assert find_recorded(PACK, recordings) == []


async def test_recordings_speak_in_place_of_built_prompts(
    own: Path, recordings: Path, tmp_path: Path
) -> None:
    soundfile.write(own / "7.wav", hum(0.3, 8000, hertz=1000), 8000)
    take_in(PACK, own, recordings)
    mixer = Mixer(settings(tmp_path))
    await mixer.prepare()
    reading = compose_reading(Passcode("7777"), mixer.phrasing("es"))
    async with mixer.mix("es", reading, reading) as audio:
        file = tmp_path / "audio" / f"{Path(audio.reading.path).name}.wav"
        assert abs(frequency(file) - 1000) < 5


async def test_a_phrase_the_pbx_plays_by_itself_lies_where_the_pbx_may_read(
    own: Path, recordings: Path, tmp_path: Path
) -> None:
    write_flac(own / "goodbye")
    take_in(PACK, own, recordings)
    mixer = Mixer(settings(tmp_path))
    await mixer.prepare()
    clip = mixer.prompt("es", PromptName.GOODBYE)
    file = tmp_path / "audio" / f"{Path(clip.path).name}.wav"
    assert clip.path == f"/pbx/audio/{file.stem}"
    assert file.stat().st_mode & 0o777 == 0o640
    assert FORMATS["wav"].read(file).size == clip.samples
    assert await mixer.sweep() == 0
    assert mixer.prompt("es", PromptName.APOLOGY).path == "/pbx/sounds/es/apology"


async def test_a_recorded_introduction_needs_no_engine(
    own: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flac(own / "this_is")
    take_in(PACK, own, recordings)
    monkeypatch.setenv("PATH", str(tmp_path))
    mixer = Mixer(settings(tmp_path, service_name="Example Bank"))
    await mixer.prepare()
    # The others have neither a recording nor an engine.
    assert mixer.languages() == ["es"]


def test_a_damaged_recording_is_found(own: Path, recordings: Path) -> None:
    write_flac(own / "goodbye")
    take_in(PACK, own, recordings)
    shutil.copy(SOUNDS / "es" / "apology.ulaw", recordings / "es" / "goodbye.ulaw")
    (finding,) = inspect(PACK, recordings)
    assert finding.file == recordings / "es" / "goodbye.ulaw"
    assert "in other formats" in finding.problem
    assert finding.fix == "voicegate prompts import es FOLDER"
