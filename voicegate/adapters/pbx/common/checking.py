"""What the checks of every kind of PBX share: the way in, what they are given to try, what came of it.

What a kind of PBX is asked, and what is wrong with its answers, is in its own `checks`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.application.ports import Clip
from voicegate.domain.errors import PbxError, PbxRefused, ReplyLost, SpeechError

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Target:
    """What our settings need from one PBX."""

    trunks: Mapping[str, str]
    """Each trunk's name with its endpoint, or gateway."""
    sounds: Callable[[], AbstractAsyncContextManager[Sequence[Clip]]]
    """Gives sounds that it must be able to play; raises SpeechError if there are none."""


async def _nothing() -> Sequence[Finding]:
    return ()


@dataclass(frozen=True, slots=True)
class ManagementInterface(Generic[S]):
    """Where a PBX is asked, and what an admin can do where it does not let us in."""

    name: str
    """What findings are about, such as AMI."""
    title: str
    """What it is called in a sentence."""
    address: str
    """host:port."""
    open: Callable[[], AbstractAsyncContextManager[S]]
    """Gives a session that is logged in; raises PbxRefused where the account is not taken, OSError,
    TimeoutError or another PbxError where nobody answers as a PBX does."""
    login_fix: str
    """What to do about an account that is not taken."""
    address_fix: str
    """What to do where nobody answers."""

    async def check(
        self,
        look: Callable[[S], AsyncIterator[Finding]],
        from_outside: Callable[[], Awaitable[Sequence[Finding]]] = _nothing,
    ) -> AsyncIterator[Finding]:
        """Yield what a session shows by `look`; where there is none, or it is lost, why, and what can be seen
        `from_outside`."""
        try:
            async with self.open() as session:
                async for finding in look(session):
                    yield finding
            return
        except PbxRefused as error:
            yield failed(self.name, f"log-in refused: {error}", self.login_fix)
        except (OSError, TimeoutError, PbxError) as error:
            yield failed(self.name, f"no {self.title} at {self.address}: {reason(error)}", self.address_fix)
        for finding in await from_outside():
            yield finding


def judge_sounds(sounds: Sequence[Clip], unplayed: Collection[str], fix: str) -> list[Finding]:
    """Return for each sound whether it was played; `unplayed` are paths, `fix` is what to do about those."""
    return [
        failed("sounds", f"the PBX cannot play {clip.path}", fix)
        if clip.path in unplayed
        else passed("sounds", f"the PBX plays {clip.path}")
        for clip in sounds
    ]


def sounds_not_tried(error: SpeechError) -> Finding:
    """Return that no sounds could be tried, and why."""
    return doubtful("sounds", f"not tried: {error}", "look as the daemon's user, once the daemon has run")


def reason(error: Exception) -> str:
    """Return why a PBX could not be asked, in a few words."""
    if isinstance(error, TimeoutError | ReplyLost):
        return "no answer in time"
    # An OSError's own text has its number, and the address once more.
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
