"""The AMI client: one supervised connection, which is checked by pings and opened again when it is lost.

What the events of a call mean is in `tracker`. Events are handled as they are read, after a filter that costs
one look-up, without a queue: what we are too slow for waits in the kernel. If Asterisk then drops the
connection (its `writetimeout`), the calls are checked after the reconnect. Source: Asterisk 22, "AMI v2
Specification"; refusals of a log-in as 22.10.1 words them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from panoramisk.message import Message

from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, read_event, text_of, texts_of
from voicegate.adapters.pbx.asterisk.ami_link import GuardedManager
from voicegate.adapters.pbx.asterisk.ami_wire import Fields
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.common.connection import (
    ConnectionListener,
    SecretRefused,
    reason_of,
    watch,
)
from voicegate.domain.errors import PbxProtocolError, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to an action."""

    is_success: bool
    """Did the PBX accept the action?"""
    message: str
    """The PBX's own message."""
    value: str = ""
    """A variable's value; empty: it has none."""
    items: Sequence[Message] = ()
    """The events of a list, without the event that ends it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Every header of the response."""
    output: Sequence[str] = ()
    """The lines that a command of the console printed."""

    @property
    def is_channel_unknown(self) -> bool:
        """Return whether the PBX does not have the channel. Other errors, such as a missing right, say
        nothing about it."""
        return not self.is_success and self.message == "No such channel"


class AmiClient:
    """Sends actions to one Asterisk and receives its events, over the present connection."""

    def __init__(
        self,
        settings: AsteriskSettings,
        take: Callable[[AmiEvent], None],
        listener: ConnectionListener,
    ) -> None:
        """Call `take` for each event of a channel, of ours or not; it must not block."""
        self._settings = settings
        self._take = take
        self._listener = listener
        self._manager: GuardedManager | None = None
        self.ready = asyncio.Event()
        """Set while logged in, and after the calls in progress were checked."""

    async def ask(self, action: str, fields: Fields, *, as_list: bool | None = None) -> Reply:
        """Send an action and return its response.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            UnsafeValue: a value would inject an action; nothing was sent.
            ReplyLost: it was sent, and the connection was lost or no response came in time.
        """
        manager = self._manager
        if manager is None:
            raise PbxUnavailable
        sent = manager.send_fields(action, fields, as_list)
        try:
            async with asyncio.timeout(self._settings.action_timeout.total_seconds()):
                return read_reply(await sent.future)
        except TimeoutError:
            raise ReplyLost(f"no reply to {action} in time") from None
        finally:
            # Else panoramisk keeps it, and takes what comes late for its reply.
            manager.forget(sent)

    async def serve(self) -> None:
        """Connect, log in, and watch the connection until something is wrong, which is raised."""
        settings = self._settings
        manager = GuardedManager(settings.name, self._dispatch)
        try:
            async with asyncio.timeout(settings.action_timeout.total_seconds()):
                await manager.open(settings.ami_host, settings.ami_port, settings.ami_tls)
            self._manager = manager
            await self._log_in()
            # In step before anybody may originate: the calls of before the loss come first.
            await self._listener.on_ready()
            self.ready.set()
            log.info("AMI up", pbx=settings.name)
            await watch(manager, settings.pace.quiet, lambda: self.ask("Ping", {}))
        except ReplyLost:
            # What waited failed as lost because the connection closed: why it closed says more.
            raise reason_of(manager) from None
        finally:
            manager.close()

    def drop(self) -> None:
        """Record that the connection is lost, or could not be opened."""
        self.ready.clear()
        self._manager = None
        self._listener.on_lost()

    async def _log_in(self) -> None:
        reply = await log_in(self.ask, self._settings)
        if not reply.is_success:
            raise SecretRefused(reply.message)

    def _dispatch(self, message: Message) -> None:
        event = read_event(message)
        if event is not None:
            self._take(event)


class Ask(Protocol):
    """Sends an action, as `AmiClient.ask` does."""

    async def __call__(self, action: str, fields: Fields) -> Reply:
        """Return the response."""
        ...


async def log_in(ask: Ask, settings: AsteriskSettings) -> Reply:
    """Prove that we know the secret without sending it, and return the last response.

    A program that listens in place of Asterisk gets only a digest of a challenge of its own choice: the
    secret is never sent, whatever is answered. Source: Asterisk 22, "AMI", Challenge; it knows MD5 only.

    Raises:
        PbxProtocolError: no challenge came. Also what `ask` raises.
    """
    reply = await ask("Challenge", {"AuthType": "MD5"})
    if not reply.is_success:
        return reply
    challenge = reply.fields.get("Challenge")
    if not challenge:
        raise PbxProtocolError("the peer does not challenge as Asterisk's manager interface does")
    proof = f"{challenge}{settings.ami_secret.renewed()}"
    # MD5 is all that the Challenge of Asterisk 22 knows.
    key = hashlib.md5(proof.encode(), usedforsecurity=False).hexdigest()
    account = {"AuthType": "MD5", "Username": settings.ami_username, "Key": key, "Events": "on"}
    return await ask("Login", account)


def read_reply(response: object) -> Reply:
    """Return the response to an action; `response` is panoramisk's: one message, or a list of messages."""
    messages = response if isinstance(response, list) else [response]
    head: Message = messages[0]
    return Reply(
        is_success=text_of(head, "Response") in ("Success", "Goodbye"),
        message=text_of(head, "Message"),
        value=text_of(head, "Value"),
        # Between the response and the event that ends the list.
        items=tuple(messages[1:-1]),
        fields={name: text_of(head, name) for name in head},
        output=texts_of(head, "Output"),
    )
