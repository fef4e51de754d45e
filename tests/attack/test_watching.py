"""Many people who watch their calls at the same time miss no step, and the rest is answered meanwhile."""

from pathlib import Path

import pytest

from tests.attack.target import target
from tests.attack.watching import PEOPLE, Crowd, Figures

P95_S = 0.25


def judge(figures: Figures) -> None:
    assert figures.missed == []
    assert figures.refused == []
    assert all(figures.answers.values())


async def test_fifty_people_who_watch_at_once_miss_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACE", "0.1")
    async with target(tmp_path, PEOPLE, module="tests.attack.held") as daemon:
        judge(await Crowd(daemon, 50).watch())


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_five_hundred_people_who_watch_at_once_are_told_every_step_soon(tmp_path: Path) -> None:
    async with target(tmp_path, PEOPLE, module="tests.attack.held") as daemon:
        figures = await Crowd(daemon, 500).watch()
    print(figures)
    judge(figures)
    assert figures.p95_s < P95_S
