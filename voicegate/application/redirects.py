"""Calls that the far end redirects (SIP 3xx): policy decides on the new number as on any other.

The PBX never follows a redirection. Where the settings let policy decide, the number is called as a further
call of the same challenge, by our own route. Off by default: whoever sets a telephone's forwarding then
decides who hears the code.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from voicegate.application.call_admission import count_call
from voicegate.application.challenges import ChallengeService
from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import CallRecord
from voicegate.application.spending import hold_cost
from voicegate.application.store_port import Store
from voicegate.application.unit_of_work import ALLOWED, UnitOfWork, UnitsOfWork
from voicegate.domain.call import Call
from voicegate.domain.client import Principal
from voicegate.domain.errors import InvalidExtension, InvalidNumber
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, may_call_again, refusal


@dataclass(frozen=True, slots=True)
class Followed:
    """A call follows its redirection."""

    pending: PendingCall
    """The next call."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class Redirects:
    """Decides whether calls follow their redirections."""

    def __init__(
        self,
        *,
        store: Store,
        units: UnitsOfWork,
        challenge_service: ChallengeService,
        routes: CurrentRoutes,
    ) -> None:
        self._store = store
        self._units = units
        self._service = challenge_service
        self._routes = routes

    async def decide(self, call: Call, written: str) -> PendingCall | Deny | None:
        """Return the next call, stored, to where `call` was redirected; or why there is none.

        `written`: the number, as the far end writes it. None: redirections are never followed.

        Raises:
            StoreError: nothing was stored.
        """
        if not self._service.policy.follows_redirects or call.is_test:
            return None
        record = await self._store.challenge(call.challenge_id)
        if record is None:
            return None
        owner = Principal(record.challenge.client, frozenset())
        answer = await self._units.do(
            owner, "verification.redirect", self._decide, call, self._read(call, written)
        )
        return answer.pending if isinstance(answer, Followed) else answer

    def _read(self, call: Call, written: str) -> Destination | None:
        """Return the telephone that a far end names; None: none that may be meant.

        A desk telephone can name an extension of its PBX, a carrier cannot.
        """
        is_internal = call.destination.is_internal
        # Where the numbers lie that the trunk writes without a country's code.
        homes = (trunk.home_country for trunk in self._routes.trunks if trunk.name == call.trunk)
        country = next(homes, "")
        try:
            read = Destination.parse(
                written, style=None if is_internal else NumberStyle(country, plus_is_optional=True)
            )
        except (InvalidNumber, InvalidExtension):
            return None
        # The extension that was asked for is for whoever answers in that telephone's place.
        target = Destination(read.number, call.destination.extension)
        is_wrong = target.is_internal and not is_internal
        return None if is_wrong or self._service.policy.is_test(target) else target

    def _decide(self, unit: UnitOfWork, call: Call, target: Destination | None) -> Followed | Deny:
        unit.subject, unit.destination, unit.trunk = call.challenge_id, target, call.trunk
        unit.reason = f"{call.id} was redirected"
        record = unit.tx.challenge(call.challenge_id)
        if target is None:
            return Deny(DenyReason.INVALID_NUMBER, rule="policy.follow_redirects")
        if record is None or not record.challenge.is_open(unit.now):
            return Deny(DenyReason.NOT_OPEN)
        again = refusal(may_call_again(live=False, calls=len(record.calls), policy=self._service.policy))
        routed = again or self._service.route(replace(record.challenge, destination=target))
        if isinstance(routed, Deny):
            return routed
        factor_id = record.challenge.factor_id
        factor = None if factor_id is None else unit.tx.factor(factor_id)
        # It rang nowhere and costs nothing: what was held for it is free for the next one.
        unit.tx.settle_cost(CallRecord(call))
        pending = self._service.admit(unit, routed, factor.subscriber if factor else None)
        if isinstance(pending, Deny):
            return pending
        unit.tx.add_call(pending.call)
        count_call(unit, pending.counters, self._service.policy)
        hold_cost(unit, pending)
        return Followed(pending)
