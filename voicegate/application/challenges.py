"""What every proof shares: a challenge with its first call, another call, a guess.

`sign_in` and `enrollment` ask for these inside a unit of work; who may ask for what is theirs. Asked in
order: policy, routing, passcode, challenge.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicegate.application.brakes import in_bucket, may_issue_now, may_ring_now, next_call_at
from voicegate.application.delivery import Delivery, World
from voicegate.application.ports import ChallengeRecord
from voicegate.application.queueing import RETRY_AFTER
from voicegate.application.store_port import WrongGuess
from voicegate.application.trunk_health import TrunkHealth
from voicegate.application.unit_of_work import Alarm, PendingCall, UnitOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LIFETIME,
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    Purpose,
    VerifyResult,
)
from voicegate.domain.factor import Factor
from voicegate.domain.language import match_language
from voicegate.domain.passcode import DEFAULT_LENGTH, Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    CallPolicy,
    Deny,
    DenyReason,
    may_call_again,
    may_reach,
    refusal,
)


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
    test_passcode: Passcode | None = None
    """The code of every challenge to a test number; None: there are no test numbers."""


@dataclass(frozen=True, slots=True)
class ChallengeSpec:
    """What to speak to whom; what is None takes the default."""

    destination: Destination
    """Whom to call."""
    languages: tuple[str, ...] = ()
    """Language tags such as `en` or `en-US`, best first; where none of them has prompts, the default is
    spoken: a call in another language is better than none."""
    needs_language: bool = False
    """Is it refused where none of them has prompts?"""
    passcode: Passcode | None = None
    """The caller's own code; None: a derived one."""
    passcode_length: int | None = None
    """Digits in a derived code."""
    human_check: HumanCheck | None = None
    """What proves a person."""
    lifetime: timedelta | None = None
    """From now to the last guess."""
    reference: str | None = None
    """The caller's own note."""
    service: str | None = None
    """The service that asks, of those that the settings name; None: none."""


