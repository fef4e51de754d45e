"""Page sessions over HTTP: what a backend is told, and every answer that the OpenAPI document promises."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

import httpx
import msgspec
import pytest

from tests.unit.adapters.http.serving import BODY_TIMEOUT, NUMBER, PAGES_URL, Served, serving
from tests.unit.application.conftest import Bench
from voicegate.adapters.http.identity import own_uids, peers_of
from voicegate.adapters.http.native.page_sessions import PageSessionsDoor
from voicegate.adapters.http.openapi import refusals_of
from voicegate.adapters.http.operations import Operation, routes_of
from voicegate.adapters.http.problems import Problem
from voicegate.adapters.http.request_parsing import MAX_BODY_BYTES
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.page_queries import PageVisit
from voicegate.application.page_sessions import PageOpened, PageRules, PageSessions
from voicegate.domain.client import Scope
from voicegate.domain.page_session import result_code
from voicegate.domain.phone_number import Destination

OPERATIONS: Final = [
    route.operation for route in routes_of(PageSessionsDoor(cast(PageSessions, None), "", BODY_TIMEOUT))
]
CREATE, REDEEM = OPERATIONS
BODIES: Final[dict[str, dict[str, object]]] = {
    CREATE.name: {"subscriber": "alice", "purpose": "enroll"},
    REDEEM.name: {"result_code": "code", "state": "state"},
}
BACK = "https://app.example/back"
ELSEWHERE = (
    *(BACK + more for more in ("?a=b", "/", "#", "/../steal", "@evil.example", "%0d%0aX: y", " ", "\u200b")),
    *("https://evil.example/back", "https://app.example.evil.example/back", "https://app.example:444/back"),
    *("https://app.example\\@evil.example/back", "https://evil.example\\app.example/back"),
    *("https://u@app.example/back", "HTTPS://APP.EXAMPLE/back", "https://app.example./back"),
    *(
        "http://app.example/back",
        "//app.example/back",
        "/back",
        "javascript:alert(1)",
        "https:app.example/back",
    ),
    *("https://app.example/b\u0430ck", "https://app.\uff45xample/back", "https://app.example/%62ack"),
)
"""Ways to write it otherwise, and other places that look like it."""

Scene = Callable[[Served, Operation], Awaitable[httpx.Response]]


async def ask(served: Served, operation: Operation, **more: Any) -> httpx.Response:
    if "content" not in more:
        more.setdefault("json", BODIES[operation.name])
    return await served.http.request(operation.method, operation.path, **more)


async def disowned(served: Served, created: dict[str, Any]) -> str:
    """The result code of a person who says that it was not them."""
    pages, visit = served.bench.app.pages, PageVisit(created["id"], "")
    opened = await pages.open(visit, created["url"].rpartition("/")[2])
    assert isinstance(opened, PageOpened)
    await pages.disown(PageVisit(created["id"], opened.cookie or ""))
    return result_code(opened.cookie or "")


async def succeeding(served: Served, operation: Operation) -> httpx.Response:
    created = await ask(served, CREATE)
    if operation is CREATE:
        return created
    code = await disowned(served, created.json())
    return await ask(served, operation, json={"result_code": code, "state": created.json()["state"]})


async def enrolled(served: Served, operation: Operation) -> httpx.Response:
    admin = peers_of(own_uids())[os.getuid()]
    request = EnrollRequest(admin, "alice", Destination.parse(NUMBER), is_proven=True)
    await served.bench.enrollment.enroll(request)
    return await ask(served, operation)


async def addressless(served: Served, operation: Operation) -> httpx.Response:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.unit.adapters.http.serving.PAGES_URL", "")
        async with serving(served.bench, served.path.parent.parent / "other") as other:
            return await ask(other, operation)


async def slow(served: Served, operation: Operation) -> httpx.Response:
    answer = await served.raw(
        f"{operation.method} {operation.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: 9\r\n\r\n{".encode()
    )
    headers = dict(line.split(": ", 1) for line in answer.head.split("\r\n")[1:])
    return httpx.Response(answer.status, headers=headers, content=answer.body)


def content(body: bytes, kind: str = "application/json") -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        return await ask(served, operation, content=body, headers={"Content-Type": kind})

    return scene


SCENES: Final[dict[str, Scene]] = {
    "success": succeeding,
    "bad_request": content(b"{"),
    "unsupported_media_type": content(b"{}", "text/plain"),
    "too_large": content(b" " * (MAX_BODY_BYTES + 1)),
    "body_timeout": slow,
    "invalid": content(b"{}"),
    "not_found": ask,
    "already_enrolled": enrolled,
    "pages_off": addressless,
}
OF_EVERY_OPERATION: Final = {
    *("key_missing", "key_wrong", "peer_not_allowed", "scope_missing", "overloaded"),
    *("internal_error", "store_unavailable"),
}
"""What `test_openapi` shows of the others: it is the frame's, not the operation's."""


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_every_promised_answer_can_be_had(bench: Bench, tmp_path: Path, operation: Operation) -> None:
    promised = {kind.name: kind for kind in refusals_of(operation) if kind.name not in OF_EVERY_OPERATION}
    for number, answer in enumerate(("success", *promised)):
        folder = tmp_path / str(number)  # short, for a socket's whole path is bounded
        folder.mkdir()
        async with serving(bench, folder) as served:
            response = await SCENES[answer](served, operation)
        if answer == "success":
            assert response.status_code == operation.success.status
            assert operation.success.body is not None
            msgspec.json.decode(response.content, type=operation.success.body)
        else:
            problem = msgspec.json.decode(response.content, type=Problem)
            assert (problem.type, problem.status) == (promised[answer].uri, promised[answer].status)


async def test_a_backend_is_told_where_to_send_the_person(served: Served) -> None:
    created = (await ask(served, CREATE)).json()
    assert created["url"].startswith(f"{PAGES_URL}/p/{created['id']}/start/")
    assert created["state"] not in created["url"]
    code = await disowned(served, created)
    told = (await ask(served, REDEEM, json={"result_code": code, "state": created["state"]})).json()
    assert (told["subscriber"], told["purpose"], told["result"]) == ("alice", "enroll", "not_me")
    assert (told["verified_at"], told["factor"]) == (None, None)


async def test_people_are_sent_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    rebuilt = bench.rebuilt(pages=PageRules({"backend": frozenset({BACK})}))
    async with rebuilt.delivery, serving(rebuilt, tmp_path) as served:
        key = await served.key(Scope.FACTORS)
        for url in (BACK, *ELSEWHERE):
            body = BODIES[CREATE.name] | {"return_url": url}
            response = await served.remote.post(CREATE.path, json=body, headers=key)
            assert response.status_code == (201 if url == BACK else 422), url
        assert response.json()["field"] == "return_url"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x", "http://[", "https:x"]
)
async def test_another_way_is_a_web_page(served: Served, url: str) -> None:
    response = await ask(served, CREATE, json=BODIES[CREATE.name] | {"alternative_url": url})
    assert (response.status_code, response.json()["field"]) == (422, "alternative_url")
