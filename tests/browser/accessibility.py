"""axe-core looks at a page, by the rules of WCAG 2.2 AA: fetched by hash, and part of no page."""

from typing import Final

from playwright.async_api import Page

from tests.acceptance.environments import node_tools
from tests.browser.bundle import BUNDLE

_RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_LOOK: Final = """async rules => (await axe.run(document, {runOnly: rules})).violations.flatMap(
  found => found.nodes.map(node => `${found.id}: ${node.target} ${node.failureSummary}`))"""


def axe_source() -> str:
    """axe-core's script; blocks while it is fetched the first time."""
    return (node_tools(BUNDLE).modules / "axe-core/axe.min.js").read_text("utf-8")


async def violations(page: Page, axe: str) -> list[str]:
    """What axe-core has against the page as it is now."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(axe)
    found: list[str] = await page.evaluate(_LOOK, list(_RULES))
    return found
