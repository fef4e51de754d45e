"""Which way a call goes: trunks by country and order, caller ID, the number's format, and the timeouts.

A route is our choice of trunks for a destination; the PBX's dialplan does not choose. An internal extension
is dialed only as its own endpoint, never through a context that reaches a trunk.
"""

__all__ = [
    "CallerId",
    "Hop",
    "InternalRoute",
    "NumberFormat",
    "RouteHints",
    "Routes",
    "Trunk",
    "TrunkState",
    "called_number",
    "find_obstacle",
    "find_route",
    "has_international_prefix",
]

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

import phonenumbers

from voicegate.domain.caller_id import CallerId, choose_caller_ids, find_law
from voicegate.domain.phone_number import Destination
from voicegate.domain.weighted import rank

_NANP_CODE: Final = "1"
# Where one also dials a carrier between the trunk prefix and the area code, libphonenumber writes neither. Of
# the other countries in whose national form it leaves the prefix out, none wants it dialed.
_PREFIX_OF_CARRIERS: Final = {"BR": "0"}


class NumberFormat(StrEnum):
    """How a trunk wants the called number written."""

    PLUS_E164 = "+e164"
    """+12025550143"""
    E164 = "e164"
    """12025550143"""
    ZERO_ZERO = "00e164"
    """0012025550143, also in the trunk's own country"""
    NANP = "nanp"
    """As dialed in the North American numbering plan: 12025550143, and 01144… abroad"""
    NATIONAL = "national"
    """As dialed in the trunk's home country: 02079460123, and 0049871… for a number of another country"""


class TrunkState(StrEnum):
    """What a PBX says about a trunk."""

    AVAILABLE = "available"
    IN_USE = "in_use"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """The PBX does not say."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier path of a PBX."""

    name: str
    """Its name in our settings."""
    pbx: str
    """The PBX it belongs to."""
    endpoint: str
    """Its name in the PBX: a PJSIP endpoint, a FreeSWITCH gateway."""
    caller_ids: Sequence[CallerId]
    """Numbers that may be shown, never empty."""
    home_country: str = ""
    """Where it lies, as ISO 3166-1 alpha-2 code, for `NATIONAL` and the law on caller IDs; empty: it does not
    matter."""
    number_format: NumberFormat = NumberFormat.PLUS_E164
    """How it wants the called number to be written."""
    international_prefix: str = ""
    """What `NATIONAL` dials before a number of another country; empty: the home country's prefix, if it has
    one."""
    number_prefix: str = ""
    """What it wants before that, such as a carrier's tech prefix."""
    ring_timeout: timedelta = timedelta(seconds=40)
    """The longest time from originate to answer."""
    progress_timeout: timedelta = timedelta(seconds=25)
    """The longest time from originate to the first ringing or early media. It must be longer than the delay
    of an honest carrier, which reaches 20 s on some routes."""
    packet: timedelta = timedelta(milliseconds=20)
    """How much audio one RTP packet carries: a hint, for calls where it cannot be measured."""
    max_calls: int = 30
    """Calls in progress at a time, ours alone."""
    max_calls_per_second: float = 0
    """How many calls are begun in a second, evenly spaced; 0: as they come."""
    countries: frozenset[str] = frozenset()
    """Where it may call, as ISO 3166-1 alpha-2 codes; empty: everywhere."""
    prefixes: tuple[str, ...] = ()
    """Beginnings of the numbers that it may call, as E.164; empty: all."""
    priority: int = 0
    """Tried before those with a higher one; 0: its place in the settings, counted from 1."""
    weight: int = 1
    """Its share of the calls among trunks of the same priority. Those of the same weight have theirs
    together: the cheaper first."""
    withholds_caller_id: bool = False
    """Is the carrier asked not to show the caller ID to the called person (RFC 3323, RFC 3325)?"""
    diversion: str = ""
    """The SIP URI to name as whence the call was diverted (RFC 5806): some carriers know their customer by
    it. Empty: none."""
    is_test: bool = False
    """Does it lead to test numbers only? Its calls take no line and never wait."""


@dataclass(frozen=True, slots=True)
class InternalRoute:
    """Extensions of the PBX itself that may be called."""

    name: str
    """Its name in our settings."""
    pattern: re.Pattern[str]
    """What the whole extension must match."""
    trunk: Trunk
    """How its PBX is reached; in `endpoint`, `{extension}` stands for the number."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One way to place a call."""

    trunk: Trunk
    """The trunk, with its timeouts."""
    endpoint: str
    """The PBX's endpoint to dial."""
    number: str | None
    """The number to ask that endpoint for; None: dial the endpoint itself."""
    caller_id: CallerId
    """The caller ID to show."""

    def __repr__(self) -> str:
        return f"Hop({self.trunk.name})"


@dataclass(frozen=True, slots=True)
class Routes:
    """All trunks and internal routes of the settings."""

    trunks: Sequence[Trunk]
    """In the order they are tried."""
    internal: Sequence[InternalRoute] = ()
    """Routes to the PBX's own extensions."""
    test: InternalRoute | None = None
    """The route to test numbers, which ring no telephone; None: there are none."""


@dataclass(frozen=True, slots=True)
class RouteHints:
    """What is known beside the settings when a route is chosen."""

    key: str = ""
    """What shares calls out among trunks of the same priority: another one for each challenge."""
    resting: frozenset[str] = frozenset()
    """Trunks that are set aside: tried last."""
    drained: frozenset[str] = frozenset()
    """Trunks that get no new calls."""
    failed_caller_ids: tuple[str, ...] = ()
    """Numbers to show last, the newest failure first."""
    prices: Mapping[str, int] = field(default_factory=dict)
    """What a call to the number costs by each trunk, in millionths; those without a price come after the
    others."""

    def price_order(self, trunk: Trunk) -> tuple[bool, int]:
        """Return by what the cheaper of two trunks comes first."""
        price = self.prices.get(trunk.name)
        return price is None, price or 0


