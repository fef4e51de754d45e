"""The Okta door on a real socket, over the use cases' own bench."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.unit.adapters.http.serving import native_dependencies
from tests.unit.application.conftest import Bench
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.identity import Identity, own_uids, peers_of
from voicegate.adapters.http.native.door import native_door
from voicegate.adapters.http.okta.door import ERROR_FORMAT, okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies
from voicegate.adapters.http.okta.schemas import OktaError
from voicegate.adapters.http.openapi import refusals_of
from voicegate.adapters.http.operations import Operation
from voicegate.adapters.http.server import Listener, ServerSettings, serve_on
from voicegate.adapters.unix_socket import SocketFile, listening

NUMBER = "+12025550101"
BODY_TIMEOUT = timedelta(milliseconds=50)
PHONE = {"factorType": "call", "provider": "OKTA", "profile": {"phoneNumber": NUMBER}}


@dataclass
class Okta:
    """A running server, a client of it, and the bench behind it."""

    bench: Bench
    http: httpx.AsyncClient

    async def post(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.post(f"/api/v1/users/alice{path}", **more)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"/api/v1/users/alice{path}")

    async def enroll(self, **profile: object) -> dict[str, Any]:
        """A factor that waits for its activation; its call has ended."""
        body = PHONE | {"profile": {"phoneNumber": NUMBER} | profile}
        response = await self.post("/factors", json=body)
        assert response.status_code == 200, response.text
        factor = dict(response.json())
        await self.bench.settled(factor["_embedded"]["verification"]["id"])
        return factor

    async def active(self, **profile: object) -> str:
        """The id of an active factor whose user may be called again."""
        factor = await self.enroll(**profile)
        response = await self.guess(factor, "lifecycle/activate")
        assert response.status_code == 200, response.text
        self.turn(seconds=30)
        return str(factor["id"])

    async def challenge(self, factor_id: str) -> dict[str, Any]:
        """An active factor's challenge; its call has ended."""
        response = await self.post(f"/factors/{factor_id}/verify")
        assert response.status_code == 200, response.text
        answer = dict(response.json()) | {"id": factor_id}
        await self.bench.settled(answer["_embedded"]["verification"]["id"])
        return answer

    async def guess(self, answer: dict[str, Any], what: str, code: str | None = None) -> httpx.Response:
        """What becomes of the right code, or another one, after an enrollment or a challenge."""
        right = self.bench.code(answer["_embedded"]["verification"]["id"])
        return await self.post(f"/factors/{answer['id']}/{what}", json={"passCode": code or right})

    def wrong(self, answer: dict[str, Any]) -> str:
        right = self.bench.code(answer["_embedded"]["verification"]["id"])
        return f"{(int(right) + 1) % 1000000:06}"

    def turn(self, **time: float) -> None:
        self.bench.clock.time += timedelta(**time)


@dataclass
class Promises:
    """Checks that every answer is one that the description promises, and of the shape that it says."""

    door: Door

    async def check(self, response: httpx.Response) -> None:
        operation = self._asked(response.request)
        if operation is None:
            return
        await response.aread()
        success = operation.success
        if response.status_code != success.status:
            assert response.status_code in {kind.status for kind in refusals_of(operation, ERROR_FORMAT)}
            msgspec.json.decode(response.content, type=OktaError)
        elif success.body is not None:
            shape: Any = list[success.body] if success.is_list else success.body  # type: ignore[name-defined]
            msgspec.json.decode(response.content, type=shape)

    def _asked(self, request: httpx.Request) -> Operation | None:
        path = request.url.raw_path.partition(b"?")[0].decode().removesuffix("/")
        for operation in (route.operation for route in self.door.routes):
            pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
            if operation.method == request.method and re.fullmatch(pattern, path):
                return operation
        return None


@asynccontextmanager
async def serving(
    bench: Bench, folder: Path, *, public_url: str = "", **dependencies: Any
) -> AsyncIterator[Okta]:
    path = folder / "o" / "api.sock"
    native = native_dependencies(bench)
    doors = [
        okta_door(
            OktaDependencies(bench.enrollment, bench.factors, body_timeout=BODY_TIMEOUT, **dependencies)
        ),
        native_door(native),
    ]
    identity = Identity(bench.clients, peers_of(own_uids()))
    with listening(SocketFile(path)) as listener:
        async with (
            serve_on(
                [Listener(listener)], doors, identity.of, settings=ServerSettings(public_url=public_url)
            ),
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(path)),
                base_url="http://voicegate",
                event_hooks={"response": [Promises(doors[0]).check]},
            ) as http,
        ):
            yield Okta(bench, http)
