"""One Chromium for all tests of pages; each test has sessions of its own in it.

All tests here run in the session's event loop, for the browser's connection lives there:
`pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

import re
import shutil
from asyncio import to_thread
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.accessibility import axe_source, violations
from tests.browser.chromium import find_chromium, running
from tests.browser.watching import TIMEOUT_MS, Watch
from tests.pages import ROOT
from voicegate.lab.errors import LabError

PICTURES: Final = ROOT / ".pictures"
"""Every test's pictures of its last run, in a folder of its name."""
AssertAccessible = Callable[[Page], Awaitable[None]]
FAILED: Final = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Chromium is fetched the first time.
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> "pytest.TestReport":  # type: ignore[misc]  # a generator, as wrappers are
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    try:
        program = await to_thread(find_chromium, tmp_path_factory.mktemp("chromium"))
    except LabError as error:
        pytest.skip(str(error))
    expect.set_options(timeout=TIMEOUT_MS)
    async with running(program) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def watch(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Watch]:
    """Opens pages; the test fails where one of them had an error or asked a host that is not ours."""
    pictures = PICTURES / re.sub(r"\W+", "-", request.node.nodeid.removeprefix("tests/browser/")).strip("-")
    shutil.rmtree(pictures, ignore_errors=True)
    watch = Watch(chromium, pictures)
    try:
        yield watch
    finally:
        await watch.close(has_failed=request.node.stash.get(FAILED, True))
    assert not watch.problems


@pytest_asyncio.fixture(loop_scope="session")
async def page(watch: Watch) -> Page:
    """An empty page of a usual size."""
    return await watch.open()


@pytest.fixture(scope="session")
def axe() -> str:
    return axe_source()


@pytest.fixture
def assert_accessible(axe: str) -> AssertAccessible:
    """Fails where a page, as it is now, breaks a rule of WCAG 2.2 AA that axe-core can see."""

    async def look(page: Page) -> None:
        assert not await violations(page, axe)

    return look
