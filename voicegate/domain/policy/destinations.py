"""Which numbers may be called at all.

Refused by default: a destination must be in an allowed country, and be an ordinary line or of a kind that the
admin allows. libphonenumber calls premium and satellite numbers "valid", so its number types are checked too.
It knows no prices: this check is the first one, not the only one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
# assistance in every area code, and 976, which is pay per call; for mobile ones satellites (ITU-T E.164);
# for VoIP Austria's 05, which is of companies.
_RANGES: Final = (
    (re.compile(r"\+1[2-9][0-9]{2}5551212", re.ASCII), NumberKind.DIRECTORY),
    (re.compile(r"\+1[2-9][0-9]{2}976[0-9]{4}", re.ASCII), NumberKind.PREMIUM),
    (re.compile(r"\+8(?:70|81)[0-9]+", re.ASCII), NumberKind.SATELLITE),
    (re.compile(r"\+435(?:0[1-9]|17|[79][0-9])[0-9]*", re.ASCII), NumberKind.COMPANY),
)
_MISTAKEN: Final = (None, NumberKind.UNKNOWN, NumberKind.VOIP)
_KIND_SETTINGS: Final[Mapping[NumberKind | None, str]] = {
    NumberKind.VOIP: "policy.voip_numbers",
    NumberKind.COMPANY: "policy.company_numbers",
}
# How many digits of a national number may tell a special range: 900, 0871 without its zero.
_PREFIXES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The decision of one rule about a destination."""

    rule: str
    """The rule, by the name of its setting."""
    decision: Allow | Deny
    """Its decision."""
    facts: str
    """The facts that it decided by, for people."""


def may_reach(destination: Destination, policy: CallPolicy) -> Allow | Deny:
    """Decide whether a destination may be called at all. Internal extensions are allowed by `routing`."""
    judged = (judgement.decision for judgement in apply_destination_rules(destination, policy))
    return next((decision for decision in judged if isinstance(decision, Deny)), Allow())


def apply_destination_rules(destination: Destination, policy: CallPolicy) -> Iterator[RuleResult]:
    """Yield the decision of each rule, in the order in which they are applied: the first that denies
    counts."""
    if destination.is_internal:
        return
    if policy.is_test(destination):
        yield RuleResult("test_numbers.prefix", Allow(), "rings at no telephone")
        return
    number = phonenumbers.parse(destination.number)
    # As `is_valid_number` does it, which would look for the country once more.
    country = destination.country
    is_assigned = country is not None and phonenumbers.is_valid_number_for_region(number, country)
    yield _by_check(policy, is_assigned=is_assigned)
    # A range that libphonenumber does not know is judged by those that begin like it.
    countries = {country} if is_assigned else _countries_alike(number)
    yield _by_country(policy, countries)
    yield _by_kind(policy, _kind_of(number) if is_assigned else _kind_alike(number, policy))
    yield _by_prefix(policy, destination.number)


def _by_check(policy: CallPolicy, *, is_assigned: bool) -> RuleResult:
    rule = "policy.number_check"
    if is_assigned:
        return RuleResult(rule, Allow(), "in an assigned range")
    is_refused = policy.number_check is NumberCheck.VALID
    decision = Deny(DenyReason.INVALID_NUMBER, rule=rule) if is_refused else Allow()
    return RuleResult(rule, decision, "in no range that libphonenumber knows as assigned")


def _by_country(policy: CallPolicy, countries: set[str | None]) -> RuleResult:
    rule = "policy.allowed_countries"
    is_allowed = countries <= policy.allowed_countries
    # libphonenumber's "001" stands for the codes of networks, which are no country's.
    named = sorted(country for country in countries if country and country.isalpha())
    facts = f"country {', '.join(named)}" if named else "of no country"
    return RuleResult(rule, Allow() if is_allowed else Deny(DenyReason.COUNTRY_NOT_ALLOWED, rule=rule), facts)


def _by_kind(policy: CallPolicy, kind: NumberKind | None) -> RuleResult:
    rule = _KIND_SETTINGS.get(kind, "number types")
    facts = f"number type {kind}" if kind else "an ordinary line"
    if policy.allows(kind):
        return RuleResult(rule, Allow(), facts)
    return RuleResult(rule, Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED, kind=kind, rule=rule), facts)


def _by_prefix(policy: CallPolicy, number: str) -> RuleResult:
    denied = policy.prefixes.find(number)
    if denied is None:
        return RuleResult("policy.denied_prefixes", Allow(), "begins with no denied prefix")
    rule = f"policy.denied_prefixes {denied.prefix}"
    facts = f"begins with {denied.prefix}: {denied.why}"
    return RuleResult(rule, Deny(DenyReason.PREFIX_DENIED, rule=rule), facts)


def _kind_of(number: PhoneNumber) -> NumberKind | None:
    """Return the kind of a number; None: an ordinary line."""
    kind = _KINDS.get(phonenumbers.number_type(number), NumberKind.UNKNOWN)
    if kind not in _MISTAKEN:
        return kind
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return next((special for pattern, special in _RANGES if pattern.fullmatch(written)), kind)


def _kind_alike(number: PhoneNumber, policy: CallPolicy) -> NumberKind | None:
    """Return a forbidden kind whose numbers begin like this one, if libphonenumber knows no type for it; else
    None.

    It may not begin with a whole special number either: carriers ignore the digits after that number's end.
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
    """Return the countries of the numbers that begin most like this one; many countries share a country
    code."""
    for shared in sorted(_PREFIXES, reverse=True)[:2]:
        if alike := _alike(number, shared):
            return {phonenumbers.region_code_for_number(one) for one in alike}
    return {phonenumbers.region_code_for_country_code(number.country_code or 0)}


def _alike(number: PhoneNumber, shared: int) -> Sequence[PhoneNumber]:
    """Return valid numbers that share this number's first digits.

    They are made up here, because libphonenumber cannot be asked for prefixes.
    """
    national = phonenumbers.national_significant_number(number)
    made_up = (national[:shared] + digit * (len(national) - shared) for digit in "0123456789")
    return [one for digits in made_up if (one := _valid(number, digits))]


def _valid(number: PhoneNumber, national: str) -> PhoneNumber | None:
    """Return the number of the same country code with these digits; None: it is not valid."""
    one = phonenumbers.parse(f"+{number.country_code}{national}")
    return one if phonenumbers.is_valid_number(one) else None
