"""Trunks as their carrier sees them: who follows one that fails, and no more calls than may be; all real."""

import asyncio
from collections import Counter
from typing import Final

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import Dialog, Habit, far_end
from tests.pbx.outcomes import last_call, outcome_on
from tests.pbx.test_life import redialed
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

pytestmark = EACH_PBX

PRESSES: Final = find_number("presses-key")
DELIVERED: Final = ("carrier", "delivered", "announced", "nobody")
MAX_CALLS: Final = 4
CALLS_PER_SECOND: Final = 2
# Alone they fill the lines for twelve seconds; with the others they are ten seconds' calls.
TALKS: Final = Habit(after_s=4, hangs_up_at_ack=True)
BUSY: Final = Habit(ringing=(), final="486 Busy Here")
TWENTY: Final = {f"+120255501{n:02}": TALKS if n < 12 else BUSY for n in range(20)}


async def test_a_trunk_that_forbids_the_call_is_followed_by_the_next_at_once(lab: Lab) -> None:
    forbids = Habit(ringing=(), final="403 Forbidden")
    async with (
        far_end(lab.settings.ports.stranger, lambda _: forbids) as end,
        daemon(lab, "stranger", "carrier") as backend,
    ):
        verification = await backend.call(PRESSES.american("816"))
        assert len(end.dialogs) == 1
    first, second = verification.calls
    assert (first.trunk, *outcome_on(first)) == ("stranger", "trunk_refused", "none", "trunk")
    assert first.sip_status == 403
    assert (second.trunk, *outcome_on(second)) == DELIVERED


# It waits until a telephone may be called again, more than half a minute.
@pytest.mark.soak
async def test_after_a_silent_trunk_the_next_call_goes_by_the_second_once_the_first_rings_nobody(
    lab: Lab,
) -> None:
    silent = Habit(ringing=("100 Trying",), final="")
    async with (
        far_end(lab.settings.ports.stranger, lambda _: silent) as end,
        daemon(lab, "stranger", "carrier", **{"trunks.carrier.progress_timeout_s": 5}) as backend,
    ):
        created = await backend.created(PRESSES.american("817"))
        (first,) = (await backend.settled(created.id)).calls
        assert (first.trunk, *outcome_on(first)) == ("stranger", "trunk_silent", "none", "trunk")
        states = {trunk.name: trunk.set_aside_until for trunk in await backend.client.trunks()}
        assert states["stranger"] is not None
        assert states["carrier"] is None
        await redialed(backend, created.id)
        (dialog,) = end.dialogs.values()
        assert dialog.ended.is_set()
        _, second = (await backend.settled(created.id)).calls
        assert (second.trunk, *outcome_on(second)) == DELIVERED
        assert len(end.dialogs) == 1


async def test_under_load_a_carrier_never_gets_more_calls_at_once_nor_faster_than_the_trunk_allows(
    lab: Lab,
) -> None:
    caps = {
        "trunks.carrier.max_calls": MAX_CALLS,
        "trunks.carrier.max_calls_per_second": CALLS_PER_SECOND,
        "call.queue_timeout_s": 120,
    }
    async with (
        far_end(lab.settings.ports.stranger, TWENTY.__getitem__) as end,
        daemon(lab, "stranger", **caps) as backend,
    ):
        asked_at = asyncio.get_running_loop().time()
        ended = await asyncio.gather(*(backend.call(number, human_check="none") for number in TWENTY))
    assert Counter(last_call(one).outcome for one in ended) == {"hung_up": 12, "busy": 8}
    dialogs = list(end.dialogs.values())
    assert sorted(dialog.number for dialog in dialogs) == sorted(TWENTY)
    came = sorted(dialog.began_at for dialog in dialogs)
    # A call may come late on a busy machine, and never early but for the resolution of the loop's timers.
    early = [n for n, at in enumerate(came) if at < asked_at + n / CALLS_PER_SECOND - 0.01]
    assert not early
    assert max(_up_at(dialogs, at) for at in came) == MAX_CALLS


def _up_at(dialogs: list[Dialog], at: float) -> int:
    """How many calls the carrier had."""
    return sum(dialog.began_at <= at < dialog.over_at for dialog in dialogs)
