"""Mixing a call's two sounds: what is in them, what they are called, and that they are gone afterwards."""

import asyncio
import re
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.unit.adapters.speech.conftest import SOUNDS, settings
from voicegate.adapters.speech.mixer import Mixer
from voicegate.adapters.speech.pack import load_spoken
from voicegate.domain.announcement import (
    Asking,
    HumanCheck,
    Opening,
    Phrasing,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.errors import SpeechError, UnknownLanguage
from voicegate.domain.passcode import Passcode

SPOKEN = [pack.language for pack in load_spoken(SOUNDS)]
INVITATION = compose_invitation(
    HumanCheck.RANDOM_KEY, "7", Phrasing(tuple(Asking), {}, timedelta(), timedelta())
)


def reading(mixer: Mixer, code: str = "471029"):  # type: ignore[no-untyped-def]
    return compose_reading(Passcode(code), mixer.phrasing("en"))


def samples(file: Path) -> np.ndarray:
    return np.asarray(soundfile.read(file, dtype="int16")[0], dtype=np.float64)


async def test_a_reading_holds_each_digit_in_order_and_ends_them_where_it_says(
    mixer: Mixer, tmp_path: Path
) -> None:
    async with mixer.mix("en", INVITATION, reading(mixer)) as audio:
        heard = samples(tmp_path / "audio" / f"{Path(audio.reading.path).name}.wav")
    prompts = {digit: samples(SOUNDS / "en" / f"digit_{digit}.wav") for digit in "0123456789"}
    slot = max(map(len, prompts.values()))
    position = 0
    for digit in "471029":
        position += _find(heard[position:], prompts[digit]) + slot
    assert position == audio.reading.code_end
    assert audio.reading.code_end < audio.reading.samples == len(heard)


async def test_the_length_of_a_reading_tells_nothing_of_its_code(mixer: Mixer) -> None:
    lengths = set()
    for code in ("888888", "999999", "002367"):
        async with mixer.mix("en", INVITATION, reading(mixer, code)) as audio:
            lengths.add((audio.reading.samples, audio.reading.code_end))
    assert len(lengths) == 1


def _find(heard: np.ndarray, prompt: np.ndarray) -> int:
    """Where the prompt stands, sample by sample the same."""
    first = np.flatnonzero(heard[: len(heard) - len(prompt) + 1] == prompt[0])
    for place in first:
        if np.array_equal(heard[place : place + len(prompt)], prompt):
            return int(place)
    raise AssertionError("not there")


async def test_the_files_are_for_the_pbxs_group_only_and_gone_afterwards(
    mixer: Mixer, tmp_path: Path
) -> None:
    async with mixer.mix("en", INVITATION, reading(mixer)) as audio:
        files = sorted((tmp_path / "audio").iterdir())
        assert len(files) == 2
        assert {file.stat().st_mode & 0o777 for file in files} == {0o640}
        assert {f"/pbx/audio/{file.stem}" for file in files} == {audio.invitation.path, audio.reading.path}
    assert list((tmp_path / "audio").iterdir()) == []


async def test_names_tell_nothing_and_never_repeat(mixer: Mixer) -> None:
    names = set()
    for _ in range(20):
        async with mixer.mix("en", INVITATION, reading(mixer)) as audio:
            names |= {Path(audio.invitation.path).name, Path(audio.reading.path).name}
    assert len(names) == 40
    assert not any("471029" in name for name in names)


async def test_a_call_that_is_cancelled_leaves_nothing(mixer: Mixer, tmp_path: Path) -> None:
    mixed = asyncio.Event()

    async def call() -> None:
        async with mixer.mix("en", INVITATION, reading(mixer)):
            mixed.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await mixed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "audio").iterdir()) == []


async def test_sweeping_removes_what_a_crash_left_and_nothing_else(mixer: Mixer, tmp_path: Path) -> None:
    context = mixer.mix("en", INVITATION, reading(mixer))
    await context.__aenter__()
    (tmp_path / "audio" / "notes.txt").write_text("mine")
    assert await Mixer(settings(tmp_path)).sweep() == 2
    assert [file.name for file in (tmp_path / "audio").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("audio_format", "rate", "bytes_a_sample"),
    [("wav", 8000, 2), ("wav16", 16000, 2), ("ulaw", 8000, 1), ("alaw", 8000, 1)],
)
async def test_every_format_is_as_long_as_it_says(
    tmp_path: Path, audio_format: str, rate: int, bytes_a_sample: int
) -> None:
    mixer = Mixer(settings(tmp_path, audio_format=audio_format))
    async with mixer.mix("en", INVITATION, reading(mixer)) as audio:
        file = tmp_path / "audio" / f"{Path(audio.reading.path).name}.{audio_format}"
        header = 44 if audio_format.startswith("wav") else 0
        assert file.stat().st_size == header + audio.reading.samples * bytes_a_sample
        assert abs(audio.reading.length - timedelta(seconds=audio.reading.samples / rate)) < timedelta(
            milliseconds=1
        )


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("a file is in the way")
    mixer = Mixer(settings(tmp_path))
    with pytest.raises(SpeechError, match=re.escape(str(tmp_path / "audio"))):
        async with mixer.mix("en", INVITATION, reading(mixer)):
            pass


