"""Text-to-speech: a script in, samples out; each run of an engine is one subprocess with a deadline.

Only fixed phrases come here, never a code. The text goes in by standard input, because a command line
shows in `ps`; every engine of `engines` reads all of it there. Seen with flite 2.2: it cannot write to a pipe
(it hangs), falls back to another voice for one it does not have, and exits with 0 even when it could write
nothing, so the voice and the file are looked at, not the status.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.engines import ENGINES, is_installed
from voicegate.adapters.speech.formats import Samples
from voicegate.adapters.speech.pack import Script
from voicegate.adapters.speech.takes import AS_IT_IS, Take
from voicegate.domain.errors import SpeechError

# A neural voice needs seconds for a phrase, and longer on a busy machine.
DEADLINE: Final = timedelta(seconds=60)
_MAX_VOICE_LIST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Speaking:
    """What an engine made of a script."""

    samples: Samples
    """The sound."""
    rate: int
    """Samples a second."""


async def speak(script: Script, take: Take = AS_IT_IS, deadline: timedelta = DEADLINE) -> Speaking:
    """Return the sound of `script`, as the engine made it.

    Raises:
        SpeechError: the engine is not installed, lacks the voice, failed, took longer than `deadline`, or
            did not speak in the take's rhythm.
    """
    engine = ENGINES[script.engine]
    program = shutil.which(engine.program)
    if program is None or not is_installed(script.engine):
        raise SpeechError(
            f"{script.engine}: is not installed, and {script.voice!r} is a voice of it: {engine.needs}"
        )
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            if script.engine == "flite":
                await _check_flite_voice(program, script.voice)
            spoken = await _run(program, script, take)
    except TimeoutError:
        limit = deadline.total_seconds()
        raise SpeechError(f"{script.engine}: did not finish within {limit:g} s") from None
    return replace(spoken, samples=take.cut(spoken.samples, spoken.rate))


async def _run(program: str, script: Script, take: Take) -> Speaking:
    engine, speed = ENGINES[script.engine], script.speed * take.speed
    with tempfile.TemporaryDirectory(prefix="voicegate-") as folder:
        output = Path(folder) / "speech.wav"
        text = engine.mark_up(take.fill(script.text), speed)
        arguments = engine.arguments(script.voice, speed, output)
        complaint = await _execute(program, arguments, text=text + "\n")
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
