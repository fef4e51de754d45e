"""Which of the installed languages speaks to somebody: a tag is served by itself, or by its first part.

What is installed is the speech adapter's knowledge. Source: RFC 4647 section 3.4 (lookup), to one subtag.
"""

from collections.abc import Iterable, Sequence

from voicegate.domain.errors import UnknownLanguage


def best_language(tags: Iterable[str], installed: Sequence[str]) -> str | None:
    """Return what `match_language` does; None: none serves any."""
    by_name = {_plain(name): name for name in installed}
    wanted = (part for tag in map(_plain, tags) for part in (tag, tag.split("-")[0]))
    return next((by_name[part] for part in wanted if part in by_name), None)


def match_language(tags: tuple[str, ...], installed: Sequence[str]) -> str:
    """Return the installed language that serves the first tag for which there is one (`en-GB` -> `en`).

    Raises:
        UnknownLanguage: none serves any.
    """
    found = best_language(tags, installed)
    if found is None:
        wanted = " or ".join(map(repr, tags))
        raise UnknownLanguage(f"no prompts for {wanted}; installed: {', '.join(installed) or 'none'}")
    return found


def _plain(tag: str) -> str:
    return tag.replace("_", "-").lower()
