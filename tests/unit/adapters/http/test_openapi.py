"""The OpenAPI document is true: every answer it promises can be had, and is of the shape it says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast
from unittest.mock import Mock

import msgspec
import pytest

from tests.unit.adapters.http.scenes import SCENES
from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.adapters.http.test_page_sessions import OPERATIONS as PAGE_OPERATIONS
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import problems
from voicegate.adapters.http.native.door import ApiDependencies, native_door
from voicegate.adapters.http.openapi import document, refusals_of
from voicegate.adapters.http.operations import Operation
from voicegate.adapters.http.problems import Problem, Refused
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.domain.errors import VoicegateError
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination

OPERATIONS: Final = [route.operation for route in native_door(cast(ApiDependencies, Mock())).routes]
PROMISES: Final = [
    (operation, answer)
    for operation in OPERATIONS
    if operation not in PAGE_OPERATIONS  # their own test's
    for answer in ("success", *(kind.name for kind in refusals_of(operation)))
]


@pytest.mark.parametrize(
    ("operation", "answer"), PROMISES, ids=[f"{operation.name}-{answer}" for operation, answer in PROMISES]
)
async def test_every_promised_answer_can_be_had(
    bench: Bench, tmp_path: Path, operation: Operation, answer: str
) -> None:
    uids = frozenset({4_000_000}) if answer == "peer_not_allowed" else None
    waiting = WaitingLimits(total=0) if answer == "too_many_waiting" else None
    async with serving(bench, tmp_path, uids, waiting=waiting) as served:
        response = await SCENES[answer](served, operation)
    assert "secret of the house" not in response.text
    if answer == "success":
        assert response.status_code == operation.success.status
        assert response.headers["Content-Type"] == operation.success.media_type
        assert all(name in response.headers for name in operation.success.headers if name == "Location")
        if operation.success.body is not None:
            msgspec.json.decode(response.content, type=operation.success.body)
    else:
        problem = msgspec.json.decode(response.content, type=Problem)
        kind = next(kind for kind in refusals_of(operation) if kind.name == answer)
        assert (response.status_code, problem.status) == (kind.status, kind.status)
        assert (problem.type, problem.title) == (kind.uri, kind.title)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert problem.instance.endswith(response.headers["X-Request-Id"])


async def test_the_document_describes_itself_and_all_else_that_is_served(served: Served) -> None:
    described = (await served.http.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert {(method.upper(), path) for path, methods in described["paths"].items() for method in methods} == {
        (operation.method, operation.path) for operation in OPERATIONS
    }


def test_every_reference_of_the_document_leads_somewhere() -> None:
    described = document(OPERATIONS, "1")
    referenced = set(re.findall(r'"#/components/schemas/(\w+)"', msgspec.json.encode(described).decode()))
    assert referenced <= set(described["components"]["schemas"])


@pytest.mark.parametrize(
    ("shape", "field", "right", "wrong"),
    [
        ("NewVerification", "destination", (NUMBER, "101", "*#"), ("", "1", "+1" * 33)),
        ("NewVerification", "extension", ("", "W204", "ABCDw*#", "1" * 32, "1 " * 32), ("1" * 65,)),
        ("NewVerification", "passcode", ("1234", "1234567890", " 12 34 "), ("1" * 65,)),
        ("Guess", "passcode", ("1234", "1234567890", " 12 34 "), ("1" * 65,)),
    ],
)
def test_the_lengths_that_are_described_refuse_nothing_that_the_domain_takes(
    shape: str, field: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    schema = document(OPERATIONS, "1")["components"]["schemas"][shape]["properties"][field]
    text_schema = next(kind for kind in schema.get("anyOf", [schema]) if kind["type"] == "string")
    lengths = range(text_schema.get("minLength", 0), text_schema["maxLength"] + 1)
    judges: dict[str, Callable[[str], object]] = {
        "destination": Destination.parse,
        "extension": lambda text: Destination.parse(NUMBER, text),
        "passcode": Passcode.parse,
    }
    for text in right:
        assert len(text) in lengths
        judges[field](text)
    for text in wrong:
        assert len(text) not in lengths
        with pytest.raises(VoicegateError):
            judges[field](text)


def test_the_fix_of_a_refusal_is_in_its_detail() -> None:
    assert "`socket.allowed_users`" in Refused(problems.PEER_NOT_ALLOWED).detail
    assert "`policy.allowed_countries`" in Refused(problems.COUNTRY_NOT_ALLOWED).detail
    assert "`[trunks]`" in Refused(problems.NO_ROUTE).detail
    assert "`[internal]`" in Refused(problems.NO_ROUTE).detail


def test_the_parameters_of_a_path_and_its_query_are_described() -> None:
    look = document(OPERATIONS, "1")["paths"]["/v1/verifications/{id}"]["get"]
    assert [(entry["name"], entry["in"]) for entry in look["parameters"]] == [
        ("id", "path"),
        ("wait_s", "query"),
        ("since", "query"),
    ]


def test_no_generator_demands_what_may_be_left_out() -> None:
    described = document(OPERATIONS, "1")
    assert b'"default":null' not in msgspec.json.encode(described)
    schemas = described["components"]["schemas"]
    for name, schema in schemas.items():
        assert "default" not in str(schema.get("properties", {}).values()), name
    assert "\\\\Z" not in msgspec.json.encode(schemas).decode()
    assert schemas["NewVerification"]["required"] == ["destination"]


def test_every_operation_has_a_tag_that_is_described_and_a_key_to_send() -> None:
    described = document(OPERATIONS, "1")
    known = {tag["name"] for tag in described["tags"]}
    used = {tag for path in described["paths"].values() for one in path.values() for tag in one["tags"]}
    assert used == known
    assert described["servers"]
    assert {next(iter(one), None) for one in described["security"]} == {
        *described["components"]["securitySchemes"],
        None,
    }
