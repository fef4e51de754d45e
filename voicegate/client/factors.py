"""Subscribers' telephones, as part of either client: once blocking, once for asyncio."""

from typing import Protocol, TypeVar, Unpack

from voicegate.client import factor_requests as asking
from voicegate.client.factor_models import Factor, FactorChallenge, FactorJudgement
from voicegate.client.factor_requests import Enrolling
from voicegate.client.requests import Request

T = TypeVar("T")


class Ask(Protocol):
    """Sends a request."""

    def __call__(self, request: Request[T]) -> T:
        """Return its answer."""


class AskAsync(Protocol):
    """Sends a request without blocking."""

    async def __call__(self, request: Request[T]) -> T:
        """Return its answer."""


class Factors:
    """Factors of subscribers; a subscriber is whatever the backend calls a person by."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def enroll(self, subscriber: str, destination: str, **options: Unpack[Enrolling]) -> Factor:
        """Bind a telephone to a subscriber and call it with a code; returns before it rings."""
        return self._ask(asking.enroll(subscriber, destination, options))

    def activate(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of an activation."""
        return self._ask(asking.activate(subscriber, factor_id, passcode))

    def resend(self, subscriber: str, factor_id: str) -> Factor:
        """Call again for the activation."""
        return self._ask(asking.resend(subscriber, factor_id))

    def challenge(self, subscriber: str, factor_id: str, lifetime_s: int | None = None) -> FactorChallenge:
        """Call with a code for a sign-in; the same code while the last one counts."""
        return self._ask(asking.challenge(subscriber, factor_id, lifetime_s))

    def verify(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of a sign-in."""
        return self._ask(asking.verify(subscriber, factor_id, passcode))

    def list(self, subscriber: str) -> list[Factor]:
        """Return a subscriber's factors: one, and for an admin one of each client."""
        return self._ask(asking.listing(subscriber))

    def get(self, subscriber: str, factor_id: str) -> Factor:
        """Return a factor, and what became of its newest code."""
        return self._ask(asking.get(subscriber, factor_id))

    def reset(self, subscriber: str, factor_id: str) -> None:
        """End a factor and its open codes, and hang up its call."""
        self._ask(asking.reset(subscriber, factor_id))

    def reset_all(self, subscriber: str) -> None:
        """End all factors of a subscriber."""
        self._ask(asking.reset_all(subscriber))


class AsyncFactors:
    """The same for asyncio."""

    def __init__(self, ask: AskAsync) -> None:
        self._ask = ask

    async def enroll(self, subscriber: str, destination: str, **options: Unpack[Enrolling]) -> Factor:
        """Bind a telephone to a subscriber and call it with a code; returns before it rings."""
        return await self._ask(asking.enroll(subscriber, destination, options))

    async def activate(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of an activation."""
        return await self._ask(asking.activate(subscriber, factor_id, passcode))

    async def resend(self, subscriber: str, factor_id: str) -> Factor:
        """Call again for the activation."""
        return await self._ask(asking.resend(subscriber, factor_id))

    async def challenge(
        self, subscriber: str, factor_id: str, lifetime_s: int | None = None
    ) -> FactorChallenge:
        """Call with a code for a sign-in; the same code while the last one counts."""
        return await self._ask(asking.challenge(subscriber, factor_id, lifetime_s))

    async def verify(self, subscriber: str, factor_id: str, passcode: str) -> FactorJudgement:
        """Judge one guess at the code of a sign-in."""
        return await self._ask(asking.verify(subscriber, factor_id, passcode))

    async def list(self, subscriber: str) -> list[Factor]:
        """Return a subscriber's factors: one, and for an admin one of each client."""
        return await self._ask(asking.listing(subscriber))

    async def get(self, subscriber: str, factor_id: str) -> Factor:
        """Return a factor, and what became of its newest code."""
        return await self._ask(asking.get(subscriber, factor_id))

    async def reset(self, subscriber: str, factor_id: str) -> None:
        """End a factor and its open codes, and hang up its call."""
        await self._ask(asking.reset(subscriber, factor_id))

    async def reset_all(self, subscriber: str) -> None:
        """End all factors of a subscriber."""
        await self._ask(asking.reset_all(subscriber))
