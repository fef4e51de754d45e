"""A far end sends our call to another number by a real 302: nobody is called whom policy does not allow."""

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import Habit, far_end
from tests.pbx.outcomes import last_call, outcome_of, outcome_on
from voicegate.lab.numbers import PREMIUM, find_number
from voicegate.lab.world import Lab

pytestmark = EACH_PBX

CALLED = "+12025550101"
TARGET = find_number("presses-key").american("818")
FOLLOW = {"policy.follow_redirects": True}
BUSY = Habit(ringing=(), final="486 Busy Here")


def moved(contact: str) -> Habit:
    return Habit(ringing=(), final="302 Moved Temporarily", contact=contact)


@pytest.mark.parametrize(
    "contact", [f"sip:{TARGET}@192.0.2.7:5060", f"sip:{TARGET}@carrier.example;user=phone"]
)
async def test_a_302_is_followed_by_our_own_route_where_policy_allows_its_number(
    lab: Lab, contact: str
) -> None:
    habits = {CALLED: moved(contact), TARGET: BUSY}
    async with (
        far_end(lab.settings.ports.stranger, habits.__getitem__) as end,
        daemon(lab, "stranger", **FOLLOW) as backend,
    ):
        ended = await backend.call(CALLED)
        assert [dialog.number for dialog in end.dialogs.values()] == [CALLED, TARGET]
    first, second = ended.calls
    assert outcome_on(first) == ("forwarded", "none", "callee")
    assert outcome_on(second) == ("busy", "none", "callee")
    assert first.timeline[-1].forwarded_to == second.destination
    assert TARGET not in str(ended)


@pytest.mark.parametrize(
    ("number", "settings", "refused"),
    [(PREMIUM, FOLLOW, "country_not_allowed"), ("4021", FOLLOW, "invalid_number"), (TARGET, {}, None)],
)
async def test_another_302_calls_nobody(
    lab: Lab, number: str, settings: dict[str, object], refused: str | None
) -> None:
    allowed = {"policy.allowed_countries": ["US"]}
    async with (
        far_end(lab.settings.ports.stranger, lambda _: moved(f"sip:{number}@192.0.2.7")) as end,
        daemon(lab, "stranger", **settings, **allowed) as backend,
    ):
        ended = await backend.call(CALLED)
        assert [dialog.number for dialog in end.dialogs.values()] == [CALLED]
    assert outcome_of(ended) == ("forwarded", "none", "callee")
    last = last_call(ended).timeline[-1]
    assert (last.refused, last.forwarded_to is not None) == (refused, True)
    assert number not in str(ended)
