"""The asyncio side of an ESL connection: opened once, never again; its thread is in `esl_thread`.

Between the two loops are two queues: commands to send, and at most `MAX_WAITING` received frames. When that
queue is full, reading stops: what we are too slow for waits in the kernel and in FreeSWITCH, which drops a
connection after 100,000 events; the calls are checked after the reconnect. What lasts longer than a
connection (log in, back-off, check of calls) is in `esl`.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import gevent
import structlog

from voicegate.adapters.pbx.freeswitch.esl_thread import Gate, GreenEvent, GuardedEsl
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame, build_command
from voicegate.domain.errors import PbxProtocolError, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 1000
"""How many frames may wait for the asyncio loop, of 6 kB each."""
_SHARE: Final = 50
"""How many frames are handled in one turn of the loop."""


class Command:
    """A command and the future of its reply."""

    def __init__(self, data: bytes, link: "EslLink") -> None:
        self.data = data
        self.reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.is_sent = False
        self._link = link

    def set(self, event: GreenEvent) -> None:
        """Take the reply. Called in the thread."""
        self._link.deliver(event.frame, self)


class EslLink:
    """One connection to one FreeSWITCH."""

    def __init__(self, name: str, sink: Callable[[Frame], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._sink = sink
        self._outgoing: deque[Command] = deque()
        self._unanswered: dict[Command, None] = {}
        self._incoming: deque[tuple[Frame, Command | None]] = deque()
        self._is_draining = False
        self._gate: Gate | None = None
        self._lock = threading.Lock()
        self.is_closing = False
        self.greeting: asyncio.Future[Frame] = self._loop.create_future()
        self.lost = asyncio.Event()
        self.reason: object = None
        self.heard_at = self._loop.time()

    async def open(self, host: str, port: int) -> None:
        """Connect.

        Raises:
            OSError: nothing listens there.
        """
        sock = await _connect(self._loop, host, port)
        name = f"ESL {self._name}"
        # A daemon: a peer that takes no bytes must not keep the process from ending.
        threading.Thread(target=self._serve, args=(sock,), name=name, daemon=True).start()

    def send(self, line: str, headers: Mapping[str, str] | None = None) -> "asyncio.Future[Frame]":
        """Send a command and return the future of its reply; a lost connection fails it with ReplyLost.

        If the caller is cancelled, a command that was sent stays with the PBX; its late reply is ignored.

        Raises:
            PbxUnavailable: the connection is lost; nothing was sent.
            UnsafeValue: a value would inject a command; nothing was sent.
        """
        command = Command(build_command(line, headers), self)
        # After the command is built: what is unsafe is told whether or not the PBX is there.
        if self.is_closing or self.lost.is_set():
            raise PbxUnavailable
        self._unanswered[command] = None
        self._outgoing.append(command)
        self._stir()
        return command.reply

    def close(self) -> None:
        """Close the connection; the thread ends by itself, and is not waited for."""
        self.is_closing = True
        self._stir()

    def open_gate(self, gate: Gate) -> None:
        """Take the object that wakes the thread. Called in the thread."""
        with self._lock:
            self._gate = gate
        gate.stir()

    def next_command(self) -> Command | None:
        """Return the next command to send. Called in the thread."""
        while self._outgoing:
            command = self._outgoing.popleft()
            if not command.reply.done():
                command.is_sent = True
                return command
            self._unanswered.pop(command, None)
        return None

    @property
    def is_full(self) -> bool:
        """Return whether the queue of frames is full."""
        return self.waiting >= MAX_WAITING

    @property
    def waiting(self) -> int:
        """Return how many frames wait."""
        return len(self._incoming)

    def deliver(self, frame: Frame, command: Command | None = None) -> None:
        """Take a frame. Called in the thread."""
        if self.is_closing:
            return
        self.heard_at = self._loop.time()
        self._incoming.append((frame, command))
        if not self._is_draining:
            self._is_draining = True
            # Once for many frames: a wake-up for each would cost more than the frames.
            self._loop.call_soon_threadsafe(self._drain)

    def _serve(self, sock: socket.socket) -> None:
        """Run until the connection ends. The thread's root."""
        reason: Exception | None = None
        try:
            GuardedEsl(sock, self).run()
        except (OSError, PbxProtocolError) as error:
            reason = error
        finally:
            with self._lock:
                gate, self._gate = self._gate, None
            if gate is not None:
                gate.shut()
            gevent.get_hub().destroy(destroy_loop=True)
            try:
                self._loop.call_soon_threadsafe(self._end, reason)
            except RuntimeError:
                # The loop is closed: nobody is left to tell.
                return

    def _stir(self) -> None:
        with self._lock:
            if self._gate is not None:
                self._gate.stir()

    def _drain(self) -> None:
        """Handle a limited number of waiting frames, so that a burst does not block the loop."""
        was_full = self.is_full
        self._is_draining = False
        for _ in range(min(len(self._incoming), _SHARE)):
            self._take(*self._incoming.popleft())
        if self._incoming and not self._is_draining:
            self._is_draining = True
            # After the others that wait for the loop.
            self._loop.call_soon(self._drain)
        if was_full:
            self._stir()

    def _take(self, frame: Frame, command: Command | None) -> None:
        if command is not None:
            self._unanswered.pop(command, None)
            if not command.reply.done():
                command.reply.set_result(frame)
            return
        if not self.greeting.done():
            self.greeting.set_result(frame)
            return
        try:
            self._sink(frame)
        except Exception:  # the root of a callback: one frame's fault is not the connection's
            log.exception("ESL message not handled", pbx=self._name)

    def _end(self, reason: Exception | None) -> None:
        while self._incoming:
            self._take(*self._incoming.popleft())
        self.reason = reason
        self.lost.set()
        if not self.greeting.done():
            self.greeting.set_exception(reason or PbxUnavailable("closed by the PBX"))
            self.greeting.exception()
        for command in self._unanswered:
            if not command.reply.done():
                command.reply.set_exception(ReplyLost() if command.is_sent else PbxUnavailable())
                command.reply.exception()
        self._unanswered.clear()


async def _connect(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Return a socket connected to the first of the host's addresses that accepts."""
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        # For asyncio now and for gevent later.
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
