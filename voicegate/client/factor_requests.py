"""Requests about factors as data, as `requests` has those about verifications and calls."""

from collections.abc import Mapping
from typing import Final, TypedDict
from urllib.parse import quote

from voicegate.client.factor_models import Factor, FactorJudgement, FactorPage, ResetFactors
from voicegate.client.models import DryRun, Problem, Verification
from voicegate.client.requests import Request, idempotency, is_no_code, without_none

_FACTORS: Final = "/v1/factors"
_PAGE: Final = 100
_DENIALS: Final[Mapping[str, str]] = {"no_challenge": "no_challenge", "factor_locked": "locked"}
"""Why a guess is denied where the daemon refuses to judge it, by the problem's name."""


class CallingAgain(TypedDict, total=False):
    """What another call may ask for; absent: as the daemon allows."""

    matching_digits: bool | None
    end_user_ip: str | None
    max_price: float | None
    ttl_s: float | None


class Challenging(TypedDict, total=False):
    """What a challenge may ask for; absent: the daemon's default."""

    matching_digits: bool | None
    end_user_ip: str | None
    max_price: float | None
    ttl_s: float | None
    idempotency_key: str | None


class Enrolling(TypedDict, total=False):
    """What an enrollment may ask for beside its number; absent: the daemon's default."""

    extension: str | None
    language: str | None
    lifetime_s: int | None
    replace: bool
    is_activated: bool
    matching_digits: bool | None
    end_user_ip: str | None
    max_price: float | None
    ttl_s: float | None
    idempotency_key: str | None


def enroll(subscriber: str, destination: str, options: Enrolling) -> Request[Factor]:
    """Ask for a factor."""
    body = without_none({**options, "subscriber": subscriber, "destination": destination})
    headers = idempotency(body.pop("idempotency_key", None))
    return Request("POST", _FACTORS, Factor, body=body, headers=headers)


def activate(subscriber: str, factor_id: str, passcode: str) -> Request[FactorJudgement]:
    """Ask whether a guess at an activation's code is right."""
    return _guess(f"{_factor(factor_id)}/activate", subscriber, passcode)


def verify(subscriber: str, factor_id: str, passcode: str) -> Request[FactorJudgement]:
    """Ask whether a guess at a sign-in's code is right."""
    return _guess(f"{_factor(factor_id)}/verify", subscriber, passcode)


def call_again(subscriber: str, factor_id: str, options: CallingAgain) -> Request[Verification]:
    """Ask for another call for the activation."""
    body = without_none({**options, "subscriber": subscriber})
    return Request("POST", f"{_factor(factor_id)}/calls", Verification, body=body)


def challenge(
    subscriber: str, factor_id: str, *, lifetime_s: int | None, options: Challenging
) -> Request[Verification]:
    """Ask for a call with a code for a sign-in."""
    body = without_none({**options, "subscriber": subscriber, "lifetime_s": lifetime_s})
    path, headers = f"{_factor(factor_id)}/challenges", idempotency(body.pop("idempotency_key", None))
    return Request("POST", path, Verification, body=body, headers=headers)


def dry_run(subscriber: str, factor_id: str, options: CallingAgain) -> Request[DryRun]:
    """Ask what a call would meet."""
    body = without_none({**options, "subscriber": subscriber})
    return Request("POST", f"{_factor(factor_id)}/dry-run", DryRun, body=body)


def listing(subscriber: str) -> Request[FactorPage]:
    """Ask for a subscriber's factors."""
    return Request("GET", _FACTORS, FactorPage, query={"subscriber": subscriber, "limit": _PAGE})


def page(limit: int, cursor: str | None, client: str | None) -> Request[FactorPage]:
    """Ask for a page of all factors, or of a client's."""
    query: dict[str, str | int | float] = {"limit": limit}
    if cursor is not None:
        query["cursor"] = cursor
    if client is not None:
        query["client"] = client
    return Request("GET", _FACTORS, FactorPage, query=query)


def get(subscriber: str, factor_id: str) -> Request[Factor]:
    """Ask for a factor."""
    return Request("GET", _factor(factor_id), Factor, query={"subscriber": subscriber})


def reset(subscriber: str, factor_id: str) -> Request[ResetFactors]:
    """Ask to end a factor."""
    return Request("DELETE", _factor(factor_id), ResetFactors, query={"subscriber": subscriber})


def reset_all(subscriber: str) -> Request[ResetFactors]:
    """Ask to end all factors of a subscriber."""
    return Request("DELETE", _FACTORS, ResetFactors, query={"subscriber": subscriber})


def _guess(path: str, subscriber: str, passcode: str) -> Request[FactorJudgement]:
    body = {"passcode": passcode, "subscriber": subscriber}
    return Request("POST", path, FactorJudgement, body=body, excuse=_denied)


def _denied(problem: Problem) -> FactorJudgement | None:
    """Return the judgement of a guess that the daemon did not judge, so that every guess has one."""
    reason = "wrong_passcode" if is_no_code(problem) else _DENIALS.get(problem.name)
    return None if reason is None else FactorJudgement(status="denied", reason=reason)


def _factor(factor_id: str) -> str:
    # Unreserved, and yet a path of dots alone would be taken for the folder above.
    return f"{_FACTORS}/{quote(factor_id, safe='').replace('.', '%2E')}"
