"""Which numbers may be called at all.

Refuse by default: a destination must lie in an allowed country and be an ordinary line. libphonenumber
calls premium and satellite numbers "valid", so its types are asked too; it knows no prices, so this
is the first fence, not the only one.
"""

from collections.abc import Sequence
from itertools import chain

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.rules import CallPolicy, NumberCheck
from voicegate.domain.policy.verdicts import Allow, Deny, DenyReason

_ORDINARY_TYPES = frozenset(
    {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
)
# How many digits of a national number may tell a special range: 900, 0871 without its zero.
_PREFIXES = (2, 3, 4)


def may_reach(destination: Destination, policy: CallPolicy) -> Allow | Deny:
    """May this destination be called at all? Internal extensions are `routing`'s to allow."""
    if destination.is_internal or policy.is_test(destination):
        return Allow()
    number = phonenumbers.parse(destination.number)
    if phonenumbers.is_valid_number(number):
        countries, is_ordinary = {phonenumbers.region_code_for_number(number)}, _is_ordinary(number)
    elif policy.number_check is NumberCheck.VALID:
        return Deny(DenyReason.INVALID_NUMBER)
    else:
        countries, is_ordinary = _countries_alike(number), _is_far_from_special(number)
    if not countries <= policy.allowed_countries:
        return Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    return Allow() if is_ordinary else Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)


def _is_ordinary(number: PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in _ORDINARY_TYPES


def _is_far_from_special(number: PhoneNumber) -> bool:
    """Does no special range begin like this number, of which libphonenumber knows no type?

    Nor may it begin with a whole special number: carriers leave out the digits past its end.
    """
    national = phonenumbers.national_significant_number(number)
    cut = (_valid(number, national[:length]) for length in range(min(_PREFIXES), len(national)))
    alike = (one for shared in _PREFIXES for one in _alike(number, shared))
    if not all(_is_ordinary(one) for one in chain(filter(None, cut), alike)):
        return False
    country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    dialed = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    # Its sister `is_emergency_number` takes no digits past the end, and its word on a plus is always "no".
    return not phonenumbers.connects_to_emergency_number(dialed, country)


def _countries_alike(number: PhoneNumber) -> set[str | None]:
    """Return the countries of numbers that begin most like this one: many share a country code."""
    for shared in sorted(_PREFIXES, reverse=True)[:2]:
        if alike := _alike(number, shared):
            return {phonenumbers.region_code_for_number(one) for one in alike}
    return {phonenumbers.region_code_for_country_code(number.country_code or 0)}


def _alike(number: PhoneNumber, shared: int) -> Sequence[PhoneNumber]:
    """Return valid numbers that share this number's first digits.

    libphonenumber cannot be asked for prefixes, so numbers are made up.
    """
    national = phonenumbers.national_significant_number(number)
    made_up = (national[:shared] + digit * (len(national) - shared) for digit in "0123456789")
    return [one for digits in made_up if (one := _valid(number, digits))]


def _valid(number: PhoneNumber, national: str) -> PhoneNumber | None:
    """Return the number of the same country code with these digits; None: that is none."""
    one = phonenumbers.parse(f"+{number.country_code}{national}")
    return one if phonenumbers.is_valid_number(one) else None
