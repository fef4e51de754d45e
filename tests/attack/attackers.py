"""Those who attack, in a process of their own: `python -m tests.attack.attackers PLAN`. Loopback only.

Each does what it does until its time is over, and counts what it was answered. The figures go to standard
output as JSON.
"""

import asyncio
import itertools
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import msgspec
from msgspec import Struct

HOST: Final = "127.0.0.1"
NUMBER: Final = "+12025550103"
_SERVICE: Final = "VA00000000000000000000000000000001"
_CONNECTS_A_SECOND: Final = 900
_PATIENCE_S: Final = 60
_KEYLESS: Final = b"GET /v1/calls HTTP/1.1\r\nHost: x\r\n\r\n"


class Plan(Struct, frozen=True, kw_only=True):
    """How much of everything."""

    port: int
    key: str
    poll: str
    """What the long polls ask for."""
    seconds: float
    silent: int
    idle: int
    polls: int
    requests_a_second: int
    flood_a_second: int
    addresses: list[str]


class Figures(Struct, kw_only=True):
    """What came of it."""

    answers: dict[str, dict[str, int]]
    """By attack: how often it was answered how."""
    slowest_s: float
    """The slowest answer but one in a hundred, of those that were not refused."""


class Attackers:
    """Everything at once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._end = time.monotonic() + plan.seconds
        self._answers: dict[str, Counter[str]] = {}
        self._took: list[float] = []
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._sources = itertools.cycle(plan.addresses)

    async def run(self) -> Figures:
        plan = self._plan
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(verify=self._tls, limits=limits, timeout=_PATIENCE_S) as client:
            self._client = client
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hold_all(plan.silent, "silent", self._stay_silent))
                group.create_task(self._hold_all(plan.idle, "idle", self._idle))
                for _ in range(plan.polls):
                    group.create_task(self._poll())
                group.create_task(self._at(plan.requests_a_second, "requests", self._requests()))
                group.create_task(self._at(plan.flood_a_second, "flood", self._doors()))
        took = sorted(self._took)
        slowest = took[int(len(took) * 0.99)] if took else 0.0
        return Figures(
            answers={name: dict(counter) for name, counter in self._answers.items()}, slowest_s=slowest
        )

    def _count(self, attack: str, what: object) -> None:
        self._answers.setdefault(attack, Counter())[str(what)] += 1

    @property
    def _left_s(self) -> float:
        return max(0.0, self._end - time.monotonic())

    async def _hold_all(self, count: int, name: str, hold: Callable[[], Awaitable[str]]) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._counted(name, hold))
                await asyncio.sleep(1 / _CONNECTS_A_SECOND)

    async def _counted(self, name: str, hold: Callable[[], Awaitable[str]]) -> None:
        try:
            self._count(name, await hold())
        except (OSError, asyncio.IncompleteReadError) as error:
            self._count(name, type(error).__name__)

    async def _stay_silent(self) -> str:
        """Connect and send nothing."""
        reader, writer = await asyncio.open_connection(
            HOST, self._plan.port, local_addr=(next(self._sources), 0)
        )
        return await self._until_closed(reader, writer)

    async def _idle(self) -> str:
        """Ask once without a key, and stay."""
        reader, writer = await asyncio.open_connection(
            HOST, self._plan.port, ssl=self._tls, local_addr=(next(self._sources), 0)
        )
        writer.write(_KEYLESS)
        return await self._until_closed(reader, writer)

    async def _until_closed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        try:
            answer = await asyncio.wait_for(reader.read(), self._left_s)
        except TimeoutError:
            return "held to the end"
        finally:
            writer.transport.abort()
        return answer[9:12].decode() if answer else "closed"

    async def _poll(self) -> None:
        """Wait for news of a verification, again and again."""
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(verify=self._tls, limits=limits, timeout=_PATIENCE_S) as client:
            while self._left_s > 1:
                wait_s = min(20, int(self._left_s))
                try:
                    path = f"https://{HOST}:{self._plan.port}{self._plan.poll}&wait_s={wait_s}"
                    answer = await client.get(path, headers=self._headers)
                except httpx.HTTPError as error:
                    self._count("polls", f"{type(error).__name__} {error}")
                    await asyncio.sleep(1)
                    continue
                self._count("polls", answer.status_code)
                await asyncio.sleep(float(answer.headers.get("Retry-After", 0.1)))

    async def _at(self, rate: int, name: str, asking: "itertools.cycle[dict[str, object]]") -> None:
        """Ask so often, whether the answers come or not."""
        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number in itertools.count():
                if not self._left_s:
                    return
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(self._ask(name, number, dict(next(asking))))

    async def _ask(self, name: str, number: int, asked: dict[str, object]) -> None:
        began = time.monotonic()
        url = f"https://{HOST}:{self._plan.port}{str(asked.pop('path')).format(number=number)}"
        method = str(asked.pop("method", "POST"))
        try:
            answer = await self._client.request(method, url, headers=self._headers, **asked)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            self._count(name, f"{type(error).__name__} {error}")
            return
        self._count(name, answer.status_code)
        if answer.status_code not in (429, 503):
            self._took.append(time.monotonic() - began)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._plan.key}"}

    def _requests(self) -> "itertools.cycle[dict[str, object]]":
        verification = self._plan.poll.partition("?")[0]
        return itertools.cycle(
            [
                {"method": "GET", "path": "/v1/calls"},
                {"method": "GET", "path": verification},
                {"path": f"{verification}/check", "json": {"passcode": "000000"}},
                {"path": "/v1/verifications", "json": {"destination": "+19005550199"}},
            ]
        )

    def _doors(self) -> "itertools.cycle[dict[str, object]]":
        """Each door asks for a call to the same number, with its own words."""
        profile = {"phoneNumber": NUMBER, "otpCode": "471029", "deliveryChannel": "CALL"}
        hook = {
            "eventType": "com.okta.telephony.provider",
            "eventId": "e",
            "data": {"messageProfile": profile},
        }
        factor = {"factorType": "call", "provider": "OKTA", "profile": {"phoneNumber": NUMBER}}
        return itertools.cycle(
            [
                {"path": "/v1/verifications", "json": {"destination": NUMBER}},
                {"path": "/v1/verifications", "json": {"destination": NUMBER, "extension": "204"}},
                {
                    "path": f"/v2/Services/{_SERVICE}/Verifications",
                    "data": {"To": NUMBER, "Channel": "call"},
                    "auth": ("hostile", self._plan.key),
                },
                {"path": "/api/v1/users/u{number}/factors", "json": factor},
                {"path": "/hooks/okta/telephony", "json": hook},
                {"path": "/hooks/providers/any", "json": {"number": NUMBER, "code": "471029"}},
            ]
        )


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    with suppress(KeyboardInterrupt):
        figures = asyncio.run(Attackers(plan).run())
        sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