def test_every_fixed_phrase_can_be_had_from_the_pack(mixer: Mixer) -> None:
    for name in PromptName:
        clip = mixer.prompt("en", name)
        assert clip.path == f"/pbx/sounds/en/{name}"
        assert clip.code_end == clip.samples > 0


def test_an_unknown_language_is_refused(mixer: Mixer) -> None:
    assert mixer.languages() == SPOKEN
    with pytest.raises(UnknownLanguage):
        mixer.prompt("tlh", PromptName.GOODBYE)


async def test_another_service_name_is_spoken_once_and_kept(engine: Path, tmp_path: Path) -> None:
    first = Mixer(settings(tmp_path, service_name="Example Bank"))
    await first.prepare()
    async with first.mix("en", INVITATION, reading(first)) as audio:
        length = audio.invitation.samples
    (engine / "flite").rename(engine / "away")
    try:
        second = Mixer(settings(tmp_path, service_name="Example Bank"))
        await second.prepare()
        async with second.mix("en", INVITATION, reading(second)) as audio:
            assert audio.invitation.samples == length
    finally:
        (engine / "away").rename(engine / "flite")


async def test_each_service_is_introduced_by_its_own_name(engine: Path, tmp_path: Path) -> None:
    names = {"bank": "Example Bank", "shop": "A Shop With A Long Name", "house": "Voicegate"}
    mixer = Mixer(settings(tmp_path, service_names=names))
    await mixer.prepare()
    assert mixer.languages() == SPOKEN
    lengths = {}
    for service in (None, *names, "unknown"):
        invitation = compose_invitation(HumanCheck.NONE, "", mixer.phrasing("en"), opening=Opening(service))
        async with mixer.mix("en", invitation, reading(mixer)) as audio:
            lengths[service] = audio.invitation.samples
    assert lengths[None] == lengths["house"] == lengths["unknown"]
    assert len({lengths[None], lengths["bank"], lengths["shop"]}) == 3


async def test_the_shipped_name_needs_no_engine_for_a_service_either(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Mixer(settings(tmp_path, service_name="Example Bank")).prepare()
    monkeypatch.setenv("PATH", str(tmp_path))
    mixer = Mixer(settings(tmp_path, service_name="Example Bank", service_names={"shop": "Voicegate"}))
    await mixer.prepare()
    assert mixer.languages() == SPOKEN
    other = Mixer(settings(tmp_path, service_names={"shop": "Never Spoken Before"}))
    await other.prepare()
    assert other.languages() == []


@pytest.fixture
def with_dutch(tmp_path: Path) -> Path:
    """A folder of English, and of a Dutch that nobody judged; it has the sounds of English."""
    sounds = tmp_path / "sounds"
    for language in ("en", "nl"):
        shutil.copytree(SOUNDS / "en", sounds / language)
    script = sounds / "nl" / "prompts.toml"
    words = "judged = false\n" + script.read_text("utf-8")
    script.write_text(words.replace("[reading]", '[variants.odd]\n7 = "zeuven"\n[reading]'), "utf-8")
    for file in (sounds / "nl").glob("digit_8.*"):
        shutil.copy(file, file.with_stem("digit_7-odd"))
    return sounds


def test_a_language_that_nobody_judged_is_spoken_only_where_a_setting_lists_it(
    tmp_path: Path, with_dutch: Path
) -> None:
    assert Mixer(settings(tmp_path, sounds=with_dutch)).languages() == ["en"]
    assert Mixer(settings(tmp_path, sounds=with_dutch, unjudged=("nl",))).languages() == ["en", "nl"]
    with pytest.raises(UnknownLanguage, match=r"service\.unjudged_languages: no prompts for 'tlh'"):
        Mixer(settings(tmp_path, sounds=with_dutch, unjudged=("tlh",)))


async def test_a_variant_of_the_digits_is_said_in_a_key_and_in_a_code(
    tmp_path: Path, with_dutch: Path
) -> None:
    def make(variants: dict[str, str]) -> Mixer:
        return Mixer(settings(tmp_path, sounds=with_dutch, unjudged=("nl",), digit_variants=variants))

    sounds = []
    for mixer in (make({}), make({"nl": "odd"})):
        for parts in (INVITATION, reading(mixer, "7777"), reading(mixer, "8888")):
            async with mixer.mix("nl", parts, parts) as audio:
                sounds.append(samples(tmp_path / "audio" / f"{Path(audio.reading.path).name}.wav"))
    usual, usual_code, eights, odd, odd_code, _ = sounds
    assert not np.array_equal(usual_code, odd_code)
    assert np.array_equal(eights, odd_code)
    assert not np.array_equal(usual, odd)
    with pytest.raises(SpeechError, match="nl: has no variant 'zwo' of its digits; it has odd"):
        make({"nl": "zwo"})
    with pytest.raises(SpeechError, match=r"service\.digit_variants: 'de' is not spoken; en, nl are"):
        make({"de": "zwo"})
