"""Several takes of a digit: had from an engine, chosen by an ear, remembered."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.adapters.speech.conftest import SOUNDS
from voicegate.adapters.speech.build import build
from voicegate.adapters.speech.engines import ENGINES
from voicegate.adapters.speech.formats import Samples
from voicegate.adapters.speech.manifest import read_manifest
from voicegate.adapters.speech.pack import Pack, load_pack
from voicegate.adapters.speech.takes import AS_IT_IS, Take
from voicegate.domain.errors import SpeechError

RATE = 16000


def say(*lengths_s: float, pause_s: float = 0.2) -> Samples:
    """Words of these lengths, each twice as loud as the one before it, with pauses around them."""
    pause = np.zeros(int(pause_s * RATE))
    pieces = [pause]
    for number, length_s in enumerate(lengths_s):
        pieces += [np.sin(np.arange(int(length_s * RATE)) * 0.3) * 3000 * 2**number, pause]
    return np.concatenate(pieces).astype(np.int16)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    (tmp_path / "en").mkdir()
    shutil.copy(SOUNDS / "en" / "prompts.toml", tmp_path / "en")
    return load_pack(tmp_path, "en")


def test_a_word_is_cut_out_of_its_company_by_the_pauses_around_it() -> None:
    cut = Take("{}, {}, {}.", part=1).cut(say(0.5, 0.3, 0.4), RATE)
    assert 0.3 <= cut.size / RATE <= 0.4
    assert 5900 <= np.abs(cut).max() <= 6000


def test_the_silence_inside_a_word_is_no_pause() -> None:
    eight = np.concatenate([say(0.2, pause_s=0.03), say(0.1, pause_s=0.03)])
    cut = Take("{}. {}. {}.", part=2).cut(np.concatenate([eight, say(0.2), eight]), RATE)
    assert 0.3 < cut.size / RATE < 0.5


def test_an_engine_that_ran_the_words_together_is_no_take() -> None:
    with pytest.raises(SpeechError, match="1 words are heard, not 3"):
        Take("{}, {}, {}.").cut(say(0.5, 0.3, 0.4, pause_s=0.01), RATE)


async def test_the_ear_chooses_each_digits_take_among_all_and_the_choice_is_kept(
    engine: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, Sequence[str]]] = []
    slowest = Take("{}.", speed=0.65)
    monkeypatch.setitem(ENGINES, "flite", replace(ENGINES["flite"], takes=(AS_IT_IS, slowest)))

    def choose(word: str, words: Sequence[str], takes: Mapping[Take, Samples]) -> Take:
        heard.append((word, words))
        assert list(takes) == [AS_IT_IS, slowest]
        return max(takes, key=lambda take: takes[take].size)

    await build(pack)
    before = read_manifest(pack.folder)
    assert before["digit_7"].take == AS_IT_IS
    made = await build(pack, choose=choose)
    assert made == [f"digit_{value}" for value in "0123456789"]
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert heard == [(word, words) for word in words]
    after = read_manifest(pack.folder)
    assert after["digit_7"].chosen
    assert after["digit_7"].take == slowest
    assert after["digit_7"].sounds != before["digit_7"].sounds
    assert after["press"] == before["press"]
    (pack.folder / "digit_7.ulaw").unlink()
    assert await build(pack) == ["digit_7"]
    assert read_manifest(pack.folder)["digit_7"] == after["digit_7"]
