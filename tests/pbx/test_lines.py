"""Every trunk of the lab's table comes to what it says, and a code is understood in every codec."""

import asyncio

import pytest

from tests.pbx.lines import CANCELED, NARROW, TRUNK_NUMBERS, WIDE, Lines, try_all
from tests.pbx.verdicts import events_of, expected, verdict, verdict_on
from tests.pbx.wiretap import MULAW_PACKET
from voicegate.lab.trunks import TRUNKS, LabTrunk
from voicegate.lab.world import Lab

TOLD = [
    *("queued", "originated", "rang", "answered", "invited", "key_pressed"),
    *("reading_started", "reading_ended") * 2,
    *("media_counted", "ended"),
]
RUNG = ["queued", "originated", "rang", "ended"]
UNRUNG = ["queued", "originated", "ended"]
TIMELINES = {
    "locked-out": UNRUNG,
    "full": UNRUNG,
    "unplugged": UNRUNG,
    "nobody": UNRUNG,
    "crossing": RUNG,
    "unusable": RUNG,
}
FAILING_OVER = [trunk for trunk in TRUNKS if trunk.fails_over]
# With the tag of SDES' usual suite, HMAC-SHA1 of 80 bits.
SRTP_PACKET = MULAW_PACKET + 10


@pytest.fixture(scope="module")
def lines(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lines:
    return asyncio.run(try_all(lab, tmp_path_factory.mktemp("wire")))


@pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: trunk.name)
def test_a_call_along_a_trunk_of_the_table_comes_to_what_it_says(lines: Lines, trunk: LabTrunk) -> None:
    first = lines.trunks[trunk.name].calls[0]
    assert first.trunk == trunk.name
    assert verdict_on(first) == expected(trunk.expected)
    assert first.sip_status == trunk.sip_status
    assert events_of(first) == TIMELINES.get(trunk.name, TOLD)


@pytest.mark.parametrize("trunk", FAILING_OVER, ids=lambda trunk: trunk.name)
def test_a_trunk_that_certainly_rang_nobody_is_followed_by_the_next(lines: Lines, trunk: LabTrunk) -> None:
    first, second = lines.trunks[trunk.name].calls
    assert first.retry_safe
    assert (second.trunk, *verdict_on(second)) == ("carrier", "delivered", "announced", "nobody")
    assert lines.trunks[trunk.name].status == "delivered"


@pytest.mark.parametrize("name", ["nobody", "crossing", "unusable"])
def test_where_somebody_may_have_been_rung_no_other_trunk_is_tried(lines: Lines, name: str) -> None:
    assert len(lines.trunks[name].calls) == 1
    assert lines.trunks[name].status == "undeliverable"


def test_a_trunk_without_anybody_is_not_retried_for_its_silence(lines: Lines) -> None:
    assert lines.trunks["nobody"].calls[0].retry_safe is False


def test_every_code_that_came_through_was_heard(lines: Lines) -> None:
    assert set(lines.heard) == {"carrier", "secure", "registered", *(trunk.name for trunk in FAILING_OVER)}
    assert None not in lines.heard.values()
    assert len(set(lines.heard.values())) == len(lines.heard)


def test_the_pbx_is_registered_where_a_carrier_wants_that(lines: Lines) -> None:
    assert " Registered " in lines.registrations


def test_an_answer_that_crosses_our_cancel_is_hung_up(lines: Lines, lab: Lab) -> None:
    """By the ring timeout and by the backend's own cancel alike."""
    assert verdict(lines.canceled) == ("canceled", "none", "nobody")
    told = (lab.settings.processes / "telephones.log").read_text("utf-8")
    for number in (TRUNK_NUMBERS["crossing"], CANCELED):
        ends = [line for line in told.splitlines() if number in line]
        assert [line.rpartition(": ")[2] for line in ends] == ["INVITE CANCEL ACK BYE"]


def test_who_listens_on_the_wire_hears_the_code_where_the_trunk_is_in_the_clear(lines: Lines) -> None:
    assert {len(packet) for packet in lines.taps["8271"].packets} == {MULAW_PACKET}
    assert lines.overheard["8271"] == lines.heard["registered"]


def test_who_listens_on_the_wire_of_a_secure_trunk_hears_noise(lines: Lines) -> None:
    assert {len(packet) for packet in lines.taps["secure"].packets} == {SRTP_PACKET}
    assert len(lines.taps["secure"].packets) > 1000
    assert lines.overheard["secure"] is None


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_the_ear_reads_twenty_of_twenty_codes_in_a_codec(lines: Lines, name: str) -> None:
    read = lines.codecs[name]
    assert [one.outcome for one in read] == ["delivered"] * 20
    assert [one.judged for one in read] == ["verified"] * 20
    assert len({one.heard for one in read}) == 20
