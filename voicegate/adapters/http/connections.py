"""Limits on the connections of a listener, and which one is closed when there are too many.

A connection is *keyless* until a request on it has shown who asks, and idle between two requests. The limits
bound what strangers can hold. Eviction makes room for new connections: the address with the most keyless
connections loses the one that was idle longest; after those, clients lose theirs. A connection with a request
in progress is never closed for this, nor one whose bytes nobody has read yet: its client would be reset.
Where none can be evicted, a newcomer is *refused*: a few such connections are held beyond the limits for the
moment in which their request is answered with 503.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_KEYLESS_SHARE: Final = 4
"""The share of a listener that keyless connections may fill before they are evicted first: a quarter."""
_KEPT_DESCRIPTORS: Final = 300
"""Descriptors kept free for calls, PBXs, the database and logs."""
_LEAST: Final = 50
REFUSED_AT_ONCE: Final = 50
"""Connections of a listener that are held beyond its limits, to be told so."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits on connections."""

    total: int = 1500
    """On one listener."""
    per_address: int = 500
    """Keyless ones from one address, or of one Unix user."""
    per_client: int = 1000
    """Of one client."""


def affordable(limits: ConnectionLimits, *, listeners: int, descriptors: int) -> ConnectionLimits:
    """Return the limits, lowered if this many listeners would leave no descriptors for calls and the
    database."""
    room = max(_LEAST, (descriptors - _KEPT_DESCRIPTORS) // listeners - REFUSED_AT_ONCE)
    if limits.total <= room:
        return limits
    log.warning("http.max_connections not reached: the limit of open files is low", allowed=room)
    return replace(limits, total=room)


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True, eq=False)
class Connection:
    """An open connection."""

    address: str
    """Where it comes from: an IP address, or a Unix user."""
    is_proxied: bool = False
    """Is it a trusted proxy's address, which does not tell who asks?"""
    abort: Callable[[], None] = _nothing
    """Closes it at once."""
    is_busy: Callable[[], bool] = field(default=lambda: False)
    """Is a request in progress on it?"""
    has_unread: Callable[[], bool] = field(default=lambda: False)
    """Have bytes arrived on it that were not read?"""
    late_s: float = 0.0
    """How long it was open before it was accepted, in seconds; counts as time of its first request."""
    client: str | None = None
    """The client that it belongs to; None: it is keyless."""
    is_refused: bool = False
    """Is there no room for it, so that its request is answered with 503?"""


_Crowd = OrderedDict[Connection, None]
"""Connections, the one that was idle longest first."""


class Connections:
    """The open connections of one listener."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._keyless: dict[str, _Crowd] = {}
        self._known: _Crowd = OrderedDict()
        self._refused: _Crowd = OrderedDict()
        self._clients: Counter[str] = Counter()
        self._keyless_count = 0

    def __len__(self) -> int:
        return self._keyless_count + len(self._known)

    def add(self, connection: Connection) -> bool:
        """Register a new connection, and evict an idle one if necessary; False: there is no room."""
        crowd = self._keyless.get(connection.address, OrderedDict())
        is_crowded = not connection.is_proxied and len(crowd) >= self._limits.per_address
        if is_crowded and not self._evict(crowd):
            return False
        if len(self) >= self._limits.total and not self.make_room():
            return False
        self._keyless.setdefault(connection.address, OrderedDict())[connection] = None
        self._keyless_count += 1
        return True

    @property
    def may_refuse(self) -> bool:
        """Return whether one more can be held for its answer; each of them needs a moment only."""
        return len(self._refused) < REFUSED_AT_ONCE or any(map(_is_idle, self._refused))

    def refuse(self, connection: Connection) -> None:
        """Hold a connection for which there is no room, until it was told so. Only where that may be."""
        # The oldest yields here too: who is silent must not keep others from being told.
        if len(self._refused) >= REFUSED_AT_ONCE:
            self._evict(self._refused)
        connection.is_refused = True
        self._refused[connection] = None

    def touch(self, connection: Connection) -> None:
        """Note that bytes came in or an answer went out."""
        crowd = self._crowd_of(connection)
        if connection in crowd:
            crowd.move_to_end(connection)

    def forward(self, connection: Connection, address: str) -> bool:
        """Count a proxy's keyless connection for the address that the proxy names; False: there is no
        room."""
        if connection.client is not None or connection not in self._crowd_of(connection):
            return True
        self.discard(connection)
        connection.address, connection.is_proxied = address, False
        return self.add(connection)

    def know(self, connection: Connection, client: str) -> bool:
        """Note the client of a connection; False: the client has too many connections."""
        if connection.client == client or connection not in self._crowd_of(connection):
            return True
        is_crowded = self._clients[client] >= self._limits.per_client
        if is_crowded and not self._evict(self._known, client):
            return False
        self.discard(connection)
        connection.client = client
        self._known[connection] = None
        self._clients[client] += 1
        return True

    def discard(self, connection: Connection) -> None:
        """Remove a connection that has ended; may be called twice."""
        crowd = self._crowd_of(connection)
        if connection not in crowd:
            return
        del crowd[connection]
        if connection.is_refused:
            return
        if connection.client is None:
            self._keyless_count -= 1
            if not crowd:
                del self._keyless[connection.address]
        else:
            self._clients -= Counter({connection.client: 1})

    def make_room(self) -> bool:
        """Close the connection that was idle longest, by the rule above; False: all of them are busy."""
        is_keyless_first = self._keyless_count > self._limits.total // _KEYLESS_SHARE
        if not is_keyless_first and self._evict(self._known):
            return True
        largest = max(self._keyless.values(), key=len, default=OrderedDict())
        if self._evict(largest) or any(self._evict(crowd) for crowd in list(self._keyless.values())):
            return True
        return self._evict(self._known)

    def close(self) -> None:
        """Close all connections at once."""
        keyless = (one for crowd in self._keyless.values() for one in crowd)
        for connection in [*self._known, *self._refused, *keyless]:
            self._take(connection)

    def _crowd_of(self, connection: Connection) -> _Crowd:
        if connection.is_refused:
            return self._refused
        if connection.client is not None:
            return self._known
        return self._keyless.get(connection.address, OrderedDict())

    def _evict(self, crowd: _Crowd, client: str | None = None) -> bool:
        idle = (one for one in crowd if client in (None, one.client) and _is_idle(one))
        victim = next(idle, None)
        if victim is None:
            return False
        self._take(victim)
        return True

    def _take(self, connection: Connection) -> None:
        # Removed first: the end of the transport is reported later, and again.
        self.discard(connection)
        connection.abort()


def _is_idle(connection: Connection) -> bool:
    return not connection.is_busy() and not connection.has_unread()
