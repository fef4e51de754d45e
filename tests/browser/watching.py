"""What goes on in pages during a test: errors on the console, and requests to hosts that are not ours."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

OURS: Final = frozenset({"127.0.0.1", "localhost"})
_NO_HOST: Final = frozenset({"about", "blob", "data"})
# By the wall's clock: a busy machine gets longer than a page ever takes.
TIMEOUT_MS: Final = 60_000


@dataclass
class Watch:
    """Opens pages for one test, and notes what they must not do."""

    browser: Browser
    pictures: Path
    """Where the test's pictures go."""
    problems: list[str] = field(default_factory=list)
    """Errors and foreign requests, in words."""
    contexts: list[BrowserContext] = field(default_factory=list)

    async def open(self, **options: Any) -> Page:
        """Return an empty page in a browser session of its own; `options` are those of `new_context`."""
        context = await self.browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        self.contexts.append(context)
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self.problems.append(f"error: {error.error}"))
        context.on("request", lambda request: self._note_address(request.url))
        context.on("page", self._attend)
        return await context.new_page()

    async def picture(self, page: Page, name: str) -> Path:
        """Keep a picture of the whole page under the test's name."""
        file = self.pictures / f"{name}.png"
        await page.screenshot(path=file, full_page=True)
        return file

    def forgive(self, text: str) -> None:
        """Forget one problem that a test brought about on purpose; there must be one with `text` in it."""
        self.problems.remove(next(problem for problem in self.problems if text in problem))

    async def close(self, *, has_failed: bool) -> None:
        """Close all; keep pictures of what was there when a test failed."""
        pages = [page for context in self.contexts for page in context.pages]
        for count, page in enumerate(pages if has_failed else ()):
            await self.picture(page, f"failed-{count}")
        for context in self.contexts:
            await context.close()

    def _attend(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._note_address(socket.url))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location.get("url", "")
            self.problems.append(f"console: {message.text} ({where})")

    def _note_address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _NO_HOST and parts.hostname not in OURS:
            self.problems.append(f"foreign: {url}")
