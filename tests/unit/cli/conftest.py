"""The commands against a served bench: each runs in its own thread, as in a process of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from voicegate.cli.main import main

__all__ = ["bench", "limits", "timings", "trunks"]

Run = Callable[..., Awaitable[Result]]


def run(*arguments: str, **more: Any) -> Result:
    """Run `voicegate` with these arguments."""
    return CliRunner().invoke(main, arguments, **more)


def json_lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    # The daemon's logs would stand between the commands' lines: here both are one process.
    with capture_logs():
        async with serving(bench, tmp_path) as server:
            yield server


@pytest.fixture
def voicegate(served: Served) -> Run:
    """Runs a command against the served socket."""

    async def run_served(*arguments: str, **more: Any) -> Result:
        return await asyncio.to_thread(run, "--socket", str(served.path), *arguments, **more)

    return run_served
