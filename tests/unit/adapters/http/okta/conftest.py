"""The Okta door, served to this user."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.http.okta.serving import Okta, serving
from tests.unit.application.conftest import SPACED, Bench, bench, limits, timings, trunks

__all__ = ["bench", "limits", "timings", "trunks"]


@pytest.fixture
async def okta(bench: Bench, tmp_path: Path) -> AsyncIterator[Okta]:
    bench.challenge_service.policy = SPACED
    async with serving(bench, tmp_path) as served:
        yield served
