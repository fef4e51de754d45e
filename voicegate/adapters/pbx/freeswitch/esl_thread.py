"""The gevent side of an ESL connection: greenswitch's protocol with its dangerous parts replaced.

It runs in its own thread with its own gevent loop; nothing is monkey-patched, so the rest of the process is
not affected. It shares an `EslBridge` with the asyncio side. Source: greenswitch 0.0.19, `esl.py`, gevent
26.9; each override says what the original does. Used from it: how replies find their commands, and what each
kind of frame means.
"""

import socket
from collections.abc import Callable
from typing import Final, Protocol

import gevent
import gevent.event
import gevent.socket
import structlog
from greenswitch.esl import InboundESL

from voicegate.adapters.pbx.freeswitch.esl_wire import Frame, Framer
from voicegate.domain.errors import PbxProtocolError

log = structlog.get_logger(__name__)

_CHUNK: Final = 65_536
_SEND_TIMEOUT: Final = 5.0
"""Seconds for the peer's host to accept a command."""
_REPLIES: Final = frozenset(("command/reply", "api/response"))


class Command(Protocol):
    """A command that waits for its reply."""

    @property
    def data(self) -> bytes:
        """The bytes that are sent."""
        ...

    def set(self, event: "GreenEvent") -> None:
        """Take the reply; the name is greenswitch's."""
        ...


class EslBridge(Protocol):
    """What the two sides share. Called in the thread."""

    def open_gate(self, gate: "Gate") -> None:
        """From now until the gate is shut, call `gate.stir` from any thread when there is news for this
        side."""
        ...

    def next_command(self) -> Command | None:
        """Return the next command to send; None: there is none."""
        ...

    def deliver(self, frame: Frame) -> None:
        """Take a frame that is not a reply."""
        ...

    @property
    def is_full(self) -> bool:
        """Return whether the queue of frames is full."""
        ...

    @property
    def is_closing(self) -> bool:
        """Return whether the connection is to be closed."""
        ...


class Gate:
    """Lets other threads wake this one's gevent loop."""

    def __init__(self) -> None:
        self.closing = gevent.event.Event()
        self.news = gevent.event.Event()
        self.room = gevent.event.Event()
        # The one thing of gevent that another thread may touch.
        self._watcher = gevent.get_hub().loop.async_()

    def watch(self, bridge: EslBridge) -> None:
        """Start to listen."""

        def wake() -> None:
            if bridge.is_closing:
                self.closing.set()
            self.news.set()
            self.room.set()

        self._watcher.start(wake)

    def stir(self) -> None:
        """Wake the gevent loop. Safe in any thread."""
        self._watcher.send()

    def shut(self) -> None:
        """Stop listening."""
        self._watcher.close()


class GreenEvent:
    """A frame, in the form that greenswitch's handlers take."""

    def __init__(self, frame: Frame) -> None:
        self.headers = frame.headers
        self.frame = frame
        self.data: object = None

    def parse_data(self, _: object) -> None:
        """Leave the body as it is. The original decodes percent escapes before it splits lines: so a caller's
        name could forge headers, and the result of a background job could overwrite them."""


class _NoQueue:
    """Replaces greenswitch's queue of events, which has no limit: 347 MB for 20,000 events."""

    def put(self, _: GreenEvent) -> None:
        """Drop it: events go to the bridge."""


class GuardedEsl(InboundESL):  # type: ignore[misc]  # greenswitch is untyped
    """One open connection. The original waits for ever for the greeting of a silent peer."""

    def __init__(self, sock: socket.socket, bridge: EslBridge) -> None:
        super().__init__(None, None, None)
        self.sock = gevent.socket.socket(fileno=sock.detach())
        self.sock_file = None
        self.connected = True
        self._esl_event_queue = _NoQueue()
        self._bridge = bridge
        self._gate = Gate()
        self._framer = Framer()
        self._body = ""
        self._failure: Exception | None = None

    def run(self) -> None:
        """Read and write until the connection is over or is to be closed.

        Raises:
            OSError: the connection broke.
            PbxProtocolError: the peer does not speak ESL.
        """
        self._gate.watch(self._bridge)
        self._bridge.open_gate(self._gate)
        sides = [gevent.spawn(self._guard, side) for side in (self.receive_events, self._write)]
        try:
            gevent.wait([*sides, self._gate.closing], count=1)
        finally:
            self.connected = self._run = False
            # Before the socket is closed, which would end them by an error and be told as why it broke.
            gevent.killall(sides)
            self.sock.close()
        if self._failure is not None:
            raise self._failure

    def receive_events(self) -> None:
        """Read frames until the peer closes. The original loops for ever if the end comes within a body, and
        stays "connected" after a frame that made it fail."""
        while chunk := self.sock.recv(_CHUNK):
            for frame in self._framer.feed(chunk):
                self._body = frame.body
                self.handle_event(GreenEvent(frame))

    def handle_event(self, event: GreenEvent) -> None:
        """Pass a frame on when there is room: replies to their commands, all others to the bridge."""
        while self._bridge.is_full:
            self._gate.room.clear()
            # Asked again: room that was made just before the clear wakes nobody.
            if self._bridge.is_full:
                self._gate.room.wait()
        kind = event.frame.kind
        if not kind or (kind in _REPLIES and not self._commands_sent):
            raise PbxProtocolError("an ESL reply to no command, or a message without a kind")
        super().handle_event(event)
        if kind not in _REPLIES:
            self._bridge.deliver(event.frame)

    def _read_socket(self, _sock: object, _length: int) -> str:
        """Return the body, which was read before."""
        return self._body

    def _write(self) -> None:
        while True:
            self._gate.news.clear()
            while (command := self._bridge.next_command()) is not None:
                # Before it is sent: the reply may be quicker than our return from the send.
                self._commands_sent.append(command)
                with gevent.Timeout(_SEND_TIMEOUT, OSError("the peer takes no commands")):
                    self.sock.sendall(command.data)
            self._gate.news.wait()

    def _guard(self, side: Callable[[], None]) -> None:
        try:
            side()
        except (OSError, PbxProtocolError) as error:
            self._failure = self._failure or error
        except Exception as error:  # a greenlet's root: gevent prints what escapes, and nobody hears of it
            log.exception("ESL connection failed")
            self._failure = PbxProtocolError(f"the peer sent something odd: {type(error).__name__}")
