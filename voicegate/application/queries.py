"""Questions that change nothing: a challenge, a factor, a call, and lists of them.

A client sees its own only, an admin sees all; what belongs to another client is None. These questions are not
in the audit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from voicegate.application.change_notifier import ChangeNotifier
from voicegate.application.listing import ALL_CALLS, CallFilter, FactorFilter
from voicegate.application.ports import CallRecord, ChallengeRecord, Clock
from voicegate.application.store_port import FactorRecord, Store
from voicegate.domain import challenge as challenges
from voicegate.domain.challenge import OPEN_STATES
from voicegate.domain.client import Principal


class ChallengeQueries:
    """Answers questions about challenges and their calls."""

    def __init__(self, *, store: Store, notifier: ChangeNotifier, clock: Clock) -> None:
        self._store = store
        self._notifier = notifier
        self._clock = clock

    async def look(
        self,
        principal: Principal,
        challenge_id: str,
        *,
        since: int | None = None,
        wait: timedelta = timedelta(),
    ) -> ChallengeRecord | None:
        """Return a challenge when its revision is above `since`, or when its time or `wait` is over; None:
        unknown.

        Without `since`, `wait` counts from the present revision.
        """
        with self.watching(principal, challenge_id) as watch:
            return await watch.look(since, wait)

    @contextmanager
    def watching(self, principal: Principal, challenge_id: str) -> Iterator["ChallengeWatch"]:
        """Return how to look at a challenge many times, as one who follows a call does."""
        with self._notifier.watching(challenge_id) as change:
            yield ChallengeWatch(partial(self._read, principal, challenge_id), change, self._clock)

    async def newest(
        self, principal: Principal, number: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return the principal's newest challenge without a factor for a number; None: there is none.

        `service` is the service that asked for it; None: one that no service asked for.
        """
        return self._present(await self._store.newest_plain(number, principal.name, service))

    async def call(self, principal: Principal, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        record = await self._store.call(call_id)
        if record is None or await self._read(principal, record.call.challenge_id) is None:
            return None
        return record

    async def calls(
        self, principal: Principal, limit: int, wanted: CallFilter = ALL_CALLS
    ) -> Sequence[CallRecord]:
        """Return the calls that match, newest first, at most `limit`, without timelines; a client sees its
        own only."""
        if not principal.is_admin:
            if wanted.client not in (None, principal.name):
                return ()
            wanted = replace(wanted, client=principal.name)
        return await self._store.recent_calls(limit, wanted)

    async def _read(self, principal: Principal, challenge_id: str) -> ChallengeRecord | None:
        record = self._present(await self._store.challenge(challenge_id))
        return record if record is not None and principal.owns(record.challenge.client) else None

    def _present(self, record: ChallengeRecord | None) -> ChallengeRecord | None:
        return None if record is None else _as_of(record, self._clock.now())


class ChallengeWatch:
    """Looks at one challenge, one look after another. What it has read is read again when a change was
    announced, and after a wait that brought none."""

    def __init__(
        self, read: Callable[[], Awaitable[ChallengeRecord | None]], change: asyncio.Event, clock: Clock
    ) -> None:
        """`change` is set by each change of the challenge from now on."""
        self._read = read
        self._change = change
        self._clock = clock
        self._last: ChallengeRecord | None = None

    async def look(self, since: int | None, wait: timedelta) -> ChallengeRecord | None:
        """Return the challenge, as `ChallengeQueries.look` does."""
        record = await self._current()
        if record is None or record.is_settled:
            return record
        seen = record.revision if since is None else since
        if record.revision > seen or not wait:
            return record
        try:
            async with asyncio.timeout(self._longest_wait(record, wait).total_seconds()):
                return await self._news(seen)
        except TimeoutError:
            # Not everything is announced: a purge, and another process's changes.
            self._last = None
            return _as_of(record, self._clock.now())

    async def _current(self) -> ChallengeRecord | None:
        if self._last is None or self._change.is_set():
            return await self._read_again()
        return _as_of(self._last, self._clock.now())

    async def _news(self, seen: int) -> ChallengeRecord | None:
        """Return the challenge when its revision is above `seen`. A change may be announced that was read
        already."""
        while True:
            await self._change.wait()
            record = await self._read_again()
            if record is None or record.revision > seen:
                return record

    async def _read_again(self) -> ChallengeRecord | None:
        # Forgotten and cleared first: the reading may be canceled, and what changes meanwhile is news.
        self._last = None
        self._change.clear()
        self._last = await self._read()
        return self._last

    def _longest_wait(self, record: ChallengeRecord, wait: timedelta) -> timedelta:
        """Return how long to wait for a change. Not beyond the challenge's end, which nobody announces."""
        left = record.challenge.left(self._clock.now())
        return min(wait, left) if record.challenge.state in OPEN_STATES else wait


def _as_of(record: ChallengeRecord, now: datetime) -> ChallengeRecord:
    """Return a record whose challenge has its state at `now`: expired, if its time is over."""
    return replace(record, challenge=challenges.expire(record.challenge, now))


class FactorQueries:
    """Answers questions about factors."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, principal: Principal, factor_id: str) -> FactorRecord | None:
        """Return a factor with its newest challenge; None: unknown, or reset."""
        record = await self._store.factor(factor_id)
        if record is None or not (record.factor.is_living and principal.owns(record.factor.client)):
            return None
        return self._as_of_now(record)

    async def list(self, principal: Principal, subscriber: str) -> Sequence[FactorRecord]:
        """Return a subscriber's factors, oldest first, without those that were reset. Each client that the
        principal may see can have one."""
        records = await self._store.factors(subscriber, None if principal.is_admin else principal.name)
        return [self._as_of_now(record) for record in records]

    async def page(
        self, principal: Principal, limit: int, wanted: FactorFilter, *, after: str | None = None
    ) -> Sequence[FactorRecord] | None:
        """Return the factors that match, by client and subscriber, without those that were reset; None:
        `after` is unknown.

        With `after`, only those behind the factor with that id. A client sees its own only.
        """
        if not principal.is_admin:
            if wanted.client not in (None, principal.name):
                return ()
            wanted = replace(wanted, client=principal.name)
        if after is not None:
            last = await self._store.factor(after)
            if last is None or not principal.owns(last.factor.client):
                return None
            wanted = replace(wanted, behind=(last.factor.client, last.factor.subscriber))
        return [self._as_of_now(record) for record in await self._store.list_factors(limit, wanted)]

    def _as_of_now(self, record: FactorRecord) -> FactorRecord:
        """Return a record whose challenge has its present state: expired, if its time is over."""
        if record.challenge is None:
            return record
        return replace(record, challenge=_as_of(record.challenge, self._clock.now()))
