"""A short form of the attack: an honest client's people still sign in. The whole of it is `make attack`."""

from pathlib import Path

import pytest

from tests.attack.run import MANY_ADDRESSES, ONE_ADDRESS, Force, Outcome, attack, report

SHORT = Force(seconds=8, silent=300, idle=100, polls=50, requests_a_second=10, flood_a_second=3)
MOST_MB = 250
ADDED_S = 2.0


def judge(outcome: Outcome) -> None:
    told = report("the attack", outcome)
    assert outcome.failed == [], told
    assert outcome.attacked_s, told
    assert outcome.added_s < ADDED_S, told
    assert outcome.peak_mb < MOST_MB, told
    assert outcome.rest_after_s is not None, told


async def test_everything_at_once_from_one_address_keeps_nobody_from_signing_in(tmp_path: Path) -> None:
    judge(await attack(tmp_path, SHORT, ONE_ADDRESS))


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("addresses", [MANY_ADDRESSES, ONE_ADDRESS], ids=["from 19 addresses", "from one"])
async def test_the_whole_attack(tmp_path: Path, addresses: list[str]) -> None:
    outcome = await attack(tmp_path, Force(), addresses)
    print(report("the whole attack", outcome))
    judge(outcome)
