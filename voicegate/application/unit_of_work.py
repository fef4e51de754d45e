"""What a request does: one transaction with its audit entry, and what follows once it is committed.

Calls are started and hung up, and watchers told, only after the commit. What is done in the transaction is a
use case's affair; each of its answers says what the audit notes as the decision.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ClassVar, Concatenate, ParamSpec, Protocol, TypeVar

import structlog

from voicegate.application.audit import Audit
from voicegate.application.change_notifier import ChangeNotifier
from voicegate.application.delivery import Delivery, PendingCall
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store, Transaction
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination

log = structlog.get_logger(__name__)

ALLOWED = "allowed"
"""The decision of an answer that does what was asked."""


class Answer(Protocol):
    """One of the answers of a use case."""

    @property
    def decision(self) -> str:
        """What the audit notes: `allowed`, what a guess came to, or why not."""
        ...


@dataclass(frozen=True, slots=True)
class NotFound:
    """What was asked about does not exist, or is another client's."""

    decision: ClassVar[str] = "unknown"
    """What the audit notes."""


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key came before with another request."""

    decision: ClassVar[str] = "idempotency_key_reused"
    """What the audit notes."""


P = ParamSpec("P")
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an admin should look at, and that refuses nothing."""

    action: str
    """What it is about, for the audit."""
    client: str
    """Whose doing it is."""
    text: str
    """What is wrong, for the log."""
    count: int
    """How often it happened."""


@dataclass(slots=True)
class UnitOfWork:
    """One request's transaction, and what is to follow it."""

    tx: Transaction
    """Reads and writes."""
    principal: Principal
    """Who asked."""
    now: datetime
    """When."""
    subject: str | None = None
    """The id of what it is about, for the audit."""
    destination: Destination | None = None
    """The number it is about, for the audit."""
    pending: list[PendingCall] = field(default_factory=list)
    """What is stored and whose calls are to be placed."""
    changed: list[str] = field(default_factory=list)
    """Challenges whose watchers are to be told."""
    ended: list[str] = field(default_factory=list)
    """Challenges whose calls are to be hung up."""
    alarms: list[Alarm] = field(default_factory=list)
    """What an admin should look at."""


class UnitsOfWork:
    """Does what is asked, one transaction each."""

    def __init__(
        self, *, store: Store, clock: Clock, notifier: ChangeNotifier, audit: Audit, delivery: Delivery
    ) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._audit = audit
        self._delivery = delivery

    async def do(
        self,
        principal: Principal,
        action: str,
        work: Callable[Concatenate[UnitOfWork, P], A],
        *args: P.args,
        **more: P.kwargs,
    ) -> A:
        """Return what `work` answers, given a unit of work and the other arguments, once that and its audit
        entry are committed and what follows has begun.

        Raises:
            StoreError: nothing was stored, and nothing follows.
        """
        transaction = partial(
            self._transact,
            principal=principal,
            action=action,
            work=lambda unit: work(unit, *args, **more),
        )
        answer, unit = await self._store.transact(transaction)
        await self._follow_commit(unit)
        return answer

    def _transact(
        self, tx: Transaction, *, principal: Principal, action: str, work: Callable[[UnitOfWork], A]
    ) -> tuple[A, UnitOfWork]:
        unit = UnitOfWork(tx, principal, self._clock.now())
        answer = work(unit)
        entry = self._audit.entry(
            principal, unit.now, action=action, decision=answer.decision, about=unit.destination
        )
        entry = replace(entry, subject=unit.subject)
        tx.audit(entry)
        for alarm in unit.alarms:
            tx.audit(replace(entry, action=alarm.action, client=alarm.client, decision="alarm"))
        return answer, unit

    async def _follow_commit(self, unit: UnitOfWork) -> None:
        for alarm in unit.alarms:
            log.warning(alarm.text, client=alarm.client, count=alarm.count)
        for pending in unit.pending:
            self._delivery.start(pending)
        for challenge_id in unit.ended:
            await self._delivery.cancel(challenge_id)
        for challenge_id in (*unit.changed, *unit.ended):
            self._notifier.announce(challenge_id)
