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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech import engines
from voicegate.adapters.speech.engines import ENGINES, Request, is_installed
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
    """Return the sound of `script` as the engine made it.

    Raises:
        SpeechError: the engine is not installed, lacks the voice, failed, took longer than `deadline`, or
            did not speak in the take's rhythm.
    """
    return (await speak_takes(script, (take,), deadline))[take]


async def speak_takes(
    script: Script, takes: Sequence[Take], deadline: timedelta = DEADLINE
) -> Mapping[Take, Speaking]:
    """Return the sounds of `script` in those takes whose rhythm the engine kept.

    Raises:
        SpeechError: the engine is not installed, lacks the voice, failed, took longer than `deadline` a
            take, or kept to no take's rhythm.
    """
    engine = ENGINES[script.engine]
    program = shutil.which(engine.program)
    if program is None or not is_installed(script.engine):
        raise SpeechError(
            f"{script.engine}: is not installed, and {script.voice!r} is a voice of it: {engine.needs}"
        )
    limit = deadline.total_seconds() * len(takes)
    try:
        async with asyncio.timeout(limit):
            if script.engine == "flite":
                await _check_flite_voice(program, script.voice)
            if script.engine == "rhvoice":
                await asyncio.to_thread(_check_rhvoice_voice, script.voice)
            spoken = await _run(program, script, takes)
    except TimeoutError:
        raise SpeechError(f"{script.engine}: did not finish within {limit:g} s") from None
    return _cut(spoken)


def _cut(spoken: Mapping[Take, Speaking]) -> dict[Take, Speaking]:
    """Return the takes with their words cut out, but for those in which no words were found."""
    kept, problem = {}, SpeechError("no take was asked for")
    for take, speaking in spoken.items():
        try:
            kept[take] = replace(speaking, samples=take.cut(speaking.samples, speaking.rate))
        except SpeechError as error:
            problem = error
    if not kept:
        raise problem
    return kept


async def _run(program: str, script: Script, takes: Sequence[Take]) -> dict[Take, Speaking]:
    engine = ENGINES[script.engine]
    with tempfile.TemporaryDirectory(prefix="voicegate-") as folder:
        requests = [
            Request(
                text=take.fill(script.spelling or script.text),
                voice=script.voice,
                speed=script.speed * take.speed,
                manner=take.manner,
                output=Path(folder) / f"{number}.wav",
            )
            for number, take in enumerate(takes)
        ]
        complaint = ""
        for run in [requests] if engine.takes_many else [[request] for request in requests]:
            text = "".join(f"{engine.mark_up(request)}\n" for request in run)
            complaint = await _execute(program, engine.arguments(run[0]), text=text) or complaint
        blame = f"{script.engine}, voice {script.voice}: {complaint}"
        outputs = [request.output for request in requests]
        return await asyncio.to_thread(
            lambda: {take: _read(output, blame) for take, output in zip(takes, outputs, strict=True)}
        )


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


def _check_rhvoice_voice(voice: str) -> None:
    if not (engines.RHVOICE_VOICES / voice).is_dir():
        raise SpeechError(f"rhvoice: has no voice {voice!r} in {engines.RHVOICE_VOICES}: see docs/voices.md")


def _read(output: Path, blame: str) -> Speaking:
    try:
        samples, rate = soundfile.read(output, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise SpeechError(f"{blame or 'made no sound'}") from error
    if samples.ndim != 1 or not np.any(samples):
        raise SpeechError(f"{blame or 'made only silence'}")
    return Speaking(samples=np.asarray(samples, dtype=np.int16), rate=int(rate))
