"""A telephone that was proven elsewhere: an admin's word is enough, nobody else's is."""

from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, Bench
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.store_port import FactorRecord
from voicegate.domain.factor import FactorState
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason


async def test_a_telephone_that_an_admin_vouches_for_is_active_without_a_call(bench: Bench) -> None:
    wanted = EnrollRequest(ADMIN, "alice", Destination.parse(NUMBER), is_proven=True)
    record = await bench.enrollment.enroll(wanted)
    assert isinstance(record, FactorRecord)
    assert (record.factor.state, record.challenge) == (FactorState.ACTIVE, None)
    assert bench.pbx.legs == []
    assert await bench.enrollment.verify(ADMIN, record.factor.id, Passcode("123456")) == Deny(
        DenyReason.NO_CHALLENGE
    )
    assert await bench.enrollment.enroll(wanted) == Deny(DenyReason.ALREADY_ENROLLED)


async def test_nobody_else_vouches_for_a_telephone(bench: Bench) -> None:
    wanted = EnrollRequest(TESTER, "alice", Destination.parse(NUMBER), is_proven=True)
    assert await bench.enrollment.enroll(wanted) == Deny(DenyReason.ADMINS_ONLY)
    assert await bench.factors.list(TESTER, "alice") == []
