"""A short connection to the event socket: log in, ask, log off. For checks, not for calls.

The connection for calls is `esl`'s; this one is never opened again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from voicegate.adapters.pbx.freeswitch.esl import ACCEPTED, check_greeting, credentials
from voicegate.adapters.pbx.freeswitch.esl_link import EslLink
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.domain.errors import PbxRefused, ReplyLost

_ALL: Final = "all"


class EslSession:
    """A logged-in connection."""

    def __init__(self, link: EslLink, within: float) -> None:
        self._link = link
        self._within = within
        self._welcome: Mapping[str, str] = {}

    async def ask(self, line: str) -> Frame:
        """Send a command and return its reply.

        Raises:
            ReplyLost: no reply came in time.
            PbxUnavailable: the connection is lost.
        """
        try:
            async with asyncio.timeout(self._within):
                return await self._link.send(line)
        except TimeoutError:
            raise ReplyLost(f"no reply to {line.partition(' ')[0]} in time") from None

    async def api(self, command: str) -> str:
        """Return the answer to an API command; "-ERR permission denied" if we may not send it."""
        reply = await self.ask(f"api {command}")
        # A command that we have no right to is refused by another kind of reply.
        return (reply.body or reply.headers.get("Reply-Text", "")).strip()

    async def log_in(self, settings: FreeSwitchSettings) -> None:
        """Log in.

        Raises:
            PbxRefused: the password is wrong, or there is no such user.
        """
        reply = await self.ask(credentials(settings))
        if reply.headers.get("Reply-Text") != ACCEPTED:
            raise PbxRefused(reply.headers.get("Reply-Text"))
        self._welcome = reply.headers

    def allowed(self, what: str) -> frozenset[str] | None:
        """Return what we may send or receive, of "API" or "Events"; None: everything."""
        # `auth` tells no rights, for it has them all; `userauth` tells those of the account.
        text = self._welcome.get(f"Allowed-{what}", _ALL)
        return None if text == _ALL else frozenset(text.replace(",", " ").split())


@asynccontextmanager
async def esl_session(settings: FreeSwitchSettings) -> AsyncIterator[EslSession]:
    """Give a logged-in connection.

    Raises:
        OSError: nothing listens there.
        TimeoutError: the peer is silent.
        PbxRefused: the password is wrong.
        PbxError: the peer does not speak ESL, or refuses us.
    """
    # Nothing is subscribed, so that no event comes.
    link, within = EslLink(settings.name, lambda _: None), settings.command_timeout.total_seconds()
    try:
        async with asyncio.timeout(within):
            await link.open(settings.esl_host, settings.esl_port)
            check_greeting(await link.greeting)
        session = EslSession(link, within)
        await session.log_in(settings)
        yield session
    finally:
        link.close()