class ChallengeService:
    """Makes challenges, calls again, judges guesses."""

    def __init__(self, world: World, delivery: Delivery, *, policy: CallPolicy, defaults: Defaults) -> None:
        self._world = world
        self._delivery = delivery
        self.policy = policy
        """What the admin allows."""
        self._defaults = defaults
        self._reachability = TrunkHealth(world.pbxs)

    def prepare(
        self,
        wanted: ChallengeSpec,
        client: str,
        *,
        factor_id: str | None = None,
        purpose: Purpose = Purpose.PLAIN,
    ) -> PendingCall | Deny:
        """Return a client's challenge with its first call, not stored yet; or why there is none.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
        """
        if refused := refusal(may_reach(wanted.destination, self.policy)):
            return refused
        plain = self._new_challenge(wanted, client)
        return self._with_call(replace(plain, factor_id=factor_id, purpose=purpose))

    def admit(
        self, unit: UnitOfWork, pending: PendingCall, subscriber: str | None = None
    ) -> PendingCall | Deny:
        """Return what was prepared, to be stored in this transaction, if its telephone may ring now and there
        may be another code to guess at. `subscriber` is whose factor it is about; None: nobody's."""
        challenge, policy = in_bucket(unit, pending.challenge), self.policy
        refused = refusal(
            may_ring_now(unit, challenge, policy),
            may_issue_now(unit, challenge, policy, subscriber=subscriber),
        )
        return refused or replace(pending, challenge=challenge)

    def begin(self, unit: UnitOfWork, pending: PendingCall, *, is_held: bool = False) -> None:
        """Store what was admitted; the call is placed after the commit, one that is held by `place`."""
        unit.tx.add_challenge(pending.challenge)
        unit.tx.add_call(pending.call)
        if not is_held:
            unit.pending.append(pending)

    async def with_way(self, pending: PendingCall) -> PendingCall | Deny:
        """Return what was prepared if a trunk could take its call now."""
        hops = self._delivery.route(pending.challenge)
        return pending if await self._reachability.has_way(hops) else Deny(DenyReason.TRUNKS_DOWN)

    def next_call_at(self, unit: UnitOfWork, challenge: Challenge) -> datetime | None:
        """Return from when on its client may call a challenge's telephone again; None: at any time."""
        return next_call_at(unit, challenge, self.policy)

    def place(self, held: PendingCall) -> None:
        """Place a call that was held. Does not wait."""
        self._delivery.start(held.challenge, held.call)

    def drop(self, held: PendingCall) -> None:
        """Let a call that was held end without being placed. Does not wait."""
        self._delivery.drop(held.challenge, held.call)

    def call_again(self, unit: UnitOfWork, record: ChallengeRecord) -> PendingCall | Deny:
        """Call again with the same code, if the challenge is open and policy allows."""
        challenge = challenges.expire(record.challenge, unit.now)
        if challenge != record.challenge:
            unit.tx.save_challenge(challenge)
        if challenge.state not in OPEN_STATES:
            return Deny(DenyReason.NOT_OPEN)
        pending = self._may_call_again(unit, replace(record, challenge=challenge)) or self._with_call(
            challenges.step(challenge, ChallengeEvent.CALL_STARTED)
        )
        if isinstance(pending, Deny):
            return pending
        unit.tx.save_challenge(pending.challenge)
        unit.tx.add_call(pending.call)
        unit.pending.append(pending)
        unit.changed.append(challenge.id)
        return pending

    def judge(self, unit: UnitOfWork, record: ChallengeRecord, guess: str) -> VerifyResult:
        """Judge one guess, with what it does to the challenge, its factor and the budgets."""
        challenge = challenges.expire(record.challenge, unit.now)
        factor = _factor_of(unit, challenge)
        is_open = challenge.is_open(unit.now)
        is_match = self._world.keyring.matches(challenge.id, challenge.digest, guess)
        after, result = challenges.verify(challenge, unit.now, is_match=is_match)
        if after != record.challenge:
            unit.tx.save_challenge(after)
            unit.changed.append(after.id)
        if is_open:
            self._learn(unit, after, factor, is_match=is_match)
        return result

    def cancel(self, unit: UnitOfWork, challenge: Challenge) -> Challenge:
        """Take a challenge back, if it is open, and have its call hung up."""
        return self.end(unit, challenge, ChallengeEvent.CANCELED)

    def end(self, unit: UnitOfWork, challenge: Challenge, event: ChallengeEvent) -> Challenge:
        """Let an event end a challenge, if it is open, and have its call hung up."""
        current = challenges.expire(challenge, unit.now)
        if current.state in OPEN_STATES:
            current = challenges.step(current, event)
        if current != challenge:
            unit.tx.save_challenge(current)
        unit.ended.append(current.id)
        return current

    def _with_call(self, challenge: Challenge) -> PendingCall | Deny:
        """Return a challenge with its next call, neither stored yet."""
        hops = self._delivery.route(challenge)
        if not hops:
            # Digits that no extension of the PBX fits are rather a telephone number.
            lacks_plus = challenge.destination.lacks_plus
            return Deny(DenyReason.PLUS_MISSING if lacks_plus else DenyReason.NO_ROUTE)
        if self._delivery.is_full_for(challenge.client) and not self.policy.is_test(challenge.destination):
            return Deny(DenyReason.QUEUE_FULL, RETRY_AFTER)
        return PendingCall(challenge, self._delivery.new_call(challenge, hops[0]))

    def _may_call_again(self, unit: UnitOfWork, record: ChallengeRecord) -> Deny | None:
        return refusal(
            # What is allowed may have changed since the first call: another start, other settings.
            may_reach(record.challenge.destination, self.policy),
            may_call_again(live=record.has_live_call, calls=len(record.calls), policy=self.policy),
            may_ring_now(unit, record.challenge, self.policy),
        )

    def _learn(
        self, unit: UnitOfWork, challenge: Challenge, factor: Factor | None, *, is_match: bool
    ) -> None:
        if not is_match:
            unit.tx.add_wrong_guess(
                WrongGuess(
                    at=unit.now,
                    client=challenge.client,
                    bucket=challenge.bucket,
                    subscriber=factor.subscriber if factor else None,
                )
            )
            self._watch(unit, challenge.client)
        if factor is None:
            return
        unit.tx.save_factor(factors.succeed(factor, unit.now) if is_match else factors.fail(factor, unit.now))

    def _watch(self, unit: UnitOfWork, client: str) -> None:
        """Raise an alarm when a client's wrong guesses are too many: a wall would shut out all its people."""
        rules = self.policy.guesses
        if unit.tx.count_wrong_guesses(unit.now - rules.window, client) == rules.alarm_per_client:
            text = "client guesses wrong too often"
            unit.alarms.append(Alarm("client.guesses", client, text, rules.alarm_per_client))

    def _new_challenge(self, wanted: ChallengeSpec, client: str) -> Challenge:
        keyring, defaults = self._world.keyring, self._defaults
        now = self._world.desk.clock.now()
        challenge_id = self._world.entropy.new_id("ver")
        is_test = self.policy.is_test(wanted.destination)
        own = wanted.passcode or (defaults.test_passcode if is_test else None)
        length = len(own.digits) if own else wanted.passcode_length or defaults.passcode_length
        passcode = own or keyring.derive(challenge_id, length)
        return Challenge(
            id=challenge_id,
            client=client,
            destination=wanted.destination,
            language=self._language_of(wanted),
            human_check=wanted.human_check or defaults.human_check,
            passcode_length=length,
            digest=keyring.digest(challenge_id, passcode),
            sealed=keyring.seal(challenge_id, own) if own else None,
            issued_at=now,
            expires_at=now + (wanted.lifetime or defaults.lifetime),
            attempts_left=defaults.attempts,
            state=ChallengeState.DELIVERING,
            reference=wanted.reference,
            service=wanted.service,
        )

    def _language_of(self, wanted: ChallengeSpec) -> str:
        fallback = () if wanted.needs_language else (self._defaults.language,)
        return match_language((*wanted.languages, *fallback), self._world.speech.languages())


def till_over(refused: Deny, challenge: Challenge, now: datetime) -> Deny:
    """Return a refusal to call again as it is for those who get another code, and calls, after this one."""
    if refused.reason is not DenyReason.TOO_MANY_CALLS:
        return refused
    return replace(refused, retry_after=challenge.left(now))


def _factor_of(unit: UnitOfWork, challenge: Challenge) -> Factor | None:
    return unit.tx.factor(challenge.factor_id) if challenge.factor_id else None
