"""Which numbers may be called at all.

Refuse by default: a destination must lie in an allowed country and be an ordinary line, or of a kind that the
admin allows. libphonenumber calls premium and satellite numbers "valid", so its types are asked too; it knows
no prices, so this is the first fence, not the only one.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason, NumberKind
from voicegate.domain.policy.rules import CallPolicy, NumberCheck

_KINDS: Final[Mapping[int, NumberKind | None]] = {
    PhoneNumberType.FIXED_LINE: None,
    PhoneNumberType.MOBILE: None,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: None,
    PhoneNumberType.VOIP: NumberKind.VOIP,
    PhoneNumberType.UAN: NumberKind.COMPANY,
    PhoneNumberType.PREMIUM_RATE: NumberKind.PREMIUM,
    PhoneNumberType.SHARED_COST: NumberKind.SHARED_COST,
    PhoneNumberType.TOLL_FREE: NumberKind.TOLL_FREE,
    PhoneNumberType.PERSONAL_NUMBER: NumberKind.PERSONAL,
    PhoneNumberType.PAGER: NumberKind.PAGER,
    PhoneNumberType.VOICEMAIL: NumberKind.VOICEMAIL,
}
# Ranges that libphonenumber takes for others: for ordinary lines North America's 555-1212, which is directory
# assistance in every area code, and 976, which is pay per call; for VoIP Austria's 05, which is of companies.
_RANGES: Final = (
    (re.compile(r"\+1[2-9][0-9]{2}5551212", re.ASCII), NumberKind.DIRECTORY),
    (re.compile(r"\+1[2-9][0-9]{2}976[0-9]{4}", re.ASCII), NumberKind.PREMIUM),
    (re.compile(r"\+435(?:0[1-9]|17|[79][0-9])[0-9]*", re.ASCII), NumberKind.COMPANY),
)
_MISTAKEN: Final = (None, NumberKind.UNKNOWN, NumberKind.VOIP)
# How many digits of a national number may tell a special range: 900, 0871 without its zero.
_PREFIXES = (2, 3, 4)


def may_reach(destination: Destination, policy: CallPolicy) -> Allow | Deny:
    """May this destination be called at all? Internal extensions are `routing`'s to allow."""
    if destination.is_internal or policy.is_test(destination):
        return Allow()
    number = phonenumbers.parse(destination.number)
    if phonenumbers.is_valid_number(number):
        countries, kind = {phonenumbers.region_code_for_number(number)}, _kind_of(number)
    elif policy.number_check is NumberCheck.VALID:
        return Deny(DenyReason.INVALID_NUMBER)
    else:
        countries, kind = _countries_alike(number), _kind_alike(number, policy)
    if not countries <= policy.allowed_countries:
        return Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    return Allow() if policy.allows(kind) else Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED, kind=kind)


def _kind_of(number: PhoneNumber) -> NumberKind | None:
    """Return what a number is; None: an ordinary line."""
    kind = _KINDS.get(phonenumbers.number_type(number), NumberKind.UNKNOWN)
    if kind not in _MISTAKEN:
        return kind
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return next((special for pattern, special in _RANGES if pattern.fullmatch(written)), kind)


def _kind_alike(number: PhoneNumber, policy: CallPolicy) -> NumberKind | None:
    """Return a kind that is not allowed and begins like this number, of which libphonenumber knows no type;
    None: there is none.

    Nor may it begin with a whole special number: carriers leave out the digits past its end.
    """
    national = phonenumbers.national_significant_number(number)
    cut = (_valid(number, national[:length]) for length in range(min(_PREFIXES), len(national)))
    alike = (one for shared in _PREFIXES for one in _alike(number, shared))
    own = _kind_of(number)
    kinds = (None if own is NumberKind.UNKNOWN else own, *map(_kind_of, chain(filter(None, cut), alike)))
    if barred := next((kind for kind in kinds if not policy.allows(kind)), None):
        return barred
    country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    dialed = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    # Its sister `is_emergency_number` takes no digits past the end, and its word on a plus is always "no".
    is_emergency = phonenumbers.connects_to_emergency_number(dialed, country)
    return NumberKind.EMERGENCY if is_emergency else None


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
