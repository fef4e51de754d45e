"""What a request does: one transaction with its audit entry, and what follows after the commit.

Calls are started and hung up, and waiting clients are woken, only after the commit. What happens in the
transaction is up to the use case; each of its answers names its decision for the audit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ClassVar, Concatenate, ParamSpec, Protocol, TypeVar

import structlog

from voicegate.application.audit import Audit
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.change_notifier import ChangeNotifier, Signal, SignalKind
from voicegate.application.delivery import Delivery
from voicegate.application.observing import NOBODY, JudgedGuess, Observer
from voicegate.application.outbox import Message, Outgoing
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store, Transaction
from voicegate.application.throttling import Throttle
from voicegate.domain.challenge import GUESS_RULES, Challenge
from voicegate.domain.client import Principal
from voicegate.domain.errors import StoreUnsure
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

log = structlog.get_logger(__name__)

ALLOWED = "allowed"
"""The decision of an answer that did what was asked."""


class Answer(Protocol):
    """One of the answers of a use case."""

    @property
    def decision(self) -> str:
        """The decision for the audit: `allowed`, the result of a guess, or the reason of a refusal."""
        ...


@dataclass(frozen=True, slots=True)
class NotFound:
    """What was asked about does not exist, or belongs to another client."""

    decision: ClassVar[str] = "unknown"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key was used before with another request."""

    decision: ClassVar[str] = "idempotency_key_reused"
    """The decision in the audit."""


P = ParamSpec("P")
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an admin should look at. It refuses nothing."""

    action: str
    """What it is about, as the audit's action."""
    client: str
    """The client that caused it."""
    text: str
    """What is wrong, for the log."""
    count: int
    """How often it happened."""


@dataclass(slots=True)
class UnitOfWork:
    """One request's transaction, and what follows after its commit."""

    tx: Transaction
    """Reads and writes of the transaction."""
    principal: Principal
    """Who asked."""
    now: datetime
    """The time of the request."""
    subject: str | None = None
    """The id of what it is about, for the audit."""
    destination: Destination | None = None
    """The number it is about, for the audit."""
    subscriber: str | None = None
    """The subscriber it is about, for the audit."""
    reference: str | None = None
    """The client's own note, for the audit."""
    trunk: str | None = None
    """The trunk it is about, or by which a call is to begin, for the audit."""
    reason: str | None = None
    """Why the admin asks for it, in their own words, for the audit."""
    digests_of: Callable[[str], Sequence[bytes]] = field(default=lambda _: ())
    """Returns the digests by which a number is found on the lists of numbers."""
    pending: list[PendingCall] = field(default_factory=list)
    """Challenges that are stored, and whose calls are placed after the commit."""
    changed: list[str] = field(default_factory=list)
    """Challenges whose waiting clients are woken after the commit."""
    ended: list[str] = field(default_factory=list)
    """Challenges whose calls are hung up after the commit."""
    signals: list[Signal] = field(default_factory=list)
    """What other controllers are told after the commit."""
    transitions: list[tuple[Challenge, Challenge]] = field(default_factory=list)
    """Challenges before and after a change, for webhooks."""
    messages: list[Message] = field(default_factory=list)
    """Messages to webhooks, which are stored in the transaction."""
    alarms: list[Alarm] = field(default_factory=list)
    """What an admin should look at."""
    is_dry_run: bool = False
    """Does it only decide? Then its refusal is not told."""
    guesses: list[JudgedGuess] = field(default_factory=list)
    """Guesses that were judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Who does what follows a commit."""

    notifier: ChangeNotifier
    """Wakes who waits for a change."""
    delivery: Delivery
    """Places and hangs up calls."""
    outgoing: Outgoing
    """Composes messages to webhooks, and wakes who sends them."""
    observer: Observer = NOBODY
    """Is told of guesses and refusals."""


