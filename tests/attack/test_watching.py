"""Many people who watch their calls miss no step, and the rest is answered meanwhile."""

from pathlib import Path

import pytest

from tests.attack.target import SETTINGS, target
from tests.attack.watching import IN_A_HURRY, PEOPLE, Crowd, Figures, hurried, ordinary

P95_S = 0.25


def judge(figures: Figures) -> None:
    assert figures.missed == []
    assert figures.refused == []
    assert all(figures.answers.values())


async def test_fifty_people_who_watch_miss_no_step(tmp_path: Path) -> None:
    async with target(tmp_path, SETTINGS + PEOPLE + IN_A_HURRY) as daemon:
        judge(await Crowd(daemon, 50, hurried).watch())


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_five_hundred_people_who_come_one_after_another_are_told_every_step_soon(
    tmp_path: Path,
) -> None:
    async with target(tmp_path, SETTINGS + PEOPLE) as daemon:
        figures = await Crowd(daemon, 500, ordinary).watch()
    judge(figures)
    slowest = {name: f"{max(took) * 1000:.0f} ms" for name, took in figures.answers.items()}
    print(f"p95 {figures.p95_s() * 1000:.0f} ms of {len(figures.delays_s)} steps; slowest answers {slowest}")
    assert figures.p95_s() < P95_S
