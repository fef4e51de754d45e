"""Enroll a subscriber's telephone, activate it by a called code, sign in with it, and reset it.

A client reaches its own subscribers only, an admin reaches all. A factor of another client, or one that was
reset, is `NotFound`. Questions that change nothing are in `queries`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from voicegate.application.call_admission import next_call_at, till_over
from voicegate.application.challenges import ChallengeService, ChallengeSpec
from voicegate.application.factor_answers import (
    FactorCalled,
    FactorGuess,
    FactorReset,
    FactorsReset,
    OtherTelephone,
)
from voicegate.application.pending_call import ANY_CODE, CodeRequest, PendingCall
from voicegate.application.ports import Entropy, IdempotencyKey, Replay, Speech
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import Answer, KeyReused, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.challenge import DEFAULT_LIFETIME, Challenge, ChallengeEvent, Purpose
from voicegate.domain.client import Principal
from voicegate.domain.factor import Factor, FactorEvent, FactorState
from voicegate.domain.language import best_language, match_language
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import IN_PROGRESS_WAIT, Deny, DenyReason, may_reach, refusal

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class EnrollRequest:
    """A request to enroll a subscriber's telephone; only its shape was checked."""

    principal: Principal
    """Who asks; the factor belongs to this client."""
    subscriber: str
    """The person, by the client's own name for them."""
    destination: Destination
    """The telephone."""
    languages: tuple[str, ...] = ()
    """Language tags of its calls, best first. If no language has prompts, the default is spoken."""
    activation_lifetime: timedelta = DEFAULT_LIFETIME
    """How long the activation's code can be entered, 1 s to 24 h."""
    is_proven: bool = False
    """Was the telephone proven in another way, so that the factor is active without a call? Only an admin may
    say so."""
    replaces: frozenset[FactorState] = frozenset()
    """The subscriber's present factor is reset first if it is in one of these states (Okta's `updatePhone`:
    in any)."""
    needs_language: bool = False
    """Refuse the request if none of the languages has prompts?"""
    idempotency: IdempotencyKey | None = None
    """The caller's idempotency key. It is kept with the first code, so not for a proven telephone."""
    wanted: CodeRequest = ANY_CODE
    """What is asked for the activation's code, but for its lifetime."""


@dataclass(frozen=True, slots=True)
class FactorKey:
    """Which factor is meant."""

    id: str
    """Its id."""
    subscriber: str | None = None
    """The subscriber whose factor it must be; None: any."""


