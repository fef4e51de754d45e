"""One try to deliver a message: an HTTPS POST, signed, to the address that was checked.

Redirects are not followed, proxies of the environment not used, and an answer's body is not kept. Each
webhook has its own few connections.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp

from voicegate import __version__
from voicegate.adapters.webhooks.addresses import AddressRules, CheckedResolver, IpNetwork
from voicegate.adapters.webhooks.signing import read_keys, sign
from voicegate.application.outbox import Message, SendResult
from voicegate.application.ports import Clock
from voicegate.domain.errors import ConfigError

_GONE: Final = 410
_READ_BYTES: Final = 4096
"""How much of an answer is read, so that its connection can be used again; nothing of it is kept."""
_ERROR_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where one webhook's messages go."""

    url: str = field(repr=False)
    """Its URL, which may hold a secret of its own in path or query."""
    secret_file: Path
    """The file with the secrets that messages are signed with, a line each; read for each message."""
    ca_file: Path | None = None
    """PEM file with the certificate of who signed the receiver's; None: the operating system's."""


class HttpSender:
    """Sends messages by HTTPS; an async context manager that opens and closes the connections."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        *,
        clock: Clock,
        timeout: timedelta,
        connections: int,
        allowed_networks: Sequence[IpNetwork] = (),
    ) -> None:
        self._receivers: dict[str, Receiver] = {}
        self._first = receivers
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._connections = connections
        self._allowed = allowed_networks
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._rules: dict[str, AddressRules] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.take(self._first)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sessions.clear()
        await self._stack.aclose()

    async def take(self, receivers: Mapping[str, Receiver]) -> None:
        """Send to these receivers from now on, and to no others; the connections to others are closed."""
        kept = {name for name, one in receivers.items() if self._receivers.get(name) == one}
        for name in self._receivers.keys() - kept:
            await self._sessions.pop(name).close()
        self._receivers = dict(receivers)
        for name in receivers.keys() - kept:
            is_plain = urlsplit(receivers[name].url).scheme == "http"
            self._rules[name] = AddressRules(self._allowed, is_loopback_only=is_plain)
            session = self._session(receivers[name], self._rules[name])
            self._sessions[name] = await self._stack.enter_async_context(session)

    async def send(self, message: Message) -> SendResult:
        """Send a message once, and return what the receiver said."""
        name = message.webhook
        session = self._sessions.get(name)
        if session is None:
            return SendResult(error="the webhook is not in the settings, or the daemon stops")
        try:
            return await self._post(session, message, self._receivers[name])
        except TimeoutError:
            return SendResult(error=f"no answer within {self._timeout.total:g} s")
        except ConfigError as error:
            return SendResult(error=_short(f"webhooks.{name}.secret_file: {error}"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return SendResult(error=_short(str(error) or type(error).__name__))

    async def _post(self, session: aiohttp.ClientSession, message: Message, receiver: Receiver) -> SendResult:
        # aiohttp asks no resolver for an address, so it is judged here.
        host = urlsplit(receiver.url).hostname or ""
        if _is_address(host):
            self._rules[message.webhook].judge(host)
        keys = await asyncio.to_thread(read_keys, receiver.secret_file)
        headers = sign(message.id, message.body, now=self._clock.now(), keys=keys)
        headers = {**headers, "Content-Type": "application/json"}
        async with session.post(
            receiver.url, data=message.body, headers=headers, allow_redirects=False
        ) as response:
            await response.content.read(_READ_BYTES)
            status = response.status
        if 200 <= status < 300:
            return SendResult(status)
        return SendResult(status, f"answered with status {status}", is_final=status == _GONE)

    def _session(self, receiver: Receiver, rules: AddressRules) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(rules),
            use_dns_cache=False,
            limit=self._connections,
            ssl=ssl.create_default_context(cafile=receiver.ca_file) if receiver.ca_file else True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"Voicegate/{__version__}"},
            trust_env=False,
            auto_decompress=False,
        )


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


def _short(text: str) -> str:
    return " ".join(text.split())[:_ERROR_LENGTH]