NO_HINTS: Final = RouteHints()
_CALLER_IDS_TRIED: Final = 2
"""Of one trunk in one route: the second is for a network that blocks the first."""


def find_route(destination: Destination, routes: Routes, hints: RouteHints = NO_HINTS) -> tuple[Hop, ...]:
    """Return the hops to try in order for `destination`; empty when nothing leads there.

    A trunk that has another caller ID to show has a second hop behind its first.
    """
    if routes.test is not None and routes.test.pattern.fullmatch(destination.number):
        trunk = routes.test.trunk
        return (Hop(trunk, trunk.endpoint, number=destination.number, caller_id=trunk.caller_ids[0]),)
    if destination.is_internal:
        return tuple(
            Hop(
                trunk=way.trunk,
                endpoint=way.trunk.endpoint.replace("{extension}", destination.number),
                number=None,
                caller_id=way.trunk.caller_ids[0],
            )
            for way in routes.internal
            if way.pattern.fullmatch(destination.number)
        )[:1]
    return tuple(
        hop
        for trunk in _in_order(routes, hints)
        for hop in _hops(destination, trunk, hints.failed_caller_ids)
    )


def find_obstacle(destination: Destination, trunk: Trunk) -> str:
    """Return why a trunk cannot call a number outside the PBX, for people; empty: it can."""
    if trunk.countries and destination.country not in trunk.countries:
        return f"serves {', '.join(sorted(trunk.countries))} only"
    if trunk.prefixes and not destination.number.startswith(trunk.prefixes):
        return f"serves {', '.join(trunk.prefixes)} only"
    if called_number(destination.number, trunk) is None:
        return f"cannot write the number in its format {trunk.number_format}"
    if choose_caller_ids(trunk.caller_ids, destination, home_country=trunk.home_country):
        return ""
    laws = (find_law(one, destination, trunk.home_country) for one in trunk.caller_ids)
    law = next(filter(None, laws))
    return f"has no caller ID to show there: {law.rule} ({law.source})"


def _in_order(routes: Routes, hints: RouteHints) -> Sequence[Trunk]:
    """Return the trunks that are not drained: first what is not set aside, then by priority and weight, then
    by price."""
    placed = [
        ((trunk.name in hints.resting, trunk.priority or place), trunk)
        for place, trunk in enumerate(routes.trunks, 1)
        if trunk.name not in hints.drained
    ]
    placed.sort(key=lambda one: (one[0], rank(hints.key, one[1].name, one[1].weight)))
    alike = defaultdict[object, list[Trunk]](list)
    for level, trunk in placed:
        alike[level, trunk.weight].append(trunk)
    # Each weight keeps the places that it drew: only who of the same weight takes them is the price's.
    cheapest = {key: iter(sorted(trunks, key=hints.price_order)) for key, trunks in alike.items()}
    return [next(cheapest[level, trunk.weight]) for level, trunk in placed]


def _hops(destination: Destination, trunk: Trunk, failed: Sequence[str]) -> Sequence[Hop]:
    number = None if find_obstacle(destination, trunk) else called_number(destination.number, trunk)
    if number is None:
        return ()
    shown = choose_caller_ids(trunk.caller_ids, destination, home_country=trunk.home_country, failed=failed)
    return [Hop(trunk, trunk.endpoint, number=number, caller_id=one) for one in shown[:_CALLER_IDS_TRIED]]


def called_number(e164: str, trunk: Trunk) -> str | None:
    """Return `e164` ("+…") as a trunk dials it; None: the trunk's format cannot write this number."""
    written = _format_number(e164, trunk)
    return None if written is None else f"{trunk.number_prefix}{written}"


def has_international_prefix(country: str) -> bool:
    """Return whether a country has one prefix for calls abroad. In others, such as Brazil, each carrier has
    its own."""
    abroad = "+12025550143" if phonenumbers.country_code_for_region(country) != 1 else "+442079460101"
    return not _format_abroad(phonenumbers.parse(abroad), country).startswith("+")


def _format_number(e164: str, trunk: Trunk) -> str | None:
    match trunk.number_format:
        case NumberFormat.PLUS_E164:
            return e164
        case NumberFormat.E164:
            return e164.removeprefix("+")
        case NumberFormat.ZERO_ZERO:
            return f"00{e164.removeprefix('+')}"
        case NumberFormat.NANP:
            digits = e164.removeprefix("+")
            return digits if digits.startswith(_NANP_CODE) else f"011{digits}"
        case NumberFormat.NATIONAL:
            return _format_national(e164, trunk)


def _format_national(e164: str, trunk: Trunk) -> str | None:
    home = trunk.home_country
    parsed = phonenumbers.parse(e164)
    if parsed.country_code != phonenumbers.country_code_for_region(home):
        # Dialed as at its own home, +49 871 2345678 would be a British premium number.
        if trunk.international_prefix:
            return f"{trunk.international_prefix}{e164.removeprefix('+')}"
        abroad = _format_abroad(parsed, home)
        return None if abroad.startswith("+") else abroad
    if home in _PREFIX_OF_CARRIERS:
        return f"{_PREFIX_OF_CARRIERS[home]}{phonenumbers.national_significant_number(parsed)}"
    return re.sub("[^0-9]", "", phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))


def _format_abroad(parsed: phonenumbers.PhoneNumber, home: str) -> str:
    return re.sub("[^0-9+]", "", phonenumbers.format_out_of_country_calling_number(parsed, home))
