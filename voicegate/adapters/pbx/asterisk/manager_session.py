"""A short connection to the manager interface: log in, ask, receive every event, log off. For checks, not for
calls.

The connection for calls is `ami`'s; this one is never opened again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from panoramisk.message import Message

from voicegate.adapters.pbx.asterisk.ami import Reply, log_in, read_reply
from voicegate.adapters.pbx.asterisk.ami_events import text_of
from voicegate.adapters.pbx.asterisk.ami_link import GuardedManager
from voicegate.adapters.pbx.asterisk.ami_wire import Fields
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.domain.errors import PbxRefused, ReplyLost


class ManagerSession:
    """A logged-in manager connection."""

    def __init__(self, settings: AsteriskSettings) -> None:
        self._manager = GuardedManager(settings.name, self._hear)
        self._within = settings.action_timeout.total_seconds()
        self._news = asyncio.Event()
        self.events: list[Message] = []
        """Every event so far."""

    async def ask(self, action: str, fields: Fields | None = None, *, as_list: bool | None = None) -> Reply:
        """Send an action and return its response.

        Raises:
            ReplyLost: no response came in time.
            PbxUnavailable: the connection is lost.
        """
        sent = self._manager.send_fields(action, fields or {}, as_list)
        try:
            async with asyncio.timeout(self._within):
                return read_reply(await sent.future)
        except TimeoutError:
            raise ReplyLost(f"no reply to {action} in time") from None
        finally:
            # Else panoramisk keeps it, and takes what comes late for its reply.
            self._manager.forget(sent)

    async def evaluate(self, function: str) -> str:
        """Return the value of a dialplan function; empty also if the PBX does not have the function."""
        return (await self.ask("Getvar", {"Variable": function})).value

    async def wait_event(self, is_wanted: Callable[[Message], bool], within: float) -> Message | None:
        """Return the first event for which `is_wanted` is true, received before or within so many seconds;
        None: none came."""
        try:
            async with asyncio.timeout(within):
                while (found := next(filter(is_wanted, self.events), None)) is None:
                    await self._news.wait()
        except TimeoutError:
            return None
        return found

    @property
    def heard(self) -> set[str]:
        """The names of all events so far."""
        return {text_of(event, "Event") for event in self.events}

    def _hear(self, event: Message) -> None:
        # All are kept: a visit is short, and which events come is itself looked at.
        self.events.append(event)
        self._news.set()
        self._news = asyncio.Event()

    async def open(self, settings: AsteriskSettings) -> None:
        """Connect and log in.

        Raises:
            OSError: nothing answered there in time.
            PbxProtocolError: it is not a manager interface.
            PbxRefused: our name or secret was refused; with the PBX's message.
        """
        async with asyncio.timeout(self._within):
            await self._manager.open(settings.ami_host, settings.ami_port, settings.ami_tls)
        try:
            reply = await log_in(self.ask, settings)
        except ReplyLost:
            if isinstance(self._manager.reason, Exception):
                # What the peer said first, that it is no manager interface say, is why no reply came.
                raise self._manager.reason from None
            raise
        if not reply.is_success:
            raise PbxRefused(reply.message)

    def close(self) -> None:
        """Close the connection."""
        self._manager.close()


@asynccontextmanager
async def manager_session(settings: AsteriskSettings) -> AsyncIterator[ManagerSession]:
    """Give a logged-in session; raises as `ManagerSession.open` does."""
    session = ManagerSession(settings)
    try:
        await session.open(settings)
        yield session
    finally:
        session.close()
