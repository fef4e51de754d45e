"""What sign-in and enrollment share: a challenge with its first call, another call, a guess.

`sign_in` and `enrollment` use these inside a unit of work; they decide who may ask for what. The order is
policy, passcode, challenge, routing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from voicegate.application.call_admission import (
    count_call,
    failed_caller_ids,
    in_bucket,
    may_issue_now,
    may_place_now,
    may_ring_now,
    policy_now,
    with_contact,
)
from voicegate.application.call_log import CallLogs
from voicegate.application.delivery import Delivery
from voicegate.application.factor_answers import GuessEffect
from voicegate.application.observing import JudgedGuess
from voicegate.application.pending_call import NO_TERMS, CallTerms, PendingCall
from voicegate.application.ports import ChallengeRecord, Clock, Entropy, Keyring, Speech
from voicegate.application.queueing import RETRY_AFTER
from voicegate.application.route_choice import RouteChooser
from voicegate.application.spending import hold_cost, may_spend_now, over
from voicegate.application.store_port import WrongGuess
from voicegate.application.unit_of_work import Alarm, UnitOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.announcement import HumanCheck, PromptName
from voicegate.domain.challenge import (
    DEFAULT_GUESSES,
    DEFAULT_LIFETIME,
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    Purpose,
)
from voicegate.domain.factor import Factor
from voicegate.domain.language import match_language
from voicegate.domain.passcode import DEFAULT_LENGTH, MIN_LENGTH, Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    Caller,
    CallPolicy,
    Counter,
    Deny,
    DenyReason,
    may_call_again,
    may_reach,
    refusal,
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """The values used where a request gives none."""

    language: str = "en"
    """Language of the announcement."""
    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    """What a person must do before the code is spoken."""
    passcode_length: int = DEFAULT_LENGTH
    """Digits in a derived code."""
    lifetime: timedelta = DEFAULT_LIFETIME
    """From the request to the last possible guess."""
    guesses: int = DEFAULT_GUESSES
    """How many guesses a challenge takes."""
    min_own_digits: int = MIN_LENGTH
    """Digits that a client's own code must have; its door refuses another."""
    max_lifetime: timedelta | None = None
    """What a request may ask for at most; a longer one is shortened. None: any."""
    test_passcode: Passcode | None = None
    """The code of every challenge to a test number; None: there are no test numbers."""


@dataclass(frozen=True, slots=True)
class ChallengeSpec:
    """What to speak, and to whom; None in a field means the default."""

    destination: Destination
    """The telephone to call."""
    languages: tuple[str, ...] = ()
    """Language tags such as `en` or `en-US`, best first. If no language has prompts, the default is spoken: a
    call in another language is better than none."""
    needs_language: bool = False
    """Refuse the request if none of the languages has prompts?"""
    passcode: Passcode | None = None
    """The caller's own code; None: a derived one."""
    passcode_length: int | None = None
    """Digits in a derived code."""
    human_check: HumanCheck | None = None
    """What a person must do before the code is spoken."""
    matching_digits: bool = False
    """Are two digits spoken before the code that the asking screen shows?"""
    lifetime: timedelta | None = None
    """From now to the last possible guess."""
    reference: str | None = None
    """The caller's own note."""
    service: str | None = None
    """The service that asks, by its name in the settings; None: none."""
    terms: CallTerms = NO_TERMS
    """What the request allows its call."""


