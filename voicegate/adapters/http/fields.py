"""Reads numbers, extensions, codes and languages for every door.

What the domain does not accept is refused with the field's name. Each door gives its own `Refuse`, which
words the refusal.
"""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple

from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.request_parsing import wrong
from voicegate.application.pending_call import CallTerms
from voicegate.domain.client import Principal
from voicegate.domain.errors import InvalidExtension, InvalidNumber, InvalidPasscode, UnknownLanguage
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.spend import to_micros

Refuse = Callable[[str, Exception], Refused]
"""Return the refusal of a field, given its name and what is wrong; it never repeats the value."""


_IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that identify a household; the other bits change often."""


class DestinationFields(NamedTuple):
    """The names of a destination's fields in a door."""

    number: str = "destination"
    extension: str = "extension"


NATIVE: Final = DestinationFields()
"""The names in the native door."""


def read_destination(
    number: str,
    extension: str | None = None,
    *,
    fields: DestinationFields = NATIVE,
    style: NumberStyle | None = None,
    refuse: Refuse = wrong,
) -> Destination:
    """Return the destination in two fields; an empty extension counts as none.

    Raises:
        Refused: they hold no valid destination.
    """
    try:
        return Destination.parse(number, extension, style=style)
    except InvalidNumber as error:
        raise refuse(fields.number, error) from error
    except InvalidExtension as error:
        raise refuse(fields.extension, error) from error


def read_number(text: str | None, field: str = "number") -> str | None:
    """Return the number in a query; None: there is none. An unescaped plus sign arrives as a space and is
    read as a plus sign.

    Raises:
        Refused: it is not a number.
    """
    if text is None:
        return None
    written = f"+{text.strip()}" if text.startswith(" ") else text
    return read_destination(written, fields=DestinationFields(field, field)).number


def read_passcode(text: str, field: str = "passcode", *, refuse: Refuse = wrong) -> Passcode:
    """Return the code in a field.

    Raises:
        Refused: it is not a code.
    """
    try:
        return Passcode.parse(text)
    except InvalidPasscode as error:
        raise refuse(field, error) from error


def read_own_code(text: str, field: str = "passcode", *, at_least: int, refuse: Refuse = wrong) -> Passcode:
    """Return a client's own code, which is to be spoken. `at_least`: how many digits it must have.

    Raises:
        Refused: it is not a code, or too short.
    """
    code = read_passcode(text, field, refuse=refuse)
    if len(code.digits) < at_least:
        raise refuse(field, ValueError(f"It must have {at_least} digits or more."))
    return code


@contextmanager
def reading_language(field: str = "language", *, refuse: Refuse = wrong) -> Iterator[None]:
    """While the context lasts, turn "no prompts in this language" into a refusal that names the field."""
    try:
        yield
    except UnknownLanguage as error:
        raise refuse(field, error) from error


def read_terms(max_price: float | None, ttl_s: float | None) -> CallTerms:
    """Return what a request allows its call; None: as policy and the settings allow."""
    return CallTerms(
        None if max_price is None else to_micros(max_price),
        None if ttl_s is None else timedelta(seconds=ttl_s),
    )


def asking_for(
    principal: Principal, address: str | None, field: str = "end_user_ip", *, refuse: Refuse = wrong
) -> Principal:
    """Return the principal as one that asks for the person at an address; None or empty: it does not tell.

    Raises:
        Refused: it is not an IP address.
    """
    if not address:
        return principal
    try:
        return replace(principal, end_user_ip=end_user_ip(address))
    except ValueError:
        raise refuse(field, ValueError("It is not an IP address.")) from None


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
