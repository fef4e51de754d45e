"""A PBX's connection, as every adapter keeps it: opened again when it is lost, at a pace, and checked by
pings.

What is sent on it, and by which client, is the adapter's part.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import structlog

from voicegate.domain.errors import ConfigError, PbxError, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

# Not for secrecy: so that all who lost a PBX do not come back in one moment.
_DICE: Final = secrets.SystemRandom()
_OF_THE_LOSS: Final = 1 / 8
_SHORTEST_REST_S: Final = 0.1


@dataclass(slots=True, repr=False)
class Secret:
    """A secret that `repr` does not show."""

    value: str
    """The secret itself, as it was last read."""
    read: Callable[[], str] | None = None
    """Reads it again; raises ConfigError where it cannot; None: it never changes."""

    def renewed(self) -> str:
        """Return the secret as it is now, for a log-in; where it cannot be read, as it last was. Blocks for
        moments."""
        if self.read is not None:
            with suppress(ConfigError):
                self.value = self.read()
        return self.value

    def __repr__(self) -> str:
        return "Secret(redacted)"


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How often a PBX's connection is tried and checked."""

    first_delay: timedelta = timedelta(milliseconds=500)
    """From a loss to the first new try. Later tries wait an eighth of the time that the PBX has been away, so
    that its restart takes only a little longer; all waits are shortened at random, by up to half."""
    longest_delay: timedelta = timedelta(seconds=30)
    """The longest wait between two tries."""
    refused_delay: timedelta = timedelta(seconds=60)
    """The wait between two tries while the PBX refuses our name or secret."""
    quiet: timedelta = timedelta(seconds=10)
    """How long the PBX may be silent before it is pinged."""


class SecretRefused(PbxError):
    """The PBX refuses our name or secret."""


class Peer(Protocol):
    """The other end of a connection."""

    @property
    def heard_at(self) -> float:
        """When it sent something last, on the loop's clock."""
        ...

    @property
    def lost(self) -> asyncio.Event:
        """Set when the connection is lost."""
        ...

    @property
    def reason(self) -> object:
        """Why it is lost; None: the peer closed it, or it is not lost."""
        ...


class Client(Protocol):
    """Speaks over the present connection."""

    @property
    def ready(self) -> asyncio.Event:
        """Set while logged in, and after the calls in progress were checked."""
        ...

    async def serve(self) -> None:
        """Connect, log in, and watch the connection until something is wrong, which is raised."""
        ...

    def drop(self) -> None:
        """Record that the connection is lost, or could not be opened."""
        ...


class ConnectionListener(Protocol):
    """Is told about the state of the connection."""

    async def on_ready(self) -> None:
        """Logged in; there may be calls in progress. Find out which of them still exist, and return when new
        calls can be placed. The PBX may be asked."""
        ...

    def on_lost(self) -> None:
        """The connection is lost, or could not be opened: events may be missed from now on."""
        ...


async def keep_connected(
    client: Client, pace: ReconnectPolicy, *, pbx: str, wire: str, wanted: asyncio.Event | None = None
) -> None:
    """Keep a connection until cancelled; `wire` is its protocol's name in logs.

    When `wanted` is set, a PBX that is away is tried at once; but not one that refuses our secret, because it
    may lock out an account after too many tries.
    """
    loop = asyncio.get_running_loop()
    wanted = wanted or asyncio.Event()
    lost_at = loop.time()
    complaints = _Complaints(pace.longest_delay.total_seconds())
    while True:
        is_refused = False
        try:
            await client.serve()
        except SecretRefused as error:
            log.error(f"{wire} log-in refused: check username and secret", pbx=pbx, why=str(error))
            # Slowly, whoever wants it: a PBX may lock out who guesses too often.
            delay, is_refused = pace.refused_delay.total_seconds(), True
        except (PbxError, OSError, TimeoutError) as error:
            # Only what was in step is a new loss: a try that failed belongs to the same absence.
            if client.ready.is_set():
                lost_at = loop.time()
                complaints.forget()
            delay = _back_off(loop.time() - lost_at, pace)
            why = str(error) or type(error).__name__
            tell = log.warning if complaints.is_news(why, loop.time()) else log.debug
            tell(f"{wire} down", pbx=pbx, why=why, retry_s=round(delay, 1))
        finally:
            client.drop()
        # Shortened at random: many controllers must not all come back to a restarted PBX in the same moment.
        await _rest(delay * _DICE.uniform(0.5, 1), asyncio.Event() if is_refused else wanted)


class _Complaints:
    """Decides which of many failed tries are logged: each reason is logged again only after a while."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told: tuple[str, float] | None = None

    def forget(self) -> None:
        """Record that the next failures belong to another loss."""
        self._told = None

    def is_news(self, why: str, now: float) -> bool:
        """Return whether this reason is not the one that was logged last, or that was long ago."""
        if self._told is not None and self._told[0] == why and now - self._told[1] < self._every_s:
            return False
        self._told = (why, now)
        return True


async def watch(peer: Peer, quiet: timedelta, ping: Callable[[], Awaitable[object]]) -> None:
    """Ping a silent peer until it is lost; anything that it sends counts as a sign of life. Never returns.

    Raises:
        PbxError: the connection is lost.
        ReplyLost: the peer is silent.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            # Not in the past: what was heard while the loop was busy is looked at first.
            async with asyncio.timeout_at(max(peer.heard_at + quiet.total_seconds(), loop.time())):
                await peer.lost.wait()
        except TimeoutError:
            if peer.heard_at + quiet.total_seconds() <= loop.time():
                await _prove(peer, ping)
        else:
            raise reason_of(peer)


def reason_of(peer: Peer) -> Exception:
    """Return why a connection cannot be used any more."""
    if isinstance(peer.reason, Exception):
        return peer.reason
    return PbxUnavailable("closed by the PBX" if peer.lost.is_set() else "no answer in time")


async def _prove(peer: Peer, ping: Callable[[], Awaitable[object]]) -> None:
    asked_at = asyncio.get_running_loop().time()
    try:
        await ping()
    except ReplyLost:
        # Events that came meanwhile prove that it lives, and is only slow to answer.
        if peer.heard_at < asked_at:
            raise


async def _rest(delay: float, wanted: asyncio.Event) -> None:
    """Wait until the next try is due, or until one is wanted; then at least a tenth of a second, as many may
    want it."""
    # What was wanted meanwhile had its answer: the try that just failed.
    wanted.clear()
    shortest = min(delay, _SHORTEST_REST_S)
    await asyncio.sleep(shortest)
    with suppress(TimeoutError):
        async with asyncio.timeout(delay - shortest):
            await wanted.wait()


def _back_off(away_s: float, pace: ReconnectPolicy) -> float:
    # By the time away, not doubled: only what is away for long may be found late.
    grown = max(away_s * _OF_THE_LOSS, pace.first_delay.total_seconds())
    return min(grown, pace.longest_delay.total_seconds())
