"""What sign-in and enrollment share: a challenge with its first call, another call, a guess.

`sign_in` and `enrollment` ask for these inside a unit of work; who may ask for what is decided there.
Asked in order: policy, passcode, challenge, routing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicegate.application.call_admission import in_bucket, may_issue_now, may_ring_now
from voicegate.application.call_log import CallLogs
from voicegate.application.delivery import Delivery, PendingCall
from voicegate.application.ports import ChallengeRecord, Clock, Entropy, Keyring, Speech
from voicegate.application.queueing import RETRY_AFTER
from voicegate.application.store_port import WrongGuess
from voicegate.application.unit_of_work import Alarm, UnitOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import (
    DEFAULT_GUESSES,
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
from voicegate.domain.routing import Routes, find_route


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
    guesses: int = DEFAULT_GUESSES
    """How many guesses."""
    test_passcode: Passcode | None = None
    """The code of every challenge to a test number; None: there are no test numbers."""


@dataclass(frozen=True, slots=True)
class ChallengeSpec:
    """What to speak to whom; a field that is None takes the default."""

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


@dataclass(frozen=True, slots=True)
class Judged:
    """A guess that was judged, and what it left behind."""

    result: VerifyResult
    """What it came to."""
    record: ChallengeRecord
    """The challenge after it."""
    factor: Factor | None
    """The challenge's factor after it; None: it has none."""


class ChallengeFactory:
    """Makes challenges and compares passcodes."""

    def __init__(
        self, *, clock: Clock, keyring: Keyring, entropy: Entropy, speech: Speech, defaults: Defaults
    ) -> None:
        self._clock = clock
        self._keyring = keyring
        self._entropy = entropy
        self._speech = speech
        self._defaults = defaults

    def create(self, spec: ChallengeSpec, client: str, *, is_test: bool) -> Challenge:
        """Return a client's new challenge, not stored yet; `is_test`: its telephone is a test number.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
        """
        keyring, defaults = self._keyring, self._defaults
        now = self._clock.now()
        challenge_id = self._entropy.new_id("ver")
        own = spec.passcode or (defaults.test_passcode if is_test else None)
        length = len(own.digits) if own else spec.passcode_length or defaults.passcode_length
        passcode = own or keyring.derive(challenge_id, length)
        return Challenge(
            id=challenge_id,
            client=client,
            destination=spec.destination,
            language=self._language_of(spec),
            human_check=spec.human_check or defaults.human_check,
            passcode_length=length,
            digest=keyring.digest(challenge_id, passcode),
            sealed=keyring.seal(challenge_id, own) if own else None,
            issued_at=now,
            expires_at=now + (spec.lifetime or defaults.lifetime),
            guesses_left=defaults.guesses,
            state=ChallengeState.DELIVERING,
            reference=spec.reference,
            service=spec.service,
        )

    def matches(self, challenge: Challenge, passcode: Passcode) -> bool:
        """Is `passcode` the code of `challenge`? In constant time; counts nothing."""
        return self._keyring.matches(challenge.id, challenge.digest, passcode)

    def _language_of(self, spec: ChallengeSpec) -> str:
        fallback = () if spec.needs_language else (self._defaults.language,)
        return match_language((*spec.languages, *fallback), self._speech.languages())


class ChallengeService:
    """Issues challenges, calls again, judges guesses."""

    def __init__(
        self,
        *,
        factory: ChallengeFactory,
        routes: Routes,
        calls: CallLogs,
        delivery: Delivery,
        policy: CallPolicy,
    ) -> None:
        self._factory = factory
        self._routes = routes
        self._calls = calls
        self._delivery = delivery
        self.policy = policy
        """What the admin allows."""

    def prepare(
        self,
        spec: ChallengeSpec,
        client: str,
        *,
        factor_id: str | None = None,
        purpose: Purpose = Purpose.PLAIN,
    ) -> PendingCall | Deny:
        """Return a client's challenge with its first call, not stored yet; or why there is none.

        Raises:
            UnknownLanguage: no prompts for a language that is needed.
        """
        if refused := refusal(may_reach(spec.destination, self.policy)):
            return refused
        plain = self._factory.create(spec, client, is_test=self.policy.is_test(spec.destination))
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
        """Store what was admitted. Its call is placed after the commit, or by `Delivery.start` where held."""
        unit.tx.add_challenge(pending.challenge)
        unit.tx.add_call(pending.call)
        if not is_held:
            unit.pending.append(pending)

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

    def judge(
        self, unit: UnitOfWork, record: ChallengeRecord, guess: Passcode, *, factor: Factor | None
    ) -> Judged:
        """Judge one guess, with what it does to the challenge, its factor and the budgets; `factor` is the
        one that the challenge is about."""
        challenge = challenges.expire(record.challenge, unit.now)
        is_open = challenge.is_open(unit.now)
        is_match = self._factory.matches(challenge, guess)
        after, result = challenges.verify(challenge, unit.now, is_match=is_match)
        if after != record.challenge:
            unit.tx.save_challenge(after)
            unit.changed.append(after.id)
        if is_open:
            factor = self._learn(unit, after, factor, is_match=is_match)
        return Judged(result, replace(record, challenge=after), factor)

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
        """Return a challenge with its next call and the route, not stored yet."""
        route = find_route(challenge.destination, self._routes)
        if not route:
            # Digits that match no extension of the PBX are probably a telephone number.
            lacks_plus = challenge.destination.lacks_plus
            return Deny(DenyReason.PLUS_MISSING if lacks_plus else DenyReason.NO_ROUTE)
        if self._delivery.is_full_for(challenge.client) and not self.policy.is_test(challenge.destination):
            return Deny(DenyReason.QUEUE_FULL, RETRY_AFTER)
        return PendingCall(challenge, self._calls.new_call(challenge, route[0]), route)

    def _may_call_again(self, unit: UnitOfWork, record: ChallengeRecord) -> Deny | None:
        return refusal(
            # What is allowed may have changed since the first call: another start, other settings.
            may_reach(record.challenge.destination, self.policy),
            may_call_again(live=record.has_live_call, calls=len(record.calls), policy=self.policy),
            may_ring_now(unit, record.challenge, self.policy),
        )

    def _learn(
        self, unit: UnitOfWork, challenge: Challenge, factor: Factor | None, *, is_match: bool
    ) -> Factor | None:
        """Count what a guess came to; return its factor as that leaves it."""
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
            return None
        after = factors.succeed(factor, unit.now) if is_match else factors.fail(factor, unit.now)
        unit.tx.save_factor(after)
        return after

    def _watch(self, unit: UnitOfWork, client: str) -> None:
        """Raise an alarm when a client's wrong guesses are too many: a wall would shut out all its people."""
        rules = self.policy.guesses
        if unit.tx.count_wrong_guesses(unit.now - rules.window, client) == rules.alarm_per_client:
            text = "client has too many wrong guesses"
            unit.alarms.append(Alarm("client.guesses", client, text, rules.alarm_per_client))


def till_over(refused: Deny, challenge: Challenge, now: datetime) -> Deny:
    """Return a refusal to call again as it is for those who get another code, and calls, after this one."""
    if refused.reason is not DenyReason.TOO_MANY_CALLS:
        return refused
    return replace(refused, retry_after=challenge.left(now))
