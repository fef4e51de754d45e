"""What becomes of calls that the called person did not ask for: the code is void, the number is spared.

What one person says on their telephone stops calls to that number only: those of the client that asked for
the reported call, for a time; all calls, if the person also says that they want none. A number that many
people share, by an extension or because an admin trusts it, is not stopped by one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from voicegate.application.number_lists import ListRequest, add_within
from voicegate.application.store_port import Store
from voicegate.application.unit_of_work import Alarm, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain import challenge as challenges
from voicegate.domain import factor as factors
from voicegate.domain.call import Call
from voicegate.domain.challenge import OPEN_STATES, Challenge, ChallengeEvent, GuessResult
from voicegate.domain.client import Principal
from voicegate.domain.factor import FactorEvent, FactorState
from voicegate.domain.policy import ListedNumber, NumberList


@dataclass(frozen=True, slots=True)
class ReportRules:
    """What a report does, besides making the code void."""

    cooling: timedelta | None = timedelta(hours=24)
    """How long the client's further calls to the number are refused; None: until an admin allows them."""
    locks_factor: bool = False
    """Is the factor locked until it is reset?"""


@dataclass(frozen=True, slots=True)
class CallReported:
    """A call was reported."""

    may_opt_out: bool
    """May the person stop further calls to the number?"""
    decision: ClassVar[str] = str(GuessResult.REPORTED)
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class CallsStopped:
    """The number is never called again, until an admin allows it."""

    decision: ClassVar[str] = "opted_out"
    """The decision in the audit."""


class Reports:
    """Stores what people say about calls that they did not ask for."""

    def __init__(self, *, store: Store, units: UnitsOfWork, rules: ReportRules) -> None:
        self._store = store
        self._units = units
        self._rules = rules

    async def report(self, call: Call) -> bool:
        """Make a call's code void and spare its number; return whether the person may stop further calls.

        Raises:
            StoreError: nothing was stored.
        """
        owner = await self._owner(call)
        answer = await self._units.do(owner, "verification.report", self._report, call)
        return isinstance(answer, CallReported) and answer.may_opt_out

    async def opt_out(self, call: Call) -> bool:
        """Stop all clients' calls to a call's number; return whether they are stopped.

        Raises:
            StoreError: nothing was stored.
        """
        owner = await self._owner(call)
        answer = await self._units.do(owner, "number.opt_out", self._opt_out, call)
        return isinstance(answer, CallsStopped)

    async def _owner(self, call: Call) -> Principal:
        """Return the client whose call it is: the audit shows it as its own."""
        record = await self._store.challenge(call.challenge_id)
        return Principal(record.challenge.client if record else "", frozenset())

    def _report(self, unit: UnitOfWork, call: Call) -> CallReported | NotFound:
        record = unit.tx.challenge(call.challenge_id)
        if record is None:
            return NotFound()
        challenge = record.challenge
        self._end(unit, challenge)
        if self._rules.locks_factor and challenge.factor_id is not None:
            self._lock(unit, challenge.factor_id)
        is_shared, why = _is_shared(unit, call), f"9 was pressed on {call.id}"
        if not is_shared and not call.is_test:
            expires_at = None if self._rules.cooling is None else unit.now + self._rules.cooling
            kind, owner = NumberList.REPORTED, challenge.client
            add_within(unit, ListRequest(kind, call.destination, why, expires_at, owner))
        text = "call reported by the called person"
        unit.alarms.append(Alarm("verification.report", challenge.client, text, 1))
        _explain(unit, call, why)
        return CallReported(may_opt_out=not is_shared)

    def _opt_out(self, unit: UnitOfWork, call: Call) -> CallsStopped:
        why = f"0 was pressed twice on {call.id}"
        if not call.is_test:
            add_within(unit, ListRequest(NumberList.DO_NOT_CALL, call.destination, why))
        _explain(unit, call, why)
        return CallsStopped()

    def _end(self, unit: UnitOfWork, challenge: Challenge) -> None:
        """Make the code void. The call goes on: the person is still told so."""
        current = challenges.expire(challenge, unit.now)
        if current.state in OPEN_STATES:
            current = challenges.step(current, ChallengeEvent.REPORTED)
        if current != challenge:
            unit.tx.save_challenge(current)
            unit.transitions.append((challenge, current))
            unit.changed.append(challenge.id)

    def _lock(self, unit: UnitOfWork, factor_id: str) -> None:
        factor = unit.tx.factor(factor_id)
        if factor is None or factor.state not in (FactorState.ACTIVE, FactorState.PENDING_ACTIVATION):
            return
        # A right code would unlock it.
        for challenge in unit.tx.open_challenges(factor_id):
            self._end(unit, challenge)
        unit.tx.save_factor(factors.step(factor, FactorEvent.LOCKED, unit.now))


def _is_shared(unit: UnitOfWork, call: Call) -> bool:
    """Return whether others are called at this number too, whom one of them must not cut off."""
    listed: Sequence[ListedNumber] = unit.tx.listed(unit.digests_of(call.destination.number))
    is_trusted = any(one.list is NumberList.TRUSTED and one.counts("", unit.now) for one in listed)
    return is_trusted or call.destination.extension is not None


def _explain(unit: UnitOfWork, call: Call, why: str) -> None:
    unit.subject, unit.destination, unit.reason = call.challenge_id, call.destination, why
