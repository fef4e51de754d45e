"""A served Twilio door."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.http.serving import serving
from tests.unit.adapters.http.twilio.serving import Twilio, door_of
from tests.unit.application.conftest import Bench


@pytest.fixture
async def twilio(bench: Bench, tmp_path: Path) -> AsyncIterator[Twilio]:
    async with serving(bench, tmp_path, doors=[door_of(bench)]) as served:
        yield Twilio(served)
