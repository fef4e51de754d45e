"""The audit's entry is the decision that was made, whatever the answer."""

from datetime import timedelta

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.clients import ClientExists
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.factor_answers import FactorCalled, OtherTelephone
from voicegate.application.ports import IdempotencyKey
from voicegate.application.sign_in import Issued, IssueRequest, OtherCode
from voicegate.application.unit_of_work import KeyReused, NotFound
from voicegate.domain.client import Scope
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny


def spec(digits: str | None = None) -> ChallengeSpec:
    own = None if digits is None else Passcode(digits)
    return ChallengeSpec(Destination.parse(NUMBER), passcode=own, service="bank")


async def newest(bench: Bench) -> tuple[str, str]:
    (entry,) = await bench.store.audit(1)
    return entry.action, entry.decision


async def test_another_code_for_the_same_telephone_is_no_permission(bench: Bench) -> None:
    assert isinstance(await bench.sign_in.send(TESTER, spec("471029")), Issued)
    assert await newest(bench) == ("verification.send", "allowed")
    assert await bench.sign_in.send(TESTER, spec("471028")) == OtherCode()
    assert await newest(bench) == ("verification.send", "other_code")


async def test_a_reused_idempotency_key_is_no_permission(bench: Bench) -> None:
    def request(fingerprint: bytes, digits: str | None = None) -> IssueRequest:
        return IssueRequest(TESTER, spec(digits), IdempotencyKey("tester", "k", fingerprint))

    first = await bench.sign_in.issue(request(b"1", "471029"))
    assert isinstance(first, Issued)
    assert await bench.sign_in.issue(request(b"2")) == KeyReused()
    assert await newest(bench) == ("verification.create", "idempotency_key_reused")
    # The same fingerprint with another code: the fingerprint holds none.
    assert await bench.sign_in.issue(request(b"1", "471028")) == KeyReused()
    assert await newest(bench) == ("verification.create", "idempotency_key_reused")
    again = await bench.sign_in.issue(request(b"1", "471029"))
    assert isinstance(again, Issued)
    assert again.is_replay
    assert await newest(bench) == ("verification.create", "allowed")


async def test_a_factors_reused_idempotency_key_is_no_permission(bench: Bench) -> None:
    def request(fingerprint: bytes) -> EnrollRequest:
        key = IdempotencyKey("tester", "k", fingerprint)
        return EnrollRequest(TESTER, "alice", Destination.parse(NUMBER), idempotency=key)

    first = await bench.enrollment.enroll(request(b"1"))
    assert isinstance(first, FactorCalled)
    assert await bench.enrollment.enroll(request(b"2")) == KeyReused()
    assert await newest(bench) == ("factor.enroll", "idempotency_key_reused")
    again = await bench.enrollment.enroll(request(b"1"))
    assert isinstance(again, FactorCalled)
    assert (again.is_replay, again.factor.id) == (True, first.factor.id)
    assert await newest(bench) == ("factor.enroll", "allowed")
    # A word that stands for a verification stands for no factor.
    plain = IdempotencyKey("tester", "plain", b"1")
    elsewhere = ChallengeSpec(Destination.parse("+12025550102"))
    assert isinstance(await bench.sign_in.issue(IssueRequest(TESTER, elsewhere, plain)), Issued)
    other = EnrollRequest(TESTER, "bob", Destination.parse(NUMBER), idempotency=plain)
    assert await bench.enrollment.enroll(other) == KeyReused()


async def test_a_client_that_exists_is_not_unknown(bench: Bench) -> None:
    await bench.clients.add(ADMIN, "backend", frozenset({Scope.HOOKS}))
    assert await newest(bench) == ("client.add", "allowed")
    assert await bench.clients.add(ADMIN, "backend", frozenset({Scope.HOOKS})) == ClientExists()
    assert await newest(bench) == ("client.add", "client_exists")
    assert await bench.clients.revoke(ADMIN, "nobody") == NotFound()
    assert await newest(bench) == ("client.revoke", "unknown")


async def test_a_factor_of_another_telephone_or_subscriber_is_told_as_what_it_is(bench: Bench) -> None:
    factor = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", Destination.parse(NUMBER)))
    assert isinstance(factor, FactorCalled)
    factor_id, bench.clock.time = factor.factor.id, bench.clock.time + timedelta(hours=1)
    named = Destination.parse("+12025550102")
    assert await bench.enrollment.resend(TESTER, factor_id, named=named) == OtherTelephone()
    assert await newest(bench) == ("factor.resend", "other_telephone")
    assert await bench.enrollment.reset(TESTER, factor_id, subscriber="bob") == NotFound()
    assert await bench.enrollment.reset(OTHER, factor_id) == NotFound()
    assert await newest(bench) == ("factor.reset", "unknown")


async def test_the_audit_says_by_which_rule_a_guess_or_a_call_was_refused(bench: Bench) -> None:
    challenge_id = await bench.issue()
    for _ in range(5):
        await bench.sign_in.verify(TESTER, challenge_id, Passcode("000000"))
    entries = await bench.store.audit(2)
    assert [(one.decision, one.rule) for one in entries] == [
        ("locked", "passcode.guesses"),
        ("denied", "the passcode must match"),
    ]
    assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), Deny)
    (entry,) = await bench.store.audit(1)
    assert (entry.decision, entry.rule) == ("not_open", "challenge states")
