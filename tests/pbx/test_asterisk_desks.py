"""Desks of an Asterisk that cannot be rung, and those with more than one telephone."""

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.verdicts import verdict


@pytest.mark.parametrize(
    ("desk", "expected"),
    [("tester5", ("unavailable", "none", "callee")), ("4999", ("invalid_number", "none", "number"))],
)
async def test_a_desk_that_is_away_is_told_from_one_that_there_is_not(
    backend: Backend, desk: str, expected: tuple[str, str, str]
) -> None:
    assert verdict(await backend.call(desk)) == expected
