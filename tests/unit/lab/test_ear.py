"""The independent ear on bad lines, and the rhythm it finds a code by."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.unit.lab.test_ear_and_listener import silence, what_a_phone_hears
from voicegate.lab.denoise import quieten
from voicegate.lab.ear import find_readings, hear_code

RATE = 8000


def worsen(call: np.ndarray, seed: int) -> np.ndarray:
    """A tone 20 dB below the speech, and 3 of 100 packets of 20 ms lost."""
    chance = np.random.default_rng(seed)
    voice = call[np.abs(call) > 300].astype(np.float64)
    loudness = np.sqrt(2 * np.mean(np.square(voice))) * 10 ** (-20 / 20)
    tone = loudness * np.sin(2 * np.pi * chance.uniform(100, 1500) * np.arange(len(call)) / RATE)
    heard = (call + tone).clip(-32768, 32767).astype(np.int16)
    packets = heard[: len(heard) // 160 * 160].reshape(-1, 160)
    packets[chance.random(len(packets)) < 0.03] = 0
    return np.asarray(heard)


async def record(folder: Path, code: str, *, seed: int) -> Path:
    invitation, reading = await what_a_phone_hears(folder, "7", code)
    call = (silence(0.7), invitation, silence(2), invitation, silence(0.3), reading, reading, silence(0.5))
    file = folder / f"{seed}.wav"
    soundfile.write(file, worsen(np.concatenate(call), seed), RATE)
    return file


@pytest.mark.parametrize(("seed", "code"), [(1, "637387"), (2, "007866"), (3, "914502")])
async def test_over_a_line_with_a_tone_and_lost_packets_the_code_is_read(
    tmp_path: Path, seed: int, code: str
) -> None:
    assert hear_code(await record(tmp_path, code, seed=seed), 6) == code


@pytest.mark.parametrize("code", ["8051", "9427613085"])
async def test_the_shortest_and_the_longest_codes_are_read(tmp_path: Path, code: str) -> None:
    assert hear_code(await record(tmp_path, code, seed=4), len(code)) == code


async def test_a_longer_code_is_not_read_as_a_shorter_one(tmp_path: Path) -> None:
    assert hear_code(await record(tmp_path, "84710296", seed=5), 6) is None


async def test_several_threads_may_listen_at_once(tmp_path: Path) -> None:
    codes = ["471029", "338516", "902774"]
    files = [await record(tmp_path, code, seed=seed) for seed, code in enumerate(codes)]
    assert await asyncio.gather(*(asyncio.to_thread(hear_code, file, 6) for file in files)) == codes


def test_a_recording_at_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "wide.wav", silence(1), 16000)
    with pytest.raises(ValueError, match="16000 Hz"):
        hear_code(tmp_path / "wide.wav", 6)


INTRODUCTION, DIGIT, AFTERWORD = 1.0, 0.5, 2.5


@pytest.mark.parametrize(
    ("lengths", "gaps", "readings"),
    [
        ([INTRODUCTION, *[DIGIT] * 4, AFTERWORD], [0.9, 0.5, 0.9, 0.5, 0.9], 1),
        ([INTRODUCTION, *[DIGIT] * 4], [0.9, 0.5, 0.9, 0.5], 1),
        ([INTRODUCTION, *[DIGIT] * 5, AFTERWORD], [0.9, 0.5, 0.9, 0.5, 0.5, 0.9], 0),
        ([INTRODUCTION, *[DIGIT] * 3, AFTERWORD], [0.9, 0.5, 0.9, 0.9], 0),
        ([INTRODUCTION, *[DIGIT] * 4, AFTERWORD], [0.4, 0.5, 0.9, 0.5, 0.9], 0),
        ([INTRODUCTION, *[DIGIT] * 4, AFTERWORD], [0.9, 0.5, 2.0, 0.5, 0.9], 0),
        ([DIGIT] * 4, [0.5, 0.9, 0.5], 0),
    ],
    ids=["whole", "hung-up-after", "too-many", "too-few", "not-introduced", "torn", "no-introduction"],
)
def test_a_reading_is_told_by_its_rhythm(lengths: list[float], gaps: list[float], readings: int) -> None:
    words, now = [], 1.0
    for length, gap in zip(lengths, [*gaps, 0.0], strict=True):
        words.append((now, now + length))
        now += length + gap
    assert len(find_readings(words, 4)) == readings


async def test_quieting_takes_out_a_tone_and_keeps_the_words(tmp_path: Path) -> None:
    _, reading = await what_a_phone_hears(tmp_path, "7", "471029")
    call = np.concatenate((silence(1), reading, silence(1))).astype(np.float64)
    noise = 400 * np.sin(2 * np.pi * 440 * np.arange(len(call)) / RATE)
    quiet = quieten(call + noise)
    assert len(quiet) == len(call)
    assert np.std(quiet[1000:7000]) < np.std(noise[1000:7000]) / 10
    assert np.corrcoef(quiet, call)[0, 1] > 0.97


def test_quieting_leaves_silence_alone() -> None:
    assert not quieten(np.zeros(8000)).any()
    assert not len(quieten(np.zeros(0)))
