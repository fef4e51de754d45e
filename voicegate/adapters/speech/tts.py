"""Text-to-speech engines: a script in, samples out; each run is one subprocess with a deadline.

Only fixed phrases come here, never a code. The text goes in by standard input, because a command line
shows in `ps`. Seen with flite 2.2 and espeak-ng 1.51: `flite -f -` and `espeak-ng --stdin` both read all
of it; flite cannot write to a pipe (it hangs), falls back to another voice for one it does not have, and
exits with 0 even when it could write nothing, so the voice and the file are looked at, not the status.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.formats import Samples
from voicegate.adapters.speech.pack import Script
from voicegate.domain.errors import SpeechError

DEADLINE: Final = timedelta(seconds=20)
_MAX_VOICE_LIST: Final = 100_000
# espeak-ng's own 175 words a minute are a reader's pace, not that of somebody on the telephone.
_ESPEAK_WORDS_A_MINUTE: Final = "150"


@dataclass(frozen=True, slots=True)
class Speaking:
    """What an engine made of a script."""

    samples: Samples
    """The sound."""
    rate: int
    """Samples a second."""


def _flite(voice: str, output: Path) -> Sequence[str]:
    return ("-voice", voice, "-f", "-", "-o", str(output))


def _espeak(voice: str, output: Path) -> Sequence[str]:
    return ("--stdin", "-v", voice, "-s", _ESPEAK_WORDS_A_MINUTE, "-w", str(output))


_ARGUMENTS: Final[Mapping[str, Callable[[str, Path], Sequence[str]]]] = {
    "flite": _flite,
    "espeak-ng": _espeak,
}


def is_installed(engine: str) -> bool:
    """Can this engine run here? Blocks for moments."""
    return shutil.which(engine) is not None


async def speak(script: Script, deadline: timedelta = DEADLINE) -> Speaking:
    """Return the sound of `script`, as the engine made it.

    Raises:
        SpeechError: the engine is not installed, lacks the voice, failed, or took longer than `deadline`.
    """
    program = shutil.which(script.engine)
    if program is None:
        raise SpeechError(f"{script.engine}: is not installed, and {script.voice!r} is a voice of it")
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            if script.engine == "flite":
                await _check_flite_voice(program, script.voice)
            return await _run(program, script)
    except TimeoutError:
        limit = deadline.total_seconds()
        raise SpeechError(f"{script.engine}: did not finish within {limit:g} s") from None


async def _run(program: str, script: Script) -> Speaking:
    with tempfile.TemporaryDirectory(prefix="voicegate-") as folder:
        output = Path(folder) / "speech.wav"
        arguments = _ARGUMENTS[script.engine](script.voice, output)
        complaint = await _execute(program, arguments, text=script.text + "\n")
        return await asyncio.to_thread(_read, output, f"{script.engine}, voice {script.voice}: {complaint}")


async def _execute(program: str, arguments: Sequence[str], *, text: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return output[:_MAX_VOICE_LIST].decode(errors="replace").strip()


async def _check_flite_voice(program: str, voice: str) -> None:
    listing = await _execute(program, ("-lv",), text="")
    voices = listing.partition(":")[2].split()
    if voice not in voices:
        raise SpeechError(f"flite: has no voice {voice!r}; it has {', '.join(voices) or 'none'}")


def _read(output: Path, blame: str) -> Speaking:
    try:
        samples, rate = soundfile.read(output, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise SpeechError(f"{blame or 'made no sound'}") from error
    if samples.ndim != 1 or not np.any(samples):
        raise SpeechError(f"{blame or 'made only silence'}")
    return Speaking(samples=np.asarray(samples, dtype=np.int16), rate=int(rate))
