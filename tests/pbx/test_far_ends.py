"""Far ends that behave as no telephone of the lab does, each call at its daemon and through a real PBX."""

import asyncio
from collections import Counter

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import HOST, SDP, TONES_SDP, Habit, far_end
from tests.pbx.hung_up import all_end
from tests.pbx.outcomes import last_call, outcome_of
from voicegate.lab.world import Lab

pytestmark = EACH_PBX


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.soak)])
async def test_a_bye_right_behind_our_ack_leaves_nothing(lab: Lab, count: int) -> None:
    await all_end(lab, count)


async def test_a_line_that_returns_what_we_send_presses_no_key(lab: Lab) -> None:
    """Neither as events nor as tones, whatever key is asked for: nobody is there."""
    habits = {"+12025550101": Habit(echo=True), "+12025550102": Habit(echo=True, sdp=TONES_SDP)}
    timeouts = {"call.human_timeout_extension_s": 14}
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]) as end,
        daemon(lab, "stranger", **timeouts) as backend,
    ):
        calls = [backend.call(number, extension="204", human_check="any_key") for number in habits]
        ended = await asyncio.gather(*calls)
        assert [dialog.media.events for dialog in end.dialogs.values() if dialog.habit.sdp != TONES_SDP] == [
            ["2", "0", "4"]
        ]
    assert [outcome_of(verification) for verification in ended] == [("no_human", "media", "callee")] * 2


async def test_packets_of_any_length_prove_what_they_carried(lab: Lab) -> None:
    lengths = {f"+120255501{length}": length for length in (10, 20, 30, 40, 60)}
    habits = {
        number: Habit(echo=True, sdp=f"{SDP}a=ptime:{length}\r\n") for number, length in lengths.items()
    }
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]) as end,
        daemon(lab, "stranger") as backend,
    ):
        ended = await asyncio.gather(*(backend.call(number, human_check="none") for number in habits))
    assert [outcome_of(verification) for verification in ended] == [("delivered", "announced", "nobody")] * 5
    assert {last_call(verification).evidence.announced for verification in ended} == {2}
    for dialog in end.dialogs.values():
        sent = Counter(len(payload) // 8 for payload in dialog.media.heard)
        assert sent.most_common(1)[0][0] == lengths[dialog.number]


async def test_an_answer_that_carries_no_sound_is_no_refusal(lab: Lab) -> None:
    """Somebody picked up, though nothing had rung: no other trunk is tried."""
    no_port = SDP.replace("m=audio {port}", "m=audio 0")
    habits = {
        "+12025550101": Habit(ringing=(), sdp=no_port),
        "+12025550102": Habit(ringing=(), sdp="v=0\r\nnonsense\r\n"),
    }
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]) as end,
        daemon(lab, "stranger", "carrier") as backend,
    ):
        ended = await asyncio.gather(*(backend.call(number) for number in habits))
        assert len(end.dialogs) == len(habits)
    for verification in ended:
        (call,) = verification.calls
        assert call.blame == "trunk"
        assert not call.retry_safe
        assert call.evidence.answered


async def test_who_holds_us_from_the_answer_on_heard_nothing(lab: Lab) -> None:
    """Though a PBX may send on, as FreeSWITCH does; no code is announced to music on hold."""
    held = (
        f"{SDP}a=sendonly\r\n",
        f"{SDP}a=inactive\r\n",
        SDP.replace(f"c=IN IP4 {HOST}", "c=IN IP4 0.0.0.0"),
    )
    habits = {f"+1202555010{index}": Habit(sdp=sdp, echo=True) for index, sdp in enumerate(held)}
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]),
        daemon(lab, "stranger") as backend,
    ):
        ended = await asyncio.gather(*(backend.call(number, human_check="none") for number in habits))
    assert [(call.outcome, call.blame) for call in map(last_call, ended)] == [("no_media", "callee")] * 3
    assert not any(last_call(verification).evidence.announced for verification in ended)
