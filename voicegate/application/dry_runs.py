"""What another call of a code that exists would meet: all is decided as by the request, then undone."""

from functools import partial

from voicegate.application.enrollment import Enrollment, FactorKey, find_within
from voicegate.application.pending_call import CallTerms, CodeRequest
from voicegate.application.sign_in import CalledAgain, SignIn, WouldCall
from voicegate.application.unit_of_work import NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain.challenge import Purpose
from voicegate.domain.client import Principal
from voicegate.domain.factor import FactorState
from voicegate.domain.policy import Deny


class DryRuns:
    """Decides about calls that are not placed. `SignIn.dry_run` does so for new codes."""

    def __init__(self, *, units: UnitsOfWork, sign_in: SignIn, enrollment: Enrollment) -> None:
        self._units = units
        self._sign_in = sign_in
        self._enrollment = enrollment

    async def redial(
        self, principal: Principal, challenge_id: str, terms: CallTerms
    ) -> WouldCall | Deny | NotFound:
        """Decide all that another call with the same code would meet."""
        work = partial(self._redial, challenge_id=challenge_id, terms=terms)
        return await self._units.dry_run(principal, "verification.dry_run", work)

    async def challenge(
        self, principal: Principal, key: FactorKey, wanted: CodeRequest
    ) -> WouldCall | Deny | NotFound:
        """Decide all that a call of a factor would meet: with a code for its activation while that is
        pending, else for a sign-in."""
        work = partial(self._challenge, key=key, wanted=wanted)
        return await self._units.dry_run(principal, "factor.dry_run", work)

    def _redial(
        self, unit: UnitOfWork, *, challenge_id: str, terms: CallTerms
    ) -> WouldCall | Deny | NotFound:
        answer = self._sign_in.redial_within(unit, challenge_id, terms)
        return WouldCall(unit.pending[-1]) if isinstance(answer, CalledAgain) else answer

    def _challenge(
        self, unit: UnitOfWork, *, key: FactorKey, wanted: CodeRequest
    ) -> WouldCall | Deny | NotFound:
        factor = find_within(unit, key)
        if factor is None:
            return NotFound()
        is_pending = factor.state is FactorState.PENDING_ACTIVATION
        purpose = Purpose.ACTIVATION if is_pending else Purpose.SIGN_IN
        answer = self._enrollment.call_within(unit, factor, purpose, wanted=wanted)
        return answer if isinstance(answer, Deny) else WouldCall(unit.pending[-1])
