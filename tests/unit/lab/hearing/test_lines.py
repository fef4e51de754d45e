"""Every line carries a sound as long as it was, and does to it what its name says."""

import numpy as np
import pytest
import soundfile

from voicegate.adapters.speech.levels import loudness, resample
from voicegate.config import project_folder
from voicegate.lab.hearing.lines import LINES, Line, find_line


def call_for(line: Line) -> np.ndarray:
    folder = project_folder("sounds") / "en"
    names = ("your_code_is", "digit_3", "digit_5", "never_asked")
    sounds = [np.pad(soundfile.read(folder / f"{name}.wav16", dtype="int16")[0], 4000) for name in names]
    return resample(np.concatenate(sounds), 16000, line.rate)


def carry(line: Line, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    sound = call_for(line)
    heard = line.carry(sound, np.random.default_rng(seed))
    assert heard.dtype == np.int16
    assert len(heard) == len(sound)
    return sound.astype(np.float64), heard.astype(np.float64)


def lost_packets(heard: np.ndarray, sound: np.ndarray) -> np.ndarray:
    spoken, kept = (part[: len(part) // 160 * 160].reshape(-1, 160) for part in (sound, heard))
    return np.asarray(spoken.any(axis=1) & ~kept.any(axis=1))


def over_many(line: Line) -> np.ndarray:
    return np.concatenate(
        [lost_packets(heard, sound) for sound, heard in (carry(line, s) for s in range(40))]
    )


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_what_was_said_comes_through_and_the_same_chance_makes_the_same_line(line: Line) -> None:
    sound, heard = carry(line)
    likeness = np.correlate(heard, sound[1000:-1000]) / np.sqrt((sound**2).sum() * (heard**2).sum())
    assert likeness.max() > 0.8
    assert (carry(line)[1] == heard).all()


@pytest.mark.parametrize(("name", "share"), [("3 % lost", 0.03), ("5 % lost", 0.05)])
def test_so_many_packets_of_a_hundred_are_lost(name: str, share: float) -> None:
    lost = over_many(find_line(name))
    # A third of the packets are silence, of which nobody can tell whether they came.
    assert 0.5 * share < lost.mean() < 1.1 * share


def test_in_bursts_three_packets_are_lost_in_a_row() -> None:
    lost = over_many(find_line("bursts of 3 lost"))
    assert (np.convolve(lost, np.ones(3), "valid") == 3).sum() > lost.sum() / 5
    assert 0.015 < lost.mean() < 0.04


@pytest.mark.parametrize(("name", "below"), [("noise 20 dB", 20), ("babble 10 dB", 10)])
def test_noise_lies_so_far_below_what_is_said(name: str, below: float) -> None:
    sound, heard = carry(find_line(name))
    added = loudness((heard - sound).astype(np.int16), 8000)
    assert loudness(sound.astype(np.int16), 8000) - added == pytest.approx(below, abs=1.5)


def test_other_lines_are_told_apart_by_name() -> None:
    with pytest.raises(KeyError):
        find_line("tin cans")
