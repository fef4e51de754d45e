"""Requests as data, so that a client only sends; and what an answer means."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from httpx_sse import ServerSentEvent

from voicegate.client.filters import AuditFilter, CallFilter, LimitFilter, Terms
from voicegate.client.limit_models import Limits, SpentList
from voicegate.client.models import (
    ApiClients,
    ApiError,
    Audit,
    Call,
    Calls,
    Created,
    DryRun,
    GivenKey,
    Health,
    Judgement,
    ListedNumber,
    ListedNumbers,
    PrefixHold,
    PrefixHolds,
    Problem,
    Redialed,
    RemovedNumber,
    Revoked,
    Status,
    Step,
    TrunkFigures,
    Trunks,
    Unreachable,
    Verification,
)

T = TypeVar("T")

TIMEOUT_S: Final = 10.0
WATCH_S: Final = 45.0
"""How long an event stream may be silent: three of its heartbeats."""


class Options(TypedDict, total=False):
    """What a new verification may ask for beside its destination; absent: the daemon's default."""

    extension: str | None
    language: str | None
    passcode: str | None
    human_check: str | None
    lifetime_s: int | None
    reference: str | None
    end_user_ip: str | None
    max_price: float | None
    ttl_s: float | None
    matching_digits: bool | None
    idempotency_key: str | None


def no_excuse(_problem: Problem) -> None:
    """Take a problem for what it is."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request, and the type of its answer."""

    method: str
    """HTTP method."""
    path: str
    """Path on the socket."""
    answer: type[T]
    """What comes back."""
    body: Mapping[str, object] | None = None
    """JSON to send."""
    query: Mapping[str, str | int | float] = field(default_factory=dict)
    """Query parameters."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    timeout_s: float = TIMEOUT_S
    """How long to wait for the answer."""
    excuse: Callable[[Problem], T | None] = no_excuse
    """Returns the answer that a refusal is; None: it is none."""


def create(destination: str, options: Options) -> Request[Created]:
    """Ask for a verification."""
    body = without_none({**options, "destination": destination})
    headers = idempotency(body.pop("idempotency_key", None))
    return Request("POST", "/v1/verifications", Created, body=body, headers=headers)


def dry_run(destination: str, options: Options) -> Request[DryRun]:
    """Ask what a verification would meet."""
    body = without_none({**options, "destination": destination})
    body.pop("idempotency_key", None)
    return Request("POST", "/v1/dry-run", DryRun, body=body)


def prefixes() -> Request[PrefixHolds]:
    """Ask what is held."""
    return Request("GET", "/v1/prefixes", PrefixHolds)


def hold_prefix(prefix: str, reason: str, *, client: str, for_s: int) -> Request[PrefixHold]:
    """Ask to hold a range or a country."""
    body = {"prefix": prefix, "reason": reason, "client": client, "for_s": for_s}
    return Request("POST", "/v1/prefixes/hold", PrefixHold, body=body)


def lift_prefix(prefix: str, reason: str, *, client: str) -> Request[PrefixHold]:
    """Ask to end a hold."""
    body = {"prefix": prefix, "reason": reason, "client": client}
    return Request("POST", "/v1/prefixes/lift", PrefixHold, body=body)


def look(verification_id: str, wait_s: float, since: int | None) -> Request[Verification]:
    """Ask how a verification stands."""
    query: dict[str, str | int | float] = {"wait_s": wait_s} if wait_s else {}
    if since is not None:
        query["since"] = since
    path = _path(verification_id)
    return Request("GET", path, Verification, query=query, timeout_s=wait_s + TIMEOUT_S)


def check(verification_id: str, passcode: str) -> Request[Judgement]:
    """Ask whether a guess is right."""
    path = f"{_path(verification_id)}/check"
    return Request("POST", path, Judgement, body={"passcode": passcode}, excuse=_no_code)


def _no_code(problem: Problem) -> Judgement | None:
    """Return the judgement of a guess that is no code, however it is written."""
    return Judgement(status="denied", reason="wrong_passcode") if is_no_code(problem) else None


def redial(verification_id: str, terms: Terms) -> Request[Redialed]:
    """Ask for another call."""
    return Request("POST", f"{_path(verification_id)}/calls", Redialed, body=without_none(terms) or None)


def dry_redial(verification_id: str, terms: Terms) -> Request[DryRun]:
    """Ask what another call would meet."""
    return Request("POST", f"{_path(verification_id)}/dry-run", DryRun, body=without_none(terms) or None)


def cancel(verification_id: str) -> Request[Verification]:
    """Ask to take a verification back."""
    return Request("DELETE", _path(verification_id), Verification)


def calls(limit: int, before: datetime | None, *, test_numbers: bool, wanted: CallFilter) -> Request[Calls]:
    """Ask for a page of calls."""
    query = {"limit": limit, **_query(wanted)}
    if before is not None:
        query["before"] = before.isoformat()
    if test_numbers:
        query["test_numbers"] = "true"
    return Request("GET", "/v1/calls", Calls, query=query)


def call(call_id: str) -> Request[Call]:
    """Ask how a call went."""
    return Request("GET", f"/v1/calls/{quote(call_id, safe='')}", Call)


def trunks() -> Request[Trunks]:
    """Ask for the trunks."""
    return Request("GET", "/v1/trunks", Trunks)


def trunk_figures(name: str, window_s: int) -> Request[TrunkFigures]:
    """Ask how a trunk's calls went."""
    path = f"/v1/trunks/{quote(name, safe='')}/figures"
    return Request("GET", path, TrunkFigures, query={"window_s": window_s})


