"""The OpenAPI 3.1 document, made from the operations and their msgspec types; nothing is written twice.

Source: OpenAPI Specification 3.1.1. The examples of types and fields come from `schemas`.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import problems
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import MEDIA_TYPE, Kind, Problem

Json = dict[str, Any]

_ALWAYS: Final = (problems.KEY_MISSING, problems.KEY_WRONG, problems.PEER_NOT_ALLOWED)
_SCOPED: Final = (problems.SCOPE_MISSING,)
_REFERENCE: Final = "#/components/schemas/{name}"
_ABOUT: Final = """Voice-call authentication over the company's own PBX.

Served on a Unix socket, where the operating system says which user asks, and on TCP, where a client's key
does (`Authorization: Bearer`). A client sees only what it made itself, unless it is an admin. Errors are
problem details (RFC 9457); compare by `type`. Every answer carries `X-Request-Id`, the request's own when it
sent one."""


class Description:
    """The document as a door serves it."""

    def __init__(self) -> None:
        self._body = b""

    def write(self, operations: Iterable[Operation], version: str) -> None:
        """Describe `operations`, this one among them."""
        self._body = msgspec.json.encode(document(operations, version))

    def operation(self) -> Operation:
        """Return the operation that serves the document."""
        return Operation(
            method="GET",
            path="/openapi.json",
            name="getOpenApi",
            text="This document.",
            handler=self._serve,
            success=Success(200, None, "OpenAPI 3.1."),
            refusals=(),
        )

    async def _serve(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._body, content_type="application/json")


def document(operations: Iterable[Operation], version: str) -> Json:
    """Return the document, ready for JSON."""
    everything = tuple(operations)
    paths: Json = {}
    for operation in everything:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Voicegate",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": _components(everything)},
    }


def refusals_of(operation: Operation) -> tuple[Kind, ...]:
    """Return every problem the operation can answer, by status."""
    return tuple(
        sorted(
            (*operation.refusals, *_ALWAYS, *(_SCOPED if operation.scope else ())),
            key=lambda kind: kind.status,
        )
    )


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.text.partition(". ")[0].rstrip("."),
        "description": operation.text,
        "parameters": _parameters(operation),
        "responses": {str(operation.success.status): _success(operation), **_refusals(operation)},
    }
    if operation.body is not None:
        content = {"application/json": {"schema": _reference(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


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
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": described}
        for name, described in schema["properties"].items()
    ]


def _success(operation: Operation) -> Json:
    success = operation.success
    schema = _reference(success.body) if success.body else {"type": "object"}
    return {
        "description": success.text,
        "headers": _headers(success.headers),
        "content": {"application/json": {"schema": schema}},
    }


def _refusals(operation: Operation) -> Json:
    by_status = groupby(refusals_of(operation), key=lambda kind: kind.status)
    return {str(status): _refusal(tuple(kinds)) for status, kinds in by_status}


def _refusal(kinds: tuple[Kind, ...]) -> Json:
    text = "\n".join(f"- `{kind.uri}`: {kind.title}" for kind in kinds)
    return {"description": text, "content": {MEDIA_TYPE: {"schema": _reference(Problem)}}}


def _headers(headers: Mapping[str, str]) -> Json:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}


def _reference(shape: type[Struct]) -> Json:
    return {"$ref": _REFERENCE.format(name=shape.__name__)}


def _components(operations: Iterable[Operation]) -> Json:
    shapes: dict[str, type[Struct]] = {Problem.__name__: Problem}
    for operation in operations:
        for shape in (operation.body, operation.success.body):
            if shape is not None:
                shapes[shape.__name__] = shape
    _, components = msgspec.json.schema_components(shapes.values(), ref_template=_REFERENCE)
    return dict(components)
