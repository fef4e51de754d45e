"""One AMI connection, on panoramisk's protocol and manager with their dangerous parts replaced.

What lasts longer than a connection (log in, back-off, check of calls) is in `ami`. Source: panoramisk 1.4,
`ami_protocol.py` and `manager.py`; each override says what the original does. Used from it: actions, their
ids and encoding, and how responses find their actions.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from voicegate.adapters.pbx.asterisk.ami_wire import Fields, Framer, check_fields
from voicegate.domain.errors import PbxProtocolError, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

_SILENT: Final = logging.CRITICAL + 1


def silence_panoramisk() -> None:
    """Silence its loggers: at INFO and in errors they write whole actions, with secrets and numbers."""
    logging.getLogger("panoramisk").setLevel(_SILENT)


class GuardedProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk is untyped
    """The bytes of one connection."""

    def __init__(self, manager: "GuardedManager") -> None:
        self._manager = manager
        self._framer = Framer()
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start; the original sets its factory later, and bytes may come before that."""
        super().connection_made(transport)
        self.factory = self._manager
        self.encoding = "utf-8"

    def send(self, data: Action, as_list: bool | None = None) -> "asyncio.Future[Any]":
        """Send an action that was checked; the original logs the whole action when it fails.

        Raises:
            PbxUnavailable: the connection is closed.
        """
        if self.closed or self.transport.is_closing():
            raise PbxUnavailable
        data.as_list = as_list
        # Noted before it is written: a response must find its action.
        self.responses[data.id] = data
        self.transport.write(str(data).encode())
        future: asyncio.Future[Any] = data.future
        return future

    def forget(self, action: Action) -> None:
        """Drop an action that nobody waits for; a late response then goes to the dispatcher."""
        self.responses.pop(action.id, None)

    def data_received(self, data: bytes) -> None:
        """Split the bytes and handle the messages; the original loses characters that are split over two
        chunks."""
        self.heard_at = self._loop.time()
        try:
            for message in self._framer.feed(data):
                self._handle(message)
                # Handling may close the connection: the rest of the chunk then belongs to nobody.
                if self.closed:
                    return
        except PbxProtocolError as error:
            self.connection_lost(error)

    def _handle(self, message: Message) -> None:
        try:
            # With its ActionID, a late or early OriginateResponse would be taken for a response.
            if message.get("Event", "") == "OriginateResponse":
                self._manager.dispatch(message)
            else:
                self.handle_message(message)
        except Exception:  # the root of a callback: in the original this kills the connection
            log.exception("AMI message not handled", pbx=self._manager.name)

    def connection_lost(self, exc: Any) -> None:
        """Record the end of the connection, once."""
        if not self.closed:
            self.close()
            self._manager.connection_lost(exc)

    def close(self) -> None:
        """Close, and fail the actions that wait; the original keeps them, to send them again after a
        reconnect."""
        self.closed = True
        for action in self.responses.values():
            if not action.future.done():
                action.future.set_exception(ReplyLost())
        self.responses.clear()
        # Not `close`, which first sends what is buffered, and waits for ever for a peer that takes nothing.
        self.transport.abort()


class GuardedManager(Manager):  # type: ignore[misc]  # panoramisk is untyped
    """One connection to one Asterisk: opened once, never again."""

    def __init__(self, name: str, sink: Callable[[Message], None]) -> None:
        silence_panoramisk()
        super().__init__(log=logging.getLogger("panoramisk"), loop=asyncio.get_running_loop())
        self.name = name
        self.lost = asyncio.Event()
        self.reason: object = None
        self._sink = sink

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Connect once; the original tries for ever at a fixed pace, even after its `close`.

        Raises:
            OSError: nothing listens there, or `tls` does not accept its certificate.
        """
        loop = asyncio.get_running_loop()
        make = partial(GuardedProtocol, self)
        _, self.protocol = await loop.create_connection(make, host, port, ssl=tls)
        self._connected = True

    def send_fields(self, name: str, fields: Fields, as_list: bool | None) -> Action:
        """Send an action and return it, with the future of its response.

        Raises:
            PbxUnavailable: not connected; nothing was sent. The original raises AttributeError, or keeps the
                action silently.
            UnsafeValue: a key or value would inject an action; nothing was sent.
        """
        if name == "Originate" and (fields.get("Async") != "true" or as_list is not False):
            # Else the response's handling ends in a KeyError, or swallows the OriginateResponse.
            raise ValueError("an Originate must be asynchronous, and its response single")
        headers: dict[str, Any] = {"Action": name, **fields}
        check_fields(headers)
        if self.protocol is None:
            raise PbxUnavailable
        action = Action(headers)
        self.send_action(action, as_list=as_list)
        return action

    def forget(self, action: Action) -> None:
        """Drop an action that nobody waits for."""
        self.protocol.forget(action)

    @property
    def heard_at(self) -> float:
        """When the peer sent something last, on the loop's clock."""
        return float(self.protocol.heard_at)

    def dispatch(self, event: Message) -> list[str]:
        """Pass an event on; the original starts a task for each event."""
        self._sink(event)
        return []

    async def send_awaiting_actions(self, *_: object) -> None:
        """Send nothing again; the original called a person twice by this."""
        self.awaiting_actions.clear()

    def connection_lost(self, exc: object) -> None:
        """Wake the watcher; the original reconnects from here, and cannot be stopped."""
        self._connected = False
        self.reason = exc
        self.lost.set()

    def close(self) -> None:
        """Close the connection; nothing comes after it."""
        if self.protocol is not None:
            self.protocol.connection_lost(None)