class ChallengeFactory:
    """Creates challenges and compares passcodes."""

    def __init__(
        self, *, clock: Clock, keyring: Keyring, entropy: Entropy, speech: Speech, defaults: Defaults
    ) -> None:
        self._clock = clock
        self._keyring = keyring
        self._entropy = entropy
        self._speech = speech
        self.defaults = defaults
        """The values used where a request gives none."""

    def create(self, spec: ChallengeSpec, client: str, *, is_test: bool) -> Challenge:
        """Return a new challenge of a client, not stored yet; `is_test`: its telephone is a test number.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
        """
        keyring, defaults = self._keyring, self.defaults
        lifetime = spec.lifetime or defaults.lifetime
        now, language = self._clock.now(), self._language_of(spec)
        challenge_id = self._entropy.new_id("ver")
        own = spec.passcode or (defaults.test_passcode if is_test else None)
        length = len(own.digits) if own else spec.passcode_length or defaults.passcode_length
        passcode = own or keyring.derive(challenge_id, length)
        return Challenge(
            id=challenge_id,
            client=client,
            destination=spec.destination,
            language=language,
            human_check=spec.human_check or defaults.human_check,
            passcode_length=length,
            digest=keyring.digest(challenge_id, passcode),
            sealed=keyring.seal(challenge_id, own) if own else None,
            issued_at=now,
            expires_at=now + min(lifetime, defaults.max_lifetime or lifetime),
            guesses_left=defaults.guesses,
            state=ChallengeState.DELIVERING,
            reference=spec.reference,
            service=spec.service,
            matching_digits=self._draw_digits(language) if spec.matching_digits else None,
        )

    def matches(self, challenge: Challenge, passcode: Passcode) -> bool:
        """Return whether `passcode` is the code of `challenge`, in constant time; counts no guess."""
        return self._keyring.matches(challenge.id, challenge.digest, passcode)

    def _draw_digits(self, language: str) -> str | None:
        has_words = self._speech.has_prompt(language, PromptName.YOUR_SCREEN_SHOWS)
        return challenges.draw_digits(self._entropy.key_press) if has_words else None

    def _language_of(self, spec: ChallengeSpec) -> str:
        fallback = () if spec.needs_language else (self.defaults.language,)
        return match_language((*spec.languages, *fallback), self._speech.languages())


