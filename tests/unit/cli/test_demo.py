"""The demo's end, whoever asks for it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from voicegate.cli import demo

ENDING = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_demo_that_is_told_to_end_takes_its_lab_along(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class InterruptedLab:
        def __init__(self, settings: object) -> None:
            pass

        def up(self, progress: object) -> None:
            told.append("up")
            os.kill(os.getpid(), number)

        def down(self) -> None:
            told.append("down")

    monkeypatch.setattr(demo, "Lab", InterruptedLab)
    ended = CliRunner().invoke(demo.demo, ["--folder", str(tmp_path / "demo")])
    assert told == ["up", "down"]
    assert ended.exit_code == 128 + number
