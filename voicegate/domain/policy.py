"""Who may be called, when and how often: refusals as values.

Refuse by default: a destination must lie in an allowed country and be an ordinary line. libphonenumber
calls premium and satellite numbers "valid", so its types are asked too; it knows no prices, so this
is the first fence, not the only one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from voicegate.domain.phone_number import Destination

_ORDINARY_TYPES = frozenset(
    {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
)
# How many digits of a national number may tell a special range: 900, 0871 without its zero.
_PREFIXES = (2, 3, 4)


class NumberCheck(StrEnum):
    """What libphonenumber must say of a number."""

    VALID = "valid"
    """It lies in a range that is assigned."""
    POSSIBLE = "possible"
    """It has a length that its country uses: ranges newer than libphonenumber's data pass too."""


class DenyReason(StrEnum):
    """Why a call or a guess is refused."""

    INVALID_NUMBER = "invalid_number"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    NUMBER_TYPE_NOT_ALLOWED = "number_type_not_allowed"
    PLUS_MISSING = "plus_missing"
    NO_ROUTE = "no_route"
    TRUNKS_DOWN = "trunks_down"
    CALL_IN_PROGRESS = "call_in_progress"
    TOO_MANY_CALLS = "too_many_calls"
    NOT_OPEN = "not_open"
    TOO_SOON = "too_soon"
    TOO_MANY_GUESSES = "too_many_guesses"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_PENDING = "not_pending"
    NOT_ACTIVE = "not_active"
    FACTOR_LOCKED = "factor_locked"
    NO_CHALLENGE = "no_challenge"
    ADMINS_ONLY = "admins_only"


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused."""

    reason: DenyReason
    """Why."""
    retry_after: timedelta | None = None
    """When asking again may help; None when it will not."""


def refusal(*verdicts: Allow | Deny) -> Deny | None:
    """Return the first refusal among verdicts; None: all allow."""
    return next((verdict for verdict in verdicts if isinstance(verdict, Deny)), None)


@dataclass(frozen=True, slots=True)
class GuessPolicy:
    """How many wrong guesses are borne in a sliding window, over all challenges and doors."""

    window: timedelta = timedelta(seconds=300)
    """How long a wrong guess counts."""
    per_subscriber: int = 5
    """Of one subscriber."""
    per_destination: int = 5
    """At one number, whoever asks."""
    per_client: int = 200
    """Of one client."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What the admin allows."""

    allowed_countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2 codes; none at first, so nothing outside the PBX is called."""
    max_calls: int = 5
    """Calls a challenge may place, the first included."""
    number_check: NumberCheck = NumberCheck.VALID
    """Which numbers count as numbers."""
    call_spacing: timedelta = timedelta(seconds=30)
    """From the queueing of a subscriber's call to that of the next."""
    guesses: GuessPolicy = GuessPolicy()
    """How many wrong guesses are borne."""
    test_numbers: re.Pattern[str] | None = None
    """Numbers that ring at no telephone; None: there are none, and these are as any other."""

    def is_test(self, destination: Destination) -> bool:
        """Does it ring at no telephone?"""
        return self.test_numbers is not None and bool(self.test_numbers.fullmatch(destination.number))


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


def may_call_yet(last_queued: datetime | None, policy: CallPolicy, now: datetime) -> Allow | Deny:
    """May a subscriber be called, whose last call was queued at `last_queued` (None: never)?"""
    if last_queued is not None and (left := last_queued + policy.call_spacing - now) > timedelta():
        return Deny(DenyReason.TOO_SOON, left)
    return Allow()


def may_guess(
    spent: Iterable[tuple[Sequence[datetime], int]], window: timedelta, now: datetime
) -> Allow | Deny:
    """May another guess be judged? `spent` has a pair for each budget: its newest wrong guesses, newest
    first, and its limit."""
    waits = [guesses[limit - 1] + window - now for guesses, limit in spent if len(guesses) >= limit]
    left = max(waits, default=timedelta())
    return Deny(DenyReason.TOO_MANY_GUESSES, left) if left > timedelta() else Allow()


def may_call_again(*, live: bool, calls: int, policy: CallPolicy) -> Allow | Deny:
    """May a challenge that has placed `calls` calls place another?"""
    if live:
        return Deny(DenyReason.CALL_IN_PROGRESS)
    if calls >= policy.max_calls:
        return Deny(DenyReason.TOO_MANY_CALLS)
    return Allow()
