"""How people and programs write digits, turned into one alphabet for numbers, extensions and codes.

Digits of every script (Unicode's Nd), blanks, hyphens and full-width signs become ASCII. Invisible marks are
removed, such as the bidirectional marks that address books put around a number. What only looks like a digit
("²", "①", "½") stays as it is, so that no digit is read that nobody wrote.
"""

import unicodedata
from typing import Final

_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
# Signs that stand for a hyphen, beside the dashes (Pd): minus, hyphen bullet, Japanese long vowel marks.
_HYPHENS: Final = "\u2212\u2043\u30fc\uff70"
_SMALL_PLUS: Final = "\ufe62"


def fold(written: str) -> str:
    """Return a text with digits, blanks, hyphens and full-width signs in ASCII, without invisible marks."""
    return "".join(
        chr(ord(character) - 0xFEE0) if ord(character) in _FULL_WIDTH else character
        for character in fold_digits(written)
    )


def fold_digits(written: str) -> str:
    """Return a text with digits, blanks, hyphens and plus signs in ASCII, without invisible marks."""
    return "".join(map(_fold_one, written))


def name_of(character: str) -> str:
    """Return the name of a character, for people: its Unicode name and code point."""
    return f"{unicodedata.name(character, 'control character')} (U+{ord(character):04X})"


def _fold_one(character: str) -> str:
    if character.isascii():
        return character
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    if category == "Zs":
        return " "
    if category == "Pd" or character in _HYPHENS:
        return "-"
    return "+" if character == _SMALL_PLUS else character
