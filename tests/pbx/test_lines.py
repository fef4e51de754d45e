"""Every trunk of the lab's table comes to what it says, and a code is understood in every codec."""

import asyncio
from dataclasses import replace

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.lines import CANCELED, KNOWN_DOWN, NARROW, TRUNK_NUMBERS, WIDE, Lines, try_all
from tests.pbx.outcomes import events_of, expected, outcome_of, outcome_on
from tests.pbx.wiretap import MULAW_PACKET
from voicegate.domain.call import EvidenceLevel
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.lab.behaviour import Expected
from voicegate.lab.settings import PbxKind
from voicegate.lab.trunks import TRUNKS, LabTrunk
from voicegate.lab.world import Lab

# A hundred and more calls at once, thirty at a time.
pytestmark = [EACH_PBX, pytest.mark.timeout(400)]

each_trunk = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: trunk.name)
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
    "nobody": UNRUNG,
    "crossing": RUNG,
    "unusable": [*RUNG[:-1], "answered", "media_counted", "ended"],
}
# With the tag of SDES' usual suite, HMAC-SHA1 of 80 bits.
SRTP_PACKET = MULAW_PACKET + 10


TABLE = {trunk.name: trunk for trunk in TRUNKS}
ON_FREESWITCH = {
    # The host says that the port is closed: FreeSWITCH listens to that, Asterisk does not.
    "nobody": replace(
        TABLE["nobody"],
        expected=Expected(Outcome.TRUNK_UNREACHABLE, EvidenceLevel.NONE, Blame.TRUNK),
        fails_over=True,
    ),
    # An answer that the PBX itself refuses has no status; Asterisk makes one up.
    "unusable": replace(TABLE["unusable"], sip_status=None),
}
"""In what FreeSWITCH differs from the table."""


def through(lab: Lab, trunk: LabTrunk) -> LabTrunk:
    """What the table says of a trunk, as the lab's PBX has it."""
    is_freeswitch = lab.settings.pbxs == (PbxKind.FREESWITCH,)
    return ON_FREESWITCH.get(trunk.name, trunk) if is_freeswitch else trunk


@pytest.fixture(scope="module")
def lines(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lines:
    return asyncio.run(try_all(lab, tmp_path_factory.mktemp("wire")))


@each_trunk
def test_a_call_along_a_trunk_of_the_table_comes_to_what_it_says(
    lines: Lines, lab: Lab, trunk: LabTrunk
) -> None:
    if trunk.name == KNOWN_DOWN:
        assert lines.refused == "trunks_down"
        return
    first, row = lines.trunks[trunk.name].calls[0], through(lab, trunk)
    assert first.trunk == trunk.name
    assert outcome_on(first) == expected(row.expected)
    assert first.sip_status == row.sip_status
    happened = events_of(first)
    if trunk.name == "unusable" and "invited" in happened:
        # The call may have ended by then, and nobody heard it.
        happened.remove("invited")
    assert happened == TIMELINES.get(trunk.name, TOLD)


@each_trunk
def test_a_trunk_is_followed_by_the_next_where_it_certainly_rang_nobody_and_only_there(
    lines: Lines, lab: Lab, trunk: LabTrunk
) -> None:
    if trunk.name == KNOWN_DOWN:
        assert lines.passed_over is not None
        (only,) = lines.passed_over.calls
        assert (only.trunk, *outcome_on(only)) == ("carrier", "delivered", "announced", "nobody")
        return
    verification = lines.trunks[trunk.name]
    first, *others = verification.calls
    if through(lab, trunk).fails_over:
        assert first.retry_safe
        (second,) = others
        assert (second.trunk, *outcome_on(second)) == ("carrier", "delivered", "announced", "nobody")
        assert verification.status == "delivered"
    else:
        assert not others
        assert first.retry_safe == (first.blame != "trunk")
        assert verification.status == ("delivered" if first.outcome == "delivered" else "undeliverable")


def test_every_code_that_came_through_was_heard(lines: Lines, lab: Lab) -> None:
    rows = [through(lab, trunk) for trunk in TRUNKS]
    told = [row for row in rows if row.fails_over or row.expected.outcome is Outcome.DELIVERED]
    assert set(lines.heard) == {row.name for row in told}
    assert None not in lines.heard.values()
    assert len(set(lines.heard.values())) == len(lines.heard)


def test_the_pbx_is_registered_where_a_carrier_wants_that(lines: Lines) -> None:
    assert lines.is_registered


def test_an_answer_that_crosses_our_cancel_is_hung_up(lines: Lines, lab: Lab) -> None:
    """By the ring timeout and by the backend's own cancel alike."""
    assert outcome_of(lines.canceled) == ("canceled", "none", "nobody")
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
