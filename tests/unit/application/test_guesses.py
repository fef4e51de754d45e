"""Budgets of guesses: they bound how many codes are issued, and never refuse a guess at one that is open."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event
from structlog.testing import capture_logs

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.factor_answers import FactorCalled
from voicegate.application.retention import Kept
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.application.store_port import FactorRecord
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.factor import LIVING_STATES
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, GuessPolicy

WINDOW = timedelta(hours=1)
LIFE = timedelta(seconds=300)


async def ask(bench: Bench, principal: Principal = TESTER, number: str = NUMBER) -> Issued | Deny:
    """Ask for a code, and wait for the call's end."""
    issued = await bench.sign_in.issue(IssueRequest(principal, ChallengeSpec(Destination.parse(number))))
    if isinstance(issued, Issued):
        await bench.settled(issued.record.challenge.id)
    assert isinstance(issued, Issued | Deny)
    return issued


async def issue(bench: Bench, principal: Principal = TESTER, number: str = NUMBER) -> str:
    issued = await ask(bench, principal, number)
    assert isinstance(issued, Issued)
    return issued.record.challenge.id


async def guess(bench: Bench, challenge_id: str, *, right: bool = False) -> VerifyResult:
    code = bench.code(challenge_id)
    digits = code if right else "000000" if code != "000000" else "111111"
    result = await bench.sign_in.verify(ADMIN, challenge_id, Passcode(digits))
    assert isinstance(result, VerifyResult)
    return result


async def spend(bench: Bench, challenge_id: str, wrong: int = 5) -> None:
    for _ in range(wrong):
        await guess(bench, challenge_id)
        bench.clock.time += timedelta(seconds=1)


async def exhaust(bench: Bench, principal: Principal = TESTER, number: str = NUMBER) -> Deny:
    """Guess until no new code is issued; the refusal."""
    while isinstance(issued := await ask(bench, principal, number), Issued):
        await spend(bench, issued.record.challenge.id)
    return issued


async def test_past_its_budget_a_number_gets_no_new_code_until_the_window_has_moved_on(bench: Bench) -> None:
    refused = await exhaust(bench)
    # Twenty guesses, a second apart: five of them must be forgotten.
    assert refused == Deny(DenyReason.TOO_MANY_GUESSES, WINDOW - timedelta(seconds=16))
    bench.clock.time += WINDOW - timedelta(seconds=17)
    assert await ask(bench) == Deny(DenyReason.TOO_MANY_GUESSES, timedelta(seconds=1))
    bench.clock.time += timedelta(seconds=1)
    assert isinstance(await ask(bench), Issued)


async def test_an_open_code_keeps_its_guesses_whatever_is_spent_elsewhere(bench: Bench) -> None:
    mine = await issue(bench)
    await exhaust(bench)
    assert [(await guess(bench, mine)).result for _ in range(4)] == [GuessResult.DENIED] * 4
    assert (await guess(bench, mine, right=True)).result is GuessResult.VERIFIED


async def test_codes_that_are_open_count_as_if_they_were_guessed_at(bench: Bench) -> None:
    opened = [await issue(bench) for _ in range(4)]
    assert await ask(bench) == Deny(DenyReason.TOO_MANY_GUESSES, LIFE)
    assert (await guess(bench, opened[0], right=True)).result is GuessResult.VERIFIED
    assert isinstance(await ask(bench), Issued)


async def test_what_one_client_guesses_refuses_nothing_to_another(bench: Bench) -> None:
    await exhaust(bench, OTHER)
    assert (await guess(bench, await issue(bench, TESTER), right=True)).result is GuessResult.VERIFIED


async def test_a_subscriber_has_one_budget_over_all_their_telephones(bench: Bench) -> None:
    async def enroll(area: int) -> FactorRecord | Deny:
        destination = Destination.parse(f"+1{area}5550101")
        bound = await bench.enrollment.enroll(
            EnrollRequest(TESTER, "alice", destination, replaces=LIVING_STATES)
        )
        assert isinstance(bound, FactorRecord | Deny)
        return bound

    for area in (202, 212, 213, 214):
        bound = await enroll(area)
        assert isinstance(bound, FactorRecord)
        assert bound.challenge is not None
        await spend(bench, bound.challenge.challenge.id)
    refused = await enroll(215)
    assert isinstance(refused, Deny)
    assert refused.reason is DenyReason.TOO_MANY_GUESSES
    bench.clock.time += WINDOW
    assert isinstance(await enroll(216), FactorRecord)


