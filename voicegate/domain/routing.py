"""Which way a call goes: trunks by country and order, caller ID, the number's format, and how long to wait.

A route is our choice of trunks for a destination; the PBX's dialplan has no say in it. An internal
extension is dialed only as its own endpoint, never through a context that reaches a trunk.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import phonenumbers

from voicegate.domain.phone_number import Destination

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
    """0012025550143, in the trunk's own country too"""
    NANP = "nanp"
    """As dialed in the North American numbering plan: 12025550143, and 01144… abroad"""
    NATIONAL = "national"
    """As dialed in the trunk's home country: 02079460123, and 0049871… for a number of another one"""


@dataclass(frozen=True, slots=True)
class CallerId:
    """Who the called telephone says is calling."""

    number: str
    """Number to show."""
    name: str = ""
    """Name to show, where the far network shows names."""


class TrunkState(StrEnum):
    """What a PBX says of a trunk."""

    AVAILABLE = "available"
    IN_USE = "in_use"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """The PBX does not say."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier path of a PBX."""

    name: str
    """Its name in our config."""
    pbx: str
    """The PBX it belongs to."""
    endpoint: str
    """Its name in the PBX: a PJSIP endpoint, a FreeSWITCH gateway."""
    caller_ids: Sequence[CallerId]
    """Numbers that may be shown; the first is used."""
    home_country: str = ""
    """Where it lies, as ISO 3166-1 alpha-2 code, for `NATIONAL`; empty: it does not matter."""
    number_format: NumberFormat = NumberFormat.PLUS_E164
    """How it wants the called number."""
    international_prefix: str = ""
    """What `NATIONAL` dials before a number of another country; empty: the home country's, if it has one."""
    number_prefix: str = ""
    """What it wants before that, such as a tech prefix."""
    ring_timeout: timedelta = timedelta(seconds=40)
    """From originate to answer, at most."""
    progress_timeout: timedelta = timedelta(seconds=25)
    """From originate to the first sign of ringing or early media; more than an honest carrier's delay, which
    reaches 20 s on some routes."""
    packet: timedelta = timedelta(milliseconds=20)
    """Audio in one RTP packet: a hint for calls whose own cannot be measured."""
    max_calls: int = 30
    """Calls in progress at a time, ours alone."""
    countries: frozenset[str] = frozenset()
    """Where it may call, as ISO 3166-1 alpha-2 codes; empty: everywhere."""
    has_lines: bool = True
    """Has it lines that calls take up? The one to test numbers has none, and its calls never wait."""


@dataclass(frozen=True, slots=True)
class InternalRoute:
    """Extensions of the PBX itself that may be called."""

    name: str
    """Its name in our config."""
    pattern: re.Pattern[str]
    """What the whole extension must match."""
    trunk: Trunk
    """How its PBX is reached: `endpoint` is a template in which `{extension}` stands for the number."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One way to place a call."""

    trunk: Trunk
    """By which trunk, with which timeouts."""
    endpoint: str
    """The PBX's endpoint to dial."""
    number: str | None
    """The number to ask that endpoint for; None dials the endpoint itself."""
    caller_id: CallerId
    """Who is shown as calling."""

    def __repr__(self) -> str:
        return f"Hop({self.trunk.name})"


@dataclass(frozen=True, slots=True)
class Routes:
    """All ways out, as configured."""

    trunks: Sequence[Trunk]
    """In the order they are tried."""
    internal: Sequence[InternalRoute] = ()
    """Routes to the PBX's own extensions."""
    test: InternalRoute | None = None
    """The route to numbers that ring at no telephone; None: there are none."""


def find_route(destination: Destination, routes: Routes) -> tuple[Hop, ...]:
    """Return the hops to try in order for `destination`; empty when nothing leads there."""
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
        Hop(trunk=trunk, endpoint=trunk.endpoint, number=number, caller_id=trunk.caller_ids[0])
        for trunk in routes.trunks
        if not trunk.countries or destination.country in trunk.countries
        if (number := called_number(destination.number, trunk)) is not None
    )


def called_number(e164: str, trunk: Trunk) -> str | None:
    """Return `e164` ("+…") as it is dialed by a trunk; None: this trunk's format cannot write it."""
    written = _format_number(e164, trunk)
    return None if written is None else f"{trunk.number_prefix}{written}"


def has_international_prefix(country: str) -> bool:
    """Has this country one prefix for calls abroad? In others, such as Brazil, one dials a carrier's own."""
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
