"""The AMI client: one supervised connection that is proved alive, and made anew when it is not.

What a call does with events belongs to `tracker`. Events are handled as they are read, after a filter
that costs one look-up, with no queue between: what we are too slow for waits in the kernel, and what
Asterisk then drops with the connection (its `writetimeout`) the resync after the reconnect finds.
Source: Asterisk 22, "AMI v2 Specification"; log-in refusals as 22.10.1 words them.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from panoramisk.message import Message

from voicegate.adapters.asterisk.ami_events import AmiEvent, read_event, text_of
from voicegate.adapters.asterisk.ami_link import GuardedManager, ReplyLost
from voicegate.adapters.asterisk.ami_wire import Fields
from voicegate.adapters.asterisk.settings import AsteriskSettings, Pace
from voicegate.domain.errors import PbxError, PbxUnavailable

log = structlog.get_logger(__name__)

_DICE: Final = secrets.SystemRandom()


class AmiListener(Protocol):
    """Who follows the PBX."""

    def on_event(self, event: AmiEvent) -> None:
        """Something happened to a channel, of ours or not. Must not block."""
        ...

    async def on_ready(self) -> None:
        """Logged in, with calls perhaps in progress: learn which of them live, and return when new ones
        can be placed. Actions may be sent."""
        ...

    def on_lost(self) -> None:
        """The connection is gone, or could not be made: events may be missed from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to an action."""

    is_success: bool
    """Did the PBX agree?"""
    message: str
    """In its own words."""
    value: str = ""
    """A variable's value; "" when it has none."""
    items: Sequence[Message] = ()
    """The events of a list, its completion left out."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Every header of the response."""

    @property
    def is_channel_unknown(self) -> bool:
        """Does the PBX not have the channel? Any other error, a missing right say, tells nothing of it."""
        return not self.is_success and self.message == "No such channel"


class _SecretRefused(PbxError):
    """The PBX refuses our AMI name or secret."""


class AmiClient:
    """Actions to one Asterisk and events from it, over whichever connection there is."""

    def __init__(self, settings: AsteriskSettings, listener: AmiListener) -> None:
        self._settings = settings
        self._listener = listener
        self._manager: GuardedManager | None = None
        self._is_ready = False

    @property
    def is_connected(self) -> bool:
        """Logged in, and in step with the PBX?"""
        return self._is_ready

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        pace = self._settings.pace
        failures = 0
        while True:
            try:
                await self._serve()
            except _SecretRefused as error:
                name = self._settings.name
                log.error("AMI log-in refused: check username and secret", pbx=name, why=str(error))
                delay = pace.refused_delay.total_seconds()
            except (PbxError, OSError, TimeoutError) as error:
                failures = 0 if self._is_ready else failures
                delay = _back_off(failures, pace)
                failures += 1
                log.warning("AMI down", pbx=self._settings.name, why=_name(error), retry_s=round(delay, 1))
            finally:
                self._drop()
            await asyncio.sleep(delay * _DICE.uniform(0.5, 1))

    async def ask(self, action: str, fields: Fields, *, as_list: bool | None = None) -> Reply:
        """Send an action and return its response.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            UnsafeValue: a value would inject an action; nothing was sent.
            ReplyLost: sent, and the connection was lost or the reply did not come in time.
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
            manager.forget(sent)

    async def _serve(self) -> None:
        """Connect, log in, and watch until something is wrong, which is raised."""
        settings = self._settings
        manager = GuardedManager(settings.name, self._dispatch)
        try:
            async with asyncio.timeout(settings.action_timeout.total_seconds()):
                await manager.open(settings.ami_host, settings.ami_port)
            self._manager = manager
            await self._log_in()
            await self._listener.on_ready()
            self._is_ready = True
            log.info("AMI up", pbx=settings.name)
            await self._watch(manager)
        except ReplyLost:
            raise _why(manager) from None
        finally:
            manager.close()

    async def _log_in(self) -> None:
        secret = self._settings.ami_secret.value
        reply = await self.ask(
            "Login", {"Username": self._settings.ami_username, "Secret": secret, "Events": "on"}
        )
        if not reply.is_success:
            raise _SecretRefused(reply.message)

    async def _watch(self, manager: GuardedManager) -> None:
        quiet = self._settings.pace.quiet.total_seconds()
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(max(manager.heard_at + quiet, loop.time())):
                    await manager.lost.wait()
            except TimeoutError:
                if manager.heard_at + quiet <= loop.time():
                    await self._prove(manager)
            else:
                raise _why(manager)

    async def _prove(self, manager: GuardedManager) -> None:
        """Ping a silent peer; any sign of life will do."""
        asked_at = asyncio.get_running_loop().time()
        try:
            await self.ask("Ping", {})
        except ReplyLost:
            if manager.heard_at < asked_at:
                raise

    def _drop(self) -> None:
        self._is_ready, self._manager = False, None
        self._listener.on_lost()

    def _dispatch(self, message: Message) -> None:
        event = read_event(message)
        if event is not None:
            self._listener.on_event(event)


def read_reply(response: object) -> Reply:
    """Return what an action's response says; `response` is panoramisk's, one message or a list."""
    messages = response if isinstance(response, list) else [response]
    head: Message = messages[0]
    return Reply(
        is_success=text_of(head, "Response") in ("Success", "Goodbye"),
        message=text_of(head, "Message"),
        value=text_of(head, "Value"),
        items=tuple(messages[1:-1]),
        fields={name: text_of(head, name) for name in head},
    )


def _back_off(failures: int, pace: Pace) -> float:
    doubled = pace.first_delay.total_seconds() * (1 << min(failures, 16))
    return min(doubled, pace.longest_delay.total_seconds())


def _why(manager: GuardedManager) -> Exception:
    if isinstance(manager.reason, Exception):
        return manager.reason
    return PbxUnavailable("closed by the PBX" if manager.lost.is_set() else "no answer in time")


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
