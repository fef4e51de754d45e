"""Parses requests into types; what cannot be read is refused, with the field's name.

400: the request is malformed (JSON, encoding, a header); 422: a value is wrong. Details never repeat a value,
because it may be a code or a number.
"""

import asyncio
import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import Final, TypeVar, assert_never, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import problems
from voicegate.adapters.http.overload import waiting_for_client
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.adapters.http.schemas import NewVerification
from voicegate.application.ports import IdempotencyKey
from voicegate.domain.shape_errors import Fault, name_types, read_shape_error

MAX_BODY_BYTES: Final = 64 * 1024
BODY_TIMEOUT: Final = timedelta(seconds=10)

REFUSALS: Final[tuple[Kind, ...]] = (
    problems.BAD_REQUEST,
    problems.BODY_TIMEOUT,
    problems.TOO_LARGE,
    problems.UNSUPPORTED_TYPE,
    problems.INVALID,
)
"""The problems of `read_body`."""

IDEMPOTENCY_HEADER: Final = {
    "Idempotency-Key": "The caller's word for this request, 1-255 visible ASCII characters; "
    "each client has its own words."
}
"""The header that `read_idempotency_key` reads, as the OpenAPI document has it."""

R = TypeVar("R", bound=Struct)

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
# msgspec speaks of Python's types.
_IN_JSON: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
    "datetime": "a date and time",
}
_NO_TIME: Final = "Invalid RFC3339 encoded datetime"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_SHOWN_CHARACTERS: Final = 80
# The second is no registered name (RFC 3629 has the first), but what many clients write.
_UTF_8: Final = ("utf-8", "utf8")
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def read_body(request: web.Request, shape: type[R], within: timedelta = BODY_TIMEOUT) -> R:
    """Return a request's JSON body as `shape`.

    Raises:
        Refused: it is not JSON, too large, too slow, or not of that shape.
    """
    return decode(await _read_json(request, within), shape)


async def read_optional_body(
    request: web.Request, shape: type[R], within: timedelta = BODY_TIMEOUT
) -> R | None:
    """Return a request's JSON body as `shape`; None: it is empty, whatever its `Content-Type`.

    Raises:
        Refused: it is not JSON, too large, too slow, or not of that shape.
    """
    body = await _read(request, within)
    if not body:
        return None
    _check_json(request)
    return decode(body, shape)


async def read_json(request: web.Request, within: timedelta = BODY_TIMEOUT) -> object:
    """Return a request's JSON body, whatever its shape.

    Raises:
        Refused: it is not JSON, too large, or too slow.
    """
    body = await _read_json(request, within)
    try:
        decoded = msgspec.json.decode(body)
    except _NOT_JSON as error:
        raise _no_json(error) from None
    _refuse_repeated(body)
    return decoded


async def read_bytes(request: web.Request, within: timedelta = BODY_TIMEOUT) -> bytes:
    """Return a request's body as bytes; it can be read again afterwards.

    Raises:
        Refused: it is too large, or too slow.
    """
    return await _read(request, within)


async def read_form(request: web.Request, within: timedelta = BODY_TIMEOUT) -> dict[str, str]:
    """Return the fields of a request's form body.

    Raises:
        Refused: it is not a form, too large, too slow, or a field is given twice.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(problems.UNSUPPORTED_TYPE, "send Content-Type: application/x-www-form-urlencoded")
    body = await _read(request, within)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise Refused(problems.BAD_REQUEST, "the body is not a form in UTF-8") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refused(problems.INVALID, "a field is given more than once")
    return fields


def read_query(request: web.Request, shape: type[R]) -> R:
    """Return a request's query parameters as `shape`.

    Raises:
        Refused: one is unknown, wrong, or given twice.
    """
    query = request.query
    for name in query:
        if len(query.getall(name)) > 1:
            raise Refused(
                problems.INVALID, f"{_shown(name)}: given more than once", Facts(field=_shown(name))
            )
    try:
        return msgspec.convert(dict(query), shape, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong_value(error, shape) from None


def read_languages(request: web.Request) -> tuple[str, ...]:
    """Return the language tags in the `Accept-Language` header, best first (RFC 9110 12.5.4); tags that
    cannot be read are skipped."""
    weighed: list[tuple[float, str]] = []
    for entry in request.headers.get("Accept-Language", "").split(","):
        tag, *parameters = (part.strip() for part in entry.split(";"))
        weight = _WEIGHT.fullmatch(parameters[0]) if parameters else None
        quality = float(weight[1]) if weight else 0.0 if parameters else 1.0
        if _TAG.fullmatch(tag) and quality:
            weighed.append((quality, tag))
    # Sorting keeps the order of those that weigh the same.
    return tuple(tag for _, tag in sorted(weighed, key=lambda entry: -entry[0]))


def read_idempotency_key(request: web.Request, client: str, *asked: Struct | str) -> IdempotencyKey | None:
    """Return the idempotency key of a request, from its `Idempotency-Key` header; None: there is none.

    The fingerprint says whether the caller brought a code, not which one: a digest of so few digits would
    reveal it. The use case compares the code itself, with the key file.

    Raises:
        Refused: the header is not a valid key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = "Idempotency-Key: has 1 to 255 visible ASCII characters"
        raise Refused(problems.BAD_REQUEST, detail, Facts(field="Idempotency-Key"))
    canonical = b"".join(msgspec.json.encode(_without_code(part)) for part in asked)
    return IdempotencyKey(client, key, hashlib.sha256(canonical).digest())


