"""A client's branding: its name, its logo, and its colour, made readable in light and dark mode.

Source: WCAG 2.2, relative luminance and contrast ratio (1.4.3: 4.5 for text, 1.4.11: 3 for what one presses).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIGHT: Final = "#ffffff"
"""The background in light mode."""
DARK: Final = "#161b26"
"""The background in dark mode."""
_TEXT: Final = 4.5

LOGO_TYPES: Final = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
"""The types that a logo may have, by the file's suffix."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture."""

    content: bytes
    """The file."""
    media_type: str
    """Its media type."""

    @classmethod
    def read(cls, file: Path) -> "Logo":
        """Return the picture in a file; blocks.

        Raises:
            ValueError: its suffix is not that of a logo.
            OSError: it cannot be read.
        """
        media_type = LOGO_TYPES.get(file.suffix.lower())
        if media_type is None:
            raise ValueError(f"{file}: a logo is one of {', '.join(LOGO_TYPES)}")
        return cls(file.read_bytes(), media_type)


@dataclass(frozen=True, slots=True)
class Brand:
    """The look of a client's pages."""

    name: str
    """The client's name for people."""
    accent: str = "#2457c5"
    """The colour of buttons, as #rrggbb."""
    logo: Logo | None = None
    """Its picture; None: none."""


def stylesheet(accent: str) -> str:
    """Return the style sheet with a client's colour, for light and dark mode."""
    day, night = readable(accent, LIGHT), readable(accent, DARK)
    # A button's text is readable on the colour itself; lines and rings need contrast of their own.
    return (
        f":root{{--accent:{accent};--on-accent:{text_on(accent)};--accent-edge:{day};--mark:{day}}}\n"
        f"@media(prefers-color-scheme:dark){{:root{{--accent-edge:{night};--mark:{night}}}}}\n"
    )


def readable(colour: str, behind: str) -> str:
    """Return a colour, moved towards black or white until it is readable on the background."""
    towards = 0 if luminance(behind) > 0.5 else 255
    red, green, blue = _channels(colour)
    for part in range(21):
        mixed = "#" + "".join(
            f"{round(channel + (towards - channel) * part / 20):02x}" for channel in (red, green, blue)
        )
        if contrast(mixed, behind) >= _TEXT:
            return mixed
    return mixed


def text_on(colour: str) -> str:
    """Return black or white, whichever is more readable on a colour."""
    return max(("#ffffff", "#000000"), key=lambda text: contrast(text, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return a colour's relative luminance, 0 to 1."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
