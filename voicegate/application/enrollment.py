"""Enroll a subscriber's telephone, activate it by a called code, sign in with it, and reset it.

A client sees its own subscribers only, an admin all of them: somebody else's factor, and a dead one, is
None, as if it were not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicegate.application.challenges import ChallengeService, ChallengeSpec, till_over
from voicegate.application.delivery import World
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import PendingCall, UnitOfWork, UnitsOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.challenge import DEFAULT_LIFETIME, Challenge, Purpose, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.factor import Factor, FactorEvent, FactorState
from voicegate.domain.language import best_language
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import IN_PROGRESS_WAIT, Deny, DenyReason, may_reach, refusal


@dataclass(frozen=True, slots=True)
class EnrollRequest:
    """A subscriber's telephone, checked for shape only."""

    principal: Principal
    """Who asks; the factor is kept under its name."""
    subscriber: str
    """The person, by the client's own name for them."""
    destination: Destination
    """The telephone."""
    languages: tuple[str, ...] = ()
    """Language tags of its calls, best first; where none of them has prompts, the default is spoken."""
    activation_lifetime: timedelta = DEFAULT_LIFETIME
    """How long a code of the activation counts, 1 s to 24 h."""
    is_proven: bool = False
    """Was it proven elsewhere, so that the factor is active without a call? An admin's word only."""
    replaces: bool = False
    """Is a living factor reset for this one (Okta's `updatePhone`)?"""


