"""What the checks of every kind of PBX share: the way in, what they are given to try, what came of it.

What a kind of PBX is asked, and what is wrong with its answers, is in its own `checks`.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.application.ports import Clip
from voicegate.domain.errors import PbxError, PbxRefused, ReplyLost, SpeechError

S = TypeVar("S")
_DOCUMENTATION: Final = ("192.0.2.1", 9)
"""An address that nobody has (RFC 5737), by which the system chooses its own."""
_GREETING_S: Final = 1.0
_GREETING_BYTES: Final = 256
_TURNED_AWAY: Final = b"rude-rejection"
"""What FreeSWITCH says to who is not on its access list."""


@dataclass(frozen=True, slots=True)
class Desks:
    """Extensions of the PBX that may be called."""

    pattern: re.Pattern[str]
    """What the whole extension must match."""
    endpoint: str
    """The endpoint to dial, with `{extension}` for the extension."""

    def fits(self, endpoint: str) -> bool:
        """Return whether this endpoint is that of an extension that may be called."""
        before, mark, after = self.endpoint.partition("{extension}")
        if not mark:
            return endpoint == self.endpoint
        own = re.escape(before), self.pattern.pattern, re.escape(after)
        return re.fullmatch("{}(?:{}){}".format(*own), endpoint, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Target:
    """What our settings need from one PBX."""

    trunks: Mapping[str, str]
    """Each trunk's name with its endpoint, or gateway."""
    sounds: Callable[[], AbstractAsyncContextManager[Sequence[Clip]]]
    """Gives sounds that it must be able to play; raises SpeechError if there are none."""
    packets: Mapping[str, int] = field(default_factory=dict)
    """`packet_ms` of each trunk, by the trunk's name."""
    desks: Mapping[str, Desks] = field(default_factory=dict)
    """The extensions of its own that may be called, by their names in the settings."""
    calls: int = 0
    """How many calls there may be at a time, by all its trunks."""
    audio_format: str = "wav"
    """`audio.format`: what is played to called people."""

    @property
    def native_codecs(self) -> Collection[str]:
        """The codecs, as SDP names them, in which our sounds need no other conversion than G.711's own."""
        return ("PCMU", "PCMA", "G722") if self.audio_format == "wav16" else ("PCMU", "PCMA")


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
    exposed_fix: str
    """What to do where others on the network can reach it too."""
    is_encrypted: bool = False
    """Is it spoken to over TLS, with a verified certificate?"""

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
                if (exposed := await self._look_from_network()) is not None:
                    yield exposed
            return
        except PbxRefused as error:
            yield failed(self.name, f"log-in refused: {error}", self.login_fix)
        except (OSError, TimeoutError, PbxError) as error:
            yield failed(self.name, f"no {self.title} at {self.address}: {reason(error)}", self.address_fix)
        for finding in await from_outside():
            yield finding

    async def _look_from_network(self) -> Finding | None:
        """Return whether an interface that we use on loopback also answers at this machine's own address on
        the network; None: it cannot be tried."""
        host, _, port = self.address.rpartition(":")
        about, outside = f"{self.name} from outside", own_address()
        if not _is_loopback(host):
            text = f"{host} is another machine: who is on the way sees and can change what is said"
            return None if self.is_encrypted else doubtful(about, text, self.exposed_fix)
        if outside is None:
            return None
        greeting = await _greeting_at(outside, int(port))
        if greeting is None:
            return passed(about, f"nothing answers at {outside}:{port}")
        if _TURNED_AWAY in greeting:
            return passed(about, f"it turns others away at {outside}:{port}")
        text = f"it answers at {outside}:{port} too: who guesses its secret can place calls"
        return doubtful(about, text, self.exposed_fix)


def own_address() -> str | None:
    """Return this machine's address on the network it would use for a carrier; None: it has none. Sends
    nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if _is_loopback(address) else address


async def _greeting_at(host: str, port: int) -> bytes | None:
    """Return the first bytes that somebody sends there, empty if nothing comes; None: nobody listens."""
    try:
        async with asyncio.timeout(_GREETING_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return None
    try:
        async with asyncio.timeout(_GREETING_S):
            return await reader.read(_GREETING_BYTES)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def judge_packets(about: str, trunk: str, *, theirs: str, ours: int) -> list[Finding]:
    """Return what is wrong if a trunk's packets carry another time than `packet_ms` says; `theirs` is what
    the PBX's settings say, empty where they say nothing."""
    if not theirs or int(theirs) == ours:
        return []
    fix = f"trunks.{trunk}.packet_ms = {theirs}: how long a code must have been sent is reckoned by it"
    return [doubtful(about, f"a packet carries {theirs} ms in the PBX's settings, and {ours} in ours", fix)]


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
