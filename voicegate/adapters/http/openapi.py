"""The OpenAPI 3.1 document, generated from the operations and their msgspec types.

Source: OpenAPI Specification 3.1.1. The examples of types and fields come from `schemas`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import problems
from voicegate.adapters.http.operations import Operation, Route, Success
from voicegate.adapters.http.problems import MEDIA_TYPE, Kind, Problem

Json = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{name}"
_NULL: Final = ("default", None)
_ABOUT: Final = """Voice-call authentication over the company's own PBX.

Served on a Unix socket, where the operating system says which user asks, and on TCP, where a client's key
does (`Authorization: Bearer`). A client sees only what it made itself, unless it is an admin. Errors are
problem details (RFC 9457); compare by `type`. Every answer carries `X-Request-Id`, the request's own when it
sent one."""


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """A door's title and text, and the format of its refusals."""

    path: str
    """The document's path."""
    about: str
    """The door's description, in Markdown."""
    refusal: type[Struct]
    """The type of a refusal's body."""
    media_type: str
    """The content type of a refusal's body."""
    name_of: Callable[[Kind], str]
    """The name of a kind of refusal in that body."""
    always: tuple[Kind, ...]
    """Refusals of every operation that needs an API key."""
    scoped: tuple[Kind, ...]
    """Further refusals of every operation that needs a scope."""
    title: str
    """The door's title."""
    schemes: Mapping[str, Mapping[str, str]]
    """The ways to send an API key; one of them is enough."""
    tags: Mapping[str, str]
    """Tags of operations, by a word in their paths, with a description; the last tag is for all others."""


BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A client's key: `voicegate clients add`.",
}
BASIC: Final = {"type": "http", "scheme": "basic", "description": "A client's key as the password."}

NATIVE: Final = ErrorFormat(
    path="/openapi.json",
    about=_ABOUT,
    refusal=Problem,
    media_type=MEDIA_TYPE,
    name_of=lambda kind: kind.uri,
    always=(problems.KEY_MISSING, problems.KEY_WRONG, problems.PEER_NOT_ALLOWED, problems.OVERLOADED),
    scoped=(problems.SCOPE_MISSING,),
    title="Voicegate",
    schemes={"key": BEARER},
    tags={
        "verifications": "Codes that are spoken, and guesses at them.",
        "factors": "Subscribers' telephones: enrolled, activated, and signed in with.",
        "calls": "What happened on calls.",
        "page-sessions": "Pages for people: a backend sends a browser there, and asks what came of it.",
        "trunks": "The ways that calls go.",
        "clients": "Programs that ask by key; for admins.",
        "audit": "Who asked for what, and what was decided; for admins.",
        "service": "The daemon itself.",
    },
)


class Description:
    """The document as a door serves it."""

    def __init__(self, form: ErrorFormat = NATIVE) -> None:
        self._form = form
        self._operations: tuple[Operation, ...] = ()
        self._version = ""

    def complete(self, routes: Sequence[Route], version: str) -> Sequence[Route]:
        """Return a door's routes with the one that serves the document."""
        all_of_them = (*routes, Route(self.operation, self._serve))
        self._operations, self._version = tuple(route.operation for route in all_of_them), version
        return all_of_them

    @cached_property
    def body(self) -> bytes:
        """The document as JSON."""
        # Made when it is first asked for: a document takes more time than all else of its door.
        return msgspec.json.encode(document(self._operations, self._version, form=self._form))

    @property
    def operation(self) -> Operation:
        """The handler that serves the document."""
        return Operation(
            method="GET",
            path=self._form.path,
            name="getOpenApi",
            text="This document.",
            success=Success(200, None, "OpenAPI 3.1."),
            refusals=(),
        )

    async def _serve(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.body, content_type="application/json")


def document(operations: Iterable[Operation], version: str, *, form: ErrorFormat = NATIVE) -> Json:
    """Return the document, ready for JSON."""
    everything = tuple(operations)
    paths: Json = {}
    for operation in everything:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, form)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": form.title,
            "version": version,
            "description": form.about,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document was got: the Unix socket, or TCP."}],
        # On the Unix socket no key is needed.
        "security": [*({name: []} for name in form.schemes), {}],
        "tags": [{"name": name, "description": about} for name, about in form.tags.items()],
        "paths": paths,
        "components": {"schemas": _components(everything, form), "securitySchemes": form.schemes},
    }


def refusals_of(operation: Operation, form: ErrorFormat = NATIVE) -> tuple[Kind, ...]:
    """Return every refusal of an operation, by status."""
    always = () if operation.is_open else form.always
    scoped = form.scoped if operation.scope else ()
    kinds = dict.fromkeys((*operation.refusals, *always, *scoped))
    return tuple(sorted(kinds, key=lambda kind: kind.status))


