"""Requests about factors as data, over the Okta door; and what its refusals mean.

A guess that was not right is an answer here, as in the native door, though this door sends an error.
"""

from collections.abc import Mapping
from typing import Final, TypedDict
from urllib.parse import quote

import httpx
import msgspec

from voicegate.client.factor_models import Factor, FactorChallenge, FactorJudgement, Nothing, OktaError
from voicegate.client.models import Problem
from voicegate.client.requests import Request

REASONS: Final[Mapping[str, str]] = {
    # With the daemon's own word for why, where Okta's code stands for several reasons.
    "E0000068": "wrong_passcode",
    "E0000069": "locked",
    "E0000082": "already_used",
    "E0000083": "expired",
}
"""Why a guess was denied, by the error's code."""


_OWN_REASONS: Final = {"no_challenge": "no_challenge", "canceled": "canceled"}
"""Reasons for which Okta has no code but that of a wrong passcode."""


class Enrolling(TypedDict, total=False):
    """What an enrollment may ask for beside its number; absent: the daemon's default."""

    extension: str | None
    language: str | None
    lifetime_s: int | None
    replaces: bool
    is_proven: bool


def enroll(subscriber: str, destination: str, options: Enrolling) -> Request[Factor]:
    """Ask for a factor."""
    profile = {"phoneNumber": destination, "phoneExtension": options.get("extension")}
    query: dict[str, str | int | float] = {}
    if (lifetime := options.get("lifetime_s")) is not None:
        query["tokenLifetimeSeconds"] = lifetime
    if options.get("replaces"):
        query["updatePhone"] = "true"
    if options.get("is_proven"):
        query["activate"] = "true"
    language = options.get("language")
    return Request(
        "POST",
        _factors(subscriber),
        Factor,
        body={"factorType": "call", "provider": "OKTA", "profile": profile},
        query=query,
        headers={"Accept-Language": language} if language else {},
        explain=explain,
    )


def activate(subscriber: str, factor_id: str, passcode: str) -> Request[FactorJudgement]:
    """Ask whether a guess at an activation's code is right."""
    return _guess(f"{_factor(subscriber, factor_id)}/lifecycle/activate", passcode)


def verify(subscriber: str, factor_id: str, passcode: str) -> Request[FactorJudgement]:
    """Ask whether a guess at a sign-in's code is right."""
    return _guess(f"{_factor(subscriber, factor_id)}/verify", passcode)


def resend(subscriber: str, factor_id: str) -> Request[Factor]:
    """Ask for another call for the activation."""
    return Request("POST", f"{_factor(subscriber, factor_id)}/resend", Factor, explain=explain)


def challenge(subscriber: str, factor_id: str, lifetime_s: int | None) -> Request[FactorChallenge]:
    """Ask for a call with a code for a sign-in."""
    path = f"{_factor(subscriber, factor_id)}/verify"
    query = {"tokenLifetimeSeconds": lifetime_s} if lifetime_s is not None else {}
    return Request("POST", path, FactorChallenge, query=query, explain=explain)


def listing(subscriber: str) -> Request[list[Factor]]:
    """Ask for a subscriber's factors."""
    return Request("GET", _factors(subscriber), list[Factor], explain=explain)


def get(subscriber: str, factor_id: str) -> Request[Factor]:
    """Ask for a factor."""
    return Request("GET", _factor(subscriber, factor_id), Factor, explain=explain)


def reset(subscriber: str, factor_id: str) -> Request[Nothing]:
    """Ask to end a factor."""
    return Request("DELETE", _factor(subscriber, factor_id), Nothing, explain=explain)


def reset_all(subscriber: str) -> Request[Nothing]:
    """Ask to end all factors of a subscriber."""
    return Request("POST", f"{_user(subscriber)}/lifecycle/reset_factors", Nothing, explain=explain)


def explain(response: httpx.Response) -> Problem:
    """Return this door's error as the problem it is, named by the error's code.

    Raises:
        msgspec.DecodeError: it is none.
    """
    error = msgspec.json.decode(response.content, type=OktaError)
    wait = response.headers.get("Retry-After", "")
    return Problem(
        type=error.error_code,
        title=error.error_summary,
        status=response.status_code,
        detail=" ".join(cause.error_summary for cause in error.error_causes),
        instance=error.error_id,
        retry_after_s=float(wait) if wait.isdecimal() else None,
        reason=next((cause.reason for cause in error.error_causes), ""),
    )


def _guess(path: str, passcode: str) -> Request[FactorJudgement]:
    # Without a code, the door would take it for the wish to be called.
    body = {"passCode": passcode or " "}
    return Request("POST", path, FactorJudgement, body=body, explain=explain, excuse=_denied)


def _denied(problem: Problem) -> FactorJudgement | None:
    reason = REASONS.get(problem.name)
    if reason is None:
        return None
    return FactorJudgement(reason=_OWN_REASONS.get(problem.reason, reason), detail=problem.detail)


def _user(subscriber: str) -> str:
    # Unreserved, and yet a path of dots alone would be taken for the folder above.
    return f"/api/v1/users/{quote(subscriber, safe='').replace('.', '%2E')}"


def _factors(subscriber: str) -> str:
    return f"{_user(subscriber)}/factors"


def _factor(subscriber: str, factor_id: str) -> str:
    return f"{_factors(subscriber)}/{quote(factor_id, safe='')}"
