"""The FastAGI server: who may connect, and to which call a connection belongs.

What is said over a connection is in `agi_session` and `call`. Source: panoramisk 1.4 `fast_agi.Application`.
Its routes are used; its connection handler is replaced, because a connect that closes at once freezes the
event loop there, and neither size nor time of a request's head has a limit.
"""

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

import structlog
from panoramisk.fast_agi import Application

from voicegate.adapters.pbx.asterisk.agi_session import AgiSession
from voicegate.adapters.pbx.asterisk.agi_wire import MAX_HEAD, MAX_HEADER_LINES, build_command, parse_header
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.asterisk.variables import AGI_KNOCK_SCRIPT, AGI_SCRIPT
from voicegate.adapters.unix_socket import SocketFile, listening
from voicegate.application.throttled_log import ThrottledLog
from voicegate.domain.errors import ConfigError, PbxProtocolError

log = structlog.get_logger(__name__)

_HEAD_TIMEOUT: Final = 3.0
"""How long a connection may take to send its head, in seconds."""
_CLOSE_TIMEOUT: Final = 1.0
_END_OF_HEAD: Final = b"\n\n"
_BACKLOG: Final = 1024
"""Connections that the kernel queues for us: more than can arrive while the event loop is busy."""
_TELL_EVERY: Final = 60.0
"""Seconds between two warnings about dropped connections."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that waits for its channel."""

    token: str
    """The secret that the request must contain."""
    attach: Callable[[AgiSession], Awaitable[None]]
    """Takes the session over until it ends; called once."""
    is_open: Callable[[], bool]
    """Returns whether the call may still be taken over."""


