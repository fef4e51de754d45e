"""Everything that can be wrong with a prompt's files is found, and named with its fix."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.unit.adapters.speech.conftest import SOUNDS
from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.inspection import Finding, inspect
from voicegate.adapters.speech.pack import load_pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the German prompts."""
    return Path(shutil.copytree(SOUNDS / "de", tmp_path / "sounds" / "de"))


def findings(folder: Path) -> list[Finding]:
    return inspect(load_pack(folder.parent, "de"), folder.parent / "recordings")


def rewrite(file: Path, change: Callable[[np.ndarray], np.ndarray], rate: int = 8000) -> None:
    samples = change(FORMATS["wav"].read(file).astype(np.float64))
    soundfile.write(file, np.clip(samples, -32768, 32767).astype(np.int16), rate, format="WAV")


def silence(file: Path) -> None:
    rewrite(file, np.zeros_like)


def clip(file: Path) -> None:
    rewrite(file, lambda samples: samples * 12)


def weaken(file: Path) -> None:
    rewrite(file, lambda samples: samples / 10)


def strengthen(file: Path) -> None:
    # As loud as can be without being clipped: its peaks pressed together.
    rewrite(file, lambda samples: np.tanh(samples / 4000) * 31000)


def speed_up(file: Path) -> None:
    rewrite(file, lambda samples: samples, rate=11025)


def cut(file: Path) -> None:
    rewrite(file, lambda samples: samples[:4000])


def recode(file: Path) -> None:
    samples = FORMATS["wav"].read(file)
    soundfile.write(file, samples, 8000, format="WAV", subtype="ULAW")


def garble(file: Path) -> None:
    file.write_bytes(b"RIFF")


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (Path.unlink, "is missing"),
        (silence, "is silent"),
        (clip, "is clipped"),
        (weaken, "is too quiet: -"),
        (strengthen, "is too loud"),
        (speed_up, "is not mono WAV (PCM_16) at 8000 Hz"),
        (recode, "is not mono WAV (PCM_16) at 8000 Hz"),
        (cut, "lasts 0.50 s, in other formats"),
        (garble, "is not a sound file"),
    ],
)
def test_a_file_that_is_wrong_is_named(folder: Path, harm: Callable[[Path], None], problem: str) -> None:
    file = folder / "press.wav"
    harm(file)
    (finding,) = findings(folder)
    assert finding.file == file
    assert finding.problem.startswith(problem)
    assert finding.fix == "voicegate prompts build de --force"


def test_a_format_that_an_image_leaves_out_of_every_prompt_is_not_missed(folder: Path) -> None:
    *others, last = sorted(folder.glob("*.wav16"))
    for file in others:
        file.unlink()
    assert len(findings(folder)) == len(others)
    last.unlink()
    assert findings(folder) == []


def test_a_headerless_file_that_is_empty_is_named(folder: Path) -> None:
    (folder / "press.alaw").write_bytes(b"")
    (finding,) = findings(folder)
    assert (finding.file.name, finding.problem) == ("press.alaw", "is empty")


def test_a_good_file_that_is_not_the_one_that_was_built_is_found(folder: Path) -> None:
    shutil.copy(folder / "star.wav", folder / "press.wav")
    for suffix in ("wav16", "ulaw", "alaw"):
        shutil.copy(folder / f"star.{suffix}", folder / f"press.{suffix}")
    assert [(finding.file.name, finding.problem) for finding in findings(folder)] == [
        (f"press.{suffix}", "is not what was built") for suffix in ("wav", "wav16", "ulaw", "alaw")
    ]


def test_words_that_changed_since_are_found(folder: Path) -> None:
    script = folder / "prompts.toml"
    words = script.read_text("utf-8")
    script.write_text(words.replace('"Auf Wiederhören."', '"Danke. Auf Wiederhören."'), "utf-8")
    assert {finding.file.name for finding in findings(folder)} == {"goodbye.wav"}
    assert {finding.fix for finding in findings(folder)} == {"voicegate prompts build de"}


def test_a_file_that_is_no_prompts_is_found(folder: Path) -> None:
    (folder / "digit_10.wav").write_bytes(b"")
    (finding,) = findings(folder)
    assert (finding.file.name, finding.fix) == ("digit_10.wav", "remove it")
