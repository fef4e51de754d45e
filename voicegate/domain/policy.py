"""Who may be called, when and how often: refusals as values.

Refuse by default: a destination must lie in an allowed country and be an ordinary line. libphonenumber
calls premium and satellite numbers "valid", so its types are asked too; it knows no prices, so this
is the first fence, not the only one.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberType

from voicegate.domain.phone_number import Destination

_ORDINARY_TYPES = frozenset(
    {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
)


class DenyReason(StrEnum):
    """Why a call or a guess is refused."""

    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    NUMBER_TYPE_NOT_ALLOWED = "number_type_not_allowed"
    NO_ROUTE = "no_route"
    CALL_IN_PROGRESS = "call_in_progress"
    TOO_MANY_CALLS = "too_many_calls"
    NOT_OPEN = "not_open"


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


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What the admin allows."""

    allowed_countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2 codes; none at first, so nothing outside the PBX is called."""
    max_calls: int = 5
    """Calls a challenge may place, the first included."""


def may_reach(destination: Destination, policy: CallPolicy) -> Allow | Deny:
    """May this destination be called at all? Internal extensions are `routing`'s to allow."""
    if destination.is_internal:
        return Allow()
    number = phonenumbers.parse(destination.number)
    country = destination.country
    if country not in policy.allowed_countries:
        return Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    if phonenumbers.number_type(number) not in _ORDINARY_TYPES:
        return Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    if phonenumbers.is_emergency_number(destination.number, country):
        return Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    return Allow()


def may_call_again(*, live: bool, calls: int, policy: CallPolicy) -> Allow | Deny:
    """May a challenge that has placed `calls` calls place another?"""
    if live:
        return Deny(DenyReason.CALL_IN_PROGRESS)
    if calls >= policy.max_calls:
        return Deny(DenyReason.TOO_MANY_CALLS)
    return Allow()
