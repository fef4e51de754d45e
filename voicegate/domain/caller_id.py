"""The caller ID: a trunk's pool of them, and which one the called person sees.

Carriers flag a number that makes very many short calls. So a pool shares the calls by weight, and each called
number always sees the same caller ID while calls with it work: people answer a number that they know. What a
country's law says about caller IDs from abroad is data, with its source.
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
    """The number and name that the called telephone shows."""

    number: str
    """Number to show."""
    name: str = ""
    """Name to show, where the far network shows names."""
    countries: frozenset[str] = frozenset()
    """The countries whose numbers see it, as ISO 3166-1 alpha-2 codes; empty: those for which the pool has no
    other."""
    weight: int = 1
    """How often it is chosen, compared with the others of its pool."""
    is_excepted: bool = False
    """Does the carrier guarantee it where a law blocks calls from abroad with a national number?"""


@dataclass(frozen=True, slots=True)
class CallerIdLaw:
    """A country's rule about calls from abroad that show one of its own numbers."""

    country: str
    """The country, as ISO 3166-1 alpha-2 code."""
    is_mobile_only: bool
    """Is it about mobile numbers only?"""
    rule: str
    """What is blocked, for people."""
    source: str
    """The source of the rule."""


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
"""The known rules; a country that is not listed may have one too."""


def find_law(caller_id: CallerId, destination: Destination, home_country: str) -> CallerIdLaw | None:
    """Return the law by which a call may be blocked because of its caller ID; None: none is known."""
    law = find_home_law(caller_id, home_country)
    return law if law is not None and destination.country == law.country else None


def find_home_law(caller_id: CallerId, home_country: str) -> CallerIdLaw | None:
    """Return the law of a caller ID's own country against calls from a trunk in another country; None: none
    is known.

    An empty `home_country` means that the trunk's country is unknown; then None is returned.
    """
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
    """Return the caller IDs that may be shown to a called number, best first; empty: a law forbids all.

    `failed`: caller IDs of calls to that number that failed, newest first, and those that networks block.
    They come last, the oldest failure first.
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
    """Return the country of a shown number (None: it has none), and whether it may be a mobile number."""
    try:
        parsed = phonenumbers.parse(number if number.startswith("+") else f"+{number}")
    except NumberParseException:
        return None, False
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return phonenumbers.region_code_for_number(parsed), phonenumbers.number_type(parsed) in mobile
