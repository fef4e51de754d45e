"""Who is shown as calling: a trunk's pool of caller IDs, and which of them a callee sees.

Carriers flag a number that calls very many people for moments. So a pool shares the calls by weight, and a
callee always sees the same number while calls by it work: a number that people know is answered. What a
country's law says of numbers that come from abroad is data, with its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from voicegate.domain.phone_number import Destination
from voicegate.domain.weighted import rank


@dataclass(frozen=True, slots=True)
class CallerId:
    """Who the called telephone says is calling."""

    number: str
    """Number to show."""
    name: str = ""
    """Name to show, where the far network shows names."""
    countries: frozenset[str] = frozenset()
    """Countries whose numbers see it, as ISO 3166-1 alpha-2 codes; empty: those that no other is for."""
    weight: int = 1
    """How many callees see it, compared to the others of its pool."""
    is_excepted: bool = False
    """Does the carrier vouch for it where a law refuses calls from abroad that show a national number?"""


@dataclass(frozen=True, slots=True)
class CallerIdLaw:
    """A country's rule on calls from abroad that show one of its own numbers."""

    country: str
    """Whose, as ISO 3166-1 alpha-2 code."""
    is_mobile_only: bool
    """Is it about mobile numbers only?"""
    rule: str
    """What is refused, for people."""
    source: str
    """Who says so."""


LAWS: Final = (
    CallerIdLaw(
        "GB",
        is_mobile_only=False,
        rule="calls from abroad may show no British number unless a customer in Britain stands behind it",
        source="Ofcom, CLI guidance in force since 2025-01-29",
    ),
    CallerIdLaw(
        "ES",
        is_mobile_only=False,
        rule="calls from abroad that show a Spanish number are blocked",
        source="Cullen International, May 2025",
    ),
    CallerIdLaw(
        "SE",
        is_mobile_only=True,
        rule="calls from abroad that show a Swedish mobile number are blocked",
        source="Cullen International, May 2025",
    ),
)
"""What is known; silence about a country says nothing."""


def find_law(caller_id: CallerId, destination: Destination, home_country: str) -> CallerIdLaw | None:
    """Return the law by which a call may be blocked for the number that it shows; None: none is known."""
    law = find_home_law(caller_id, home_country)
    return law if law is not None and destination.country == law.country else None


def find_home_law(caller_id: CallerId, home_country: str) -> CallerIdLaw | None:
    """Return the law of a caller ID's own country against calls from a trunk that lies elsewhere; None: none
    is known. Where no `home_country` says where the trunk lies, nothing is held against it."""
    if not home_country or caller_id.is_excepted:
        return None
    country, is_mobile = _origin(caller_id.number)
    if country == home_country:
        return None
    return next(
        (law for law in LAWS if law.country == country and (is_mobile or not law.is_mobile_only)), None
    )


def choose_caller_ids(
    pool: Sequence[CallerId], destination: Destination, *, home_country: str, failed: Sequence[str] = ()
) -> tuple[CallerId, ...]:
    """Return what may be shown to a callee, best first; empty: a law stands against all.

    `failed` are the numbers that were shown on calls to that callee that failed, the newest first, and those
    that networks block: they come last, the oldest failure first.
    """
    lawful = [one for one in pool if find_law(one, destination, home_country) is None]
    own = [one for one in lawful if destination.country in one.countries]
    fitting = own or [one for one in lawful if not one.countries] or lawful
    last = {number: len(failed) - place for place, number in enumerate(failed)}
    return tuple(
        sorted(
            fitting,
            key=lambda one: (last.get(one.number, 0), rank(destination.number, one.number, one.weight)),
        )
    )


def _origin(number: str) -> tuple[str | None, bool]:
    """Return a shown number's country, and whether it may be a mobile one; None: it has none."""
    try:
        parsed = phonenumbers.parse(number if number.startswith("+") else f"+{number}")
    except NumberParseException:
        return None, False
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return phonenumbers.region_code_for_number(parsed), phonenumbers.number_type(parsed) in mobile