class ChallengeService:
    """Issues challenges, calls again, judges guesses."""

    def __init__(
        self,
        *,
        factory: ChallengeFactory,
        route_chooser: RouteChooser,
        calls: CallLogs,
        delivery: Delivery,
        policy: CallPolicy,
    ) -> None:
        self._factory = factory
        self.min_own_digits = factory.defaults.min_own_digits
        """Digits that a client's own code must have."""
        self._route_chooser = route_chooser
        self._calls = calls
        self._delivery = delivery
        self.policy = policy
        """What the admin allows."""

    def take_policy(self, policy: CallPolicy) -> None:
        """Apply another policy from now on."""
        self.policy = policy

    def prepare(
        self,
        spec: ChallengeSpec,
        client: str,
        *,
        factor_id: str | None = None,
        purpose: Purpose = Purpose.PLAIN,
    ) -> PendingCall | Deny:
        """Return a client's new challenge with its first call, not stored yet; or why there is none.

        Raises:
            UnknownLanguage: a language is needed, and none of them has prompts.
        """
        if refused := refusal(may_reach(spec.destination, self.policy)):
            return refused
        plain = self._factory.create(spec, client, is_test=self.policy.is_test(spec.destination))
        pending = self._with_call(replace(plain, factor_id=factor_id, purpose=purpose))
        return pending if isinstance(pending, Deny) else replace(pending, terms=spec.terms)

    def route(self, challenge: Challenge) -> PendingCall | Deny:
        """Return a challenge with its next call, not stored yet; or why its number is not called at all."""
        return refusal(may_reach(challenge.destination, self.policy)) or self._with_call(challenge)

    def admit(
        self, unit: UnitOfWork, pending: PendingCall, subscriber: str | None = None
    ) -> PendingCall | Deny:
        """Return what was prepared, if its telephone may ring now and the client may have another open code.

        Store it in the same transaction. `subscriber` is the person whose factor it is about; None: no
        factor.
        """
        challenge = in_bucket(unit, pending.challenge)
        policy = policy_now(unit, challenge, self.policy)
        refused = (
            policy
            if isinstance(policy, Deny)
            else refusal(
                may_ring_now(unit, challenge, policy),
                may_issue_now(unit, challenge, policy, subscriber=subscriber),
            )
        )
        if refused:
            return with_contact(unit, challenge, refused, policy=self.policy)
        caller = Caller(challenge.client, subscriber, unit.principal.end_user_ip)
        counters = may_place_now(unit, challenge, self.policy, caller=caller)
        if isinstance(counters, Deny):
            return counters
        routed = self._rerouted(unit, replace(pending, challenge=challenge, counters=counters))
        return self._afforded(unit, routed, caller)

    def begin(self, unit: UnitOfWork, pending: PendingCall, *, is_held: bool = False) -> None:
        """Store what was admitted. Its call is placed after the commit; if `is_held`, by `Delivery.start`
        later."""
        unit.tx.add_challenge(pending.challenge)
        # One that is held is placed only if its client heard of it, which nobody else knows.
        unit.tx.add_call(pending.call, None if is_held else unit.now + self._delivery.wait_of(pending.terms))
        count_call(unit, pending.counters, self.policy)
        hold_cost(unit, pending)
        if not is_held:
            unit.pending.append(pending)

    def call_again(
        self, unit: UnitOfWork, record: ChallengeRecord, terms: CallTerms = NO_TERMS
    ) -> PendingCall | Deny:
        """Call again with the same code, if the challenge is open and policy allows."""
        challenge = challenges.expire(record.challenge, unit.now)
        if challenge != record.challenge:
            unit.tx.save_challenge(challenge)
        if challenge.state not in OPEN_STATES:
            return Deny(DenyReason.NOT_OPEN)
        caller = self._caller_of(unit, challenge)
        counters = self._may_call_again(unit, replace(record, challenge=challenge), caller)
        if isinstance(counters, Deny):
            return counters
        stepped = challenges.step(challenge, ChallengeEvent.CALL_STARTED)
        pending = self._with_call(stepped, self._failed(unit, challenge))
        if isinstance(pending, PendingCall):
            pending = self._afforded(unit, replace(pending, counters=counters, terms=terms), caller)
        if isinstance(pending, Deny):
            return pending
        unit.tx.save_challenge(pending.challenge)
        unit.tx.add_call(pending.call, unit.now + self._delivery.wait_of(pending.terms))
        count_call(unit, counters, self.policy)
        hold_cost(unit, pending)
        unit.pending.append(pending)
        unit.changed.append(challenge.id)
        return pending

    def verify_guess(
        self, unit: UnitOfWork, record: ChallengeRecord, guess: Passcode, *, factor: Factor | None
    ) -> GuessEffect:
        """Judge one guess, and change the challenge, its factor and the counts of wrong guesses by it.

        `factor` is the challenge's factor; None: it has none.
        """
        challenge = challenges.expire(record.challenge, unit.now)
        is_open = challenge.is_open(unit.now)
        is_match = self._factory.matches(challenge, guess)
        after, result = challenges.verify(challenge, unit.now, is_match=is_match)
        newest = record.calls[-1].call.id if record.calls else None
        unit.guesses.append(JudgedGuess(unit.now, result.result, after.id, newest))
        if after != record.challenge:
            unit.tx.save_challenge(after)
            unit.changed.append(after.id)
            unit.transitions.append((record.challenge, after))
        if is_open:
            factor = self._learn(unit, after, factor, is_match=is_match)
        return GuessEffect(result, replace(record, challenge=after), factor)

    def end(self, unit: UnitOfWork, challenge: Challenge, event: ChallengeEvent) -> Challenge:
        """End an open challenge by an event, and hang up its call; a challenge that is not open stays as it
        is."""
        current = challenges.expire(challenge, unit.now)
        if current.state in OPEN_STATES:
            current = challenges.step(current, event)
        if current != challenge:
            unit.tx.save_challenge(current)
            unit.transitions.append((challenge, current))
        unit.ended.append(current.id)
        return current

    def _rerouted(self, unit: UnitOfWork, pending: PendingCall) -> PendingCall:
        """Return a prepared call by the route that earlier calls to its telephone make the best."""
        failed = self._failed(unit, pending.challenge)
        if not failed:
            return pending
        return over(pending, self._route_chooser.choose(pending.challenge, failed, self.policy.spend.rates))

    def _afforded(self, unit: UnitOfWork, pending: PendingCall, caller: Caller) -> PendingCall | Deny:
        """Return a prepared call over those trunks that it may use by what calls cost; or why by none."""
        unit.trunk = pending.call.trunk
        longest = self._delivery.longest_call(pending.challenge.destination.extension)
        afforded = may_spend_now(unit, pending, self.policy, caller=caller, longest=longest)
        if isinstance(afforded, PendingCall):
            unit.trunk = afforded.call.trunk
        return afforded

    def _caller_of(self, unit: UnitOfWork, challenge: Challenge) -> Caller:
        factor = None if challenge.factor_id is None else unit.tx.factor(challenge.factor_id)
        return Caller(challenge.client, factor.subscriber if factor else None, unit.principal.end_user_ip)

    def _failed(self, unit: UnitOfWork, challenge: Challenge) -> Sequence[str]:
        """Return the caller IDs that failed at a challenge's telephone, where it matters."""
        chooser = self._route_chooser
        if not chooser.has_caller_ids_to_choose:
            return ()
        return failed_caller_ids(unit, challenge, chooser.caller_id_memory)

    def _with_call(self, challenge: Challenge, failed: Sequence[str] = ()) -> PendingCall | Deny:
        """Return a challenge with its next call and the route, not stored yet."""
        route = self._route_chooser.choose(challenge, failed, self.policy.spend.rates)
        if not route and self._route_chooser.is_drained(challenge):
            return Deny(DenyReason.TRUNKS_DOWN, rule="drained trunks")
        if not route:
            # Digits that match no extension of the PBX are probably a telephone number.
            reason = DenyReason.PLUS_MISSING if challenge.destination.lacks_plus else DenyReason.NO_ROUTE
            return Deny(reason, rule="internal" if challenge.destination.is_internal else "trunks")
        if not self._route_chooser.has_way(route):
            return Deny(DenyReason.TRUNKS_DOWN)
        if self._delivery.stopping.is_on:
            return Deny(DenyReason.STOPPING, RETRY_AFTER)
        if self._delivery.is_full_for(challenge.client) and not self.policy.is_test(challenge.destination):
            return Deny(DenyReason.QUEUE_FULL, RETRY_AFTER)
        return PendingCall(challenge, self._calls.new_call(challenge, route[0]), route)

    def _may_call_again(
        self, unit: UnitOfWork, record: ChallengeRecord, caller: Caller
    ) -> tuple[Counter, ...] | Deny:
        challenge = record.challenge
        policy = policy_now(unit, challenge, self.policy)
        refused = refusal(
            # What is allowed may have changed since the first call: another start, other settings.
            may_reach(challenge.destination, self.policy),
            may_call_again(live=record.has_live_call, calls=len(record.calls), policy=self.policy),
            policy if isinstance(policy, Deny) else may_ring_now(unit, challenge, policy),
        )
        if refused:
            return with_contact(unit, challenge, refused, policy=self.policy)
        return may_place_now(unit, challenge, self.policy, caller=caller)

    def _learn(
        self, unit: UnitOfWork, challenge: Challenge, factor: Factor | None, *, is_match: bool
    ) -> Factor | None:
        """Count the result of a guess; return its factor as it is after that."""
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
        """Raise an alarm when a client has too many wrong guesses. They are not refused: that would lock out
        all its people."""
        rules = self.policy.guesses
        if unit.tx.count_wrong_guesses(unit.now - rules.window, client) == rules.alarm_per_client:
            text = "client has too many wrong guesses"
            unit.alarms.append(Alarm("client.guesses", client, text, rules.alarm_per_client))
