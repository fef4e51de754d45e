"""A short form of the attack: an honest client's people still sign in. The whole of it is `make attack`."""

from pathlib import Path

import pytest

from tests.attack.run import MANY_ADDRESSES, ONE_ADDRESS, Force, Outcome, attack, report

SHORT = Force(seconds=15, silent=600, idle=200, polls=100, requests_a_second=20, flood_a_second=6)
MOST_MB = 250
ADDED_S = 2.0


def judge(outcome: Outcome) -> None:
    assert outcome.failed == []
    assert outcome.attacked_s
    assert outcome.added_s < ADDED_S, report("slow", outcome)
    assert outcome.peak_mb < MOST_MB
    assert outcome.rest_after_s is not None
    expected = {"requests": {"200", "403", "429", "503"}, "polls": {"200", "429", "503"}}
    for name, allowed in expected.items():
        assert set(outcome.figures.answers[name]) <= allowed, report(name, outcome)


@pytest.mark.parametrize("addresses", [MANY_ADDRESSES, ONE_ADDRESS], ids=["from 19 addresses", "from one"])
async def test_everything_at_once_keeps_nobody_from_signing_in(tmp_path: Path, addresses: list[str]) -> None:
    judge(await attack(tmp_path, SHORT, addresses))


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("addresses", [MANY_ADDRESSES, ONE_ADDRESS], ids=["from 19 addresses", "from one"])
async def test_the_whole_attack(tmp_path: Path, addresses: list[str]) -> None:
    outcome = await attack(tmp_path, Force(), addresses)
    print(report("the whole attack", outcome))
    judge(outcome)
