"""A telephone number as a person enters it: the countries to pick from, reading it, writing it as one "
"types."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from voicegate.adapters.web.texts import Texts
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.phone_number import Destination
from voicegate.domain.writing import fold

INTERNAL: Final = "internal"
"""The choice for an extension of the company's own PBX."""
MAX_TYPED: Final = 40
_SEPARATORS: Final = " -()./"


@dataclass(frozen=True, slots=True)
class Picker:
    """The choices beside the number's field."""

    countries: tuple[str, ...]
    """Countries that may be called, by ISO 3166 code."""
    has_internal: bool
    """Does the PBX have extensions that may be called?"""

    def options(self, t: Texts) -> Sequence[tuple[str, str]]:
        """Return what can be picked, and how it reads, in the order in which people look for it."""
        names = t.countries
        place = {code: index for index, code in enumerate(names)}
        known = sorted(self.countries, key=lambda code: place.get(code, len(place)))
        named = [(code, f"{names.get(code, code)} {_prefix(code)}") for code in known]
        return [*named, (INTERNAL, t("internal"))] if self.has_internal else named

    def guess(self, tags: Sequence[str]) -> str:
        """Return the first choice: the country of the browser's language, if it may be called."""
        regions = [tag.rpartition("-")[2].upper() for tag in tags if "-" in tag]
        fallback = self.countries[0] if self.countries else INTERNAL
        return next((region for region in regions if region in self.countries), fallback)


def read(country: str, number: str, extension: str) -> Destination:
    """Return the telephone that a person entered.

    Raises:
        InvalidNumber: it is not a number of that country.
        InvalidExtension: the extension is not valid.
    """
    if country == INTERNAL:
        return Destination.parse(number, extension)
    known = country in phonenumbers.SUPPORTED_REGIONS
    destination = Destination.parse(number, extension, style=NumberStyle(country if known else ""))
    if destination.is_internal:
        raise InvalidNumber
    return destination


def as_typed(country: str, number: str) -> str:
    """Return the beginning of a number as it is written in its country; empty: it is written unchanged."""
    typed = fold(number[:MAX_TYPED]).strip()
    bare = "".join(character for character in typed if character not in _SEPARATORS)
    is_number = bare.removeprefix("+").isdecimal() and bare.isascii()
    if not is_number or country not in phonenumbers.SUPPORTED_REGIONS:
        return ""
    formatter, written = phonenumbers.AsYouTypeFormatter(country), ""
    for character in bare:
        written = formatter.input_digit(character)
    return str(written)


def _prefix(country: str) -> str:
    # Left-to-right within whatever is around it.
    return f"\u2066+{phonenumbers.country_code_for_region(country)}\u2069"
