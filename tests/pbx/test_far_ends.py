"""Far ends that behave as no telephone of the lab does, each call at its daemon and through a real PBX."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import HOST, SDP, TONES_SDP, Dialog, Habit, far_end
from tests.pbx.hung_up import all_end
from tests.pbx.outcomes import last_call, outcome_of
from voicegate.client import Verification
from voicegate.client.requests import Options
from voicegate.lab.world import Lab

pytestmark = EACH_PBX


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.soak)])
async def test_a_bye_right_behind_our_ack_leaves_nothing(lab: Lab, count: int) -> None:
    await all_end(lab, count)


@dataclass(frozen=True)
class Row:
    """A way of being a far end, and how it is called."""

    habit: Habit
    options: Options = field(default_factory=lambda: Options(human_check="none"))


# Nobody is there, whatever key is asked for.
RETURNS = Options(extension="204", human_check="any_key")
LENGTHS = {f"length-{length}": length for length in (10, 20, 30, 40, 60)}
ROWS = {
    "returns-events": Row(Habit(echo=True), RETURNS),
    "returns-tones": Row(Habit(echo=True, sdp=TONES_SDP), RETURNS),
    **{name: Row(Habit(echo=True, sdp=f"{SDP}a=ptime:{length}\r\n")) for name, length in LENGTHS.items()},
    "holds-sendonly": Row(Habit(echo=True, sdp=f"{SDP}a=sendonly\r\n")),
    "holds-inactive": Row(Habit(echo=True, sdp=f"{SDP}a=inactive\r\n")),
    "holds-nowhere": Row(Habit(echo=True, sdp=SDP.replace(f"c=IN IP4 {HOST}", "c=IN IP4 0.0.0.0"))),
}
NUMBERS = {name: f"+120255501{index:02}" for index, name in enumerate(ROWS)}


@dataclass(frozen=True)
class Calls:
    """One call to each, all at once."""

    ended: Mapping[str, Verification]
    dialogs: Mapping[str, Dialog]


@pytest.fixture(scope="module")
def calls(lab: Lab) -> Calls:
    return asyncio.run(call_all(lab))


async def call_all(lab: Lab) -> Calls:
    habits = {NUMBERS[name]: row.habit for name, row in ROWS.items()}
    timeouts = {"call.human_timeout_extension_s": 14}
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]) as end,
        daemon(lab, "stranger", **timeouts) as backend,
    ):
        ended = await asyncio.gather(
            *(backend.call(NUMBERS[name], **row.options) for name, row in ROWS.items())
        )
    dialogs = {dialog.number: dialog for dialog in end.dialogs.values()}
    return Calls(
        dict(zip(ROWS, ended, strict=True)), {name: dialogs[number] for name, number in NUMBERS.items()}
    )


@pytest.mark.parametrize("name", ["returns-events", "returns-tones"])
def test_a_line_that_returns_what_we_send_presses_no_key(calls: Calls, name: str) -> None:
    """Neither as events nor as tones."""
    assert outcome_of(calls.ended[name]) == ("no_human", "media", "callee")
    if name == "returns-events":
        assert calls.dialogs[name].media.events == ["2", "0", "4"]


@pytest.mark.parametrize("name", LENGTHS)
def test_packets_of_any_length_prove_what_they_carried(calls: Calls, name: str) -> None:
    assert outcome_of(calls.ended[name]) == ("delivered", "announced", "nobody")
    assert last_call(calls.ended[name]).evidence.announced == 2
    sent = Counter(len(payload) // 8 for payload in calls.dialogs[name].media.heard)
    assert sent.most_common(1)[0][0] == LENGTHS[name]


@pytest.mark.parametrize("name", ["holds-sendonly", "holds-inactive", "holds-nowhere"])
def test_who_holds_us_from_the_answer_on_heard_nothing(calls: Calls, name: str) -> None:
    """Though a PBX may send on, as FreeSWITCH does; no code is announced to music on hold."""
    call = last_call(calls.ended[name])
    assert (call.outcome, call.blame, call.evidence.announced) == ("no_media", "callee", 0)


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
