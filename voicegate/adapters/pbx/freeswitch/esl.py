"""The ESL client: one supervised connection, which is checked by pings and opened again when it is lost.

What the events of a call mean is in `tracker`. Source: FreeSWITCH 1.10.12, `mod_event_socket.c`: a wrong
password is answered by `-ERR invalid`, an address that its ACL refuses by text/rude-rejection, and both are
disconnected. API commands are answered in order, one at a time, so nothing slow may be asked this way.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from voicegate.adapters.pbx.common.connection import (
    ConnectionListener,
    SecretRefused,
    reason_of,
    watch,
)
from voicegate.adapters.pbx.freeswitch.esl_events import EVENTS, FILTERS, EslEvent, read_event
from voicegate.adapters.pbx.freeswitch.esl_link import EslLink
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame, parse_event
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.domain.errors import PbxProtocolError, PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

ACCEPTED: Final = "+OK accepted"
"""The reply to a successful log-in."""


class EslClient:
    """Sends commands to one FreeSWITCH and receives its events, over the present connection."""

    def __init__(
        self,
        settings: FreeSwitchSettings,
        take: Callable[[EslEvent], None],
        listener: ConnectionListener,
    ) -> None:
        """Call `take` for each event of a channel, of ours or not; it must not block."""
        self._settings = settings
        self._take = take
        self._listener = listener
        self._link: EslLink | None = None
        self.ready = asyncio.Event()
        """Set while logged in, and after the calls in progress were checked."""

    async def serve(self) -> None:
        """Connect, log in, and watch the connection until something is wrong, which is raised."""
        settings = self._settings
        link = EslLink(settings.name, self._dispatch)
        try:
            async with asyncio.timeout(settings.command_timeout.total_seconds()):
                await link.open(settings.esl_host, settings.esl_port)
                check_greeting(await link.greeting)
            self._link = link
            await self._log_in()
            # In step before anybody may originate: the calls of before the loss come first.
            await self._listener.on_ready()
            self.ready.set()
            log.info("ESL up", pbx=settings.name)
            await watch(link, settings.pace.quiet, lambda: self.api("status"))
        except ReplyLost:
            # What waited failed as lost because the connection closed: why it closed says more.
            raise reason_of(link) from None
        finally:
            link.close()

    def drop(self) -> None:
        """Record that the connection is lost, or could not be opened."""
        self.ready.clear()
        self._link = None
        self._listener.on_lost()

    async def api(self, command: str) -> str:
        """Send an API command, and return its answer without the line end.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            UnsafeValue: a value would inject a command; nothing was sent.
            ReplyLost: it was sent, and the connection was lost or no answer came in time.
        """
        reply = await self.ask(f"api {command}")
        # A command that we have no right to is refused by another kind of reply.
        return (reply.body or reply.headers.get("Reply-Text", "")).strip()

    async def ask(self, line: str, headers: Mapping[str, str] | None = None) -> Frame:
        """Send a command and return its reply; raises the same as `api`."""
        link = self._link
        if link is None:
            raise PbxUnavailable
        try:
            async with asyncio.timeout(self._settings.command_timeout.total_seconds()):
                return await link.send(line, headers)
        except TimeoutError:
            raise ReplyLost(f"no reply to {line.partition(' ')[0]} in time") from None

    async def _log_in(self) -> None:
        reply = await self.ask(credentials(self._settings))
        if reply.headers.get("Reply-Text") != ACCEPTED:
            raise SecretRefused(reply.headers.get("Reply-Text"))
        # Filters first: without one, every event of every call would come in between.
        for line in (*(f"filter {one}" for one in FILTERS), f"event plain {EVENTS}"):
            reply = await self.ask(line)
            if not reply.headers.get("Reply-Text", "").startswith("+OK"):
                raise PbxProtocolError(f"the PBX refuses to tell of its events: {line.split(' ', 1)[0]}")

    def _dispatch(self, frame: Frame) -> None:
        if frame.kind == "text/event-plain":
            event = read_event(parse_event(frame.body))
            if event is not None:
                self._take(event)


def credentials(settings: FreeSwitchSettings) -> str:
    """Return the command that logs in."""
    user, password = settings.esl_user, settings.esl_password.renewed()
    return f"userauth {user}:{password}" if user else f"auth {password}"


def check_greeting(frame: Frame) -> None:
    """Check the first frame of the peer.

    Raises:
        PbxUnavailable: its access list refuses us.
        PbxProtocolError: it is not an event socket.
    """
    if frame.kind == "text/rude-rejection":
        raise PbxUnavailable("refused by the PBX's access list: see apply-inbound-acl in event_socket.conf")
    if frame.kind != "auth/request":
        raise PbxProtocolError("the peer does not greet as FreeSWITCH's event socket does")
