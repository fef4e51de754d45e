"""Issue a challenge and verify a passcode; call again, or take it back.

A request never waits for a telephone. A client sees its own challenges and calls only, an admin all of
them: somebody else's is None, as if it were not there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicegate.application.challenges import ChallengeService, ChallengeSpec, till_over
from voicegate.application.delivery import World
from voicegate.application.listing import ALL_CALLS, CallFilter
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.application.unit_of_work import PendingCall, UnitOfWork, UnitsOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain.call import Call
from voicegate.domain.challenge import (
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    VerifyResult,
)
from voicegate.domain.client import Principal
from voicegate.domain.errors import TooLate
from voicegate.domain.passcode import Passcode
from voicegate.domain.policy import Deny, DenyReason


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A request for a challenge, checked for shape only."""

    principal: Principal
    """Who asks."""
    wanted: ChallengeSpec
    """What to speak to whom."""
    idempotency: IdempotencyKey | None = None
    """The caller's promise that a repeat is a repeat."""
    needs_way: bool = False
    """Is it refused when no trunk can take the call now? Otherwise the call's outcome tells."""
    is_held: bool = False
    """Does its call wait for `release` or `withdraw`?"""
    until: datetime | None = None
    """Until when it is of use: later, nothing is stored; None: it always is."""
    is_repeatable: bool = False
    """Is the same code for the same telephone, while its call is in progress, the same request? Senders that
    repeat what they think lost have no word for it, or a new one each time."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A challenge that stands."""

    record: ChallengeRecord
    """The challenge and its calls."""
    is_replay: bool = False
    """Was it made by an earlier request with the same idempotency key?"""


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key came before with another request."""


@dataclass(frozen=True, slots=True)
class OtherCode:
    """Another code is out for the same telephone."""


class SignIn:
    """The use cases around one challenge."""

    def __init__(self, world: World, units: UnitsOfWork, challenge_service: ChallengeService) -> None:
        self._world = world
        self._store = world.desk.store
        self._units = units
        self._challenge_service = challenge_service

    async def issue(self, request: IssueRequest) -> Issued | KeyReused | Deny:
        """Store a challenge with its first call and begin to deliver it.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
            StoreError: nothing was stored, nobody is called.
            TooLate: the same, because it would be of no use any more.
        """
        pending = self._challenge_service.prepare(request.wanted, request.principal.name)
        if request.needs_way and not isinstance(pending, Deny):
            pending = await self._challenge_service.with_way(pending)

        def work(unit: UnitOfWork) -> Issued | Deny | Replay:
            if request.until is not None and unit.now > request.until:
                raise TooLate
            unit.destination = request.wanted.destination
            if request.idempotency is not None and (replay := unit.tx.replay(request.idempotency)):
                unit.subject = replay.challenge_id
                return replay
            issued = self._repeated(unit, request) or self._issue(unit, pending, is_held=request.is_held)
            if request.idempotency is not None and not isinstance(issued, Deny):
                unit.tx.remember(request.idempotency, issued.record.challenge)
            return issued

        answer = await self._units.do(request.principal, "verification.create", work)
        return await self._replay(answer, request) if isinstance(answer, Replay) else answer

    async def send(self, principal: Principal, wanted: ChallengeSpec) -> Issued | OtherCode | Deny:
        """Call again about a service's open challenge for the same telephone, with the same code; without
        one, issue it. One that is locked stands in the way until its time is over.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
            StoreError: nothing was stored, nobody is called.
        """
        pending = self._challenge_service.prepare(wanted, principal.name)

        def work(unit: UnitOfWork) -> Issued | OtherCode | Deny:
            unit.destination = wanted.destination
            if isinstance(pending, Deny):
                return pending
            found = unit.tx.newest_plain(wanted.destination, client=principal.name, service=wanted.service)
            if found is None or unit.now >= found.challenge.expires_at:
                return self._begin(unit, pending)
            if found.challenge.state is ChallengeState.LOCKED:
                return Deny(DenyReason.TOO_MANY_GUESSES, found.challenge.left(unit.now))
            if found.challenge.state not in OPEN_STATES:
                return self._begin(unit, pending)
            return self._send_again(unit, found, wanted.passcode)

        return await self._units.do(principal, "verification.send", work)

    def release(self, issued: Issued) -> None:
        """Place the call of a challenge that was issued as held; once. A replay has none to place."""
        if not issued.is_replay:
            self._challenge_service.place(_held(issued))

    async def withdraw(self, principal: Principal, issued: Issued) -> None:
        """Take back a challenge that was issued as held: its call is never placed. A replay is left as it is.

        Raises:
            StoreError: not taken back, but nobody is called all the same.
        """
        if issued.is_replay:
            return
        try:
            await self.cancel(principal, issued.record.challenge.id)
        finally:
            self._challenge_service.drop(_held(issued))

    async def verify(self, principal: Principal, challenge_id: str, guess: str) -> VerifyResult | None:
        """Judge one guess; None: no such challenge. Two at once are judged one after the other."""

        def work(unit: UnitOfWork) -> VerifyResult | None:
            record = _find(unit, challenge_id)
            return None if record is None else self._challenge_service.judge(unit, record, guess)

        return await self._units.do(principal, "verification.check", work)

    async def redial(self, principal: Principal, challenge_id: str) -> Call | Deny | None:
        """Call again with the same code; None: no such challenge."""

        def work(unit: UnitOfWork) -> Call | Deny | None:
            record = _find(unit, challenge_id)
            if record is None:
                return None
            pending = self._challenge_service.call_again(unit, record)
            return pending if isinstance(pending, Deny) else pending.call

        return await self._units.do(principal, "verification.redial", work)

    async def cancel(self, principal: Principal, challenge_id: str) -> Challenge | None:
        """Take a challenge back and hang up its call; None: no such challenge. Doing it twice is fine."""

        def work(unit: UnitOfWork) -> Challenge | None:
            record = _find(unit, challenge_id)
            return None if record is None else self._challenge_service.cancel(unit, record.challenge)

        return await self._units.do(principal, "verification.cancel", work)

    async def approve(self, principal: Principal, challenge_id: str) -> Challenge | None:
        """Take the principal's word that an open challenge is proven, and hang up its call; None: none."""

        def work(unit: UnitOfWork) -> Challenge | None:
            record = _find(unit, challenge_id)
            if record is None:
                return None
            return self._challenge_service.end(unit, record.challenge, ChallengeEvent.APPROVED)

        return await self._units.do(principal, "verification.approve", work)

    async def look(
        self,
        principal: Principal,
        challenge_id: str,
        *,
        since: int | None = None,
        wait: timedelta = timedelta(),
    ) -> ChallengeRecord | None:
        """Return a challenge, once its revision passes `since`, its time or `wait` is over; None: unknown.

        Without `since`, `wait` counts from the present revision.
        """
        with self._world.desk.notifier.watching(challenge_id) as change:
            record = await self._read(principal, challenge_id)
            if record is None or record.is_settled:
                return record
            seen = record.revision if since is None else since
            if record.revision > seen:
                return record
            try:
                async with asyncio.timeout(self._patience(record, wait).total_seconds()):
                    return await self._read_news(principal, challenge_id, seen=seen, change=change)
            except TimeoutError:
                return self._present(record)

    async def newest(
        self, principal: Principal, number: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return the principal's own newest challenge for a number that no factor is about and that service
        asked for; None: none."""
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
        """Return the newest of those calls first, without timelines; a client's own only."""
        if not principal.is_admin:
            if wanted.client not in (None, principal.name):
                return ()
            wanted = replace(wanted, client=principal.name)
        return await self._store.recent_calls(limit, wanted)

    def _issue(self, unit: UnitOfWork, pending: PendingCall | Deny, *, is_held: bool) -> Issued | Deny:
        return pending if isinstance(pending, Deny) else self._begin(unit, pending, is_held=is_held)

    def _begin(self, unit: UnitOfWork, pending: PendingCall, *, is_held: bool = False) -> Issued | Deny:
        admitted = self._challenge_service.admit(unit, pending)
        if isinstance(admitted, Deny):
            return admitted
        unit.subject = admitted.challenge.id
        self._challenge_service.begin(unit, admitted, is_held=is_held)
        return Issued(ChallengeRecord(admitted.challenge, (CallRecord(admitted.call),)))

    def _repeated(self, unit: UnitOfWork, request: IssueRequest) -> Issued | None:
        """Return the challenge whose call is in progress, if the request asks for the same code again."""
        wanted = request.wanted
        if not request.is_repeatable or wanted.passcode is None:
            return None
        found = unit.tx.newest_plain(
            wanted.destination, client=request.principal.name, service=wanted.service
        )
        if found is None or not found.has_live_call or found.challenge.reference != wanted.reference:
            return None
        first = found.challenge
        # As in `_send_again`: a derived code is never compared here.
        if first.sealed is None or not self._is_code(first, wanted.passcode):
            return None
        unit.subject = first.id
        return Issued(found, is_replay=True)

    def _is_code(self, challenge: Challenge, own: Passcode) -> bool:
        return self._world.keyring.matches(challenge.id, challenge.digest, own.digits)

    def _send_again(
        self, unit: UnitOfWork, found: ChallengeRecord, own: Passcode | None
    ) -> Issued | OtherCode | Deny:
        unit.subject = found.challenge.id
        # A derived code is never compared here: its guesses would be counted nowhere.
        is_own = found.challenge.sealed is not None
        if own and not (is_own and self._is_code(found.challenge, own)):
            return OtherCode()
        again = self._challenge_service.call_again(unit, found)
        if isinstance(again, Deny):
            return till_over(again, found.challenge, unit.now)
        return Issued(ChallengeRecord(again.challenge, (*found.calls, CallRecord(again.call))))

    def _patience(self, record: ChallengeRecord, wait: timedelta) -> timedelta:
        """Return how long to wait for news of a challenge: that its time is over, the clock alone tells."""
        left = record.challenge.left(self._world.desk.clock.now())
        return min(wait, left) if record.challenge.state in OPEN_STATES else wait

    async def _read_news(
        self, principal: Principal, challenge_id: str, *, seen: int, change: asyncio.Event
    ) -> ChallengeRecord | None:
        """Return a challenge once its revision passes `seen`: what is told may have been read already."""
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
        """Return a record with its challenge as it is now."""
        if record is None:
            return None
        return replace(record, challenge=challenges.expire(record.challenge, self._world.desk.clock.now()))

    async def _replay(self, replay: Replay, request: IssueRequest) -> Issued | KeyReused:
        record = await self._read(request.principal, replay.challenge_id)
        if not replay.is_same_request or record is None:
            return KeyReused()
        # A fingerprint must not hold a code, not even hashed; whether it is the same one, the key tells.
        first, own = record.challenge, request.wanted.passcode
        if own and not self._is_code(first, own):
            return KeyReused()
        return Issued(record, is_replay=True)


def _find(unit: UnitOfWork, challenge_id: str) -> ChallengeRecord | None:
    """Return a challenge that the principal may touch."""
    record = unit.tx.challenge(challenge_id)
    if record is None:
        return None  # what was sent for an id may be anything: a number, a code
    unit.subject = challenge_id
    if not unit.principal.owns(record.challenge.client):
        return None
    unit.destination = record.challenge.destination
    return record


def _held(issued: Issued) -> PendingCall:
    return PendingCall(issued.record.challenge, issued.record.calls[0].call)
