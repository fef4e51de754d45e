"""The pages, served to browsers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.web.browsing import Site, site_of
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks

__all__ = ["bench", "limits", "timings", "trunks"]


@pytest.fixture
async def site(bench: Bench, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(bench, tmp_path) as served:
        yield served
