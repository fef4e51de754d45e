"""The native door, served to this user."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks

__all__ = ["bench", "limits", "timings", "trunks"]


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(bench, tmp_path) as server:
        yield server
