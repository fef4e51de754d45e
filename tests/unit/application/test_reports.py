"""What a person says by 9 about a call that they did not ask for, and by 0 about all further ones."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from tests.unit.application.scripted import INVITATION, Plot, ScriptedLeg, full
from tests.unit.application.test_enrollment import LIFE, enroll_and_activate, factor
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.factor_answers import FactorCalled
from voicegate.application.housekeeping import settle_orphans
from voicegate.application.number_lists import ListRequest
from voicegate.application.outbox import MessageFilter
from voicegate.application.ports import ChallengeRecord, Clip
from voicegate.application.reports import ReportRules
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.domain.announcement import HumanCheck, Prompt, PromptName
from voicegate.domain.call import Answered, Playback
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.challenge import ChallengeState, GuessResult
from voicegate.domain.client import Principal
from voicegate.domain.errors import StoreError
from voicegate.domain.factor import FactorState
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, ListedNumber, NumberList
from voicegate.domain.webhook import Webhook
from voicegate.lab.deadlines import within

DAY = timedelta(days=1)
NINE = {"invitation": "9"}
ALL_KEYS = {**NINE, "en/no_more_calls": "0", "en/confirm_no_more": "0"}


def presses(keys: Mapping[str, str], *, hangs_up_at: str = "") -> Plot:
    """The plot of a person who presses a key while they hear a sound, by its path; else the requested key."""

    async def answer(leg: ScriptedLeg) -> None:
        def play(clip: Clip, counting: str) -> Playback:
            if clip.path == hangs_up_at:
                leg.tell(Hangup(cause=16))
                return full(clip, samples=0, hung_up=True)
            key = keys.get(clip.path) or (counting[:1] if clip is INVITATION else None)
            return full(clip, key=key if key and key in counting else None)

        leg.on_play = play
        leg.tell(Answered())

    return answer


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.speech.can_say_reports = True
    bench.pbx.plots = [presses(NINE)]
    return bench


def said(bench: Bench, call: int = 0) -> list[str]:
    return [done.removeprefix("play ") for done in bench.pbx.legs[call].done if done.startswith("play")]


async def end(bench: Bench, **more: object) -> ChallengeRecord:
    return await bench.settled(await bench.issue(**more))  # type: ignore[arg-type]


async def lists(bench: Bench) -> list[ListedNumber]:
    return list(await bench.app.numbers.all())


async def refused(bench: Bench, by: Principal = TESTER, number: str = NUMBER) -> Deny | None:
    answer = await bench.sign_in.issue(IssueRequest(by, ChallengeSpec(Destination(number))))
    if isinstance(answer, Issued):
        await bench.settled(answer.record.challenge.id)
    return answer if isinstance(answer, Deny) else None


def outcome(record: ChallengeRecord) -> tuple[str, str, bool]:
    found = record.calls[-1].outcome
    assert found is not None
    return found.outcome, found.blame, found.retry_safe


async def test_a_reported_calls_code_is_void_and_the_person_is_told(bench: Bench) -> None:
    record = await end(bench)
    challenge = record.challenge
    assert outcome(record) == ("reported", "nobody", True)
    assert challenge.state is ChallengeState.REPORTED
    assert (record.calls[0].call.evidence.human, record.calls[0].call.evidence.announced) == (True, 0)
    assert said(bench) == ["invitation", "en/reported", "en/no_more_calls", "en/goodbye"]
    judged = await bench.sign_in.verify(TESTER, challenge.id, Passcode(bench.code(challenge.id)))
    assert getattr(judged, "result", None) is GuessResult.REPORTED
    assert await bench.sign_in.redial(TESTER, challenge.id) == Deny(DenyReason.NOT_OPEN)


async def test_its_number_is_spared_that_clients_calls_for_a_time_and_no_other_clients(bench: Bench) -> None:
    await end(bench)
    assert await refused(bench) == Deny(DenyReason.CALL_REPORTED, DAY)
    bench.pbx.plots = [presses({})]
    assert await refused(bench, number="+12025550102") is None
    assert await refused(bench, by=OTHER) is None
    bench.clock.time += DAY
    assert await refused(bench) is None


async def test_another_clients_open_code_for_the_same_number_still_counts(bench: Bench) -> None:
    bench.pbx.plots = [presses({}), presses(ALL_KEYS)]
    issued = await bench.sign_in.issue(IssueRequest(OTHER, ChallengeSpec(Destination(NUMBER))))
    assert isinstance(issued, Issued)
    other = issued.record.challenge.id
    await bench.settled(other)
    await end(bench)
    judged = await bench.sign_in.verify(OTHER, other, Passcode(bench.code(other)))
    assert getattr(judged, "result", None) is GuessResult.VERIFIED


async def test_zero_and_zero_again_stop_all_calls_to_the_number(bench: Bench) -> None:
    bench.pbx.plots = [presses(ALL_KEYS)]
    record = await end(bench)
    assert said(bench)[1:] == ["en/reported", "en/no_more_calls", "en/confirm_no_more", "en/calls_stopped"]
    assert [step.event for step in record.calls[0].timeline][-4:-2] == ["reported", "opted_out"]
    for principal in (TESTER, OTHER):
        assert await refused(bench, by=principal) == Deny(DenyReason.DO_NOT_CALL)
    listed = {one.list: one for one in await lists(bench)}
    stopped = listed[NumberList.DO_NOT_CALL]
    assert (stopped.client, stopped.expires_at) == ("", None)
    assert stopped.reason == f"0 was pressed twice on {record.calls[0].call.id}"


async def test_one_zero_stops_nothing(bench: Bench) -> None:
    bench.pbx.plots = [presses({**NINE, "en/no_more_calls": "0"})]
    await end(bench)
    assert said(bench)[2:] == ["en/no_more_calls", "en/confirm_no_more", "en/goodbye"]
    assert [one.list for one in await lists(bench)] == [NumberList.REPORTED]


async def test_a_telephone_that_sends_each_key_twice_does_not_confirm_by_that(bench: Bench) -> None:
    keys = iter(("0", "0", None))

    async def twice(leg: ScriptedLeg) -> None:
        def play(clip: Clip, counting: str) -> Playback:
            if clip.path == "invitation":
                return full(clip, key="9")
            if "0" not in counting or (key := next(keys)) is None:
                return full(clip)
            # The second of the two arrives before the next sound is well under way.
            return full(clip, key=key, samples=100 if clip.path == "en/confirm_no_more" else 6000)

        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [twice]
    await end(bench)
    assert said(bench)[3:] == ["en/confirm_no_more", "en/confirm_no_more", "en/goodbye"]
    assert [one.list for one in await lists(bench)] == [NumberList.REPORTED]


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_number_that_many_share_is_not_stopped_by_one_of_them(bench: Bench, is_trusted: bool) -> None:
    bench.pbx.plots = [presses(ALL_KEYS)]
    if is_trusted:
        trust = ListRequest(NumberList.TRUSTED, Destination(NUMBER), "ward", bench.clock.time + DAY)
        await bench.app.numbers.add(ADMIN, trust)
        record = await end(bench)
    else:
        record = await end(bench, extension="4321")
    assert record.challenge.state is ChallengeState.REPORTED
    assert said(bench) == ["invitation", "en/reported", "en/goodbye"]
    assert {one.list for one in await lists(bench)} <= {NumberList.TRUSTED}

    alarm = next(one for one in await bench.audit.entries(5) if one.decision == "alarm")
    assert (alarm.action, alarm.subject) == ("verification.report", record.challenge.id)


async def test_the_audit_names_who_asked_for_the_call_the_rule_and_the_call(bench: Bench) -> None:
    bench.pbx.plots = [presses(ALL_KEYS)]
    record = await end(bench)
    found = {(one.action, one.decision): one for one in await bench.audit.entries(9, number=NUMBER)}
    report = found["verification.report", "reported"]
    assert (report.client, report.subject, report.rule) == ("tester", record.challenge.id, "reports.enabled")
    assert report.reason == f"9 was pressed on {record.calls[0].call.id}"
    assert ("verification.report", "alarm") in found
    assert found["number.opt_out", "opted_out"].subject == record.challenge.id


async def test_a_call_that_is_hung_up_at_the_key_is_reported_all_the_same(bench: Bench) -> None:
    bench.pbx.plots = [presses(NINE, hangs_up_at="en/reported")]
    record = await end(bench)
    assert outcome(record) == ("reported", "nobody", True)
    assert record.challenge.state is ChallengeState.REPORTED
    assert [one.list for one in await lists(bench)] == [NumberList.REPORTED]


async def test_a_code_that_was_entered_before_stays_entered(bench: Bench) -> None:
    async def enters_first(leg: ScriptedLeg) -> None:
        await presses(NINE)(leg)

    bench.pbx.plots = [enters_first]
    challenge_id = await bench.issue()
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    record = await bench.settled(challenge_id)
    assert record.challenge.state is ChallengeState.VERIFIED


async def test_without_an_end_of_the_cooling_an_admin_must_allow_the_number(bench: Bench) -> None:
    bench = bench.rebuilt(reports=ReportRules(cooling=None))
    async with bench.app.delivery:
        await end(bench)
        bench.clock.time += 400 * DAY
        assert await refused(bench) == Deny(DenyReason.CALL_REPORTED)
        listed = ListRequest(NumberList.REPORTED, Destination(NUMBER), "asked them", client=TESTER.name)
        await bench.app.numbers.remove(ADMIN, listed)
        assert await refused(bench) is None


@pytest.mark.parametrize("locks", [True, False])
async def test_a_report_locks_the_factor_if_so_configured(bench: Bench, locks: bool) -> None:
    bench = bench.rebuilt(reports=ReportRules(locks_factor=locks))
    bench.pbx.plots = [presses({}), presses(NINE)]
    async with bench.app.delivery:
        enrolled = await enroll_and_activate(bench)
        bench.clock.time += LIFE
        called = await bench.enrollment.challenge(TESTER, enrolled.factor.id)
        assert isinstance(called, FactorCalled)
        assert called.challenge is not None
        signing_in = called.challenge
        await bench.settled(signing_in.challenge.id)
        after = await factor(bench, enrolled.factor.id)
        assert after.state is (FactorState.LOCKED if locks else FactorState.ACTIVE)
        guess = Passcode(bench.code(signing_in.challenge.id))
        judged = await bench.enrollment.verify(TESTER, enrolled.factor.id, guess)
        if locks:
            assert judged == Deny(DenyReason.FACTOR_LOCKED)
        else:
            assert getattr(judged, "result", None) is GuessResult.REPORTED


async def test_the_backend_is_told_where_the_settings_do_not_say_what(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(Webhook("web"),))
    again.pbx.plots = [presses(ALL_KEYS)]
    async with again.app.delivery:
        record = await end(again)
    told = [one.message for one in await again.store.messages(9, MessageFilter())]
    assert sorted(one.type for one in told) == ["call.ended", "call.opted_out", "call.reported"]
    data = next(json.loads(one.body)["data"] for one in told if one.type == "call.reported")
    assert (data["verification_id"], data["call_id"]) == (record.challenge.id, record.calls[0].call.id)
    assert NUMBER not in str(told)


async def test_a_reported_call_that_a_restart_finds_live_was_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database holds the step, and the process ends before anything else of it is stored."""
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def never(_call: object) -> bool:
        reached.set()
        return await goes_on.wait()

    monkeypatch.setattr(bench.delivery._reports, "report", never)
    challenge_id = await bench.issue()
    async with within(10):
        await reached.wait()
    await settle_orphans(store=bench.store, calls=bench.app.calls, pbxs=(), speech=bench.speech)
    record = await bench.settled(challenge_id)
    assert outcome(record) == ("reported", "nobody", True)
    assert record.challenge.state is ChallengeState.REPORTED
    goes_on.set()


