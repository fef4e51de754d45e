"""Whatever is asked of the real door: an answer that its document promises, and no code or number in it."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.adapters.http.test_openapi import OPERATIONS
from tests.unit.application.conftest import bench, trunk
from tests.unit.fuzz import chunks_of, hostile
from voicegate.adapters.http.openapi import refusals_of
from voicegate.application.conversation import CallTimings
from voicegate.application.queueing import CallLimits
from voicegate.lab.deadlines import within

FIELDS: Final = ("destination", "extension", "language", "passcode", "human_check", "lifetime_s", "reference")
CODE: Final = "918273"
VALUES: Final = st.one_of(
    st.sampled_from(
        [NUMBER, "+19005550199", "911", "204", CODE, "en", "random_key", "W1", "\r\nX: y", "\0", "٣"]
    ),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
)
BODIES: Final = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=8)), VALUES, max_size=5).map(
        lambda body: json.dumps(body).encode()
    ),
    st.binary(max_size=200),
    st.just(b"[" * 5000),
)
HEADER_TEXT: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip)
HEADERS: Final = st.dictionaries(
    st.sampled_from(
        ["Idempotency-Key", "Content-Type", "X-Request-Id", "Last-Event-ID", "Accept", "Content-Encoding"]
    ),
    st.one_of(HEADER_TEXT, st.sampled_from(["application/json", "gzip", "1.1.delivered"])),
    max_size=3,
)
QUERIES: Final = st.dictionaries(
    st.sampled_from(["wait_s", "since", "limit", "before", "after", "colour"]),
    st.one_of(st.sampled_from(["0", "1", "-1", "NaN", "1e9", "1.1.x", "2026-01-01T00:00:00Z"]), HEADER_TEXT),
    max_size=2,
)


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory() as name:
        made = asynccontextmanager(bench.__wrapped__)  # type: ignore[attr-defined]  # a fixture's own function
        async with (
            made(Path(name), (trunk("carrier"),), CallTimings(), CallLimits()) as made_bench,
            serving(made_bench, Path(name)) as server,
        ):
            yield server


def promised(method: str, path: str) -> set[int]:
    """The statuses that the document promises for a path with an id in it."""
    for operation in OPERATIONS:
        if (operation.method, operation.path) == (method, path):
            return {operation.success.status, *(kind.status for kind in refusals_of(operation))}
    return {404, 405}


async def ask(
    server: Served,
    method: str,
    path: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> httpx.Response:
    # A stream or a long poll of something that lives would wait: only what is over, or unknown, is asked for.
    created = await server.create(passcode=CODE)
    await server.http.delete(f"/v1/verifications/{created['id']}")
    await server.bench.settled(created["id"])
    name = created["call"]["id"] if "/calls/{id}" in path else created["id"]
    async with within(10):
        return await server.http.request(
            method,
            path.replace("{id}", name),
            content=body,
            headers={"Content-Type": "application/json"} | dict(headers),
            params=dict(query),
        )


@hostile(60)
@given(
    st.sampled_from([(operation.method, operation.path) for operation in OPERATIONS]),
    BODIES,
    HEADERS,
    QUERIES,
)
def test_hostile_requests_get_a_promised_answer(
    target: tuple[str, str], body: bytes, headers: dict[str, str], query: dict[str, str]
) -> None:
    async def run() -> None:
        async with served() as server:
            response = await ask(server, *target, body=body, headers=headers, query=query)
            assert response.status_code in promised(*target), (target, response.text)
            assert response.status_code < 500
            assert CODE not in response.text or CODE.encode() in body
            assert NUMBER.lstrip("+") not in response.text or NUMBER.encode() in body

    with capture_logs() as logs:
        asyncio.run(run())
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    assert CODE not in repr(logs)


PIECES: Final = st.sampled_from(
    [
        b"GET /healthz HTTP/1.1\r\n",
        b"POST /v1/verifications HTTP/1.1\r\n",
        b"Host: x\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"\r\n",
        b"{}",
    ]
)


@hostile(60)
@given(chunks_of(PIECES))
def test_hostile_bytes_harm_nobody(pieces: list[bytes]) -> None:
    async def run() -> None:
        async with served() as server:
            descriptors = len(list(Path("/proc/self/fd").iterdir()))
            reader, writer = await asyncio.open_unix_connection(str(server.path))
            writer.write(b"".join(pieces))
            writer.write_eof()
            async with within(15):
                await reader.read()
            writer.close()
            await writer.wait_closed()
            assert (await server.http.get("/healthz")).status_code == 200
            # The client keeps one connection open.
            assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 2

    with capture_logs() as logs:
        asyncio.run(run())
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
