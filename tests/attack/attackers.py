"""Those who attack, in processes of their own: `python -m tests.attack.attackers PLAN`. Loopback only.

Each does what it does until its time is over, and counts what it was answered. The figures go to standard
output as JSON.
"""

import asyncio
import base64
import itertools
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tests.attack.asking import Asking, Streams, header

HOST: Final = "127.0.0.1"
NUMBER: Final = "+12025550103"
_SERVICE: Final = "VA00000000000000000000000000000001"
_CONNECTS_A_SECOND: Final = 900
_TIMEOUT_S: Final = 60
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
    own_delay_s: float
    """How late the attackers were themselves at most: so much of an answer's time may be theirs."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request."""

    path: str
    """Where to; `{number}` becomes how many were made before."""
    body: bytes = b""
    """What is posted; nothing: it is got."""
    media_type: str = "application/json"
    """What that is."""
    is_basic: bool = False
    """Does the key go as a password, instead of after `Bearer`?"""


class Attackers:
    """Everything at once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._end = time.monotonic() + plan.seconds
        self._answers: dict[str, Counter[str]] = {}
        self._took: list[float] = []
        self._own_delay_s = 0.0
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._sources = itertools.cycle(plan.addresses)
        self._asking = Asking(self._connect)

    async def run(self) -> Figures:
        plan = self._plan
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold_all(plan.silent, "silent", self._stay_silent))
            group.create_task(self._hold_all(plan.idle, "idle", self._idle))
            for _ in range(plan.polls):
                group.create_task(self._poll())
            if plan.requests_a_second:
                group.create_task(self._at(plan.requests_a_second, "requests", self._requests()))
            if plan.flood_a_second:
                group.create_task(self._at(plan.flood_a_second, "flood", self._doors()))
        self._asking.close()
        took = sorted(self._took)
        slowest = took[int(len(took) * 0.99)] if took else 0.0
        return Figures(
            answers={name: dict(counter) for name, counter in self._answers.items()},
            slowest_s=slowest,
            own_delay_s=self._own_delay_s,
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

    async def _connect(self) -> Streams:
        return await asyncio.open_connection(HOST, self._plan.port, ssl=self._tls)

    async def _poll(self) -> None:
        """Wait for news of a verification, again and again."""
        asking = Asking(self._connect)
        while self._left_s > 1:
            path = f"{self._plan.poll}&wait_s={min(20, int(self._left_s))}"
            try:
                answer = await asyncio.wait_for(
                    asking.ask("GET", path, headers=(f"Authorization: Bearer {self._plan.key}",)), _TIMEOUT_S
                )
            except (OSError, EOFError) as error:
                self._count("polls", f"{type(error).__name__} {error}")
                await asyncio.sleep(1)
                continue
            self._count("polls", answer.status)
            await asyncio.sleep(float(header(answer.head, b"retry-after") or 0.1))
        asking.close()

    async def _at(self, rate: int, name: str, asking: "itertools.cycle[Asked]") -> None:
        """Ask so often, whether the answers come or not."""
        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number in itertools.count():
                if not self._left_s:
                    return
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._own_delay_s = max(self._own_delay_s, time.monotonic() - due)
                asked = next(asking)
                group.create_task(self._ask(name, asked.path.format(number=number), asked))

    async def _ask(self, name: str, path: str, asked: Asked) -> None:
        began = time.monotonic()
        method = "POST" if asked.body else "GET"
        key = f"Bearer {self._plan.key}"
        if asked.is_basic:
            key = f"Basic {base64.b64encode(f'hostile:{self._plan.key}'.encode()).decode()}"
        asking = self._asking.ask(
            method,
            path,
            headers=(f"Authorization: {key}",),
            body=asked.body,
            media_type=asked.media_type,
        )
        try:
            answer = await asyncio.wait_for(asking, _TIMEOUT_S)
        except (OSError, EOFError) as error:
            self._count(name, f"{type(error).__name__} {error}")
            return
        self._count(name, answer.status)
        if answer.status not in (429, 503):
            self._took.append(time.monotonic() - began)

    def _requests(self) -> "itertools.cycle[Asked]":
        verification = self._plan.poll.partition("?")[0]
        return itertools.cycle(
            [
                Asked(path="/v1/calls"),
                Asked(path=verification),
                Asked(path=f"{verification}/check", body=msgspec.json.encode({"passcode": "000000"})),
                Asked(path="/v1/verifications", body=msgspec.json.encode({"destination": "+19005550199"})),
            ]
        )

    def _doors(self) -> "itertools.cycle[Asked]":
        """Each door asks for a call to the same number, with its own words."""
        profile = {"phoneNumber": NUMBER, "otpCode": "471029", "deliveryChannel": "CALL"}
        hook: dict[str, object] = {
            "eventType": "com.okta.telephony.provider",
            "eventId": "e",
            "data": {"messageProfile": profile},
        }
        factor: dict[str, object] = {
            "factorType": "call",
            "provider": "OKTA",
            "profile": {"phoneNumber": NUMBER},
        }
        verification = "/v1/verifications"
        bodies: list[tuple[str, dict[str, object]]] = [
            (verification, {"destination": NUMBER}),
            (verification, {"destination": NUMBER, "extension": "204"}),
            ("/api/v1/users/u{number}/factors", factor),
            ("/hooks/okta/telephony", hook),
            ("/hooks/providers/any", {"number": NUMBER, "code": "471029"}),
        ]
        twilio = Asked(
            path=f"/v2/Services/{_SERVICE}/Verifications",
            body=urlencode({"To": NUMBER, "Channel": "call"}).encode(),
            media_type="application/x-www-form-urlencoded",
            is_basic=True,
        )
        native = [Asked(path=path, body=msgspec.json.encode(body)) for path, body in bodies]
        return itertools.cycle([*native, twilio])


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    with suppress(KeyboardInterrupt):
        figures = asyncio.run(Attackers(plan).run())
        sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
