"""Which limits are in force, and how much of each is used: answered by what refuses calls, in one
transaction.

Nothing is called, and nothing is stored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from voicegate.application.audit import Audit
from voicegate.application.call_admission import (
    guess_budgets,
    in_bucket,
    live_now,
    policy_now,
    target_of,
    waits_now,
)
from voicegate.application.challenges import ChallengeService, ChallengeSpec
from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import Clock
from voicegate.application.queueing import CallLimits, Occupancy
from voicegate.application.spending import quotes_of
from voicegate.application.store_port import Store, Transaction
from voicegate.application.unit_of_work import UnitOfWork
from voicegate.domain.client import Principal
from voicegate.domain.factor import MAX_FAILURES, FactorState
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, Caller, CallPolicy, Deny, may_issue, may_ring
from voicegate.domain.policy.conversion import keys_of, may_call_range
from voicegate.domain.policy.limits import FAILURES, ONE_CALL, Limit, limits_of
from voicegate.domain.policy.spend import (
    MICROS,
    Account,
    Cap,
    Cost,
    Quote,
    SpendKind,
    account_of,
    accounts_of,
    caps_passed,
    day_ends_in,
    day_of,
)
from voicegate.domain.policy.velocity import count, counters_of, may_count, may_follow, neighbours

_MINUTE_S: Final = 60
_LEAST: Final = Cost(1, 1)
"""What any call costs more than nothing, where no number is given by which its price is known."""


@dataclass(frozen=True, slots=True)
class LimitQuestion:
    """For whom the limits are looked up."""

    caller: Caller
    """The client, and for whom it would ask."""
    destination: Destination | None = None
    """The telephone; None: no one in particular."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit is used."""

    counter: str = field(repr=False)
    """What is counted together: a masked number, a prefix, a country, a name."""
    used: float | None
    """How much; None: it is not a count."""
    free_in: timedelta | None = timedelta()
    """When another call is allowed by this limit; zero: now; None: not by waiting."""

    @property
    def is_reached(self) -> bool:
        """Return whether the limit refuses now."""
        return self.free_in != timedelta()


@dataclass(frozen=True, slots=True)
class LimitInForce:
    """A limit, and how much of it is used."""

    limit: Limit
    """The limit."""
    use: Use | None = None
    """How much is used; None: the question names nothing that it counts by."""


@dataclass(frozen=True, slots=True)
class LimitsAnswer:
    """The limits in force, at one moment."""

    at: datetime
    """When they were looked up."""
    limits: Sequence[LimitInForce]
    """Every limit, once for each counter that the question is about."""
    refused: Deny | None
    """Why a call to the number would be refused now; None: it would not, or no number is given."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The limits of calls in progress."""

    calls: CallLimits
    """Over all trunks."""
    routes: CurrentRoutes
    """The trunks."""
    guesses: int
    """Guesses that a code takes."""
    occupancy: Callable[[], Occupancy]
    """Returns how many calls there are now."""
    longest_call: Callable[[str | None], timedelta]
    """Returns the longest that a call with an extension can last after its answer."""


class LimitQueries:
    """Looks limits up; for admins."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        audit: Audit,
        challenge_service: ChallengeService,
        capacity: Capacity,
    ) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._challenge_service = challenge_service
        self._capacity = capacity

    @property
    def caps(self) -> Mapping[SpendKind, Cap]:
        """The caps of costs a day, by what they count."""
        return self._challenge_service.policy.spend.caps

    async def look(self, question: LimitQuestion) -> LimitsAnswer:
        """Return the limits in force, and how much is used of those that the question is about."""
        return await self._store.transact(partial(self._look, question=question))

    async def spent(self) -> Sequence[tuple[Account, Cost]]:
        """Return today's cost of each account, those with the highest cost first, at most a thousand."""
        return await self._store.spent_on(day_of(self._clock.now()))

    def _look(self, tx: Transaction, *, question: LimitQuestion) -> LimitsAnswer:
        caller, service = question.caller, self._challenge_service
        principal = Principal(caller.client, frozenset(), end_user_ip=caller.end_user_ip)
        unit = UnitOfWork(tx, principal, self._clock.now(), digests_of=self._audit.digests)
        pending: PendingCall | Deny | None = None
        if question.destination is not None:
            pending = service.prepare(ChallengeSpec(question.destination), caller.client)
        uses = [*self._of_calls_now(), *_of_volume(unit, service.policy, question)]
        uses += [*_of_subscriber(unit, caller), *_of_guesses(unit, service.policy, caller.client)]
        uses += self._of_costs(unit, question, pending)
        refused = pending if isinstance(pending, Deny) else None
        if isinstance(pending, PendingCall):
            uses += _of_number(unit, pending, service.policy, subscriber=caller.subscriber)
            admitted = service.admit(unit, pending, caller.subscriber)
            refused = admitted if isinstance(admitted, Deny) else None
        limits = [*limits_of(service.policy), *self._capacity_limits()]
        return LimitsAnswer(unit.now, list(_measured(limits, uses)), refused)

    def _capacity_limits(self) -> Iterator[Limit]:
        calls = self._capacity.calls
        yield Limit("passcode.guesses", self._capacity.guesses, "guesses", "code")
        yield Limit("call.max_in_progress", calls.in_progress, "calls in progress", "all clients")
        yield Limit("call.max_queued", calls.queued, "calls in the queue", "all clients")
        for trunk in self._capacity.routes.trunks:
            yield Limit(f"trunks.{trunk.name}.max_calls", trunk.max_calls, "calls in progress", "trunk")
            if pace := trunk.max_calls_per_second:
                yield Limit(f"trunks.{trunk.name}.max_calls_per_second", pace, "calls begun", "trunk")

    def _of_calls_now(self) -> Iterator[tuple[str, Use]]:
        # What is above these limits waits in the queue, and is refused only when that is full.
        now = self._capacity.occupancy()
        yield "call.max_in_progress", Use("", sum(now.in_progress.values()))
        yield "call.max_queued", Use("", now.queued)
        for trunk in self._capacity.routes.trunks:
            yield f"trunks.{trunk.name}.max_calls", Use(trunk.name, now.in_progress.get(trunk.name, 0))

    def _of_costs(
        self, unit: UnitOfWork, question: LimitQuestion, pending: PendingCall | Deny | None
    ) -> Iterator[tuple[str, Use]]:
        spend = self._challenge_service.policy.spend
        if not spend.caps:
            return
        quotes: Sequence[Quote | Deny] = ()
        if isinstance(pending, PendingCall):
            longest = self._capacity.longest_call(pending.challenge.destination.extension)
            quotes = quotes_of(pending, self._challenge_service.policy, longest=longest)
        worst = {one.trunk: one.worst for one in quotes if isinstance(one, Quote)}
        trunks = [account_of(trunk.name) for trunk in self._capacity.routes.trunks]
        accounts = [*trunks, *accounts_of(question.destination, question.caller)]
        for account, spent in unit.tx.spent(accounts, day_of(unit.now)).items():
            # The cheapest trunk: as long as one is within the cap, a call is placed.
            others = min(worst.values(), key=lambda cost: cost.micros, default=_LEAST)
            passed = caps_passed(account, spent + worst.get(account.key, others), spend)
            for rule, used in (
                (f"spend.minutes_per_{account.kind}", spent.seconds / _MINUTE_S),
                (f"spend.money_per_{account.kind}", spent.micros / MICROS),
            ):
                wait = day_ends_in(unit.now) if rule in passed else timedelta()
                yield rule, Use(account.key or account.client, round(used, 6), wait)


