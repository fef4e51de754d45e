"""Numbers to call: those that North America's regulator keeps for fiction, in every area code of the US."""

from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Final

import phonenumbers

_COUNTRY: Final = "US"
_ORDINARY: Final = (
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
)


@cache
def all_numbers() -> tuple[str, ...]:
    """Return every number +1 NXX 555 01XX of the US, neighbours far apart."""
    areas = [area for area in range(200, 990) if _is_ordinary(area)]
    return tuple(f"+1{area}55501{last:02}" for last in range(100) for area in areas)


def numbers() -> Iterator[str]:
    """Yield them for ever, each again only after all others."""
    return cycle(all_numbers())


def _is_ordinary(area: int) -> bool:
    """Is it an area of the US, and not one of toll-free or personal numbers, which are never called?"""
    number = phonenumbers.PhoneNumber(1, int(f"{area}5550143"))
    return (
        phonenumbers.number_type(number) in _ORDINARY
        and phonenumbers.region_code_for_number(number) == _COUNTRY
    )
