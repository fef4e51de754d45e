"""Desks of an Asterisk that cannot be rung, and those with more than one telephone."""

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.far_end import Habit, far_end
from tests.pbx.outcomes import outcome_of


@pytest.mark.parametrize(
    ("desk", "expected"),
    [("tester5", ("unavailable", "none", "callee")), ("4999", ("invalid_number", "none", "number"))],
)
async def test_a_desk_that_is_away_is_told_from_one_that_there_is_not(
    backend: Backend, desk: str, expected: tuple[str, str, str]
) -> None:
    assert outcome_of(await backend.call(desk)) == expected


async def test_all_telephones_of_a_desk_ring_and_who_answers_is_the_call(backend: Backend) -> None:
    habits = {"first": Habit(final=""), "second": Habit(after_s=1, hangs_up_at_ack=True)}
    async with far_end(backend.lab.settings.ports.stranger, lambda user: habits[user]) as end:
        verification = await backend.call("4200")
        seen = {dialog.number: dialog.seen for dialog in end.dialogs.values()}
    assert outcome_of(verification) == ("hung_up", "answered", "callee")
    assert seen["first"][:2] == ["INVITE", "CANCEL"]
    assert "ACK" in seen["second"]
