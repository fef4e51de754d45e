"""The service numbers that testers dial at the company's PBX, each by number or by name.

Their sounds are made in `phrases`; "call me with a code" is served by `callback`. The dialplan is rendered
from here, and `voicegate lab testers` prints it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voicegate.adapters.speech.pack import load_spoken
from voicegate.config import project_folder


@dataclass(frozen=True, slots=True)
class Service:
    """One service number."""

    number: str
    """What to dial."""
    name: str
    """What to dial instead on a telephone with letters; its sound is `<name>.wav`."""
    purpose: str
    """What happens, in a sentence."""


CODE: Final = Service("801", "code", "Calls you back with a code, which `voicegate check` then checks.")
ECHO: Final = Service("802", "echo", "Sends back to you what you say.")
NUMBERS: Final = Service("803", "numbers", "Reads out how each of the carrier's numbers behaves.")
_FIRST_SAMPLE: Final = 811


def sample_name(language: str) -> str:
    """Return the name of the service that plays a language's sample."""
    return f"sample-{language}"


def all_services() -> Sequence[Service]:
    """Return every service: the three above, and a sample in each language that is spoken by default. Blocks.

    Raises:
        SpeechError: the folder of languages, or one of them, cannot be read.
    """
    samples = (
        Service(str(number), sample_name(pack.language), f"Plays a sample announcement in {pack.language!r}.")
        for number, pack in enumerate(load_spoken(project_folder("sounds")), start=_FIRST_SAMPLE)
    )
    return (CODE, ECHO, NUMBERS, *samples)
