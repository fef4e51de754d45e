"""Issue a challenge and verify a passcode; call again, or take it back.

Each use case is one transaction, and asks in order: policy, routing, passcode, challenge. A request
never waits for a telephone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from voicegate.application.delivery import Delivery, World, has_live_call
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.domain import challenge as challenges
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Call
from voicegate.domain.challenge import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LIFETIME,
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    VerifyResult,
)
from voicegate.domain.errors import UnknownLanguage
from voicegate.domain.passcode import DEFAULT_LENGTH, Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import CallPolicy, Deny, DenyReason, may_call_again, may_reach


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a request is silent."""

    language: str = "en"
    """Language of the announcement."""
    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    """What proves a person."""
    passcode_length: int = DEFAULT_LENGTH
    """Digits in a derived code."""
    lifetime: timedelta = DEFAULT_LIFETIME
    """From the request to the last guess."""
    attempts: int = DEFAULT_ATTEMPTS
    """Guesses."""


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A request for a challenge, checked for shape only."""

    client: str
    """Who asks."""
    destination: Destination
    """Whom to call."""
    language: str | None = None
    """Language tag such as `en` or `en-US`; None: the default."""
    passcode: Passcode | None = None
    """The caller's own code; None: a derived one."""
    human_check: HumanCheck | None = None
    """None: the default."""
    lifetime: timedelta | None = None
    """None: the default."""
    reference: str | None = None
    """The caller's own note."""
    idempotency: IdempotencyKey | None = None
    """The caller's promise that a repeat is a repeat."""


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