class Enrollment:
    """Enrolls, activates, calls and resets factors."""

    def __init__(
        self, *, units: UnitsOfWork, challenge_service: ChallengeService, entropy: Entropy, speech: Speech
    ) -> None:
        self._units = units
        self._challenge_service = challenge_service
        self._entropy = entropy
        self._speech = speech

    async def enroll(self, request: EnrollRequest) -> FactorCalled | KeyReused | Deny:
        """Bind a telephone to a subscriber, and call it with the activation's code unless it is proven.

        If the same telephone waits for its activation already, the answer is the same factor; it is called
        again if policy allows a call now.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
        """
        work = partial(self.enroll_within, request=request)
        return await self._units.do(request.principal, "factor.enroll", self._once, request.idempotency, work)

    async def activate(
        self, principal: Principal, factor_id: str, guess: Passcode, *, subscriber: str | None = None
    ) -> FactorGuess | Deny | NotFound:
        """Judge a guess at the activation's code. With `subscriber`, the factor must be theirs."""
        key, purpose = FactorKey(factor_id, subscriber), Purpose.ACTIVATION
        return await self._units.do(
            principal, "factor.activate", self.judge_within, key, guess, purpose=purpose
        )

    async def verify(
        self, principal: Principal, factor_id: str, guess: Passcode, *, subscriber: str | None = None
    ) -> FactorGuess | Deny | NotFound:
        """Judge a guess at the code of the newest sign-in. With `subscriber`, the factor must be theirs."""
        key, purpose = FactorKey(factor_id, subscriber), Purpose.SIGN_IN
        return await self._units.do(
            principal, "factor.verify", self.judge_within, key, guess, purpose=purpose
        )

    async def resend(
        self,
        principal: Principal,
        factor_id: str,
        *,
        subscriber: str | None = None,
        named: Destination | None = None,
        wanted: CodeRequest = ANY_CODE,
    ) -> FactorCalled | Deny | NotFound | OtherTelephone:
        """Call again for the activation: with the same code, or with a new one if that is over.

        With `named`, the factor's telephone must be that one; a `named` without an extension fits any
        extension.
        """
        key = FactorKey(factor_id, subscriber)
        return await self._units.do(principal, "factor.resend", self._resend, key, named, wanted=wanted)

    async def challenge(
        self,
        principal: Principal,
        factor_id: str,
        wanted: CodeRequest = ANY_CODE,
        *,
        subscriber: str | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> FactorCalled | KeyReused | Deny | NotFound:
        """Call with a code for a sign-in; while the last code is open, with the same one."""
        key = FactorKey(factor_id, subscriber)
        work = partial(self._challenge, key=key, wanted=wanted)
        return await self._units.do(principal, "factor.challenge", self._once, idempotency, work)

    async def reset(
        self, principal: Principal, factor_id: str, *, subscriber: str | None = None
    ) -> FactorReset | NotFound:
        """End a factor and its open challenges, and hang up its call."""
        key = FactorKey(factor_id, subscriber)
        return await self._units.do(principal, "factor.reset", self._reset_one, key)

    async def reset_all(self, principal: Principal, subscriber: str) -> FactorsReset:
        """End all factors of a subscriber: the client's own; for an admin, those of every client."""
        return await self._units.do(principal, "factor.reset_all", self._reset_all, subscriber)

    def _once(
        self, unit: UnitOfWork, idempotency: IdempotencyKey | None, work: Callable[[UnitOfWork], A]
    ) -> A | FactorCalled | KeyReused:
        """Do the work, unless the idempotency key was used before."""
        if idempotency is None:
            return work(unit)
        if replay := unit.tx.replay(idempotency):
            return self._replay(unit, replay)
        answer = work(unit)
        if isinstance(answer, FactorCalled) and answer.challenge is not None:
            unit.tx.remember(idempotency, answer.challenge.challenge)
        return answer

    def _replay(self, unit: UnitOfWork, replay: Replay) -> FactorCalled | KeyReused:
        """Return the factor of the earlier request with the same idempotency key, with the code that it
        called with."""
        record = unit.tx.challenge(replay.challenge_id)
        if not replay.is_same_request or record is None or record.challenge.factor_id is None:
            return KeyReused()
        factor = unit.tx.factor(record.challenge.factor_id)
        if factor is None or not unit.principal.owns(factor.client):
            return KeyReused()
        unit.subject, unit.destination, unit.subscriber = factor.id, factor.destination, factor.subscriber
        current = replace(record, challenge=challenges.expire(record.challenge, unit.now))
        return FactorCalled(
            factor, current, sharing=unit.tx.sharing(factor.destination.number), is_replay=True
        )

    def enroll_within(self, unit: UnitOfWork, request: EnrollRequest) -> FactorCalled | Deny:
        """Do what `enroll` does, inside `unit`."""
        unit.subject = unit.subscriber = request.subscriber
        unit.destination = request.destination
        if refused := refusal(may_reach(request.destination, self._challenge_service.policy)):
            return refused
        if request.is_proven and not request.principal.is_admin:
            return Deny(DenyReason.ADMINS_ONLY)
        living = unit.tx.living_factors(request.subscriber, request.principal.name)
        if kept := [old for old in living if old.state not in request.replaces]:
            return self._repeat(unit, kept[0], request)
        factor, wanted = self._new_factor(request, unit.now), request.wanted
        pending = (
            None if request.is_proven else self._prepare(unit, factor, Purpose.ACTIVATION, wanted=wanted)
        )
        if isinstance(pending, Deny):
            return pending
        unit.subject = factor.id
        for old in living:
            self._reset(unit, old)
        if pending is None:
            factor = factors.step(factor, FactorEvent.ACTIVATED, unit.now)
            unit.tx.add_factor(factor)
        else:
            unit.tx.add_factor(factor)
            self._challenge_service.begin(unit, pending)
        return self._record(unit, factor)

    def _new_factor(self, request: EnrollRequest, now: datetime) -> Factor:
        return Factor(
            id=self._entropy.new_id("fac"),
            client=request.principal.name,
            subscriber=request.subscriber,
            destination=request.destination,
            created_at=now,
            updated_at=now,
            language=self._language_of(request),
            activation_lifetime=request.activation_lifetime,
        )

    def _language_of(self, request: EnrollRequest) -> str | None:
        find = match_language if request.needs_language else best_language
        return find(request.languages, self._speech.languages())

    def _repeat(self, unit: UnitOfWork, factor: Factor, request: EnrollRequest) -> FactorCalled | Deny:
        if factor.state is FactorState.LOCKED:
            return Deny(DenyReason.FACTOR_LOCKED)
        is_same = factor.destination == request.destination
        if factor.state is not FactorState.PENDING_ACTIVATION or not is_same or request.is_proven:
            return Deny(DenyReason.ALREADY_ENROLLED)
        refused = self._ring(unit, factor, Purpose.ACTIVATION, wanted=request.wanted)
        # A second click is no mistake: it gets what the first one began.
        if refused and refused.reason not in (DenyReason.TOO_SOON, DenyReason.CALL_IN_PROGRESS):
            return refused
        return self._record(unit, factor)

    def _resend(
        self, unit: UnitOfWork, key: FactorKey, named: Destination | None, *, wanted: CodeRequest
    ) -> FactorCalled | Deny | NotFound | OtherTelephone:
        factor = find_within(unit, key)
        if factor is None:
            return NotFound()
        if named is not None and not _is_same(named, factor.destination):
            return OtherTelephone()
        return self.call_within(unit, factor, Purpose.ACTIVATION, wanted=wanted)

    def _challenge(
        self, unit: UnitOfWork, key: FactorKey, wanted: CodeRequest
    ) -> FactorCalled | Deny | NotFound:
        factor = find_within(unit, key)
        return (
            NotFound() if factor is None else self.call_within(unit, factor, Purpose.SIGN_IN, wanted=wanted)
        )

    def call_within(
        self, unit: UnitOfWork, factor: Factor, purpose: Purpose, *, wanted: CodeRequest = ANY_CODE
    ) -> FactorCalled | Deny:
        """Call a factor's telephone for a purpose, inside `unit`."""
        refused = _misplaced(factor, purpose) or self._ring(unit, factor, purpose, wanted=wanted)
        return refused or self._record(unit, factor)

    def judge_within(
        self, unit: UnitOfWork, key: FactorKey, guess: Passcode, *, purpose: Purpose
    ) -> FactorGuess | Deny | NotFound:
        """Do what `activate` and `verify` do, inside `unit`."""
        factor = find_within(unit, key)
        if factor is None:
            return NotFound()
        newest = unit.tx.newest_challenge(factor.id, purpose)
        is_open = newest is not None and newest.challenge.is_open(unit.now)
        if factor.state is FactorState.LOCKED and not is_open:
            return Deny(DenyReason.FACTOR_LOCKED)
        if newest is None:
            return _misplaced(factor, purpose) or Deny(DenyReason.NO_CHALLENGE)
        judged = self._challenge_service.verify_guess(unit, newest, guess, factor=factor)
        record = FactorRecord(
            judged.factor or factor, judged.record, sharing=unit.tx.sharing(factor.destination.number)
        )
        return FactorGuess(judged.result.result, judged.result.guesses_left, record=record)

    def _reset_one(self, unit: UnitOfWork, key: FactorKey) -> FactorReset | NotFound:
        factor = find_within(unit, key)
        return NotFound() if factor is None else FactorReset(self._reset(unit, factor))

    def _reset_all(self, unit: UnitOfWork, subscriber: str) -> FactorsReset:
        unit.subject = unit.subscriber = subscriber
        principal = unit.principal
        found = unit.tx.living_factors(subscriber, None if principal.is_admin else principal.name)
        return FactorsReset([self._reset(unit, factor) for factor in found])

    def _ring(
        self, unit: UnitOfWork, factor: Factor, purpose: Purpose, *, wanted: CodeRequest = ANY_CODE
    ) -> Deny | None:
        """Have a factor's telephone called; return why it is not; None: it is."""
        newest = unit.tx.newest_challenge(factor.id)
        if newest is not None and newest.challenge.is_open(unit.now):
            again = self._challenge_service.call_again(unit, newest, wanted.terms)
            return till_over(again, newest.challenge, unit.now) if isinstance(again, Deny) else None
        if newest is not None and newest.has_live_call:
            return Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT)
        pending = self._prepare(unit, factor, purpose, wanted=wanted)
        if isinstance(pending, Deny):
            return pending
        if not self._bears(unit, factor, pending.challenge):
            unit.tx.save_factor(factors.step(factor, FactorEvent.LOCKED, unit.now))
            return Deny(DenyReason.FACTOR_LOCKED)
        self._challenge_service.begin(unit, pending)
        return None

    def _bears(self, unit: UnitOfWork, factor: Factor, another: Challenge) -> bool:
        """Return whether the factor has enough guesses left that all open codes and another one could be
        guessed wrong."""
        open_ones = (one for one in unit.tx.open_challenges(factor.id) if one.is_open(unit.now))
        return factors.bears(factor, sum(one.guesses_left for one in (*open_ones, another)))

    def _prepare(
        self, unit: UnitOfWork, factor: Factor, purpose: Purpose, *, wanted: CodeRequest = ANY_CODE
    ) -> PendingCall | Deny:
        """Return a factor's new challenge with its call, admitted but not stored yet; or why there is
        none."""
        is_activation = purpose is Purpose.ACTIVATION
        spec = ChallengeSpec(
            factor.destination,
            # Its prompts may have gone since.
            languages=(factor.language,) if factor.language else (),
            lifetime=factor.activation_lifetime if is_activation else wanted.lifetime,
            matching_digits=wanted.matching_digits,
            terms=wanted.terms,
            reference=unit.reference,
        )
        pending = self._challenge_service.prepare(spec, factor.client, factor_id=factor.id, purpose=purpose)
        return (
            pending
            if isinstance(pending, Deny)
            else self._challenge_service.admit(unit, pending, factor.subscriber)
        )

    def _record(self, unit: UnitOfWork, factor: Factor) -> FactorCalled:
        """Return a factor as it is after this transaction, without reading it again."""
        newest, policy = unit.tx.newest_challenge(factor.id), self._challenge_service.policy
        return FactorCalled(
            factor,
            newest,
            sharing=unit.tx.sharing(factor.destination.number),
            next_call_at=next_call_at(unit, newest.challenge, policy) if newest else None,
        )

    def end_codes_within(self, unit: UnitOfWork, factor: Factor) -> None:
        """Cancel a factor's open challenges and hang up its call, inside `unit`."""
        newest = unit.tx.newest_challenge(factor.id)
        if newest is not None and newest.has_live_call:
            unit.ended.append(newest.challenge.id)  # also of a challenge that is over
        for challenge in unit.tx.open_challenges(factor.id):
            self._challenge_service.end(unit, challenge, ChallengeEvent.CANCELED)

    def _reset(self, unit: UnitOfWork, factor: Factor) -> Factor:
        self.end_codes_within(unit, factor)
        dead = factors.step(factor, FactorEvent.RESET, unit.now)
        unit.tx.save_factor(dead)
        return dead


def find_within(unit: UnitOfWork, key: FactorKey) -> Factor | None:
    """Return a factor that is not reset and that the principal may use; None: there is none."""
    factor = unit.tx.factor(key.id)
    if factor is None:
        return None  # what was sent for an id may be anything: a number, a code
    unit.subject = key.id
    if not (factor.is_living and unit.principal.owns(factor.client)):
        return None
    if key.subscriber not in (None, factor.subscriber):
        return None
    unit.destination, unit.subscriber = factor.destination, factor.subscriber
    return factor


def _misplaced(factor: Factor, purpose: Purpose) -> Deny | None:
    """Return why a factor in this state cannot have such a challenge; None: it can."""
    match factor.state, purpose:
        case FactorState.LOCKED, _:
            return Deny(DenyReason.FACTOR_LOCKED)
        case FactorState.PENDING_ACTIVATION, Purpose.SIGN_IN:
            return Deny(DenyReason.NOT_ACTIVE)
        case FactorState.ACTIVE, Purpose.ACTIVATION:
            return Deny(DenyReason.NOT_PENDING)
        case _:
            return None


def _is_same(named: Destination, enrolled: Destination) -> bool:
    return named == (enrolled if named.extension else replace(enrolled, extension=None))