def read_subscriber(text: str) -> str:
    """Return a subscriber's name, which the caller chooses.

    Raises:
        Refused: it cannot be shown or stored.
    """
    # What is no UTF-8 in a path or query has become U+FFFD on the way, and would be another's name.
    if has_controls(text) or "\ufffd" in text:
        raise wrong("subscriber", ValueError("has characters that cannot be shown"))
    return text


def has_controls(text: str) -> bool:
    """Return whether a text has control characters (C0 or C1), which must not reach a terminal."""
    return _CONTROL.search(text) is not None


def wrong(field: str, error: Exception) -> Refused:
    """Return the refusal of a field that the domain does not accept."""
    return Refused(problems.INVALID, f"{field}: {error}", Facts(field=field))


def _without_code(part: Struct | str) -> Struct | str:
    if isinstance(part, NewVerification):
        return msgspec.structs.replace(part, passcode=part.passcode and "given")
    return part


async def _read_json(request: web.Request, within: timedelta) -> bytes:
    _check_json(request)  # before a byte of it is read
    return await _read(request, within)


def _check_json(request: web.Request) -> None:
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in _UTF_8:
        raise Refused(problems.UNSUPPORTED_TYPE, "send Content-Type: application/json, in UTF-8")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(problems.UNSUPPORTED_TYPE, "send the body without Content-Encoding")


def decode(body: bytes, shape: type[R]) -> R:
    """Return JSON as `shape`.

    Raises:
        Refused: it is not JSON, not of that shape, or a key is given twice.
    """
    try:
        decoded = msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _wrong_value(error, shape) from None
    except _NOT_JSON as error:
        raise _no_json(error) from None
    _refuse_repeated(body)
    return decoded


def _refuse_repeated(body: bytes) -> None:
    """Refuse JSON with the same key twice in one object: parsers differ in which of two values they use."""

    def note(pairs: Sequence[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                shown = _shown(name)
                raise Refused(problems.INVALID, f"{shown}: given more than once", Facts(field=shown))
            seen.add(name)

    try:
        json.loads(body, object_pairs_hook=note)
    except (ValueError, RecursionError) as error:
        raise _no_json(error) from None


async def _read(request: web.Request, within: timedelta) -> bytes:
    try:
        async with asyncio.timeout(within.total_seconds()):
            with waiting_for_client(request):
                return await request.read()
    except TimeoutError as error:
        raise Refused(problems.BODY_TIMEOUT) from error


def _wrong_value(raised: msgspec.ValidationError, shape: type[Struct]) -> Refused:
    error = read_shape_error(raised)
    match error.fault:
        case Fault.UNKNOWN:
            field, what = _shown(error.text), f"unknown field; {_fix(error.text, shape)}"
        case Fault.MISSING:
            field, what = error.at(error.text), "is missing"
        case Fault.NO_CHOICE:
            # Not the value, which may be a code or a number.
            field, what = error.where, f"must be one of {', '.join(_choices(shape, error.where))}"
        case Fault.OTHER:
            field, what = error.where, _in_json(error.text)
        case _:
            assert_never(error.fault)
    if not field:
        return Refused(problems.INVALID, what)
    return Refused(problems.INVALID, f"{field}: {what}", Facts(field=field))


def _fix(name: str, shape: type[Struct]) -> str:
    known = shape.__struct_fields__
    near = difflib.get_close_matches(_shown(name), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _in_json(text: str) -> str:
    """Return msgspec's message with the names of JSON's types instead of Python's."""
    if text.startswith(_NO_TIME):
        return text.replace(_NO_TIME, "Expected a date and time, as 2026-11-28T15:20:01Z")
    return name_types(text, _IN_JSON)


def _choices(shape: type[Struct], field: str) -> list[str]:
    """Return the values that a request's field may have, except null."""
    hint = get_type_hints(shape).get(field)
    kinds = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, Enum)]
    return [str(member.value) for kind in kinds for member in kind]


def _no_json(error: Exception) -> Refused:
    reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return Refused(problems.BAD_REQUEST, f"the body is not JSON: {reason}")


def _shown(name: str) -> str:
    return name[:_SHOWN_CHARACTERS]
