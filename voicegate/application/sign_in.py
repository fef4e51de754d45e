"""Issue a challenge and verify a passcode; call again, cancel it, or accept a backend's own proof.

A request never waits for a telephone. A client reaches its own challenges only, an admin reaches all; what
belongs to another client is `NotFound`. Questions that change nothing are in `queries`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from voicegate.application.call_admission import till_over
from voicegate.application.challenges import ChallengeService, ChallengeSpec
from voicegate.application.delivery import Delivery
from voicegate.application.pending_call import NO_TERMS, CallTerms, PendingCall
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Keyring, Replay
from voicegate.application.trunk_health import TrunkHealth
from voicegate.application.unit_of_work import ALLOWED, KeyReused, NotFound, UnitOfWork, UnitsOfWork
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
    """A request for a challenge; only its shape was checked."""

    principal: Principal
    """Who asks."""
    spec: ChallengeSpec
    """What to speak, and to whom."""
    idempotency: IdempotencyKey | None = None
    """The caller's idempotency key."""
    needs_way: bool = False
    """Refuse the request if no trunk can take the call now? If not, the call's outcome tells."""
    is_held: bool = False
    """Does its call wait for `release` or `withdraw`?"""
    until: datetime | None = None
    """After this time nothing is stored, because the caller no longer waits; None: no limit."""
    is_repeatable: bool = False
    """Is a request for the same code and telephone a repetition, while the call is in progress? For senders
    that repeat what they believe lost, without an idempotency key or with a new one each time."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An open challenge."""

    record: ChallengeRecord
    """The challenge and its calls."""
    is_replay: bool = False
    """Was it created by an earlier request?"""
    held: PendingCall | None = None
    """Its call, if that waits for `release` or `withdraw`."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class WouldCall:
    """Nothing refuses the call: it would be placed now."""

    pending: PendingCall
    """The call that would be stored and placed."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class OtherCode:
    """Another code is open for the same telephone."""

    decision: ClassVar[str] = "other_code"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class CalledAgain:
    """Another call of a challenge will be placed."""

    call: Call
    """The call."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A challenge is over, by this request or before."""

    record: ChallengeRecord
    """The challenge and its calls."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""

    @property
    def challenge(self) -> Challenge:
        """The challenge."""
        return self.record.challenge


class SignIn:
    """The use cases around one challenge."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        challenge_service: ChallengeService,
        keyring: Keyring,
        trunk_health: TrunkHealth,
        delivery: Delivery,
    ) -> None:
        self._units = units
        self._challenge_service = challenge_service
        self._keyring = keyring
        self._trunk_health = trunk_health
        self._delivery = delivery

    @property
    def min_digits(self) -> int:
        """How many digits a client's own code must have."""
        return self._challenge_service.min_own_digits

    async def issue(self, request: IssueRequest) -> Issued | KeyReused | Deny:
        """Store a challenge with its first call and start to deliver it.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
            StoreError: nothing was stored, and no telephone is called.
            TooLate: the same, because `until` has passed.
        """
        pending = self._challenge_service.prepare(request.spec, request.principal.name)
        if request.needs_way and isinstance(pending, PendingCall):
            has_way = await self._trunk_health.has_way(pending.route)
            pending = pending if has_way else Deny(DenyReason.TRUNKS_DOWN)
        return await self._units.do(request.principal, "verification.create", self._issue, request, pending)

    async def dry_run(self, request: IssueRequest) -> WouldCall | Deny:
        """Decide all that `issue` decides; store nothing but the audit entry, and call nobody.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
        """
        pending = self._challenge_service.prepare(request.spec, request.principal.name)
        return await self._units.do(
            request.principal, "verification.dry_run", self._dry_run, request, pending
        )

    async def send(self, principal: Principal, spec: ChallengeSpec) -> Issued | OtherCode | Deny:
        """Call again with the same code, if a service has an open challenge for the telephone; else issue a
        new one.

        A locked challenge refuses a new one until its time is over.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
            StoreError: nothing was stored, and no telephone is called.
        """
        pending = self._challenge_service.prepare(spec, principal.name)
        return await self._units.do(principal, "verification.send", self._send, spec, pending)

    def release(self, issued: Issued) -> None:
        """Place the call of a challenge that was issued as held; only once. Does nothing for a replay."""
        if issued.held is not None:
            self._delivery.start(issued.held)

    async def withdraw(self, principal: Principal, issued: Issued) -> None:
        """Cancel a challenge that was issued as held: its call is never placed. Does nothing for a replay.

        Raises:
            StoreError: it was not canceled; still, no telephone is called.
        """
        if issued.held is None:
            return
        try:
            await self.cancel(principal, issued.record.challenge.id)
        finally:
            self._delivery.drop(issued.held)

    async def verify(
        self, principal: Principal, challenge_id: str, guess: Passcode
    ) -> VerifyResult | NotFound:
        """Judge one guess. Two guesses at the same time are judged one after the other."""
        return await self._units.do(principal, "verification.check", self._verify, challenge_id, guess)

    async def redial(
        self, principal: Principal, challenge_id: str, terms: CallTerms = NO_TERMS
    ) -> CalledAgain | Deny | NotFound:
        """Call again with the same code."""
        return await self._units.do(principal, "verification.redial", self.redial_within, challenge_id, terms)

    async def cancel(self, principal: Principal, challenge_id: str) -> Ended | NotFound:
        """Cancel a challenge and hang up its call. May be called twice."""
        event = ChallengeEvent.CANCELED
        return await self._units.do(principal, "verification.cancel", self._end, challenge_id, event)

    async def approve(self, principal: Principal, challenge_id: str) -> Ended | NotFound:
        """Accept the principal's statement that an open challenge is proven, and hang up its call."""
        event = ChallengeEvent.APPROVED
        return await self._units.do(principal, "verification.approve", self._end, challenge_id, event)

    def _issue(
        self, unit: UnitOfWork, request: IssueRequest, pending: PendingCall | Deny
    ) -> Issued | KeyReused | Deny:
        if request.until is not None and unit.now > request.until:
            raise TooLate
        unit.destination, unit.reference = request.spec.destination, request.spec.reference
        if request.idempotency is not None and (replay := unit.tx.replay(request.idempotency)):
            return self._replay(unit, replay, request)
        if repeated := self._repeated(unit, request):
            answer: Issued | Deny = repeated
        elif isinstance(pending, Deny):
            return pending
        else:
            answer = self._begin(unit, pending, is_held=request.is_held)
        if request.idempotency is not None and isinstance(answer, Issued):
            unit.tx.remember(request.idempotency, answer.record.challenge)
        return answer

    def _dry_run(
        self, unit: UnitOfWork, request: IssueRequest, pending: PendingCall | Deny
    ) -> WouldCall | Deny:
        unit.is_dry_run = True
        unit.destination, unit.reference = request.spec.destination, request.spec.reference
        if isinstance(pending, Deny):
            return pending
        admitted = self._challenge_service.admit(unit, pending)
        return admitted if isinstance(admitted, Deny) else WouldCall(admitted)

    def _send(
        self, unit: UnitOfWork, spec: ChallengeSpec, pending: PendingCall | Deny
    ) -> Issued | OtherCode | Deny:
        unit.destination, unit.reference = spec.destination, spec.reference
        if isinstance(pending, Deny):
            return pending
        found = unit.tx.newest_plain(spec.destination, client=unit.principal.name, service=spec.service)
        if found is None or unit.now >= found.challenge.expires_at:
            return self._begin(unit, pending)
        if found.challenge.state is ChallengeState.LOCKED:
            left = found.challenge.left(unit.now)
            return Deny(DenyReason.TOO_MANY_GUESSES, left, rule="passcode.guesses")
        if found.challenge.state not in OPEN_STATES:
            return self._begin(unit, pending)
        return self._send_again(unit, found, spec.passcode)

    def _verify(self, unit: UnitOfWork, challenge_id: str, guess: Passcode) -> VerifyResult | NotFound:
        # A guess is judged by the challenge alone: a timeline has more rows than all else of it.
        record = _find(unit, challenge_id, timelines=False)
        if record is None:
            return NotFound()
        factor_id = record.challenge.factor_id
        factor = None if factor_id is None else unit.tx.factor(factor_id)
        return self._challenge_service.verify_guess(unit, record, guess, factor=factor).result

    def redial_within(
        self, unit: UnitOfWork, challenge_id: str, terms: CallTerms
    ) -> CalledAgain | Deny | NotFound:
        """Do what `redial` does, inside `unit`."""
        record = _find(unit, challenge_id)
        if record is None:
            return NotFound()
        pending = self._challenge_service.call_again(unit, record, terms)
        return pending if isinstance(pending, Deny) else CalledAgain(pending.call)

    def _end(self, unit: UnitOfWork, challenge_id: str, event: ChallengeEvent) -> Ended | NotFound:
        record = _find(unit, challenge_id)
        if record is None:
            return NotFound()
        return Ended(replace(record, challenge=self._challenge_service.end(unit, record.challenge, event)))

    def _begin(self, unit: UnitOfWork, pending: PendingCall, *, is_held: bool = False) -> Issued | Deny:
        admitted = self._challenge_service.admit(unit, pending)
        if isinstance(admitted, Deny):
            return admitted
        unit.subject = admitted.challenge.id
        self._challenge_service.begin(unit, admitted, is_held=is_held)
        record = ChallengeRecord(admitted.challenge, (CallRecord(admitted.call),))
        return Issued(record, held=admitted if is_held else None)

    def _repeated(self, unit: UnitOfWork, request: IssueRequest) -> Issued | None:
        """Return the challenge whose call is in progress, if the request asks for the same code again; else
        None."""
        spec = request.spec
        if not request.is_repeatable or spec.passcode is None:
            return None
        found = unit.tx.newest_plain(spec.destination, client=request.principal.name, service=spec.service)
        if found is None or not found.has_live_call or found.challenge.reference != spec.reference:
            return None
        first = found.challenge
        # As in `_send_again`: a derived code is never compared here.
        if first.sealed is None or not self._is_code(first, spec.passcode):
            return None
        unit.subject = first.id
        return Issued(found, is_replay=True)

    def _replay(self, unit: UnitOfWork, replay: Replay, request: IssueRequest) -> Issued | KeyReused:
        """Return the challenge of the earlier request with the same idempotency key."""
        unit.subject = replay.challenge_id
        record = unit.tx.challenge(replay.challenge_id)
        if not replay.is_same_request or record is None:
            return KeyReused()
        if not request.principal.owns(record.challenge.client):
            return KeyReused()
        # A fingerprint must not hold a code, not even hashed; whether it is the same one, the key tells.
        own = request.spec.passcode
        if own and not self._is_code(record.challenge, own):
            return KeyReused()
        current = challenges.expire(record.challenge, unit.now)
        return Issued(replace(record, challenge=current), is_replay=True)

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

    def _is_code(self, challenge: Challenge, own: Passcode) -> bool:
        return self._keyring.matches(challenge.id, challenge.digest, own)


def _find(unit: UnitOfWork, challenge_id: str, *, timelines: bool = True) -> ChallengeRecord | None:
    """Return a challenge that the principal may use; None: there is none."""
    record = unit.tx.challenge(challenge_id, timelines=timelines)
    if record is None:
        return None  # what was sent for an id may be anything: a number, a code
    unit.subject = challenge_id
    if not unit.principal.owns(record.challenge.client):
        return None
    unit.destination, unit.reference = record.challenge.destination, record.challenge.reference
    if record.challenge.factor_id is not None and (factor := unit.tx.factor(record.challenge.factor_id)):
        unit.subscriber = factor.subscriber
    return record
