"""Who may be called, when and how often: refusals as values.

Refuse by default: a destination must lie in an allowed country and be an ordinary line. libphonenumber
calls premium and satellite numbers "valid", so its types are asked too; it knows no prices, so this
is the first fence, not the only one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    call_spacing: timedelta = timedelta(seconds=30)
    """From the queueing of a subscriber's call to that of the next."""
    guesses: GuessPolicy = GuessPolicy()
    """How many wrong guesses are borne."""


def may_reach(destination: Destination, policy: CallPolicy) -> Allow | Deny:
    """May this destination be called at all? Internal extensions are `routing`'s to allow."""
    if destination.is_internal:
        return Allow()
    number = phonenumbers.parse(destination.number)
    country = phonenumbers.region_code_for_number(number)
    if country not in policy.allowed_countries:
        return Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    if phonenumbers.number_type(number) not in _ORDINARY_TYPES:
        return Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    if phonenumbers.is_emergency_number(destination.number, country):
        return Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    return Allow()


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
