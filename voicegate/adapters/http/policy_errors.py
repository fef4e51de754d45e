"""The problem for each reason for which policy refuses a request.

Doors with an error format of their own have their own table.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.policy import Deny, DenyReason, NumberKind

CALL_REFUSALS: Final[tuple[Kind, ...]] = (
    problems.COUNTRY_NOT_ALLOWED,
    problems.NUMBER_TYPE_NOT_ALLOWED,
    problems.CALL_IN_PROGRESS,
    problems.NO_ROUTE,
    problems.TOO_SOON,
    problems.RATE_LIMITED,
    problems.PREFIX_HELD,
    problems.SPEND_LIMITED,
    problems.PRICE_TOO_HIGH,
    *problems.LISTED,
    problems.QUEUE_FULL,
    problems.STOPPING,
)
"""What can be in the way of any call."""

ERROR_OF_REASON: Final[Mapping[DenyReason, Kind]] = {
    DenyReason.INVALID_NUMBER: problems.INVALID,
    DenyReason.PLUS_MISSING: problems.INVALID,
    DenyReason.COUNTRY_NOT_ALLOWED: problems.COUNTRY_NOT_ALLOWED,
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: problems.NUMBER_TYPE_NOT_ALLOWED,
    DenyReason.PREFIX_DENIED: problems.NUMBER_TYPE_NOT_ALLOWED,
    DenyReason.NO_ROUTE: problems.NO_ROUTE,
    DenyReason.TRUNKS_DOWN: problems.TRUNKS_DOWN,
    DenyReason.QUEUE_FULL: problems.QUEUE_FULL,
    DenyReason.STOPPING: problems.STOPPING,
    DenyReason.CALL_IN_PROGRESS: problems.CALL_IN_PROGRESS,
    DenyReason.TOO_MANY_CALLS: problems.TOO_MANY_CALLS,
    DenyReason.NOT_OPEN: problems.NOT_OPEN,
    DenyReason.TOO_SOON: problems.TOO_SOON,
    DenyReason.RATE_LIMITED: problems.RATE_LIMITED,
    DenyReason.SEQUENTIAL_NUMBERS: problems.RATE_LIMITED,
    DenyReason.PREFIX_HELD: problems.PREFIX_HELD,
    DenyReason.SPEND_LIMITED: problems.SPEND_LIMITED,
    DenyReason.PRICE_TOO_HIGH: problems.PRICE_TOO_HIGH,
    DenyReason.PRICE_UNKNOWN: problems.PRICE_TOO_HIGH,
    DenyReason.TOO_MANY_GUESSES: problems.TOO_MANY_GUESSES,
    DenyReason.ALREADY_ENROLLED: problems.ALREADY_ENROLLED,
    DenyReason.NOT_PENDING: problems.NOT_PENDING,
    DenyReason.NOT_ACTIVE: problems.NOT_ACTIVE,
    DenyReason.FACTOR_LOCKED: problems.FACTOR_LOCKED,
    DenyReason.NO_CHALLENGE: problems.NO_CHALLENGE,
    DenyReason.ADMINS_ONLY: problems.ADMINS_ONLY,
    DenyReason.NUMBER_BLOCKED: problems.NUMBER_BLOCKED,
    DenyReason.DO_NOT_CALL: problems.DO_NOT_CALL,
    DenyReason.CALL_REPORTED: problems.CALL_REPORTED,
}
"""Every reason; a test holds the table complete."""

NUMBERS: Final[Mapping[DenyReason, str]] = {
    DenyReason.INVALID_NUMBER: "It is in no assigned range. The setting `policy.number_check` decides "
    "whether such numbers are called.",
    DenyReason.PLUS_MISSING: "It has no plus sign with a country code, and matches no extension of the PBX.",
}
"""What each reason says about the number, in every door's answer."""

_NUMBER_KINDS: Final[Mapping[NumberKind, str]] = {
    NumberKind.VOIP: "VoIP numbers are not called: the setting `policy.voip_numbers` is off.",
    NumberKind.COMPANY: "Company numbers are not called: the setting `policy.company_numbers` is off.",
    NumberKind.PREMIUM: "Premium numbers are never called.",
    NumberKind.SHARED_COST: "Shared-cost numbers are never called.",
    NumberKind.TOLL_FREE: "Toll-free numbers are never called.",
    NumberKind.PERSONAL: "Personal numbers are never called.",
    NumberKind.SATELLITE: "Satellite telephones are never called.",
    NumberKind.PAGER: "Pagers are never called.",
    NumberKind.VOICEMAIL: "Voicemail numbers are never called.",
    NumberKind.DIRECTORY: "Directory assistance is never called.",
    NumberKind.EMERGENCY: "Emergency numbers are never called.",
    NumberKind.UNKNOWN: "Numbers of an unknown type are never called.",
}


_DENIED_PREFIX: Final = (
    "Numbers that begin like this one are not called: the setting `policy.denied_prefixes`."
)


def of_kind(deny: Deny) -> str:
    """Return what a refusal says about the number; empty: nothing."""
    if deny.reason is DenyReason.PREFIX_DENIED:
        return _DENIED_PREFIX
    return _NUMBER_KINDS[deny.kind] if deny.kind else ""


def told_contact(text: str, deny: Deny) -> str:
    """Return a refusal's text with whom a person can ask for help, where somebody is named."""
    return f"{text.rstrip('.')}. Help: {deny.contact}" if deny.contact else text


def refusal(deny: Deny, field: str | None = None) -> Refused:
    """Return the problem for a refusal by policy; it names the field that caused it."""
    if why := NUMBERS.get(deny.reason):
        return request_parsing.wrong(field or "destination", InvalidNumber(why))
    facts = Facts(
        field=field if field is not None else msgspec.UNSET,
        retry_after_s=deny.retry_after.total_seconds() if deny.retry_after else msgspec.UNSET,
    )
    kind = ERROR_OF_REASON.get(deny.reason)
    if kind is None:
        return Refused(problems.REFUSED, f"{problems.REFUSED.title} Reason: {deny.reason}.", facts=facts)
    text = of_kind(deny) or f"{kind.title} {kind.fix}".rstrip()
    return Refused(kind, told_contact(text, deny), facts=facts)