def _operation(operation: Operation, form: ErrorFormat) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.text.partition(". ")[0].rstrip("."),
        "description": operation.text,
        "tags": [_tag(operation.path, form)],
        "parameters": _parameters(operation),
        "responses": {str(operation.success.status): _success(operation), **_refusals(operation, form)},
    }
    schema = operation.body_schema if operation.body is None else _reference(operation.body)
    if schema is not None:
        content = {media_type: {"schema": schema} for media_type in operation.body_types}
        described["requestBody"] = {"required": operation.is_body_required, "content": content}
    return described


def _tag(path: str, form: ErrorFormat) -> str:
    steps = path.split("/")
    return next((tag for tag in form.tags if tag in map(str.lower, steps)), list(form.tags)[-1])


def _parameters(operation: Operation) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    in_headers = [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in operation.headers.items()
    ]
    return [*in_path, *(_query(operation.query) if operation.query else ()), *in_headers]


def _query(shape: type[Struct]) -> list[Json]:
    _, components = msgspec.json.schema_components([shape], ref_template=_REFERENCE)
    schema = components[shape.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            # What is absent is absent: null is no value that a query could have.
            "schema": {key: part for key, part in _for_everybody(described).items() if (key, part) != _NULL},
        }
        for name, described in schema["properties"].items()
    ]


def _success(operation: Operation) -> Json:
    success = operation.success
    described: Json = {"description": success.text, "headers": _headers(success.headers)}
    if success.status == HTTPStatus.NO_CONTENT:
        return described
    schema: Json = _event(success.events) if success.events else {"type": "object"}
    if success.body:
        schema = _reference(success.body)
    if success.is_list:
        schema = {"type": "array", "items": schema}
    return described | {"content": {success.media_type: {"schema": schema}}}


def _event(data: Sequence[type[Struct]]) -> Json:
    """Describe one event of a stream, as OpenAPI 3.2 does in `itemSchema`: 3.1 knows no streams."""
    told = {"oneOf": [_reference(shape) for shape in data]}
    return {
        "type": "object",
        "description": "Each event.",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": told},
        },
    }


def _refusals(operation: Operation, form: ErrorFormat) -> Json:
    by_status = groupby(refusals_of(operation, form), key=lambda kind: kind.status)
    content: Json = {form.media_type: {"schema": _reference(form.refusal)}}
    if operation.is_refused_in_text:
        content = {"text/plain": {"schema": {"type": "string"}}}
    return {str(status): _refusal(tuple(kinds), form) | {"content": content} for status, kinds in by_status}


def _refusal(kinds: tuple[Kind, ...], form: ErrorFormat) -> Json:
    return {"description": "\n".join(f"- `{form.name_of(kind)}`: {kind.title}" for kind in kinds)}


def _headers(headers: Mapping[str, str]) -> Json:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}


def _reference(shape: type[Struct]) -> Json:
    return {"$ref": _REFERENCE.format(name=shape.__name__)}


def _components(operations: Sequence[Operation], form: ErrorFormat) -> Json:
    shapes: dict[str, type[Struct]] = {form.refusal.__name__: form.refusal}
    queries = {operation.query.__name__: operation.query for operation in operations if operation.query}
    for operation in operations:
        for shape in (operation.body, operation.success.body, *operation.success.events):
            if shape is not None:
                shapes[shape.__name__] = shape
    # What a query's parameters refer to is wanted, the query itself is not.
    shapes |= queries
    _, components = msgspec.json.schema_components(shapes.values(), ref_template=_REFERENCE)
    return {
        name: _without_defaults(_for_everybody(schema))
        for name, schema in components.items()
        if name not in queries
    }


def _for_everybody(schema: Any) -> Any:
    """Return a schema in the form that code generators expect: patterns end as in JavaScript, enumerations
    have a type."""
    if isinstance(schema, list):
        return [_for_everybody(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _for_everybody(part) for key, part in schema.items()}
    if isinstance(pattern := plain.get("pattern"), str):
        plain["pattern"] = re.sub(r"\\Z$", "$", pattern)
    if isinstance(values := plain.get("enum"), list) and all(isinstance(value, str) for value in values):
        plain.setdefault("type", "string")
    return plain


def _without_defaults(schema: Json) -> Json:
    """Return an object's schema without defaults: some generators require every field that has one."""
    fields = schema.get("properties", {})
    plain = {
        name: {key: part for key, part in field.items() if key != "default"} for name, field in fields.items()
    }
    return schema | ({"properties": plain} if fields else {})