class AgiServer(Application):  # type: ignore[misc]  # panoramisk is untyped
    """The server; its connections run in the task group that it is given."""

    def __init__(self, settings: AsteriskSettings, tasks: asyncio.TaskGroup) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.add_route(AGI_SCRIPT, self._admit)
        self.add_route(AGI_KNOCK_SCRIPT, _answer)
        self._settings = settings
        self._tasks = tasks
        try:
            self._networks = tuple(ipaddress.ip_network(text) for text in settings.agi_allowed_peers)
        except ValueError as error:
            raise ConfigError(f"pbx.{settings.name}.agi_allowed_peers: {error}") from error
        self._admissions: dict[str, Admission] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        """TCP connections that belong to no call yet, oldest first."""
        self._dropped, self._told_at = 0, -_TELL_EVERY
        self._server: asyncio.Server | None = None
        self._relayed: asyncio.Server | None = None
        self._socket = ExitStack()
        self._port = settings.agi_port
        self._warnings = ThrottledLog()

    async def open(self) -> None:
        """Start to listen.

        Raises:
            ConfigError: the address cannot be bound.
        """
        here = self._settings
        try:
            self._server = await asyncio.start_server(
                self._accept, here.agi_host, here.agi_port, limit=MAX_HEAD, backlog=_BACKLOG
            )
        except OSError as error:
            where = f"pbx.{here.name}.agi_host, agi_port: {here.agi_host}:{here.agi_port}"
            raise ConfigError(f"{where} cannot be used: {error.strerror or error}") from error
        self._port = self._server.sockets[0].getsockname()[1]
        try:
            await self._open_socket()
        except BaseException:
            self._server.close()
            raise

    async def _open_socket(self) -> None:
        here = self._settings
        if here.agi_socket is None:
            return
        file = SocketFile(
            here.agi_socket,
            group=here.agi_socket_group,
            setting=f"pbx.{here.name}.agi_socket",
            # Its folder is shared with the PBX, with rights that are not for us to choose.
            makes_folder=False,
        )
        listener = self._socket.enter_context(listening(file))
        self._relayed = await asyncio.start_unix_server(
            self._accept, sock=listener, limit=MAX_HEAD, backlog=_BACKLOG
        )

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        for server in (self._server, self._relayed):
            if server is not None:
                server.close()
        self._socket.close()
        for connection in self._connections:
            connection.cancel()
        self._warnings.close()

    @property
    def address(self) -> str:
        """The address that the PBX connects to: agi://host:port/call."""
        return f"{address_of(self._settings, self._port)}/{AGI_SCRIPT}"

    def expect(self, call_id: str, admission: Admission) -> None:
        """Accept the call's channel when it connects."""
        self._admissions[call_id] = admission

    def forget(self, call_id: str) -> None:
        """Do not accept the call's channel any more."""
        self._admissions.pop(call_id, None)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        is_relayed = writer.get_extra_info("socket").family == socket.AF_UNIX
        is_allowed = is_relayed or self._is_allowed(peer)
        if not is_allowed or not self._make_room():
            self._refuse(str(peer[0]) if peer else None, is_full=is_allowed)
            writer.transport.abort()
            return
        connection = self._tasks.create_task(self.handler(reader, writer), name="FastAGI connection")
        self._connections.add(connection)
        if not is_relayed:
            self._strangers[writer] = connection
        connection.add_done_callback(lambda _: self._leave(connection, writer))

    def _refuse(self, address: str | None, *, is_full: bool) -> None:
        if is_full:
            self._warnings.warn("FastAGI connection refused: too many", address)
        else:
            self._warnings.authentication_failed(address, "fastagi_peer_not_allowed")

    def _leave(self, connection: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._connections.discard(connection)
        self._strangers.pop(writer, None)

    def _make_room(self) -> bool:
        """Make room for one more connection; False: all connections belong to calls.

        A channel says at once which call it is. So the connection that has been silent for the longest time
        is not a channel of ours, and must not keep others out.
        """
        if len(self._connections) < self._settings.max_agi_connections:
            return True
        if not self._strangers:
            return False
        writer, oldest = next(iter(self._strangers.items()))
        writer.transport.abort()
        self._leave(oldest, writer)
        self._dropped += 1
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + _TELL_EVERY:
            fix = "let only the PBX reach agi_port, or use agi_socket"
            log.warning(
                "FastAGI is flooded: connections without a call dropped", count=self._dropped, fix=fix
            )
            self._dropped, self._told_at = 0, now
        return True

    def _is_allowed(self, peer: tuple[str, int] | None) -> bool:
        if not peer:
            return False
        # A link-local address comes with its interface.
        address = ipaddress.ip_address(peer[0].partition("%")[0])
        # A socket bound to :: tells of IPv4 peers by mapped addresses.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends; replaces panoramisk's handler."""
        try:
            async with asyncio.timeout(_HEAD_TIMEOUT):
                # Bounded in time and size, as panoramisk bounds neither: a channel says at once whose it
                # is.
                headers = await read_head(reader)
            route = self._route.get(headers.get("agi_network_script", ""))
            if route is None:
                raise PbxProtocolError("a FastAGI request for another script")
            await route(AgiSession(self, headers, reader=reader, writer=writer))
        except EOFError:
            log.debug("FastAGI connection without a request")
        except (PbxProtocolError, OSError, ValueError, TimeoutError) as error:
            log.warning("FastAGI request refused", why=str(error) or type(error).__name__)
        except Exception:  # a task's root: one connection's fault is not the server's
            log.exception("FastAGI connection failed")
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await writer.wait_closed()

    async def _admit(self, session: AgiSession) -> None:
        call_id = session.headers.get("agi_uniqueid", "")
        token = session.headers.get("agi_arg_1", "")
        admission = self._admissions.get(call_id)
        if admission is None or not admission.is_open():
            raise PbxProtocolError("a FastAGI request for no call of ours, or for one already attached")
        # As bytes: of text that is not ASCII it would raise.
        if not hmac.compare_digest(admission.token.encode(), token.encode("utf-8", "replace")):
            raise PbxProtocolError("a FastAGI request without its call's token")
        # Once: the dialplan connects once, and a token that was seen on the wire is worth nothing.
        del self._admissions[call_id]
        self._strangers.pop(session.writer, None)
        await admission.attach(session)


def address_of(settings: AsteriskSettings, port: int) -> str:
    """Return the address at which the PBX reaches our server on `port`: agi://host:port."""
    host = settings.agi_advertised_host or settings.agi_host
    return f"agi://{f'[{host}]' if ':' in host else host}:{settings.agi_advertised_port or port}"


async def _answer(session: AgiSession) -> None:
    """Answer the channel of a check that asks whether a controller is here."""
    async with asyncio.timeout(_HEAD_TIMEOUT):
        session.writer.write(build_command("ANSWER"))
        await session.reader.readline()


async def read_head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Return a request's headers.

    Raises:
        EOFError: the peer closed the connection before the end of the head.
        PbxProtocolError: the head has too many lines.
        ValueError: it is too long.
    """
    try:
        head = await reader.readuntil(_END_OF_HEAD)
    except asyncio.LimitOverrunError as error:
        raise ValueError("a FastAGI head that does not end") from error
    lines = head.split(b"\n")
    if len(lines) > MAX_HEADER_LINES + 1:  # what is behind the last line's end is none
        raise PbxProtocolError("a FastAGI head with too many lines")
    headers: dict[str, str] = {}
    for line in lines:
        if (header := parse_header(line)) is not None:
            # Of a repeated one the first: Asterisk writes script and channel before what a caller may have
            # chosen.
            headers.setdefault(*header)
    return headers