async def test_a_report_is_stored_once_the_database_can_be_used_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegate.application.delivery._STORE_RETRY", timedelta())
    reports = bench.delivery._reports
    assert reports is not None
    tries = []

    async def failing(report: object, call: object) -> bool:
        tries.append(call)
        if len(tries) < 3:
            raise StoreError("the database is locked")
        return await report(call)  # type: ignore[operator, no-any-return]

    monkeypatch.setattr(reports, "report", partial(failing, reports.report))
    record = await end(bench)
    assert len(tries) == 3
    assert record.challenge.state is ChallengeState.REPORTED
    assert [one.list for one in await lists(bench)] == [NumberList.REPORTED]


@pytest.mark.parametrize(
    ("check", "is_on", "can_say"),
    [
        (HumanCheck.RANDOM_KEY, False, True),
        (HumanCheck.RANDOM_KEY, True, False),
        (HumanCheck.ANY_KEY, True, False),
        (HumanCheck.NONE, True, True),
    ],
)
async def test_where_it_is_not_offered_nine_and_zero_are_no_keys(
    bench: Bench, check: HumanCheck, is_on: bool, can_say: bool
) -> None:
    bench = bench.rebuilt(reports=ReportRules() if is_on else None)
    bench.speech.can_say_reports = can_say
    counted: list[str] = []

    async def answer(leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            if clip is INVITATION:
                counted.append(keys)
            return full(clip, key=keys[:1] or None if clip is INVITATION else None)

        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [answer]
    async with bench.app.delivery:
        record = await end(bench, human_check=check)
    assert outcome(record)[0] == "delivered"
    assert not set("".join(counted)) & set("90")
    invitation, _ = bench.speech.said[0]
    assert Prompt(PromptName.DID_NOT_ASK) not in invitation


async def test_the_invitation_says_it_after_the_key_and_also_where_any_key_will_do(bench: Bench) -> None:
    for check in (HumanCheck.RANDOM_KEY, HumanCheck.ANY_KEY):
        bench.clock.time += DAY
        record = await end(bench, human_check=check)
        assert outcome(record)[0] == "reported"
    assert [said[0][-1] for said in bench.speech.said] == [Prompt(PromptName.DID_NOT_ASK)] * 2


async def test_a_nine_of_the_extensions_own_echo_reports_nothing(bench: Bench) -> None:
    counted: list[str] = []

    async def answer(leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            counted.append(keys)
            return full(clip, key=keys[:1] if clip is INVITATION else None)

        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [answer]
    record = await end(bench, extension="4091")
    assert outcome(record)[0] == "delivered"
    assert "9" not in counted[0]
