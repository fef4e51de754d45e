"""One language heard completely: calls with random codes over every line, and every phrase.

Codes, noise and loss have their own seeds, which nothing else uses. Above all, the choice of recordings does
not use them: what chose a sound does not judge it.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import soundfile

from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import resample
from voicegate.adapters.speech.pack import Pack, load_pack
from voicegate.adapters.speech.voice import Voice, load_voice
from voicegate.domain.announcement import PromptName
from voicegate.lab.ear import hear_code
from voicegate.lab.hearing.calls import READINGS, Call, cut_digits, mix_call, read_code, sharpen, words_of
from voicegate.lab.hearing.digits import DigitEar, Sound
from voicegate.lab.hearing.lines import LINES, Line, find_line
from voicegate.lab.hearing.phrases import transcribe
from voicegate.lab.hearing.results import Heard, OnLine, Phrase, Reader, hash_prompts
from voicegate.lab.hearing.whisper import HASHES

Report = Callable[[str, float], None]
"""Called with what is being heard, and how much of it is done."""

CODES: Final = 60
"""Calls over each line that has a goal."""
GOALS: Final = ("G.711", "noise 20 dB, 3 % lost")
"""Those lines, by name."""
CODE_LENGTH: Final = 6
_SEED: Final = 20_261_130
_OWN_EAR: Final = "en"
_EAR_RATE: Final = 8000
_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Heard:
    """A call as it came out of a line."""

    code: str
    call: Call
    samples: Samples


def measure(sounds: Path, language: str, *, codes: int, report: Report) -> Heard:
    """Return what the recognisers understand of a language, over all lines; blocks for minutes.

    `codes` calls go over each line that has a goal, a third as many over each other line.

    Raises:
        SpeechError: the language cannot be used.
        PackageError: the extra [hear] is not installed.
    """
    pack = load_pack(sounds, language)
    readers = [_read_calls(pack, variant, codes=codes, report=report) for variant in (None, *pack.variants)]
    if language == _OWN_EAR:
        readers.append(_read_by_own_ear(pack, codes, report))
    return Heard(HASHES["model.bin"], readers, _write_down(pack, report), hash_prompts(pack))


def _read_calls(pack: Pack, variant: str | None, *, codes: int, report: Report) -> Reader:
    words = words_of(pack, variant)
    ear = DigitEar(pack.language, words)
    lines = []
    for count, line in enumerate(LINES):
        report(f"{pack.language}{f' ({variant})' if variant else ''}: {line.name}", count / len(LINES))
        calls = _calls(_load(pack, line, variant), line, codes)
        lines.append(_judge(line, [(one, cut_digits(one.call, one.samples)) for one in calls], ear))
    return Reader("whisper", variant, lines)


def _judge(line: Line, calls: Sequence[tuple[_Heard, list[Sound]]], ear: DigitEar) -> OnLine:
    once = ear.hear([sound for _, sounds in calls for sound in sounds])
    said = "".join(one.code * READINGS for one, _ in calls)
    read = [(one.code, read_code(ear, sounds)) for one, sounds in calls]
    wrong = Counter(f"{right} as {heard}" for right, heard in zip(said, once, strict=True) if right != heard)
    return OnLine(
        **_count(line, read),
        once=len(said) - wrong.total(),
        of_once=len(said),
        confused=dict(sorted(wrong.items())),
    )


def _read_by_own_ear(pack: Pack, codes: int, report: Report) -> Reader:
    """Have English read by the recogniser that finds codes in whole calls by itself."""
    lines = []
    for count, line in enumerate(LINES):
        report(f"{pack.language} by its own ear: {line.name}", count / len(LINES))
        calls = _calls(_load(pack, line, None), line, codes)
        lines.append(OnLine(**_count(line, [(one.code, _hear_whole(one) or "") for one in calls])))
    return Reader("pocketsphinx", None, lines)


def _hear_whole(one: _Heard) -> str | None:
    with tempfile.TemporaryDirectory(prefix="voicegate-") as folder:
        file = Path(folder) / "call.wav"
        soundfile.write(file, resample(one.samples, one.call.rate, _EAR_RATE), _EAR_RATE)
        return hear_code(file, CODE_LENGTH)


def _count(line: Line, read: Sequence[tuple[str, str]]) -> dict[str, Any]:
    right = [sum(a == b for a, b in zip(said, heard, strict=False)) for said, heard in read]
    return {
        "line": line.name,
        "codes": sum(said == heard for said, heard in read),
        "of_codes": len(read),
        "digits": sum(right),
        "of_digits": CODE_LENGTH * len(read),
    }


def _calls(voice: Voice, line: Line, codes: int) -> Iterator[_Heard]:
    """Yield calls with random codes as they come out of a line; always the same ones."""
    chance = np.random.default_rng([_SEED, crc32(f"{voice.pack.language} {line.name}".encode())])
    for _ in range(codes if line.name in GOALS else max(codes // 3, 1)):
        code = "".join(map(str, chance.integers(0, 10, CODE_LENGTH)))
        call = mix_call(voice, code, key=str(chance.integers(1, 9)))
        yield _Heard(code, call, line.carry(call.samples, chance))


def _write_down(pack: Pack, report: Report) -> list[Phrase]:
    """Have each phrase written down as it is heard over a clean line."""
    line = find_line(GOALS[0])
    voice = _load(pack, line, None)
    chance = np.random.default_rng(_SEED)
    phrases = []
    for count, prompt in enumerate(PromptName):
        report(f"{pack.language}: {prompt}", count / len(PromptName))
        sound = np.pad(voice.prompts[prompt], int(_PAUSE_S * line.rate))
        said = pack.scripts[prompt].text
        written = transcribe(pack.language, said, sharpen(line.carry(sound, chance), line.rate))
        phrases.append(Phrase(prompt, line.name, said, written.heard, written.wrong, written.words))
    return phrases


def _load(pack: Pack, line: Line, variant: str | None) -> Voice:
    return load_voice(pack, FORMATS[line.suffix], pack.folder / "no recordings", variant=variant)
