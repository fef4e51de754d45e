"""Questions that change nothing: a challenge, a factor, a call, and lists of them.

A client sees its own only, an admin sees all; what belongs to another client is None. These questions are not
in the audit.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

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
        with self._notifier.watching(challenge_id) as change:
            record = await self._read(principal, challenge_id)
            if record is None or record.is_settled:
                return record
            seen = record.revision if since is None else since
            if record.revision > seen:
                return record
            try:
                async with asyncio.timeout(self._longest_wait(record, wait).total_seconds()):
                    return await self._read_news(principal, challenge_id, seen=seen, change=change)
            except TimeoutError:
                return self._present(record)

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

    def _longest_wait(self, record: ChallengeRecord, wait: timedelta) -> timedelta:
        """Return how long to wait for a change of a challenge. Not beyond its end, which nobody announces."""
        left = record.challenge.left(self._clock.now())
        return min(wait, left) if record.challenge.state in OPEN_STATES else wait

    async def _read_news(
        self, principal: Principal, challenge_id: str, *, seen: int, change: asyncio.Event
    ) -> ChallengeRecord | None:
        """Return a challenge when its revision is above `seen`. A change may be announced that was read
        already."""
        while True:
            await change.wait()
            change.clear()
            record = await self._read(principal, challenge_id)
            if record is None or record.revision > seen:
                return record

    async def _read(self, principal: Principal, challenge_id: str) -> ChallengeRecord | None:
        record = self._present(await self._store.challenge(challenge_id))
        return record if record is not None and principal.owns(record.challenge.client) else None

    def _present(self, record: ChallengeRecord | None) -> ChallengeRecord | None:
        """Return a record whose challenge has its present state: expired, if its time is over."""
        if record is None:
            return None
        return replace(record, challenge=challenges.expire(record.challenge, self._clock.now()))


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
        challenge = challenges.expire(record.challenge.challenge, self._clock.now())
        return replace(record, challenge=replace(record.challenge, challenge=challenge))
