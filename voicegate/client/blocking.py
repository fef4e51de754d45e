# Written by `make client`: change async_client.py instead.
"""The client: what can be asked of the daemon, each in one method.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar, Unpack

import httpx
from httpx_sse import ServerSentEvent

from voicegate.client import requests
from voicegate.client.blocking_factors import Factors
from voicegate.client.blocking_pages import Pages
from voicegate.client.blocking_webhooks import Webhooks
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
from voicegate.client.transports import UnixTransport, read_events

T = TypeVar("T")


class Client:
    """What asks the daemon. Every method raises `ApiError` for a refusal and `Unreachable` for silence."""

    def __init__(
        self, socket: str | Path | None = None, *, base_url: str | None = None, key: str | None = None
    ) -> None:
        self._place = DaemonAddress(socket, base_url, key)
        transport = UnixTransport(self._place.socket) if self._place.socket is not None else None
        self._http = httpx.Client(
            transport=transport, base_url=self._place.base_url, headers=self._place.headers, trust_env=False
        )
        self.factors = Factors(self._ask)
        """What can be asked about subscribers' telephones."""
        self.pages = Pages(self._ask)
        """What can be asked about pages for people."""
        self.webhooks = Webhooks(self._ask)
        """What can be asked about webhooks, by admins."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_verification(self, destination: str, **options: Unpack[Options]) -> Created:
        """Call a telephone and speak a code; returns before it rings."""
        return self._ask(requests.create(destination, options))

    def dry_run(self, destination: str, **options: Unpack[Options]) -> DryRun:
        """Return what a call would be placed by; nobody is called. A refusal is the same `ApiError`."""
        return self._ask(requests.dry_run(destination, options))

    def verification(self, verification_id: str, wait_s: float = 0, since: int | None = None) -> Verification:
        """Return a verification; with `wait_s`, once its revision passes `since` or the time is over."""
        return self._ask(requests.look(verification_id, wait_s, since))

    def watch(self, verification_id: str) -> Iterator[Step]:
        """Yield the steps of its calls as they happen, until the last call has ended."""
        following = Following()
        with closing(self._events(verification_id, following)) as events:
            for event in events:
                if (step := following.take(event)) is not None:
                    yield step
                if following.is_settled:
                    return

    def check(self, verification_id: str, passcode: str) -> Judgement:
        """Judge one guess at the code."""
        return self._ask(requests.check(verification_id, passcode))

    def redial(self, verification_id: str, **terms: Unpack[Terms]) -> Call:
        """Call again with the same code."""
        return (self._ask(requests.redial(verification_id, terms))).call

    def dry_redial(self, verification_id: str, **terms: Unpack[Terms]) -> DryRun:
        """Return what another call would meet; nobody is called."""
        return self._ask(requests.dry_redial(verification_id, terms))

    def cancel(self, verification_id: str) -> Verification:
        """Cancel a verification and hang up its call."""
        return self._ask(requests.cancel(verification_id))

    def calls(
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
        return (self._ask(request)).calls

    def call(self, call_id: str) -> Call:
        """Return a call with its timeline."""
        return self._ask(requests.call(call_id))

    def trunks(self) -> list[Trunk]:
        """Return the trunks as their PBXs see them."""
        return (self._ask(requests.trunks())).trunks

    def trunk_figures(self, name: str, window_s: int = 3600) -> TrunkFigures:
        """Return how a trunk's calls of so many seconds went, by country; only an admin may ask."""
        return self._ask(requests.trunk_figures(name, window_s))

    def drain_trunk(self, name: str, reason: str) -> list[Trunk]:
        """Let a trunk get no new calls, and return all trunks; only an admin may, here and below."""
        return (self._ask(requests.drain_trunk(name, reason))).trunks

    def resume_trunk(self, name: str, reason: str | None = None) -> list[Trunk]:
        """Let a drained trunk get calls again, and return all trunks."""
        return (self._ask(requests.resume_trunk(name, reason))).trunks

    def reload(self) -> Reload:
        """Have the daemon read its settings again, and return what it took."""
        return self._ask(RELOAD)

    def add_client(self, name: str, scopes: Sequence[str]) -> GivenKey:
        """Add a client that asks by key."""
        return self._ask(requests.add_client(name, scopes))

    def clients(self) -> list[ApiClient]:
        """Return all clients by name, revoked ones too."""
        return (self._ask(requests.clients())).clients

    def rotate_key(self, name: str, grace_s: int = 0) -> GivenKey:
        """Give a client another key; its present ones live on for `grace_s` seconds."""
        return self._ask(requests.rotate_key(name, grace_s))

    def revoke_client(self, name: str) -> Revoked:
        """Revoke a client."""
        return self._ask(requests.revoke_client(name))

    def prefixes(self) -> list[PrefixHold]:
        """Return the ranges and countries that are held now."""
        return (self._ask(requests.prefixes())).prefixes

    def hold_prefix(self, prefix: str, reason: str, *, client: str = "", for_s: int = 3600) -> PrefixHold:
        """Hold a range or a country; `client` empty: for all."""
        return self._ask(requests.hold_prefix(prefix, reason, client=client, for_s=for_s))

    def lift_prefix(self, prefix: str, reason: str, *, client: str = "") -> PrefixHold:
        """End a hold."""
        return self._ask(requests.lift_prefix(prefix, reason, client=client))

    def audit(
        self, limit: int = 50, before: int | None = None, **wanted: Unpack[AuditFilter]
    ) -> list[AuditEntry]:
        """Return who asked for what, newest first, those with an id below `before` if given."""
        return (self._ask(requests.audit(limit, before, wanted))).entries

    def limits(self, **wanted: Unpack[LimitFilter]) -> Limits:
        """Return the limits in force, and how much of them is used for whom is named."""
        return self._ask(requests.limits(wanted))

    def spent(self) -> list[Spent]:
        """Return what today's calls cost, the highest costs first."""
        return (self._ask(requests.spent())).spent

    def numbers(self, number: str | None = None, kind: str | None = None) -> Sequence[ListedNumber]:
        """Return the numbers on lists, the newest first; of one number or list, if given."""
        return (self._ask(requests.numbers(number, kind))).numbers

    def add_number(
        self, kind: str, number: str, reason: str, *, expires_at: datetime | None = None
    ) -> ListedNumber:
        """Put a number on the list `trusted`, `blocked` or `do_not_call`."""
        return self._ask(requests.add_number(kind, number, reason, expires_at=expires_at))

    def remove_number(self, kind: str, number: str, reason: str, *, client: str = "") -> RemovedNumber:
        """Take a number off a list."""
        return self._ask(requests.remove_number(kind, number, reason, client=client))

    def health(self) -> Health:
        """Return that the daemon is alive."""
        return self._ask(requests.health())

    def ready(self) -> Health:
        """Return that calls can be placed; otherwise `ApiError` says what fails."""
        return self._ask(requests.ready())

    def _ask(self, request: Request[T]) -> T:
        try:
            response = self._http.request(**requests.arguments(request))
        except httpx.TransportError as error:
            raise self._place.unreachable(error) from error
        return requests.read(request, response)

    def _events(self, verification_id: str, following: Following) -> Generator[ServerSentEvent, None]:
        while True:
            request = requests.events(verification_id, following.after)
            with closing(self._stream(request)) as events:
                yield from events

    def _stream(self, request: Request[Step]) -> Generator[ServerSentEvent, None]:
        try:
            with (
                self._http.stream(**requests.arguments(request)) as response,
                closing(read_events(response)) as events,
            ):
                if not requests.is_event_stream(response):
                    response.read()
                    requests.read(request, response)
                yield from events
        except httpx.TransportError as error:
            raise self._place.unreachable(error) from error
