"""What a request does: one transaction with its audit entry, and what follows once it is committed.

Calls are begun and hung up, and watchers told, only after the commit. What the deed is, is its use case's
affair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import structlog

from voicegate.application.delivery import Delivery, World
from voicegate.application.listing import ALL_ENTRIES, AuditFilter
from voicegate.application.store_port import AuditEntry, Transaction
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A challenge that stands, and the call that is to be placed for it."""

    challenge: Challenge
    """The challenge."""
    call: Call
    """Its new call."""


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

    def __init__(self, world: World, delivery: Delivery) -> None:
        self._desk = world.desk
        self._keyring = world.keyring
        self._delivery = delivery

    async def do(self, principal: Principal, action: str, work: Callable[[UnitOfWork], T]) -> T:
        """Return what `work` answers, once that and its audit entry are committed and what follows is begun.

        Raises:
            StoreError: nothing was stored, and nothing follows.
        """

        def transaction(tx: Transaction) -> tuple[T, UnitOfWork]:
            unit = UnitOfWork(tx, principal, self._desk.clock.now())
            answer = work(unit)
            entry = self._entry(unit, action, answer)
            tx.audit(entry)
            for alarm in unit.alarms:
                tx.audit(replace(entry, action=alarm.action, client=alarm.client, decision="alarm"))
            return answer, unit

        answer, unit = await self._desk.store.transact(transaction)
        await self._follow(unit)
        return answer

    async def past(
        self, limit: int, wanted: AuditFilter = ALL_ENTRIES, *, number: str | None = None
    ) -> Sequence[AuditEntry]:
        """Return the newest of those audit entries first, about one number if it is given."""
        if number is not None:
            wanted = replace(wanted, number_digests=self._keyring.number_digests(number))
        return await self._desk.store.audit(limit, wanted)

    def _entry(self, unit: UnitOfWork, action: str, answer: object) -> AuditEntry:
        about = unit.destination
        return AuditEntry(
            at=unit.now,
            client=unit.principal.name,
            request_id=unit.principal.request_id,
            action=action,
            decision=_decision(answer),
            subject=unit.subject,
            number=None if about is None else about.masked,
            number_digest=None if about is None else self._keyring.number_digests(about.number)[0],
        )

    async def _follow(self, unit: UnitOfWork) -> None:
        for alarm in unit.alarms:
            log.warning(alarm.text, client=alarm.client, count=alarm.count)
        for pending in unit.pending:
            self._delivery.start(pending.challenge, pending.call)
        for challenge_id in unit.ended:
            await self._delivery.cancel(challenge_id)
        for challenge_id in (*unit.changed, *unit.ended):
            self._desk.notifier.announce(challenge_id)


def _decision(answer: object) -> str:
    match answer:
        case None:
            return "unknown"
        case Deny():
            return str(answer.reason)
        case VerifyResult():
            return str(answer.verdict)
        case _:
            return "allowed"