class SignIn:
    """The use cases around one challenge."""

    def __init__(self, world: World, delivery: Delivery, *, policy: CallPolicy, defaults: Defaults) -> None:
        self._world = world
        self._store = world.desk.store
        self._delivery = delivery
        self._policy = policy
        self._defaults = defaults

    async def issue(self, request: IssueRequest) -> Issued | KeyReused | Deny:
        """Store a challenge with its first call and begin to deliver it.

        Raises:
            UnknownLanguage: no prompts for the language asked for.
            StoreError: nothing was stored, nobody is called.
        """
        verdict = may_reach(request.destination, self._policy)
        if isinstance(verdict, Deny):
            return verdict
        challenge = self._new_challenge(request)
        hops = self._delivery.route(challenge)
        if not hops:
            return Deny(DenyReason.NO_ROUTE)
        call = self._delivery.new_call(challenge, hops[0])
        replay = await self._store.open(challenge, call, request.idempotency)
        if replay is not None:
            return await self._replay(replay, request)
        self._delivery.start(challenge, call)
        return Issued(ChallengeRecord(challenge, (CallRecord(call),)))

    async def verify(self, challenge_id: str, guess: str) -> VerifyResult | None:
        """Judge one guess; None: no such challenge. Two at once are judged one after the other."""
        now = self._world.desk.clock.now()

        def judge(challenge: Challenge) -> tuple[Challenge, VerifyResult]:
            is_match = self._world.keyring.matches(challenge.id, challenge.digest, guess)
            return challenges.verify(challenge, now, is_match=is_match)

        result = await self._store.update_challenge(challenge_id, judge)
        self._world.desk.board.announce(challenge_id)
        return result

    async def redial(self, challenge_id: str) -> Call | Deny | None:
        """Call again with the same code; None: no such challenge."""
        now = self._world.desk.clock.now()

        def admit(record: ChallengeRecord) -> tuple[Challenge, Call | None, tuple[Challenge, Call] | Deny]:
            challenge = challenges.expire(record.challenge, now)
            if challenge.state not in OPEN_STATES:
                return challenge, None, Deny(DenyReason.NOT_OPEN)
            calls = len(record.calls)
            verdict = may_call_again(live=has_live_call(record), calls=calls, policy=self._policy)
            hops = self._delivery.route(challenge)
            if isinstance(verdict, Deny) or not hops:
                return challenge, None, verdict if isinstance(verdict, Deny) else Deny(DenyReason.NO_ROUTE)
            call = self._delivery.new_call(challenge, hops[0])
            started = challenges.step(challenge, ChallengeEvent.CALL_STARTED)
            return started, call, (started, call)

        answer = await self._store.add_call(challenge_id, admit)
        self._world.desk.board.announce(challenge_id)
        if answer is None or isinstance(answer, Deny):
            return answer
        self._delivery.start(*answer)
        return answer[1]

    async def cancel(self, challenge_id: str) -> Challenge | None:
        """Take a challenge back and hang up its call; None: no such challenge. Doing it twice is fine."""
        now = self._world.desk.clock.now()

        def withdraw(challenge: Challenge) -> tuple[Challenge, Challenge]:
            current = challenges.expire(challenge, now)
            if current.state in OPEN_STATES:
                current = challenges.step(current, ChallengeEvent.CANCELED)
            return current, current

        canceled = await self._store.update_challenge(challenge_id, withdraw)
        if canceled is not None:
            await self._delivery.cancel(challenge_id)
            self._world.desk.board.announce(challenge_id)
        return canceled

    async def look(self, challenge_id: str, since: int | None, wait: timedelta) -> ChallengeRecord | None:
        """Return a challenge, once its revision passes `since` or `wait` is over; None: unknown.

        Without `since`, `wait` counts from the present revision.
        """
        with self._world.desk.board.watching(challenge_id) as change:
            record = await self._read(challenge_id)
            if record is None or _is_settled(record) or (since is not None and record.revision > since):
                return record
            try:
                async with asyncio.timeout(wait.total_seconds()):
                    await change.wait()
            except TimeoutError:
                return record
        return await self._read(challenge_id)

    async def _read(self, challenge_id: str) -> ChallengeRecord | None:
        record = await self._store.challenge(challenge_id)
        if record is None:
            return None
        return replace(record, challenge=challenges.expire(record.challenge, self._world.desk.clock.now()))

    def _new_challenge(self, request: IssueRequest) -> Challenge:
        keyring, defaults = self._world.keyring, self._defaults
        now = self._world.desk.clock.now()
        challenge_id = self._world.entropy.new_id("ver")
        length = len(request.passcode.digits) if request.passcode else defaults.passcode_length
        passcode = request.passcode or keyring.derive(challenge_id, length)
        return Challenge(
            id=challenge_id,
            client=request.client,
            destination=request.destination,
            language=match_language(request.language or defaults.language, self._world.speech.languages()),
            human_check=request.human_check or defaults.human_check,
            passcode_length=length,
            digest=keyring.digest(challenge_id, passcode),
            sealed=keyring.seal(challenge_id, request.passcode) if request.passcode else None,
            issued_at=now,
            expires_at=now + (request.lifetime or defaults.lifetime),
            attempts_left=defaults.attempts,
            state=ChallengeState.DELIVERING,
            reference=request.reference,
        )

    async def _replay(self, replay: Replay, request: IssueRequest) -> Issued | KeyReused:
        record = await self._read(replay.challenge_id)
        if not replay.is_same_request or record is None:
            return KeyReused()
        # A fingerprint must not hold a code, not even hashed; whether it is the same one, the key tells.
        first, own = record.challenge, request.passcode
        if own and not self._world.keyring.matches(first.id, first.digest, own.digits):
            return KeyReused()
        return Issued(record, is_replay=True)


def match_language(tag: str, installed: Sequence[str]) -> str:
    """Return the installed language that serves a tag: itself, or its first part (`en-GB` -> `en`).

    Raises:
        UnknownLanguage: none does.
    """
    wanted = tag.replace("_", "-").lower()
    by_name = {name.replace("_", "-").lower(): name for name in installed}
    for candidate in (wanted, wanted.split("-")[0]):
        if candidate in by_name:
            return by_name[candidate]
    raise UnknownLanguage(f"no prompts for {tag!r}; installed: {', '.join(installed) or 'none'}")


def _is_settled(record: ChallengeRecord) -> bool:
    return record.challenge.state not in OPEN_STATES and not has_live_call(record)
