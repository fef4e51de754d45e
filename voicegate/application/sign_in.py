"""Issue a challenge and verify a passcode; call again, or take it back.

A request never waits for a telephone. A client sees its own challenges and calls only, an admin all of
them: somebody else's is None, as if it were not there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicegate.application.deeds import Begun, Deed, Deeds
from voicegate.application.delivery import World
from voicegate.application.listing import ALL_CALLS, CallFilter
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.application.proving import Proving, Wanted, till_over
from voicegate.domain import challenge as challenges
from voicegate.domain.call import Call
from voicegate.domain.challenge import (
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    VerifyResult,
)
from voicegate.domain.client import Asker
from voicegate.domain.errors import TooLate
from voicegate.domain.passcode import Passcode
from voicegate.domain.policy import Deny, DenyReason


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A request for a challenge, checked for shape only."""

    asker: Asker
    """Who asks."""
    wanted: Wanted
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

    def __init__(self, world: World, deeds: Deeds, proving: Proving) -> None:
        self._world = world
        self._store = world.desk.store
        self._deeds = deeds
        self._proving = proving

    async def issue(self, request: IssueRequest) -> Issued | KeyReused | Deny:
        """Store a challenge with its first call and begin to deliver it.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
            StoreError: nothing was stored, nobody is called.
            TooLate: the same, because it would be of no use any more.
        """
        begun = self._proving.prepare(request.wanted, request.asker.name)
        if request.needs_way and not isinstance(begun, Deny):
            begun = await self._proving.with_way(begun)

        def work(deed: Deed) -> Issued | Deny | Replay:
            if request.until is not None and deed.now > request.until:
                raise TooLate
            deed.destination = request.wanted.destination
            if request.idempotency is not None and (replay := deed.tx.replay(request.idempotency)):
                deed.subject = replay.challenge_id
                return replay
            issued = self._repeated(deed, request) or self._issue(deed, begun, is_held=request.is_held)
            if request.idempotency is not None and not isinstance(issued, Deny):
                deed.tx.remember(request.idempotency, issued.record.challenge)
            return issued

        answer = await self._deeds.do(request.asker, "verification.create", work)
        return await self._replay(answer, request) if isinstance(answer, Replay) else answer

    async def send(self, asker: Asker, wanted: Wanted) -> Issued | OtherCode | Deny:
        """Call again about a service's open challenge for the same telephone, with the same code; without
        one, issue it. One that is locked stands in the way until its time is over.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
            StoreError: nothing was stored, nobody is called.
        """
        begun = self._proving.prepare(wanted, asker.name)

        def work(deed: Deed) -> Issued | OtherCode | Deny:
            deed.destination = wanted.destination
            if isinstance(begun, Deny):
                return begun
            found = deed.tx.newest_plain(wanted.destination, client=asker.name, service=wanted.service)
            if found is None or deed.now >= found.challenge.expires_at:
                return self._begin(deed, begun)
            if found.challenge.state is ChallengeState.LOCKED:
                return Deny(DenyReason.TOO_MANY_GUESSES, found.challenge.left(deed.now))
            if found.challenge.state not in OPEN_STATES:
                return self._begin(deed, begun)
            return self._send_again(deed, found, wanted.passcode)

        return await self._deeds.do(asker, "verification.send", work)

    def release(self, issued: Issued) -> None:
        """Place the call of a challenge that was issued as held; once. A replay has none to place."""
        if not issued.is_replay:
            self._proving.place(_held(issued))

    async def withdraw(self, asker: Asker, issued: Issued) -> None:
        """Take back a challenge that was issued as held: its call is never placed. A replay is left as it is.

        Raises:
            StoreError: not taken back, but nobody is called all the same.
        """
        if issued.is_replay:
            return
        try:
            await self.cancel(asker, issued.record.challenge.id)
        finally:
            self._proving.drop(_held(issued))

    async def verify(self, asker: Asker, challenge_id: str, guess: str) -> VerifyResult | None:
        """Judge one guess; None: no such challenge. Two at once are judged one after the other."""

        def work(deed: Deed) -> VerifyResult | None:
            record = _find(deed, challenge_id)
            return None if record is None else self._proving.judge(deed, record, guess)

        return await self._deeds.do(asker, "verification.check", work)

    async def redial(self, asker: Asker, challenge_id: str) -> Call | Deny | None:
        """Call again with the same code; None: no such challenge."""

        def work(deed: Deed) -> Call | Deny | None:
            record = _find(deed, challenge_id)
            if record is None:
                return None
            begun = self._proving.call_again(deed, record)
            return begun if isinstance(begun, Deny) else begun.call

        return await self._deeds.do(asker, "verification.redial", work)

    async def cancel(self, asker: Asker, challenge_id: str) -> Challenge | None:
        """Take a challenge back and hang up its call; None: no such challenge. Doing it twice is fine."""

        def work(deed: Deed) -> Challenge | None:
            record = _find(deed, challenge_id)
            return None if record is None else self._proving.cancel(deed, record.challenge)

        return await self._deeds.do(asker, "verification.cancel", work)

    async def approve(self, asker: Asker, challenge_id: str) -> Challenge | None:
        """Take the asker's word that an open challenge is proven, and hang up its call; None: no such one."""

        def work(deed: Deed) -> Challenge | None:
            record = _find(deed, challenge_id)
            if record is None:
                return None
            return self._proving.end(deed, record.challenge, ChallengeEvent.APPROVED)

        return await self._deeds.do(asker, "verification.approve", work)

    async def look(
        self, asker: Asker, challenge_id: str, *, since: int | None = None, wait: timedelta = timedelta()
    ) -> ChallengeRecord | None:
        """Return a challenge, once its revision passes `since`, its time or `wait` is over; None: unknown.

        Without `since`, `wait` counts from the present revision.
        """
        with self._world.desk.board.watching(challenge_id) as change:
            record = await self._read(asker, challenge_id)
            if record is None or record.is_settled:
                return record
            seen = record.revision if since is None else since
            if record.revision > seen:
                return record
            try:
                async with asyncio.timeout(self._patience(record, wait).total_seconds()):
                    return await self._read_news(asker, challenge_id, seen=seen, change=change)
            except TimeoutError:
                return self._present(record)

    async def newest(self, asker: Asker, number: str, service: str | None = None) -> ChallengeRecord | None:
        """Return the asker's own newest challenge for a number that no factor is about and that service
        asked for; None: none."""
        return self._present(await self._store.newest_plain(number, asker.name, service))

    async def call(self, asker: Asker, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        record = await self._store.call(call_id)
        if record is None or await self._read(asker, record.call.challenge_id) is None:
            return None
        return record

    async def calls(self, asker: Asker, limit: int, wanted: CallFilter = ALL_CALLS) -> Sequence[CallRecord]:
        """Return the newest of those calls first, without timelines; a client's own only."""
        if not asker.is_admin:
            if wanted.client not in (None, asker.name):
                return ()
            wanted = replace(wanted, client=asker.name)
        return await self._store.recent_calls(limit, wanted)

    def _issue(self, deed: Deed, begun: Begun | Deny, *, is_held: bool) -> Issued | Deny:
        return begun if isinstance(begun, Deny) else self._begin(deed, begun, is_held=is_held)

    def _begin(self, deed: Deed, begun: Begun, *, is_held: bool = False) -> Issued | Deny:
        admitted = self._proving.admit(deed, begun)
        if isinstance(admitted, Deny):
            return admitted
        deed.subject = admitted.challenge.id
        self._proving.begin(deed, admitted, is_held=is_held)
        return Issued(ChallengeRecord(admitted.challenge, (CallRecord(admitted.call),)))

    def _repeated(self, deed: Deed, request: IssueRequest) -> Issued | None:
        """Return the challenge whose call is in progress, if the request asks for the same code again."""
        wanted = request.wanted
        if not request.is_repeatable or wanted.passcode is None:
            return None
        found = deed.tx.newest_plain(wanted.destination, client=request.asker.name, service=wanted.service)
        if found is None or not found.has_live_call or found.challenge.reference != wanted.reference:
            return None
        first = found.challenge
        # As in `_send_again`: a derived code is never compared here.
        if first.sealed is None or not self._is_code(first, wanted.passcode):
            return None
        deed.subject = first.id
        return Issued(found, is_replay=True)

    def _is_code(self, challenge: Challenge, own: Passcode) -> bool:
        return self._world.keyring.matches(challenge.id, challenge.digest, own.digits)

    def _send_again(
        self, deed: Deed, found: ChallengeRecord, own: Passcode | None
    ) -> Issued | OtherCode | Deny:
        deed.subject = found.challenge.id
        # A derived code is never compared here: its guesses would be counted nowhere.
        is_own = found.challenge.sealed is not None
        if own and not (is_own and self._is_code(found.challenge, own)):
            return OtherCode()
        again = self._proving.call_again(deed, found)
        if isinstance(again, Deny):
            return till_over(again, found.challenge, deed.now)
        return Issued(ChallengeRecord(again.challenge, (*found.calls, CallRecord(again.call))))

    def _patience(self, record: ChallengeRecord, wait: timedelta) -> timedelta:
        """Return how long to wait for news of a challenge: that its time is over, the clock alone tells."""
        left = record.challenge.left(self._world.desk.clock.now())
        return min(wait, left) if record.challenge.state in OPEN_STATES else wait

    async def _read_news(
        self, asker: Asker, challenge_id: str, *, seen: int, change: asyncio.Event
    ) -> ChallengeRecord | None:
        """Return a challenge once its revision passes `seen`: what is told may have been read already."""
        while True:
            await change.wait()
            change.clear()
            record = await self._read(asker, challenge_id)
            if record is None or record.revision > seen:
                return record

    async def _read(self, asker: Asker, challenge_id: str) -> ChallengeRecord | None:
        record = self._present(await self._store.challenge(challenge_id))
        return record if record is not None and asker.owns(record.challenge.client) else None

    def _present(self, record: ChallengeRecord | None) -> ChallengeRecord | None:
        """Return a record with its challenge as it is now."""
        if record is None:
            return None
        return replace(record, challenge=challenges.expire(record.challenge, self._world.desk.clock.now()))

    async def _replay(self, replay: Replay, request: IssueRequest) -> Issued | KeyReused:
        record = await self._read(request.asker, replay.challenge_id)
        if not replay.is_same_request or record is None:
            return KeyReused()
        # A fingerprint must not hold a code, not even hashed; whether it is the same one, the key tells.
        first, own = record.challenge, request.wanted.passcode
        if own and not self._is_code(first, own):
            return KeyReused()
        return Issued(record, is_replay=True)


def _find(deed: Deed, challenge_id: str) -> ChallengeRecord | None:
    """Return a challenge that the asker may touch."""
    record = deed.tx.challenge(challenge_id)
    if record is None:
        return None  # what was sent for an id may be anything: a number, a code
    deed.subject = challenge_id
    if not deed.asker.owns(record.challenge.client):
        return None
    deed.destination = record.challenge.destination
    return record


def _held(issued: Issued) -> Begun:
    return Begun(issued.record.challenge, issued.record.calls[0].call)
