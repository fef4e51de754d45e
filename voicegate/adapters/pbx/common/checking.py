"""What the checks of every kind of PBX share: what they are given to try, and how they tell what came of it.

What a kind of PBX is asked, and what is wrong with its answers, belongs to its own `checks`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.application.ports import Clip
from voicegate.domain.errors import ReplyLost, SpeechError


@dataclass(frozen=True, slots=True)
class Target:
    """What our settings want of one PBX."""

    trunks: Mapping[str, str]
    """Trunk's name -> its endpoint, or gateway."""
    sounds: Callable[[], AbstractAsyncContextManager[Sequence[Clip]]]
    """Gives sounds that it must be able to play; raises SpeechError where there are none."""


def judge_sounds(sounds: Sequence[Clip], unplayed: Collection[str], fix: str) -> list[Finding]:
    """Return for each sound whether it was played; `unplayed` are paths, `fix` is for those."""
    return [
        failed("sounds", f"the PBX cannot play {clip.path}", fix)
        if clip.path in unplayed
        else passed("sounds", f"the PBX plays {clip.path}")
        for clip in sounds
    ]


def sounds_not_tried(error: SpeechError) -> Finding:
    """Return that there are no sounds to try, and why."""
    return doubtful("sounds", f"not tried: {error}", "look as the daemon's user, once the daemon has run")


def reason(error: Exception) -> str:
    """Return why a PBX could not be asked, in a few words."""
    if isinstance(error, TimeoutError | ReplyLost):
        return "no answer in time"
    # An OSError's own text has its number, and the address once more.
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