class UnitsOfWork:
    """Runs units of work, each in one transaction."""

    def __init__(self, *, store: Store, clock: Clock, audit: Audit, followers: Followers) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self.notifier = followers.notifier
        """Wakes who waits for a change."""
        self._delivery = followers.delivery
        self._outgoing = followers.outgoing
        self._observer = followers.observer
        self._throttles: dict[tuple[str, str], Throttle] = {}

    async def do(
        self,
        principal: Principal,
        action: str,
        work: Callable[Concatenate[UnitOfWork, P], A],
        *args: P.args,
        **more: P.kwargs,
    ) -> A:
        """Run `work` with a unit of work and the other arguments; return its answer after the commit.

        The audit entry is in the same commit. When it returns, what follows has begun.

        Raises:
            StoreError: nothing was stored, and nothing follows.
            StoreUnsure: it may have been stored; a call that was is ended without being placed.
        """
        made: list[UnitOfWork] = []

        def noted(unit: UnitOfWork) -> A:
            made.append(unit)
            return work(unit, *args, **more)

        transaction = partial(self._transact, principal=principal, action=action, work=noted)
        try:
            answer, unit = await self._store.transact(transaction)
        except StoreUnsure:
            self._delivery.renounce(lambda: [pending for unit in made for pending in unit.pending])
            raise
        await self._follow_commit(unit)
        if isinstance(answer, Deny) and not unit.is_dry_run:
            self._observer.request_refused(answer)
        return answer

    async def dry_run(self, principal: Principal, action: str, work: Callable[[UnitOfWork], A]) -> A:
        """Run `work` as `do` does and return its answer, but undo what it changed; nothing follows.

        Only the audit entry is stored.
        """
        undoing = partial(self._dry_run, principal=principal, action=action, work=work)
        return await self._store.transact(undoing)

    def _dry_run(
        self, tx: Transaction, *, principal: Principal, action: str, work: Callable[[UnitOfWork], A]
    ) -> A:
        def within(undone: Transaction) -> tuple[A, UnitOfWork]:
            unit = UnitOfWork(undone, principal, self._clock.now(), digests_of=self._audit.digests)
            return work(unit), unit

        answer, unit = tx.undo(within)
        tx.audit(self._entry(unit, action, answer))
        return answer

    def _transact(
        self, tx: Transaction, *, principal: Principal, action: str, work: Callable[[UnitOfWork], A]
    ) -> tuple[A, UnitOfWork]:
        unit = UnitOfWork(tx, principal, self._clock.now(), digests_of=self._audit.digests)
        answer = work(unit)
        entry = self._entry(unit, action, answer)
        tx.audit(entry)
        for before, after in unit.transitions:
            unit.messages += self._outgoing.of_change(before, after, unit.now)
        tx.add_messages(unit.messages)
        for alarm in unit.alarms:
            tx.audit(replace(entry, action=alarm.action, client=alarm.client, decision="alarm"))
        return answer, unit

    def _entry(self, unit: UnitOfWork, action: str, answer: Answer) -> AuditEntry:
        entry = self._audit.entry(
            unit.principal, unit.now, action=action, decision=answer.decision, about=unit.destination
        )
        rule = answer.rule if isinstance(answer, Deny) else GUESS_RULES.get(answer.decision)
        return replace(
            entry,
            subject=unit.subject,
            rule=rule,
            reason=unit.reason,
            subscriber=unit.subscriber,
            reference=unit.reference,
            trunk=unit.trunk,
        )

    async def _follow_commit(self, unit: UnitOfWork) -> None:
        for alarm in unit.alarms:
            # A client can cause some of them without end.
            throttle = self._throttles.setdefault((alarm.action, alarm.client), Throttle())
            if (held_back := throttle.admit()) is not None:
                log.warning(alarm.text, client=alarm.client, count=alarm.count + held_back)
        for guess in unit.guesses:
            self._observer.guess_judged(guess)
        self._outgoing.stored(unit.messages)
        for pending in unit.pending:
            self._delivery.start(pending)
        for challenge_id in unit.ended:
            if not await self._delivery.cancel(challenge_id):
                self.notifier.tell(Signal(SignalKind.HANG_UP, challenge_id))
        for challenge_id in (*unit.changed, *unit.ended):
            self.notifier.announce(challenge_id)
        for signal in unit.signals:
            self.notifier.tell(signal)