async def test_in_no_hour_are_there_more_wrong_guesses_than_the_budget(bench: Bench) -> None:
    made = []
    for _ in range(200):
        issued = await ask(bench)
        if isinstance(issued, Issued):
            while (await guess(bench, issued.record.challenge.id)).result is GuessResult.DENIED:
                made.append(bench.clock.time)
            made.append(bench.clock.time)
        bench.clock.time += timedelta(seconds=70)
    hours = Counter(sum(at <= other < at + WINDOW for other in made) for at in made)
    assert max(hours) == GuessPolicy().per_destination


async def test_fifty_requests_at_once_share_the_budget(bench: Bench) -> None:
    for _ in range(3):
        await issue(bench)
    answers = await asyncio.gather(*(ask(bench) for _ in range(50)))
    assert sum(isinstance(answer, Issued) for answer in answers) == 1


async def test_a_client_that_guesses_wrong_too_often_is_an_alarm_and_no_wall(bench: Bench) -> None:
    rules = GuessPolicy(alarm_per_client=8)
    bench.challenge_service.policy = replace(bench.challenge_service.policy, guesses=rules)
    with capture_logs() as logs:
        for area in (202, 212, 213):
            await spend(bench, await issue(bench, number=f"+1{area}5550101"))
        mine = await issue(bench, number="+12145550101")
        assert (await guess(bench, mine, right=True)).result is GuessResult.VERIFIED
    warned = [line for line in logs if line["log_level"] == "warning"]
    assert [(line["event"], line["client"], line["count"]) for line in warned] == [
        ("client has too many wrong guesses", "tester", 8)
    ]
    entries = await bench.store.audit(100)
    assert [entry.client for entry in entries if entry.action == "client.guesses"] == ["tester"]


async def test_a_budget_smaller_than_a_codes_guesses_issues_one_code_at_a_time(bench: Bench) -> None:
    rules = GuessPolicy(per_destination=3)
    bench.challenge_service.policy = replace(bench.challenge_service.policy, guesses=rules)
    first = await issue(bench)
    assert await ask(bench) == Deny(DenyReason.TOO_MANY_GUESSES, LIFE)
    assert (await guess(bench, first, right=True)).result is GuessResult.VERIFIED
    assert isinstance(await ask(bench), Issued)


async def test_wrong_guesses_are_forgotten_after_a_day(bench: Bench) -> None:
    store = bench.store
    await spend(bench, await issue(bench), 1)
    began = bench.clock.time - timedelta(days=2)
    seen = []
    for later in (timedelta(hours=23), timedelta(hours=25)):
        moment = bench.clock.time + later - timedelta(days=1)
        await store.purge(
            Kept(
                calls=began, timelines=began, audit=began, webhooks=began, recent=moment, page_sessions=began
            ),
            100,
        )
        seen.append(len(await store.transact(lambda tx: tx.wrong_guesses(began, 10, bucket=NUMBER))))
    assert seen == [1, 0]


async def test_a_factor_is_read_once_however_it_is_asked_about(bench: Bench) -> None:
    enrolled = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", Destination(NUMBER)))
    assert isinstance(enrolled, FactorCalled)
    assert enrolled.challenge is not None
    factor_id, challenge_id = enrolled.factor.id, enrolled.challenge.challenge.id
    await bench.settled(challenge_id)
    bench.clock.time += timedelta(seconds=100)
    wrong, right = Passcode("0000000"), Passcode(bench.code(challenge_id))
    requests: dict[str, Callable[[], Awaitable[object]]] = {
        "guess at the verification": lambda: bench.sign_in.verify(TESTER, challenge_id, wrong),
        "guess at the factor": lambda: bench.enrollment.activate(TESTER, factor_id, wrong),
        "call again": lambda: bench.sign_in.redial(TESTER, challenge_id),
        "right guess": lambda: bench.sign_in.verify(TESTER, challenge_id, right),
        "sign-in": lambda: bench.enrollment.challenge(TESTER, factor_id),
        "reset": lambda: bench.enrollment.reset(TESTER, factor_id),
    }
    reads: list[str] = []
    event.listen(bench.store._writing, "before_cursor_execute", lambda *given: reads.append(given[2]))
    counted = {}
    for name, ask_about_it in requests.items():
        reads.clear()
        await ask_about_it()
        # Counts and joins about it are other questions: this is the factor itself.
        counted[name] = len([text for text in reads if text.startswith("SELECT factors.id, factors.client")])
        if name == "call again":
            await bench.settled(challenge_id)
    assert counted == dict.fromkeys(requests, 1)


async def test_a_guess_at_a_verification_reads_no_timeline(bench: Bench) -> None:
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    reads: list[str] = []
    event.listen(bench.store._writing, "before_cursor_execute", lambda *given: reads.append(given[2]))
    for code in ("0000000", bench.code(challenge_id)):
        await bench.sign_in.verify(TESTER, challenge_id, Passcode(code))
    assert reads
    assert not [text for text in reads if "timeline" in text]