class Enrollment:
    """The use cases around a factor."""

    def __init__(self, world: World, units: UnitsOfWork, challenge_service: ChallengeService) -> None:
        self._desk = world.desk
        self._units = units
        self._challenge_service = challenge_service
        self._new_id = world.entropy.new_id
        self._speech = world.speech

    async def enroll(self, request: EnrollRequest) -> FactorRecord | Deny:
        """Bind a telephone to a subscriber, and call it with the activation's code unless it is proven.

        The same telephone again, while it waits for its activation, is the same factor, called again where
        that is allowed now.
        """
        return await self._units.do(
            request.principal, "factor.enroll", lambda unit: self._enroll(unit, request)
        )

    async def activate(self, principal: Principal, factor_id: str, guess: str) -> VerifyResult | Deny | None:
        """Judge a guess at the activation's code; None: no such factor."""
        return await self._guess(
            principal, "factor.activate", factor_id, guess=guess, purpose=Purpose.ACTIVATION
        )

    async def verify(self, principal: Principal, factor_id: str, guess: str) -> VerifyResult | Deny | None:
        """Judge a guess at the newest sign-in's code; None: no such factor."""
        return await self._guess(principal, "factor.verify", factor_id, guess=guess, purpose=Purpose.SIGN_IN)

    async def resend(self, principal: Principal, factor_id: str) -> FactorRecord | Deny | None:
        """Call again for the activation: with the same code, or a new one when that is over."""
        return await self._call(principal, "factor.resend", factor_id, purpose=Purpose.ACTIVATION)

    async def challenge(
        self, principal: Principal, factor_id: str, lifetime: timedelta | None = None
    ) -> FactorRecord | Deny | None:
        """Call with a code for a sign-in: the same code while the last one is open. None: no such factor."""
        return await self._call(
            principal, "factor.challenge", factor_id, purpose=Purpose.SIGN_IN, lifetime=lifetime
        )

    async def reset(self, principal: Principal, factor_id: str) -> Factor | None:
        """End a factor and its open challenges, and hang up its call; None: no such factor."""

        def work(unit: UnitOfWork) -> Factor | None:
            factor = _find(unit, factor_id)
            return None if factor is None else self._reset(unit, factor)

        return await self._units.do(principal, "factor.reset", work)

    async def reset_all(self, principal: Principal, subscriber: str) -> Sequence[Factor]:
        """End all factors of a subscriber: the principal's own, and for an admin every client's."""

        def work(unit: UnitOfWork) -> Sequence[Factor]:
            unit.subject = subscriber
            found = unit.tx.living_factors(subscriber, None if principal.is_admin else principal.name)
            return [self._reset(unit, factor) for factor in found]

        return await self._units.do(principal, "factor.reset_all", work)

    async def get(self, principal: Principal, factor_id: str) -> FactorRecord | None:
        """Return a living factor with its newest challenge; None: no such factor."""
        record = await self._desk.store.factor(factor_id)
        if record is None or not (record.factor.is_living and principal.owns(record.factor.client)):
            return None
        return self._as_of_now(record)

    async def list(self, principal: Principal, subscriber: str) -> Sequence[FactorRecord]:
        """Return a subscriber's living factors, oldest first: one of each client that may be seen."""
        records = await self._desk.store.factors(subscriber, None if principal.is_admin else principal.name)
        return [self._as_of_now(record) for record in records]

    def _as_of_now(self, record: FactorRecord) -> FactorRecord:
        """Return a record whose code says by itself that its time is over."""
        if record.challenge is None:
            return record
        challenge = challenges.expire(record.challenge.challenge, self._desk.clock.now())
        return replace(record, challenge=replace(record.challenge, challenge=challenge))

    def _enroll(self, unit: UnitOfWork, request: EnrollRequest) -> FactorRecord | Deny:
        unit.subject, unit.destination = request.subscriber, request.destination
        if refused := refusal(may_reach(request.destination, self._challenge_service.policy)):
            return refused
        if request.is_proven and not request.principal.is_admin:
            return Deny(DenyReason.ADMINS_ONLY)
        living = unit.tx.living_factors(request.subscriber, request.principal.name)
        if living and not request.replaces:
            return self._repeat(unit, living[0], request)
        factor = self._new_factor(request, unit.now)
        pending = None if request.is_proven else self._prepare(unit, factor, Purpose.ACTIVATION)
        if isinstance(pending, Deny):
            return pending
        unit.subject = factor.id
        for old in living:
            self._reset(unit, old)
        if pending is None:
            unit.tx.add_factor(factors.step(factor, FactorEvent.ACTIVATED, unit.now))
        else:
            unit.tx.add_factor(factor)
            self._challenge_service.begin(unit, pending)
        return self._record(unit, factor.id)

    def _new_factor(self, request: EnrollRequest, now: datetime) -> Factor:
        return Factor(
            id=self._new_id("fac"),
            client=request.principal.name,
            subscriber=request.subscriber,
            destination=request.destination,
            created_at=now,
            updated_at=now,
            language=best_language(request.languages, self._speech.languages()),
            activation_lifetime=request.activation_lifetime,
        )

    def _repeat(self, unit: UnitOfWork, factor: Factor, request: EnrollRequest) -> FactorRecord | Deny:
        if factor.state is FactorState.LOCKED:
            return Deny(DenyReason.FACTOR_LOCKED)
        is_same = factor.destination == request.destination
        if factor.state is not FactorState.PENDING_ACTIVATION or not is_same or request.is_proven:
            return Deny(DenyReason.ALREADY_ENROLLED)
        refused = self._ring(unit, factor, Purpose.ACTIVATION)
        # A second click is no mistake: it gets what the first one began.
        if refused and refused.reason not in (DenyReason.TOO_SOON, DenyReason.CALL_IN_PROGRESS):
            return refused
        return self._record(unit, factor.id)

    async def _call(
        self,
        principal: Principal,
        action: str,
        factor_id: str,
        *,
        purpose: Purpose,
        lifetime: timedelta | None = None,
    ) -> FactorRecord | Deny | None:
        def work(unit: UnitOfWork) -> FactorRecord | Deny | None:
            factor = _find(unit, factor_id)
            if factor is None:
                return None
            refused = _misplaced(factor, purpose) or self._ring(unit, factor, purpose, lifetime=lifetime)
            return refused or self._record(unit, factor.id)

        return await self._units.do(principal, action, work)

    async def _guess(
        self, principal: Principal, action: str, factor_id: str, *, guess: str, purpose: Purpose
    ) -> VerifyResult | Deny | None:
        def work(unit: UnitOfWork) -> VerifyResult | Deny | None:
            factor = _find(unit, factor_id)
            if factor is None:
                return None
            newest = unit.tx.newest_challenge(factor.id, purpose)
            is_open = newest is not None and newest.challenge.is_open(unit.now)
            if factor.state is FactorState.LOCKED and not is_open:
                return Deny(DenyReason.FACTOR_LOCKED)
            if newest is None:
                return _misplaced(factor, purpose) or Deny(DenyReason.NO_CHALLENGE)
            return self._challenge_service.judge(unit, newest, guess)

        return await self._units.do(principal, action, work)

    def _ring(
        self, unit: UnitOfWork, factor: Factor, purpose: Purpose, *, lifetime: timedelta | None = None
    ) -> Deny | None:
        """Have a factor's telephone called; return why not, if not."""
        newest = unit.tx.newest_challenge(factor.id)
        if newest is not None and newest.challenge.is_open(unit.now):
            again = self._challenge_service.call_again(unit, newest)
            return till_over(again, newest.challenge, unit.now) if isinstance(again, Deny) else None
        if newest is not None and newest.has_live_call:
            return Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT)
        pending = self._prepare(unit, factor, purpose, lifetime=lifetime)
        if isinstance(pending, Deny):
            return pending
        if not self._bears(unit, factor, pending.challenge):
            unit.tx.save_factor(factors.step(factor, FactorEvent.LOCKED, unit.now))
            return Deny(DenyReason.FACTOR_LOCKED)
        self._challenge_service.begin(unit, pending)
        return None

    def _bears(self, unit: UnitOfWork, factor: Factor, another: Challenge) -> bool:
        """May all guesses at a factor's codes be wrong, those at another one too?"""
        open_ones = (one for one in unit.tx.open_challenges(factor.id) if one.is_open(unit.now))
        return factors.bears(factor, sum(one.attempts_left for one in (*open_ones, another)))

    def _prepare(
        self, unit: UnitOfWork, factor: Factor, purpose: Purpose, *, lifetime: timedelta | None = None
    ) -> PendingCall | Deny:
        """Return a factor's new challenge with its call, admitted and not stored yet."""
        is_activation = purpose is Purpose.ACTIVATION
        wanted = ChallengeSpec(
            factor.destination,
            # Its prompts may have gone since.
            languages=(factor.language,) if factor.language else (),
            lifetime=factor.activation_lifetime if is_activation else lifetime,
        )
        pending = self._challenge_service.prepare(wanted, factor.client, factor_id=factor.id, purpose=purpose)
        return (
            pending
            if isinstance(pending, Deny)
            else self._challenge_service.admit(unit, pending, factor.subscriber)
        )

    def _record(self, unit: UnitOfWork, factor_id: str) -> FactorRecord:
        """Return a factor as this transaction leaves it."""
        factor = unit.tx.factor(factor_id)
        if factor is None:
            raise LookupError(factor_id)
        newest = unit.tx.newest_challenge(factor_id)
        return FactorRecord(
            factor,
            newest,
            sharing=unit.tx.sharing(factor.destination.number),
            next_call_at=self._challenge_service.next_call_at(unit, newest.challenge) if newest else None,
        )

    def _reset(self, unit: UnitOfWork, factor: Factor) -> Factor:
        newest = unit.tx.newest_challenge(factor.id)
        if newest is not None and newest.has_live_call:
            unit.ended.append(newest.challenge.id)  # also of a challenge that is over
        for challenge in unit.tx.open_challenges(factor.id):
            self._challenge_service.cancel(unit, challenge)
        dead = factors.step(factor, FactorEvent.RESET, unit.now)
        unit.tx.save_factor(dead)
        return dead


def _find(unit: UnitOfWork, factor_id: str) -> Factor | None:
    """Return a living factor that the principal may touch."""
    factor = unit.tx.factor(factor_id)
    if factor is None:
        return None  # what was sent for an id may be anything: a number, a code
    unit.subject = factor_id
    if not (factor.is_living and unit.principal.owns(factor.client)):
        return None
    unit.destination = factor.destination
    return factor


def _misplaced(factor: Factor, purpose: Purpose) -> Deny | None:
    """Return why a factor in this state has no use for such a challenge; None: it has."""
    match factor.state, purpose:
        case FactorState.LOCKED, _:
            return Deny(DenyReason.FACTOR_LOCKED)
        case FactorState.PENDING_ACTIVATION, Purpose.SIGN_IN:
            return Deny(DenyReason.NOT_ACTIVE)
        case FactorState.ACTIVE, Purpose.ACTIVATION:
            return Deny(DenyReason.NOT_PENDING)
        case _:
            return None
