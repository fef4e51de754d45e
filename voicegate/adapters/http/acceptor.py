"""Accept a listener's connections, and bound their number before one costs more than a socket.

Why not `loop.create_server(ssl=…)`: it starts the handshake before our code sees the connection, and
asyncio's `SSLProtocol` (CPython 3.11 to 3.14) then holds a buffer of 256 KiB for each: 320 KB a connection
were measured. Here a connection that has sent nothing is a socket and a small object; TLS starts with the
first byte, with a buffer for one record (RFC 8446, 5.1).
"""

import asyncio
import errno
import fcntl
import socket
import ssl
import struct
import termios
from array import array
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from voicegate.adapters.http.connections import Connection, Connections
from voicegate.adapters.http.forwarding import Proxies, counted
from voicegate.application.throttled_log import ThrottledLog

BACKLOG: Final = 1024
"""How many connections may wait to be accepted; the kernel's limit (`net.core.somaxconn`) applies too."""
HANDSHAKE_WITHIN_S: Final = 5
_BATCH: Final = 128
"""How many are accepted at a time, so that a flood leaves the event loop time for other work; a loop that is
behind comes here only a few times a second."""
_PAUSE_S: Final = 0.1
_RECORD_BYTES: Final = 16 * 1024
_CLOSE_WITHIN_S: Final = 2
_CREDENTIALS: Final = struct.Struct("3i")
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

MakeProtocol = Callable[[Connection], asyncio.Protocol]
"""Return the protocol of a connection, once it has sent its first byte or finished its handshake."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket."""

    socket: socket.socket
    """A Unix or a TCP socket."""
    tls: ssl.SSLContext | None = None
    """How it is encrypted; None: not at all."""


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end of a Unix socket (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def _has_unread(connection: socket.socket) -> bool:
    """Return whether the kernel holds bytes of a connection for us (FIONREAD, tcp(7), unix(7))."""
    if connection.fileno() < 0:
        return False
    count = array("i", [0])
    fcntl.ioctl(connection, termios.FIONREAD, count)
    return count[0] > 0


class Acceptor:
    """Accepts the connections of one listener."""

    def __init__(
        self,
        listener: Listener,
        connections: Connections,
        *,
        make: MakeProtocol,
        proxies: Proxies,
        warnings: ThrottledLog,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._make = make
        self._proxies = proxies
        self._warnings = warnings
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        """Begin to accept."""
        self._listener.socket.listen(BACKLOG)
        self._pause = None
        self._loop.add_reader(self._listener.socket, self._accept)

    def stop(self) -> None:
        """Accept no more connections; open ones stay open."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener.socket)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            if not self._connections.may_refuse:
                self._rest()
                return
            try:
                accepted, _address = self._listener.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._recover(error)
                return
            self._admit(accepted)

    def _recover(self, error: OSError) -> None:
        """Wait a moment for descriptors or memory, and close a connection that holds some."""
        if error.errno not in _EXHAUSTED:
            raise error
        self._warnings.warn("no connection can be accepted", None, error=error.strerror)
        self._connections.make_room()
        self._rest()

    def _rest(self) -> None:
        """Leave those who come in the kernel's queue for a moment."""
        # The socket stays readable: without a pause this would be asked again at once.
        self._loop.remove_reader(self._listener.socket)
        self._pause = self._loop.call_later(_PAUSE_S, self.start)

    def _admit(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        try:
            connection = self._connection_of(accepted)
        except OSError:  # it has ended already
            accepted.close()
            return
        if not self._connections.add(connection):
            self._warnings.warn("too many connections", connection.address)
            self._connections.refuse(connection)
        arrival = _Arrival(connection, self._connections, self._begin)
        starting = self._loop.create_task(self._start(accepted, arrival))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    def _connection_of(self, accepted: socket.socket) -> Connection:
        has_unread = partial(_has_unread, accepted)
        if accepted.family is socket.AF_UNIX:
            return Connection(f"uid:{peer_uid(accepted)}", has_unread=has_unread)
        address = str(accepted.getpeername()[0])
        is_proxied = self._proxies.is_trusted(address)
        return Connection(counted(address), is_proxied=is_proxied, has_unread=has_unread)

    async def _start(self, accepted: socket.socket, arrival: "_Arrival") -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: arrival, accepted)
        except OSError:
            accepted.close()
            self._connections.discard(arrival.connection)

    def _begin(self, connection: Connection) -> asyncio.BaseProtocol:
        if self._listener.tls is None:
            return self._make(connection)
        return _Tls(self._loop, self._make(connection), self._listener.tls, connection, self._connections)


class _Arrival(asyncio.Protocol):
    """A connection that has sent nothing yet."""

    def __init__(
        self,
        connection: Connection,
        connections: Connections,
        begin: Callable[[Connection], asyncio.BaseProtocol],
    ) -> None:
        self.connection = connection
        self._connections = connections
        self._begin = begin
        self._accepted_at = asyncio.get_running_loop().time()
        self._is_evicted = False
        connection.abort = self._evict

    def _evict(self) -> None:
        # Before there is a transport: in a flood many are accepted in one round of the loop.
        self._is_evicted = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.connection.abort = self._transport.abort
        if self._is_evicted:
            self._transport.abort()
        loop = asyncio.get_running_loop()
        # asyncio takes some rounds of the loop until it reads.
        self.connection.late_s = loop.time() - self._accepted_at
        self._deadline = loop.call_later(HANDSHAKE_WITHIN_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._deadline.cancel()
        protocol = self._begin(self.connection)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        _feed(protocol, data)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._deadline.cancel()
        self._connections.discard(self.connection)


class _Tls(sslproto.SSLProtocol):
    """asyncio's TLS with a buffer for one record instead of 256 KiB; it reports the end of a connection even
    before the handshake."""

    max_size = _RECORD_BYTES

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        connection: Connection,
        connections: Connections,
    ) -> None:
        super().__init__(
            loop,
            protocol,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake; typeshed does not know that
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
            ssl_shutdown_timeout=_CLOSE_WITHIN_S,
        )
        self._held, self._connections = connection, connections

    def buffer_updated(self, nbytes: int) -> None:
        self._connections.touch(self._held)
        super().buffer_updated(nbytes)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.discard(self._held)
        super().connection_lost(exc)


def _feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    """Pass on the bytes that were read before the protocol existed."""
    if isinstance(protocol, asyncio.Protocol):
        protocol.data_received(data)
        return
    tls, rest = cast(_Tls, protocol), memoryview(data)
    while rest:
        room = tls.get_buffer(len(rest))
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        tls.buffer_updated(count)
        rest = rest[count:]