def drain_trunk(name: str, reason: str) -> Request[Trunks]:
    """Ask to let a trunk get no new calls."""
    path = f"/v1/trunks/{quote(name, safe='')}/drain"
    return Request("POST", path, Trunks, body={"reason": reason})


def resume_trunk(name: str, reason: str | None) -> Request[Trunks]:
    """Ask to let a trunk get calls again."""
    path = f"/v1/trunks/{quote(name, safe='')}/resume"
    return Request("POST", path, Trunks, body=without_none({"reason": reason}))


def add_client(name: str, scopes: Sequence[str]) -> Request[GivenKey]:
    """Ask for a new client."""
    return Request("POST", "/v1/clients", GivenKey, body={"name": name, "scopes": list(scopes)})


def clients() -> Request[ApiClients]:
    """Ask for all clients."""
    return Request("GET", "/v1/clients", ApiClients)


def rotate_key(name: str, grace_s: int) -> Request[GivenKey]:
    """Ask for a client's next key."""
    path = f"/v1/clients/{quote(name, safe='')}/keys"
    return Request("POST", path, GivenKey, body={"grace_s": grace_s})


def revoke_client(name: str) -> Request[Revoked]:
    """Ask to let a client ask nothing any more."""
    return Request("DELETE", f"/v1/clients/{quote(name, safe='')}", Revoked)


def audit(limit: int, before: int | None, wanted: AuditFilter) -> Request[Audit]:
    """Ask for a page of the audit."""
    query = {"limit": limit, **_query(wanted)}
    if before is not None:
        query["before"] = before
    return Request("GET", "/v1/audit", Audit, query=query)


def numbers(number: str | None, kind: str | None) -> Request[ListedNumbers]:
    """Ask for the numbers on lists."""
    return Request("GET", "/v1/numbers", ListedNumbers, query=_query({"number": number, "list": kind}))


def add_number(kind: str, number: str, reason: str, *, expires_at: datetime | None) -> Request[ListedNumber]:
    """Ask to put a number on a list."""
    until = None if expires_at is None else expires_at.isoformat()
    body = without_none({"list": kind, "number": number, "reason": reason, "expires_at": until})
    return Request("POST", "/v1/numbers", ListedNumber, body=body)


def remove_number(kind: str, number: str, reason: str, *, client: str) -> Request[RemovedNumber]:
    """Ask to take a number off a list."""
    query = _query({"list": kind, "number": number, "reason": reason, "client": client})
    return Request("DELETE", "/v1/numbers", RemovedNumber, query=query)


def limits(wanted: LimitFilter) -> Request[Limits]:
    """Ask for the limits in force."""
    return Request("GET", "/v1/limits", Limits, query=_query(wanted))


def spent() -> Request[SpentList]:
    """Ask what today's calls cost."""
    return Request("GET", "/v1/spend", SpentList)


def health() -> Request[Health]:
    """Ask whether the daemon is alive."""
    return Request("GET", "/healthz", Health)