def _of_volume(unit: UnitOfWork, policy: CallPolicy, question: LimitQuestion) -> Iterator[tuple[str, Use]]:
    velocity = policy.velocity
    since = unit.now - velocity.window - velocity.slot
    for counter in counters_of(question.destination, question.caller):
        counted = unit.tx.volume(counter, since)
        wait = _wait(may_count(counter, counted, policy=velocity, now=unit.now))
        used = count(counted, policy=velocity, now=unit.now)
        yield f"policy.calls_per_{counter.kind}", Use(counter.key or counter.client, used, wait)


def _of_subscriber(unit: UnitOfWork, caller: Caller) -> Iterator[tuple[str, Use]]:
    if caller.subscriber is None:
        return
    for factor in unit.tx.living_factors(caller.subscriber, caller.client):
        # It is locked until it is reset: no wait helps.
        is_locked = factor.state is FactorState.LOCKED
        failures = MAX_FAILURES if is_locked else factor.failures
        yield FAILURES, Use(caller.subscriber, failures, None if is_locked else timedelta())


def _of_guesses(unit: UnitOfWork, policy: CallPolicy, client: str) -> Iterator[tuple[str, Use]]:
    wrong = unit.tx.count_wrong_guesses(unit.now - policy.guesses.window, client)
    yield "policy.guesses_per_client", Use(client, wrong)


def _of_number(
    unit: UnitOfWork, pending: PendingCall, rules: CallPolicy, *, subscriber: str | None
) -> Iterator[tuple[str, Use]]:
    challenge = in_bucket(unit, pending.challenge)
    destination, now = challenge.destination, unit.now
    policy = policy_now(unit, challenge, rules)
    if isinstance(policy, Deny) or policy.is_test(destination):
        return
    shown = destination.masked
    live, target = live_now(unit, challenge), target_of(challenge)
    busy = _wait(may_ring(target, live, (), policy=policy, now=now))
    same = sum(call.target.telephone == target.telephone for call in live)
    beside = sum(call.target.bucket == target.bucket for call in live)
    yield ONE_CALL, Use(shown, same, busy if same else timedelta())
    is_full = beside >= policy.calls_per_number
    yield "policy.calls_per_number", Use(shown, beside, busy if is_full else timedelta())
    for wait in waits_now(unit, challenge, policy):
        yield wait.rule, Use(shown, wait.calls, wait.time)
    for budget in guess_budgets(unit, challenge, policy, subscriber=subscriber):
        window = policy.guesses.window
        refused = may_issue(challenge.guesses_left, [budget], window=window, now=now)
        counter = subscriber if budget.rule == "policy.guesses_per_subscriber" else shown
        used = sum(guesses for _, guesses in budget.out(window, now))
        yield budget.rule, Use(counter or "", used, _wait(refused))
    if destination.is_internal:
        return
    near = neighbours(destination.number, policy.velocity)
    called = unit.tx.unproven(near, client=challenge.client, since=now - policy.velocity.window)
    yield "policy.sequential_numbers", Use(shown, len(called), _wait(may_follow(called, policy.velocity)))
    held = may_call_range(unit.tx.prefix_holds(keys_of(destination)), client=challenge.client, now=now)
    yield "policy.conversion_floor", Use(shown, None, _wait(held))


def _wait(decision: Allow | Deny) -> timedelta | None:
    return decision.retry_after if isinstance(decision, Deny) else timedelta()


def _measured(limits: Sequence[Limit], uses: Sequence[tuple[str, Use]]) -> Iterator[LimitInForce]:
    """Yield each limit with each of its counters; without one, alone."""
    for limit in limits:
        own = [LimitInForce(limit, use) for rule, use in uses if rule == limit.rule]
        yield from own or [LimitInForce(limit)]
