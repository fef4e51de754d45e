"""What policy refuses, as problems: which kind each reason is.

A door with errors of its own words them itself.
"""

from collections.abc import Mapping
from typing import Final, NoReturn

import msgspec

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.policy import Deny, DenyReason, NumberKind

KINDS: Final[Mapping[DenyReason, Kind]] = {
    DenyReason.COUNTRY_NOT_ALLOWED: problems.COUNTRY_NOT_ALLOWED,
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: problems.NUMBER_TYPE_NOT_ALLOWED,
    DenyReason.NO_ROUTE: problems.NO_ROUTE,
    DenyReason.TRUNKS_DOWN: problems.TRUNKS_DOWN,
    DenyReason.QUEUE_FULL: problems.QUEUE_FULL,
    DenyReason.CALL_IN_PROGRESS: problems.CALL_IN_PROGRESS,
    DenyReason.TOO_MANY_CALLS: problems.TOO_MANY_CALLS,
    DenyReason.NOT_OPEN: problems.NOT_OPEN,
    DenyReason.TOO_SOON: problems.TOO_SOON,
    DenyReason.TOO_MANY_GUESSES: problems.TOO_MANY_GUESSES,
}
"""The reasons for which a plain verification can be refused."""

NUMBERS: Final[Mapping[DenyReason, str]] = {
    DenyReason.INVALID_NUMBER: "It lies in no range that is assigned. The setting `policy.number_check` says "
    "whether such numbers are called.",
    DenyReason.PLUS_MISSING: "It has no plus sign with a country code, and no extension of the PBX fits it.",
}
"""What a reason says of the number, in every door's answer."""

_NUMBER_KINDS: Final[Mapping[NumberKind, str]] = {
    NumberKind.VOIP: "VoIP numbers are not called: the setting `policy.voip_numbers` is off.",
    NumberKind.COMPANY: "Company numbers are not called: the setting `policy.company_numbers` is off.",
    NumberKind.PREMIUM: "Premium numbers are never called.",
    NumberKind.SHARED_COST: "Shared-cost numbers are never called.",
    NumberKind.TOLL_FREE: "Toll-free numbers are never called.",
    NumberKind.PERSONAL: "Personal numbers are never called.",
    NumberKind.PAGER: "Pagers are never called.",
    NumberKind.VOICEMAIL: "Voicemail numbers are never called.",
    NumberKind.DIRECTORY: "Directory assistance is never called.",
    NumberKind.EMERGENCY: "Emergency numbers are never called.",
    NumberKind.UNKNOWN: "Numbers of an unknown type are never called.",
}


def of_kind(deny: Deny) -> str:
    """Return what a refusal says of the kind of a number; empty: nothing."""
    return _NUMBER_KINDS[deny.kind] if deny.kind else ""


def refuse(deny: Deny, field: str | None = None) -> NoReturn:
    """Refuse a request, naming the field that is to blame.

    Raises:
        Refused: always.
    """
    if why := NUMBERS.get(deny.reason):
        raise request_parsing.wrong(field or "destination", InvalidNumber(why))
    facts = Facts(
        field=field if field is not None else msgspec.UNSET,
        retry_after_s=deny.retry_after.total_seconds() if deny.retry_after else msgspec.UNSET,
    )
    raise Refused(KINDS[deny.reason], of_kind(deny), facts=facts)