def ready() -> Request[Health]:
    """Ask whether calls can be placed."""
    return Request("GET", "/readyz", Health)


def without_none(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def idempotency(key: object) -> dict[str, str]:
    """Return the header that makes a repeated request a repeat; None: there is no key."""
    return {} if key is None else {"Idempotency-Key": str(key)}


def is_no_code(problem: Problem) -> bool:
    """Was a guess refused since it has not a code's shape?"""
    return problem.name == "invalid" and problem.field == "passcode"


def _query(wanted: Mapping[str, object]) -> dict[str, str | int | float]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in without_none(wanted).items()
    }


def _path(verification_id: str) -> str:
    return f"/v1/verifications/{quote(verification_id, safe='')}"


def events(verification_id: str, after: str | None) -> Request[Step]:
    """Ask to be told of a verification's steps, those after an event's id."""
    path = f"{_path(verification_id)}/events"
    return Request("GET", path, Step, query={"after": after} if after else {}, timeout_s=WATCH_S)


class Following:
    """Reads a verification's events, over any number of connections."""

    def __init__(self) -> None:
        self.after: str | None = None
        """The id of the last event; None: there was none."""
        self._status = "delivering"
        self._state = ""

    @property
    def is_settled(self) -> bool:
        """Has the last call ended, with no other to follow?"""
        return self._status != "delivering" and self._state == "ended"

    def take(self, event: ServerSentEvent) -> Step | None:
        """Take the next event; return the step that it tells.

        Raises:
            ApiError: it is not an answer of the daemon.
        """
        # httpx-sse 0.4.3 makes an event of a comment too: one without data, with the id of the last.
        self.after = event.id or self.after
        match event.event:
            case "status":
                self._status = _decode(event.data, Status, HTTPStatus.OK).status
            case "step":
                step = _decode(event.data, Step, HTTPStatus.OK)
                self._state = step.state
                return step
        return None


class DaemonAddress:
    """Where the daemon is, and the key to it."""

    def __init__(self, socket: str | Path | None, base_url: str | None, key: str | None) -> None:
        if (socket is None) == (base_url is None):
            raise ValueError("give either a socket or a base URL")
        self.socket = str(socket) if socket is not None else None
        self.base_url = base_url or "http://voicegate"
        self.headers = {"Authorization": f"Bearer {key}"} if key is not None else {}

    def unreachable(self, error: Exception) -> Unreachable:
        """Return the error that names the place and the fix."""
        where = self.socket or self.base_url
        match _os_error(error):
            case PermissionError():
                return Unreachable(f"may not open {where}: is your user in the socket's group?")
            case FileNotFoundError() | ConnectionRefusedError():
                return Unreachable(f"nothing answers at {where}: is `voicegate serve` running?")
            case _:
                return Unreachable(f"no answer from {where}: {str(error) or type(error).__name__}")


def _os_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def is_event_stream(response: httpx.Response) -> bool:
    """Are events what comes? Anything else is a refusal, or not from the daemon: `read` raises it."""
    media_type: str = response.headers.get("Content-Type", "")
    return media_type.partition(";")[0] == "text/event-stream"


def arguments(request: Request[Any]) -> dict[str, Any]:
    """Return the request as httpx wants it."""
    wanted: dict[str, Any] = {
        "method": request.method,
        "url": request.path,
        "params": request.query,
        "headers": request.headers,
        "timeout": request.timeout_s,
    }
    if request.body is not None:
        # What a person typed may be no Unicode text: it is for the daemon to say that it is no code.
        wanted["content"] = json.dumps(request.body, ensure_ascii=False).encode("utf-8", "replace")
        wanted["headers"] = {**request.headers, "Content-Type": "application/json"}
    return wanted


def read(request: Request[T], response: httpx.Response) -> T:
    """Return what was answered.

    Raises:
        ApiError: the daemon refused, or answered something else than was asked for.
    """
    status = response.status_code
    if response.is_success:
        return _decode(response.content or b"{}", request.answer, status)
    problem = _decode(response.content, Problem, status)
    if (answer := request.excuse(problem)) is None:
        raise ApiError(status, problem)
    return answer


def _decode(text: str | bytes, kind: type[T], status: int) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        title = f"not an answer of Voicegate: {error}"
        raise ApiError(status, Problem(status=status, title=title)) from error
