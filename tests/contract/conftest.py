"""The stores that the suite of the `Store` port runs on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from voicegate.adapters.storage import SqlStore
from voicegate.application.store_port import Store

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]


def sqlite(folder: Path) -> AbstractAsyncContextManager[Store]:
    return SqlStore(folder / "voicegate.db")


STORES: dict[str, Opener] = {"sqlite": sqlite}
"""By name; a new database is one line."""


@pytest.fixture(params=STORES)
def opener(request: pytest.FixtureRequest) -> Opener:
    """Opens the same store each time, as a restart does."""
    return STORES[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as store:
        yield store
