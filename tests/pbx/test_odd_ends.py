"""How calls are told that end oddly at the far end, and how a number is written there: through real PBXs.

All calls of a test are placed at once.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import Habit, far_end
from tests.pbx.outcomes import last_call, outcome_of
from voicegate.client import Verification
from voicegate.domain.call_outcome import Outcome
from voicegate.lab.world import Lab

pytestmark = EACH_PBX

G729 = "\r\n".join(
    (
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"),
        *("m=audio {port} RTP/AVP 18", "a=rtpmap:18 G729/8000", ""),
    )
)


@dataclass(frozen=True)
class Case:
    """A far end, and what a call there must be told as."""

    habit: Habit
    outcomes: tuple[str, ...]
    blame: str
    is_answered: bool = False


ENDS = {
    "+12025550101": Case(Habit(ringing=(), final="603 Decline"), ("trunk_refused",), "trunk"),
    "+12025550102": Case(Habit(ringing=(), final="608 Rejected"), ("trunk_refused",), "trunk"),
    "+12025550103": Case(Habit(final="603 Decline", after_s=0.3), ("rejected",), "callee"),
    "+12025550104": Case(Habit(final="487 Request Terminated", after_s=0.5), ("no_answer",), "callee"),
    "+12025550105": Case(Habit(sdp=G729), ("no_media", "incompatible"), "trunk", is_answered=True),
    "+12025550106": Case(Habit(sdp=""), ("no_media", "incompatible"), "trunk", is_answered=True),
    "+12025550107": Case(Habit(ringing=(), sdp=""), ("no_media", "incompatible"), "trunk", is_answered=True),
}


async def all_called(lab: Lab, habits: dict[str, Habit], **overrides: object) -> dict[str, Verification]:
    """Call all numbers at once and return how each went."""
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[unquote(number)]),
        daemon(lab, "stranger", **overrides) as backend,
    ):
        ended = await asyncio.gather(*(backend.call(number, human_check="none") for number in habits))
    return dict(zip(habits, ended, strict=True))


async def test_each_odd_end_is_told_with_who_is_to_blame(lab: Lab) -> None:
    ended = await all_called(lab, {number: case.habit for number, case in ENDS.items()})
    told = {number: outcome_of(verification) for number, verification in ended.items()}
    wrong = {
        number: told[number]
        for number, case in ENDS.items()
        if told[number][0] not in case.outcomes
        or told[number][2] != case.blame
        or last_call(ended[number]).evidence.answered is not case.is_answered
    }
    assert not wrong
    # Who had picked up is not rung again at once.
    assert not any(last_call(ended[number]).retry_safe for number, case in ENDS.items() if case.is_answered)


@pytest.mark.soak
@pytest.mark.parametrize("after_s", [15, 20])
async def test_a_provisional_answer_alone_is_waited_for(lab: Lab, after_s: int) -> None:
    statuses = ("100 Trying", "181 Call Is Being Forwarded", "182 Queued")
    habits = {
        f"+1202555010{index}": Habit(ringing=(status,), after_s=after_s, echo=True)
        for index, status in enumerate(statuses)
    }
    # The product's own defaults, which the lab shortens.
    target = {"trunks.carrier.progress_timeout_s": 25, "trunks.carrier.ring_timeout_s": 40}
    ended = await all_called(lab, habits, **target)
    assert {outcome_of(verification)[0] for verification in ended.values()} == {Outcome.DELIVERED.value}


async def test_a_tech_prefix_arrives_as_it_is_written(lab: Lab) -> None:
    """A number sign is escaped in the URI, where it would end it (RFC 3261, section 19.1.2)."""
    prefixed = {"trunks.carrier.number_format": "00e164", "trunks.carrier.number_prefix": "123#"}
    async with (
        far_end(lab.settings.ports.stranger, lambda _: Habit(final="486 Busy Here")) as end,
        daemon(lab, "stranger", **prefixed) as backend,
    ):
        await backend.call("+12025550101")
        (dialog,) = end.dialogs.values()
    assert dialog.number == "123%230012025550101"


async def test_a_trunk_that_the_pbx_does_not_have_is_blamed_on_our_setting(lab: Lab) -> None:
    async with daemon(lab, "carrier", **{"trunks.carrier.endpoint": "nowhere"}) as backend:
        ended = await backend.call("+12025550101")
    assert outcome_of(ended) == ("pbx_unavailable", "none", "us")
