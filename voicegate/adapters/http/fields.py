"""The one reading of numbers, extensions, codes and languages for every door.

What the domain does not take is refused with the field's name. How a door words that is its own: it gives
its own `Refuse`.
"""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, NamedTuple

from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.request_parsing import wrong
from voicegate.domain.client import Principal
from voicegate.domain.errors import InvalidExtension, InvalidNumber, InvalidPasscode, UnknownLanguage
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination

Refuse = Callable[[str, Exception], Refused]
"""Returns the refusal of the field with that name, given what is wrong with it; it repeats no value."""


_IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that are one household's: the others change by the hour."""


class DestinationFields(NamedTuple):
    """What the fields of a destination are called in a door."""

    number: str = "destination"
    extension: str = "extension"


NATIVE: Final = DestinationFields()
"""As the native door has them."""


def read_destination(
    number: str,
    extension: str | None = None,
    *,
    fields: DestinationFields = NATIVE,
    style: NumberStyle | None = None,
    refuse: Refuse = wrong,
) -> Destination:
    """Return the telephone that two fields name; an empty extension is none.

    Raises:
        Refused: they name none.
    """
    try:
        return Destination.parse(number, extension, style=style)
    except InvalidNumber as error:
        raise refuse(fields.number, error) from error
    except InvalidExtension as error:
        raise refuse(fields.extension, error) from error


def read_number(text: str | None, field: str = "number") -> str | None:
    """Return the destination's number that a query names; None: it names none. A plus sign may have become a
    blank on the way, as it does where nobody escapes it.

    Raises:
        Refused: it is no number.
    """
    if text is None:
        return None
    written = f"+{text.strip()}" if text.startswith(" ") else text
    return read_destination(written, fields=DestinationFields(field, field)).number


def read_passcode(text: str, field: str = "passcode", *, refuse: Refuse = wrong) -> Passcode:
    """Return the code that a field holds.

    Raises:
        Refused: it is no code.
    """
    try:
        return Passcode.parse(text)
    except InvalidPasscode as error:
        raise refuse(field, error) from error


@contextmanager
def reading_language(field: str = "language", *, refuse: Refuse = wrong) -> Iterator[None]:
    """Refuse, naming the field, a language that turns out to have no prompts while the context lasts."""
    try:
        yield
    except UnknownLanguage as error:
        raise refuse(field, error) from error


def asking_for(
    principal: Principal, address: str | None, field: str = "end_user_ip", *, refuse: Refuse = wrong
) -> Principal:
    """Return the principal as one that asks for the person at an address; None or empty: it does not tell.

    Raises:
        Refused: it is no IP address.
    """
    if not address:
        return principal
    try:
        return replace(principal, end_user_ip=end_user_ip(address))
    except ValueError:
        raise refuse(field, ValueError("It is no IP address.")) from None


def end_user_ip(text: str) -> str:
    """Return the address of a person who signs in, the same however it is written; of an IPv6
    address its /64.

    Raises:
        ValueError: it is no IP address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # By its bits: a zone ("%eth0") says nothing outside the machine that wrote it.
    return str(ipaddress.ip_network((int(address), _IPV6_NETWORK), strict=False))
