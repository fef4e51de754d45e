"""A page's wrong link and wrong code are logged with the browser's address, and honest slips are not."""

import re
from typing import Any

from structlog.testing import capture_logs

from tests.unit.adapters.web.browsing import Site
from voicegate.domain.page_session import PagePurpose

HERE = "127.0.0.1"


def failures(logs: list[Any]) -> list[tuple[str, str]]:
    return [(one["address"], one["why"]) for one in logs if one["event"] == "authentication failed"]


async def test_a_link_that_was_never_given_is_logged_and_one_that_was_used_is_not(site: Site) -> None:
    url, _ = await site.link()
    with capture_logs() as logs:
        async with site.browser() as browser, site.browser() as other:
            await browser.get(url)
            assert (await other.get(url)).status_code == 410, "somebody has it already"
            assert failures(logs) == []
            assert (await other.get(re.sub(r"[^/]+$", "guessed", url))).status_code == 410
            assert (await other.get("/p/page_x/start/guessed")).status_code == 410
    assert failures(logs) == [(HERE, "link_wrong")] * 2
    assert "guessed" not in repr(logs)


async def test_a_wrong_code_is_logged_and_a_right_one_or_no_code_is_not(site: Site) -> None:
    url, made = await site.link(PagePurpose.ENROLL)
    with capture_logs() as logs:
        async with site.browser() as browser:
            await browser.get(url)
            await site.enroll(browser)
            code = await site.code(made)
            await browser.submit("verify", code="not a code")
            assert failures(logs) == []
            await browser.submit("verify", code=f"{(int(code) + 1) % 1_000_000:06}")
            assert failures(logs) == [(HERE, "passcode_wrong")]
            await browser.submit("verify", code=code)
    assert failures(logs) == [(HERE, "passcode_wrong")]
    assert code not in repr(failures(logs))
