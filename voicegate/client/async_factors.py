"""Subscribers' telephones, as part of the client.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from typing import Protocol, TypeVar, Unpack

from voicegate.client import factor_requests as requests
from voicegate.client.factor_models import Factor, FactorJudgement, FactorPage
from voicegate.client.factor_requests import CallingAgain, Challenging, Enrolling
from voicegate.client.models import DryRun, Verification
from voicegate.client.requests import Request

T = TypeVar("T")


class AsyncSender(Protocol):
    """Sends a request."""

    async def __call__(self, request: Request[T]) -> T:
        """Return its answer."""


class AsyncFactors:
    """Factors of subscribers; a subscriber is whatever the backend calls a person by."""

    def __init__(self, send: AsyncSender) -> None:
        self._send = send

    async def enroll(self, subscriber: str, destination: str, **options: Unpack[Enrolling]) -> Factor:
        """Bind a telephone to a subscriber and call it with a code; returns before it rings."""
        return await self._send(requests.enroll(subscriber, destination, options))

    async def activate(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of an activation."""
        return await self._send(requests.activate(subscriber, factor_id, passcode))

    async def call_again(
        self, subscriber: str, factor_id: str, **options: Unpack[CallingAgain]
    ) -> Verification:
        """Call again for the activation: with the same code while that counts, else with a new one."""
        return await self._send(requests.call_again(subscriber, factor_id, options))

    async def dry_run(self, subscriber: str, factor_id: str, **options: Unpack[CallingAgain]) -> DryRun:
        """Return what a call would meet, for the activation or a sign-in; nobody is called."""
        return await self._send(requests.dry_run(subscriber, factor_id, options))

    async def challenge(
        self,
        subscriber: str,
        factor_id: str,
        lifetime_s: int | None = None,
        **options: Unpack[Challenging],
    ) -> Verification:
        """Call with a code for a sign-in; the same code while the last one counts."""
        return await self._send(
            requests.challenge(subscriber, factor_id, lifetime_s=lifetime_s, options=options)
        )

    async def verify(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of a sign-in."""
        return await self._send(requests.verify(subscriber, factor_id, passcode))

    async def page(
        self, limit: int = 50, cursor: str | None = None, *, client: str | None = None
    ) -> FactorPage:
        """Return a page of all subscribers' factors, or of those that a client enrolled."""
        return await self._send(requests.page(limit, cursor, client))

    async def get(self, subscriber: str, factor_id: str) -> Factor:
        """Return a factor, and what became of its newest code."""
        return await self._send(requests.get(subscriber, factor_id))

    async def reset(self, subscriber: str, factor_id: str) -> None:
        """End a factor and its open codes, and hang up its call."""
        await self._send(requests.reset(subscriber, factor_id))

    async def reset_all(self, subscriber: str) -> list[str]:
        """End all factors of a subscriber; return their ids."""
        return (await self._send(requests.reset_all(subscriber))).reset

    async def list(self, subscriber: str) -> list[Factor]:
        """Return a subscriber's factors: one, and for an admin one of each client."""
        return (await self._send(requests.listing(subscriber))).factors
