"""The stores that the suite of the `Store` port runs on."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.postgresql import Server, running_server
from voicegate.adapters.storage import SqlStore
from voicegate.application.store_port import Store

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]


@contextmanager
def sqlite(_request: pytest.FixtureRequest) -> Iterator[Opener]:
    yield lambda folder: SqlStore(folder / "voicegate.db")


@contextmanager
def postgresql(request: pytest.FixtureRequest) -> Iterator[Opener]:
    url: str = request.getfixturevalue("database")
    yield lambda _folder: SqlStore(url)


STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Opener]]] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
}
"""By name; a new database is one line."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL; without any way to have it, all tests that need it fail."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def shared_database(server: Server) -> Iterator[str]:
    """The URL of the one database that the suite shares."""
    with server.database() as url:
        yield url


@pytest.fixture
def database(server: Server, shared_database: str) -> str:
    """The same, emptied for each test."""
    server.empty(shared_database)
    return shared_database


@pytest.fixture(params=STORES)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens the same store each time, as a restart does."""
    with STORES[request.param](request) as opener:
        yield opener


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as store:
        yield store
