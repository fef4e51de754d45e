"""axe-core looks at a page, by the rules of WCAG 2.2 AA: fetched by hash, and part of no page."""

from typing import Final, Literal

from playwright.async_api import Page, ViewportSize

from tests.acceptance.environments import node_tools
from tests.browser.bundle import BUNDLE

WIDE: Final[ViewportSize] = {"width": 1100, "height": 760}
NARROW: Final[ViewportSize] = {"width": 340, "height": 700}
_SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
LOOKS: Final = {
    f"{scheme}-{name}": (scheme, size)
    for scheme in _SCHEMES
    for name, size in (("wide", WIDE), ("narrow", NARROW))
}
"""Every way in which a page is looked at."""
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
