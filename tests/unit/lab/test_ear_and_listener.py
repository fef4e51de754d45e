"""The two ears: one that knows our recordings, one that knows none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicegate.adapters.speech.mixer import Mixer, SpeechSettings
from voicegate.adapters.speech.pack import load_spoken
from voicegate.config import project_folder
from voicegate.domain.announcement import HumanCheck, PromptName, compose_invitation, compose_reading
from voicegate.domain.passcode import Passcode
from voicegate.lab.ear import hear_code
from voicegate.lab.listener import KeyListener

SOUNDS = project_folder("sounds")


async def what_a_phone_hears(
    folder: Path, key: str, code: str, *, language: str = "en", sounds: Path = SOUNDS
) -> tuple[np.ndarray, np.ndarray]:
    """The invitation and one reading as G.711 carries them."""
    settings = SpeechSettings(
        sounds, folder, pbx_audio_folder=str(folder), pbx_sounds_folder=str(sounds),
        service_name="Voicegate", state_folder=folder, audio_format="ulaw",
    )  # fmt: skip
    mixer = Mixer(settings)
    phrasing = mixer.phrasing(language)
    invitation = compose_invitation(HumanCheck.RANDOM_KEY, key, phrasing)
    reading = compose_reading(Passcode(code), phrasing)
    async with mixer.mix(language, invitation, reading) as audio:
        raw = {"samplerate": 8000, "channels": 1, "format": "RAW", "subtype": "ULAW", "dtype": "int16"}
        first, second = (
            soundfile.read(f"{clip.path}.ulaw", **raw)[0] for clip in (audio.invitation, audio.reading)
        )
    return first, second


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 8000), np.int16)


def last_word_first(folder: Path) -> Path:
    """Return a folder with an English that says "To hear your code, 7 press.", as Japanese does."""
    script = Path(shutil.copytree(SOUNDS / "en", folder / "sounds" / "en")) / "prompts.toml"
    words, said = script.read_text("utf-8"), '"press", "key"]'
    assert said in words
    script.write_text(words.replace(said, '"key", "press"]'), "utf-8")
    return folder / "sounds"


@pytest.mark.parametrize("language", [pack.language for pack in load_spoken(SOUNDS)])
@pytest.mark.parametrize("key", list("12345678"))
async def test_a_telephone_understands_the_key_and_counts_the_digits(
    tmp_path: Path, key: str, language: str
) -> None:
    heard = await what_a_phone_hears(tmp_path, key, "471029", language=language)
    understand(KeyListener(SOUNDS), key, *heard)


@pytest.mark.parametrize("key", list("12345678"))
async def test_a_telephone_understands_a_key_that_is_named_before_what_to_do_with_it(
    tmp_path: Path, key: str
) -> None:
    sounds = last_word_first(tmp_path)
    understand(KeyListener(sounds), key, *await what_a_phone_hears(tmp_path, key, "471029", sounds=sounds))


def understand(listener: KeyListener, key: str, invitation: np.ndarray, reading: np.ndarray) -> None:
    assert listener.asked_key() is None
    for block in np.array_split(np.concatenate((silence(0.7), invitation, silence(1))), 20):
        listener.feed(block)
        listener.asked_key()
    assert listener.asked_key() == key
    assert listener.digits_heard_since_key() == 0
    counts = []
    for block in np.array_split(reading, 10):
        listener.feed(block)
        counts.append(listener.digits_heard_since_key())
    assert counts == sorted(counts)
    assert counts[-1] == 6


@pytest.mark.parametrize("language", [pack.language for pack in load_spoken(SOUNDS)])
async def test_nine_is_no_requested_key_and_an_offer_is_heard(tmp_path: Path, language: str) -> None:
    """Somebody picks up while the invitation says what to press if one did not ask for the call."""

    def prompt(name: PromptName) -> np.ndarray:
        return np.asarray(soundfile.read(SOUNDS / language / f"{name}.wav", dtype="int16")[0])

    listener = KeyListener(SOUNDS)
    invitation, _ = await what_a_phone_hears(tmp_path, "4", "471029", language=language)
    listener.feed(np.concatenate((prompt(PromptName.DID_NOT_ASK), silence(2))))
    assert listener.asked_key() is None
    for block in np.array_split(np.concatenate((invitation, silence(1))), 10):
        listener.feed(block)
        listener.asked_key()
    assert listener.asked_key() == "4"
    assert not listener.has_heard(PromptName.NO_MORE_CALLS)
    listener.feed(prompt(PromptName.NO_MORE_CALLS))
    assert listener.has_heard(PromptName.NO_MORE_CALLS)
    assert not listener.has_heard(PromptName.CONFIRM_NO_MORE)


@pytest.mark.parametrize(("key", "code"), [("7", "471029"), ("1", "336985"), ("4", "820057")])
async def test_an_ear_that_knows_none_of_our_recordings_reads_the_code(
    tmp_path: Path, key: str, code: str
) -> None:
    invitation, reading = await what_a_phone_hears(tmp_path, key, code)
    call = (silence(0.5), invitation, silence(2), invitation, silence(0.3), reading, reading, silence(0.5))
    soundfile.write(tmp_path / "call.wav", np.concatenate(call), 8000)
    assert hear_code(tmp_path / "call.wav", 6) == code


async def test_where_no_code_was_spoken_the_ear_reads_none(tmp_path: Path) -> None:
    invitation, _ = await what_a_phone_hears(tmp_path, "7", "471029")
    soundfile.write(tmp_path / "call.wav", np.concatenate((invitation, silence(2), invitation)), 8000)
    assert hear_code(tmp_path / "call.wav", 6) is None


def test_in_silence_the_ear_reads_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", silence(3), 8000)
    assert hear_code(tmp_path / "call.wav", 6) is None
