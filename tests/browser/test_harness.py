"""The harness itself: what it catches, and that it catches nothing else."""

from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.conftest import AssertAccessible
from tests.browser.watching import Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = "<!doctype html><html lang=en><title>Good</title><main><h1>Good</h1><p>All is well.</p></main></html>"


async def test_a_page_without_faults_has_no_problems(watch: Watch, page: Page) -> None:
    await page.set_content(GOOD)
    assert await page.inner_text("h1") == "Good"
    assert not watch.problems


async def test_an_error_on_the_console_is_a_problem(watch: Watch, page: Page) -> None:
    await page.set_content(f"{GOOD}<script>console.error('told'); throw new Error('thrown')</script>")
    watch.forgive("console: told")
    watch.forgive("error: thrown")
    assert not watch.problems


async def test_a_request_to_another_host_is_a_problem(watch: Watch, page: Page) -> None:
    async with page.expect_event("requestfailed"):
        await page.set_content(f"{GOOD}<img alt='' src='http://pictures.example/one.png'>")
    watch.forgive("foreign: http://pictures.example/one.png")
    watch.forgive("console: Failed to load resource")
    assert not watch.problems


async def test_a_websocket_to_another_host_is_a_problem(watch: Watch, page: Page) -> None:
    await page.evaluate(
        "new Promise(over => new WebSocket('ws://phones.example/').onerror = over).then(() => 1)"
    )
    watch.forgive("foreign: ws://phones.example/")
    watch.forgive("console: WebSocket connection")
    assert not watch.problems


async def test_pictures_are_kept(watch: Watch, page: Page) -> None:
    await page.set_content(GOOD)
    file = await watch.picture(page, "good")
    assert file.read_bytes().startswith(b"\x89PNG")
    assert Path("test_pictures_are_kept") / "good.png" == Path(
        file.parent.name.partition("-py-")[2], file.name
    )


async def test_what_a_page_withholds_from_some_people_is_found(
    watch: Watch, assert_accessible: AssertAccessible
) -> None:
    for scheme in ("light", "dark"):
        page = await watch.open(color_scheme=scheme)
        await page.set_content(GOOD)
        await assert_accessible(page)
        await page.set_content(GOOD.replace("<p>", "<p style='color:#ccc;background:#fff'>"))
        with pytest.raises(AssertionError, match="color-contrast"):
            await assert_accessible(page)
