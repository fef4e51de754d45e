"""The client: what can be asked of the daemon, each in one method.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar, Unpack

import httpx
from httpx_sse import ServerSentEvent

from voicegate.client import requests
from voicegate.client.async_factors import AsyncFactors
from voicegate.client.async_pages import AsyncPages
from voicegate.client.async_webhooks import AsyncWebhooks
from voicegate.client.filters import AuditFilter, CallFilter, LimitFilter, Terms
from voicegate.client.limit_models import Limits, Spent
from voicegate.client.models import (
    ApiClient,
    AuditEntry,
    Call,
    Created,
    DryRun,
    GivenKey,
    Health,
    Judgement,
    ListedNumber,
    PrefixHold,
    Reload,
    RemovedNumber,
    Revoked,
    Step,
    Trunk,
    TrunkFigures,
    Verification,
)
from voicegate.client.requests import DaemonAddress, Following, Options, Request
from voicegate.client.service_requests import RELOAD
from voicegate.client.transports import AsyncUnixTransport, async_read_events

T = TypeVar("T")


class AsyncClient:
    """What asks the daemon. Every method raises `ApiError` for a refusal and `Unreachable` for silence."""

    def __init__(
        self, socket: str | Path | None = None, *, base_url: str | None = None, key: str | None = None
    ) -> None:
        self._place = DaemonAddress(socket, base_url, key)
        transport = AsyncUnixTransport(self._place.socket) if self._place.socket is not None else None
        self._http = httpx.AsyncClient(
            transport=transport, base_url=self._place.base_url, headers=self._place.headers, trust_env=False
        )
        self.factors = AsyncFactors(self._ask)
        """What can be asked about subscribers' telephones."""
        self.pages = AsyncPages(self._ask)
        """What can be asked about pages for people."""
        self.webhooks = AsyncWebhooks(self._ask)
        """What can be asked about webhooks, by admins."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_verification(self, destination: str, **options: Unpack[Options]) -> Created:
        """Call a telephone and speak a code; returns before it rings."""
        return await self._ask(requests.create(destination, options))

    async def dry_run(self, destination: str, **options: Unpack[Options]) -> DryRun:
        """Return what a call would be placed by; nobody is called. A refusal is the same `ApiError`."""
        return await self._ask(requests.dry_run(destination, options))

    async def verification(
        self, verification_id: str, wait_s: float = 0, since: int | None = None
    ) -> Verification:
        """Return a verification; with `wait_s`, once its revision passes `since` or the time is over."""
        return await self._ask(requests.look(verification_id, wait_s, since))

    async def watch(self, verification_id: str) -> AsyncIterator[Step]:
        """Yield the steps of its calls as they happen, until the last call has ended."""
        following = Following()
        async with aclosing(self._events(verification_id, following)) as events:
            async for event in events:
                if (step := following.take(event)) is not None:
                    yield step
                if following.is_settled:
                    return

    async def check(self, verification_id: str, passcode: str) -> Judgement:
        """Judge one guess at the code."""
        return await self._ask(requests.check(verification_id, passcode))

    async def redial(self, verification_id: str, **terms: Unpack[Terms]) -> Call:
        """Call again with the same code."""
        return (await self._ask(requests.redial(verification_id, terms))).call

    async def dry_redial(self, verification_id: str, **terms: Unpack[Terms]) -> DryRun:
        """Return what another call would meet; nobody is called."""
        return await self._ask(requests.dry_redial(verification_id, terms))

    async def cancel(self, verification_id: str) -> Verification:
        """Cancel a verification and hang up its call."""
        return await self._ask(requests.cancel(verification_id))

    async def calls(
        self,
        limit: int = 50,
        before: datetime | None = None,
        *,
        test_numbers: bool = False,
        **wanted: Unpack[CallFilter],
    ) -> list[Call]:
        """Return the newest of those calls first, without timelines; with those to test numbers if they are
        wanted."""
        request = requests.calls(limit, before, test_numbers=test_numbers, wanted=wanted)
        return (await self._ask(request)).calls

    async def call(self, call_id: str) -> Call:
        """Return a call with its timeline."""
        return await self._ask(requests.call(call_id))

    async def trunks(self) -> list[Trunk]:
        """Return the trunks as their PBXs see them."""
        return (await self._ask(requests.trunks())).trunks

    async def trunk_figures(self, name: str, window_s: int = 3600) -> TrunkFigures:
        """Return how a trunk's calls of so many seconds went, by country; only an admin may ask."""
        return await self._ask(requests.trunk_figures(name, window_s))

    async def drain_trunk(self, name: str, reason: str) -> list[Trunk]:
        """Let a trunk get no new calls, and return all trunks; only an admin may, here and below."""
        return (await self._ask(requests.drain_trunk(name, reason))).trunks

    async def resume_trunk(self, name: str, reason: str | None = None) -> list[Trunk]:
        """Let a drained trunk get calls again, and return all trunks."""
        return (await self._ask(requests.resume_trunk(name, reason))).trunks

    async def reload(self) -> Reload:
        """Have the daemon read its settings again, and return what it took."""
        return await self._ask(RELOAD)

    async def add_client(self, name: str, scopes: Sequence[str]) -> GivenKey:
        """Add a client that asks by key."""
        return await self._ask(requests.add_client(name, scopes))

    async def clients(self) -> list[ApiClient]:
        """Return all clients by name, revoked ones too."""
        return (await self._ask(requests.clients())).clients

    async def rotate_key(self, name: str, grace_s: int = 0) -> GivenKey:
        """Give a client another key; its present ones live on for `grace_s` seconds."""
        return await self._ask(requests.rotate_key(name, grace_s))

    async def revoke_client(self, name: str) -> Revoked:
        """Revoke a client."""
        return await self._ask(requests.revoke_client(name))

    async def prefixes(self) -> list[PrefixHold]:
        """Return the ranges and countries that are held now."""
        return (await self._ask(requests.prefixes())).prefixes

    async def hold_prefix(
        self, prefix: str, reason: str, *, client: str = "", for_s: int = 3600
    ) -> PrefixHold:
        """Hold a range or a country; `client` empty: for all."""
        return await self._ask(requests.hold_prefix(prefix, reason, client=client, for_s=for_s))

    async def lift_prefix(self, prefix: str, reason: str, *, client: str = "") -> PrefixHold:
        """End a hold."""
        return await self._ask(requests.lift_prefix(prefix, reason, client=client))

    async def audit(
        self, limit: int = 50, before: int | None = None, **wanted: Unpack[AuditFilter]
    ) -> list[AuditEntry]:
        """Return who asked for what, newest first, those with an id below `before` if given."""
        return (await self._ask(requests.audit(limit, before, wanted))).entries

    async def limits(self, **wanted: Unpack[LimitFilter]) -> Limits:
        """Return the limits in force, and how much of them is used for whom is named."""
        return await self._ask(requests.limits(wanted))

    async def spent(self) -> list[Spent]:
        """Return what today's calls cost, the highest costs first."""
        return (await self._ask(requests.spent())).spent

    async def numbers(self, number: str | None = None, kind: str | None = None) -> Sequence[ListedNumber]:
        """Return the numbers on lists, the newest first; of one number or list, if given."""
        return (await self._ask(requests.numbers(number, kind))).numbers

    async def add_number(
        self, kind: str, number: str, reason: str, *, expires_at: datetime | None = None
    ) -> ListedNumber:
        """Put a number on the list `trusted`, `blocked` or `do_not_call`."""
        return await self._ask(requests.add_number(kind, number, reason, expires_at=expires_at))

    async def remove_number(self, kind: str, number: str, reason: str, *, client: str = "") -> RemovedNumber:
        """Take a number off a list."""
        return await self._ask(requests.remove_number(kind, number, reason, client=client))

    async def health(self) -> Health:
        """Return that the daemon is alive."""
        return await self._ask(requests.health())

    async def ready(self) -> Health:
        """Return that calls can be placed; otherwise `ApiError` says what fails."""
        return await self._ask(requests.ready())

    async def _ask(self, request: Request[T]) -> T:
        try:
            response = await self._http.request(**requests.arguments(request))
        except httpx.TransportError as error:
            raise self._place.unreachable(error) from error
        return requests.read(request, response)

    async def _events(
        self, verification_id: str, following: Following
    ) -> AsyncGenerator[ServerSentEvent, None]:
        while True:
            request = requests.events(verification_id, following.after)
            async with aclosing(self._stream(request)) as events:
                async for event in events:
                    yield event

    async def _stream(self, request: Request[Step]) -> AsyncGenerator[ServerSentEvent, None]:
        try:
            async with (
                self._http.stream(**requests.arguments(request)) as response,
                aclosing(async_read_events(response)) as events,
            ):
                if not requests.is_event_stream(response):
                    await response.aread()
                    requests.read(request, response)
                async for event in events:
                    yield event
        except httpx.TransportError as error:
            raise self._place.unreachable(error) from error
