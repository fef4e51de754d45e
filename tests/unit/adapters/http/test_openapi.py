"""The OpenAPI document is true: every answer it promises can be had, and is of the shape it says."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast
from unittest.mock import Mock

import httpx
import msgspec
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.adapters.http.test_page_sessions import OPERATIONS as PAGE_OPERATIONS
from tests.unit.application.conftest import SPACED, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http import problems
from voicegate.adapters.http.native.door import ApiDependencies, native_door
from voicegate.adapters.http.openapi import document, refusals_of
from voicegate.adapters.http.operations import Operation
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.problems import Problem, Refused
from voicegate.adapters.http.request_parsing import MAX_BODY_BYTES
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.domain.call import Rang
from voicegate.domain.errors import StoreError, VoicegateError
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import CallPolicy, GuessPolicy, NumberCheck

OPERATIONS: Final = [route.operation for route in native_door(cast(ApiDependencies, Mock())).routes]
PROMISES: Final = [
    (operation, answer)
    for operation in OPERATIONS
    if operation not in PAGE_OPERATIONS  # their own test's
    for answer in ("success", *(kind.name for kind in refusals_of(operation)))
]
BODIES: Final = {
    "createVerification": {"destination": NUMBER},
    "checkPasscode": {"passcode": "000000"},
    "addClient": {"name": "new", "scopes": ["verifications"]},
    "rotateKey": {"grace_s": 60},
}

Scene = Callable[[Served, Operation], Awaitable[httpx.Response]]


async def ask(served: Served, operation: Operation, **more: Any) -> httpx.Response:
    """Ask for the operation as it should be asked, but for `more`."""
    path = more.pop("path", None) or await existing(served, operation)
    if "content" not in more and operation.name in BODIES:
        more.setdefault("json", BODIES[operation.name])
    return await served.http.request(operation.method, path, **more)


async def existing(served: Served, operation: Operation) -> str:
    """A path of something that exists; its call has ended."""
    if "{name}" in operation.path:
        await served.key(name="present")
        return operation.path.replace("{name}", "present")
    if "{id}" not in operation.path:
        return operation.path
    created = await served.create()
    await served.bench.settled(created["id"])
    if operation.success.events:
        # Of one that is over, so that the stream ends.
        await served.http.delete(f"/v1/verifications/{created['id']}")
    name = created["call"]["id"] if operation.name == "getCall" else created["id"]
    return operation.path.replace("{id}", name)


def barred(number: str) -> Scene:
    """A number that may not be called, or not any more."""

    async def scene(served: Served, operation: Operation) -> httpx.Response:
        if operation.name != "redial":
            return await ask(served, operation, json={"destination": number})
        challenge_service, policy = served.bench.challenge_service, served.bench.challenge_service.policy
        wider = CallPolicy(frozenset({"US", "GB"}), number_check=NumberCheck.POSSIBLE)
        challenge_service.policy = replace(wider, test_numbers=re.compile(r"\+18005550199"))
        created = await served.create(destination=number)
        await served.bench.settled(created["id"])
        challenge_service.policy = policy
        return await ask(served, operation, path=operation.path.replace("{id}", created["id"]))

    return scene


def content(body: bytes, kind: str = "application/json") -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        return await ask(served, operation, content=body, headers={"Content-Type": kind})

    return scene


async def nothing(served: Served, operation: Operation) -> httpx.Response:
    return await ask(served, operation, path=re.sub(r"{\w+}", "nobody", operation.path))


async def invalid(served: Served, operation: Operation) -> httpx.Response:
    if operation.name == "redial":
        return await barred("+15554151337")(served, operation)
    if operation.query is not None:
        return await ask(served, operation, params={"colour": "red"})
    return await ask(served, operation, json={"colour": "red"})


async def slow(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    answer = await served.raw(
        f"{operation.method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: 9\r\n\r\n{".encode()
    )
    headers = dict(line.split(": ", 1) for line in answer.head.split("\r\n")[1:])
    return httpx.Response(answer.status, headers=headers, content=answer.body)


def broken(error: Exception) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = await existing(served, operation)

        async def fail(*_: object, **__: object) -> None:
            raise error

        with pytest.MonkeyPatch.context() as patch:
            for name in ("transact", "challenge", "call", "recent_calls", "clients", "audit"):
                patch.setattr(served.bench.store, name, fail)
            patch.setattr(served.bench.pbx, "trunk_states", fail)
            return await ask(served, operation, path=path)

    return scene


async def live(served: Served, operation: Operation) -> httpx.Response:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    served.bench.pbx.plots = [rings]
    created = await served.create()
    return await ask(served, operation, path=operation.path.replace("{id}", created["id"]))


async def over(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    await served.http.delete(path.removesuffix("/calls"))
    return await ask(served, operation, path=path)


async def soon(served: Served, operation: Operation) -> httpx.Response:
    created = await served.create()
    await served.settled(created["id"])
    served.bench.challenge_service.policy = SPACED
    return await ask(served, operation, path=operation.path.replace("{id}", created["id"]))


async def guessed(served: Served, operation: Operation) -> httpx.Response:
    rules = GuessPolicy(per_destination=5)
    served.bench.challenge_service.policy = replace(served.bench.challenge_service.policy, guesses=rules)
    await served.settled((await served.create())["id"])
    return await ask(served, operation)


async def exhausted(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    for _ in range(4):
        assert (await ask(served, operation, path=path)).status_code == 202
        await served.bench.settled(path.split("/")[3])
    return await ask(served, operation, path=path)


def where(place: str, is_so: Callable[..., object]) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = await existing(served, operation)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, is_so)
            return await ask(served, operation, path=path)

    return scene


async def reused(served: Served, operation: Operation) -> httpx.Response:
    headers = {"Idempotency-Key": "one"}
    await ask(served, operation, headers=headers)
    return await ask(served, operation, headers=headers, json={"destination": "+12025550102"})


async def taken(served: Served, operation: Operation) -> httpx.Response:
    await ask(served, operation)
    return await ask(served, operation)


async def crowded(served: Served, operation: Operation) -> httpx.Response:
    return await ask(served, operation, params={} if operation.success.events else {"wait_s": "1"})


async def overloaded(served: Served, operation: Operation) -> httpx.Response:
    """While there is too much under way, a request of the same client among it."""
    path = await existing(served, operation)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow_states() -> dict[str, str]:
        asked.set()
        await answered.wait()
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.bench.pbx, "trunk_states", slow_states)
        first = asyncio.create_task(served.http.get("/v1/trunks"))
        await asked.wait()
        patch.setattr(Load, "_is_full", lambda *_, **__: True)
        answer = await ask(served, operation, path=path)
        answered.set()
        await first
    assert answer.headers["Retry-After"] == "1"
    return answer


async def unplugged(served: Served, operation: Operation) -> httpx.Response:
    served.bench.pbx.is_connected = False
    return await ask(served, operation)


def with_key(make: Callable[[Served], Awaitable[dict[str, str]]]) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = re.sub(r"{\w+}", "nobody", operation.path)
        return await served.remote.request(operation.method, path, headers=await make(served))

    return scene


async def no_key(served: Served) -> dict[str, str]:
    return {}


async def foreign_key(served: Served) -> dict[str, str]:
    return {"Authorization": "Bearer vgk_x_y"}


async def key_without_scope(served: Served) -> dict[str, str]:
    return await served.key()


SCENES: Final[dict[str, Scene]] = {
    "success": ask,
    "peer_not_allowed": nothing,
    "key_missing": with_key(no_key),
    "key_wrong": with_key(foreign_key),
    "scope_missing": with_key(key_without_scope),
    "bad_request": content(b"{"),
    "unsupported_media_type": content(b"{}", "text/plain"),
    "too_large": content(b" " * (MAX_BODY_BYTES + 1)),
    "body_timeout": slow,
    "invalid": invalid,
    "not_found": nothing,
    "country_not_allowed": barred("+442079460123"),
    "number_type_not_allowed": barred("+18005550199"),
    "idempotency_key_reused": reused,
    "client_exists": taken,
    "no_route": where("voicegate.application.challenges.find_route", lambda *_: ()),
    "queue_full": where("voicegate.application.queueing.CallQueue.is_full_for", lambda *_: True),
    "call_in_progress": live,
    "not_open": over,
    "too_many_calls": exhausted,
    "too_soon": soon,
    "too_many_guesses": guessed,
    "too_many_waiting": crowded,
    "overloaded": overloaded,
    "not_ready": unplugged,
    "internal_error": broken(RuntimeError("the secret of the house")),
    "store_unavailable": broken(StoreError()),
}


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
