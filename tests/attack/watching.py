"""People who watch calls as they happen, on pages and through the native API, at a running daemon.

Each watches a call of its own from its beginning to its end, while others check codes and ask for `/healthz`.
No call goes on before all of them watch.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tests.attack.asking import Answer, Asking, Streams, header
from tests.attack.target import SETTINGS, Target
from voicegate.client import AsyncClient, Verification

HOST: Final = "127.0.0.1"
ADDRESSES: Final = [f"127.0.0.{last}" for last in range(2, 21)]
PEOPLE: Final = (
    SETTINGS.replace(
        "[trunks.carrier]\n",
        "[trunks.carrier]\nmax_calls = 600\nring_timeout_s = 600\nprogress_timeout_s = 600\n",
    ).replace("[call]\n", "[call]\nmax_in_progress = 600\n")
    + """
[passcode]
lifetime_s = 900
"""
)
"""Lines enough, and time enough until all watch; `[http]` is as it comes."""
COMING_AT_ONCE: Final = 8
"""People whose calls are being begun, or whose streams are being opened, at the same moment."""
_VISIBLE: Final = frozenset(
    {"queued", "originated", "rang", "answered", "extension_started", "invited", "key_pressed"}
) | {"reading_started", "ended"}
"""Events of a call that a page tells."""
_FORM: Final = re.compile(r'name="form" value="(\w+)"')


@dataclass
class Seen:
    """What one watcher was told of its call."""

    verification: str
    is_page: bool
    opened: float = 0.0
    told: list[float] = field(default_factory=list)
    """When each step came, oldest first, by the wall's clock."""


@dataclass
class Figures:
    """What came of it."""

    missed: list[str]
    """Watchers who were not told every step."""
    delays_s: list[float]
    """How long after a step each watcher was told, in order."""
    answers: dict[str, list[float]]
    """How long each check and each health check took."""
    refused: list[str]
    """Answers that were none."""

    @property
    def p95_s(self) -> float:
        return share_of(self.delays_s, 0.95)

    def __str__(self) -> str:
        """All of it as one line."""
        took = {"steps": self.delays_s, **self.answers}
        return "; ".join(f"{name}: {_described(all_s)}" for name, all_s in took.items())


def share_of(all_s: list[float], share: float) -> float:
    """The time within which that share of them is."""
    return sorted(all_s)[min(int(len(all_s) * share), len(all_s) - 1)]


def _described(all_s: list[float]) -> str:
    p50, p95, most = (share_of(all_s, share) * 1000 for share in (0.5, 0.95, 1))
    return f"{len(all_s)}, p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {most:.0f} ms"


class Retrying(Asking):
    """Asks again where a machine that is too busy refuses it, as an answer says that one may."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: tuple[str, ...] = (),
        body: bytes = b"",
        media_type: str = "",
    ) -> Answer:
        while True:
            answer = await super().ask(method, path, headers=headers, body=body, media_type=media_type)
            if answer.status != 503:
                return answer
            await asyncio.sleep(float(header(answer.head, b"retry-after") or 1))


class Crowd:
    """So many people, half of them on pages."""

    def __init__(self, target: Target, count: int) -> None:
        """`target` must be `tests.attack.held`: its calls go on when all watch."""
        self._target = target
        self._count = count
        self._tls = target.trust
        self._seen: list[Seen] = []
        self._refused: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._answers: dict[str, list[float]] = {"check": [], "healthz": []}
        self._comers = asyncio.Semaphore(COMING_AT_ONCE)

    async def watch(self) -> Figures:
        asking = Retrying(self._connect(ADDRESSES[0]))
        async with AsyncClient(socket=self._target.socket) as admin, asyncio.TaskGroup() as group:
            others = group.create_task(self._others())
            async with asyncio.TaskGroup() as crowd:
                for number in range(self._count):
                    crowd.create_task(self._come(asking, admin, number))
            others.cancel()
        for writer in self._writers:
            writer.transport.abort()
        return await self._figures()

    async def _come(self, asking: Asking, admin: AsyncClient, number: int) -> None:
        """Have a call begun, and watch it."""
        async with self._comers:
            seen, path, cookie = await (
                self._page(asking, admin, number) if number % 2 else self._native(asking, number)
            )
            reader, writer = await self._connect(ADDRESSES[number % len(ADDRESSES)])()
            await self._begin(seen, path, cookie, reader=reader, writer=writer)
        self._seen.append(seen)
        if len(self._seen) == self._count:
            os.kill(self._target.process, signal.SIGUSR1)
        while not await self._is_over(seen, reader):
            pass
        writer.transport.abort()

    def _connect(self, address: str) -> Callable[[], Awaitable[Streams]]:
        async def connect() -> Streams:
            reader, writer = await asyncio.open_connection(
                HOST, self._target.port, ssl=self._tls, local_addr=(address, 0), server_hostname=HOST
            )
            self._writers.append(writer)
            return reader, writer

        return connect

    @property
    def _key(self) -> tuple[str]:
        return (f"Authorization: Bearer {self._target.honest}",)

    async def _native(self, asking: Asking, number: int) -> tuple[Seen, str, tuple[str, ...]]:
        body = msgspec.json.encode({"destination": number_of(number)})
        answer = await asking.ask(
            "POST", "/v1/verifications", headers=self._key, body=body, media_type="application/json"
        )
        assert answer.status == 202, answer.body
        made = msgspec.json.decode(answer.body)["id"]
        return Seen(made, is_page=False), f"/v1/verifications/{made}/events", self._key

    async def _page(
        self, asking: Asking, admin: AsyncClient, number: int
    ) -> tuple[Seen, str, tuple[str, ...]]:
        person = {"subscriber": f"person {number}", "purpose": "enroll", "language": "en"}
        answer = await asking.ask(
            "POST",
            "/v1/page-sessions",
            headers=self._key,
            body=msgspec.json.encode(person),
            media_type="application/json",
        )
        assert answer.status == 201, answer.body
        url = urlsplit(msgspec.json.decode(answer.body)["url"]).path
        opened = await asking.ask("GET", url)
        assert opened.status == 303, opened.body
        found = re.search(rb"voicegate_page=([^;]+)", opened.head)
        assert found is not None
        cookie, here = (f"Cookie: voicegate_page={found[1].decode()}",), url.partition("/start/")[0]
        page = await asking.ask("GET", f"{here}?step=number", headers=cookie)
        form = _FORM.search(page.body.decode())
        assert form is not None, page.body
        sent = f"form={form[1]}&country=US&number=%2B{number_of(number)[1:]}&extension="
        called = await asking.ask(
            "POST",
            f"{here}/enroll",
            headers=cookie,
            body=sent.encode(),
            media_type="application/x-www-form-urlencoded",
        )
        assert called.status == 303, called.body
        [factor] = await admin.factors.list(f"person {number}")
        assert factor.verification is not None
        return Seen(factor.verification.id, is_page=True), f"{here}/events", cookie

    async def _begin(
        self,
        seen: Seen,
        path: str,
        headers: tuple[str, ...],
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Ask for a stream, and read its first event: the call does not ring yet."""
        lines = [f"GET {path} HTTP/1.1", "Host: x", "Accept: text/event-stream", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        assert not await self._is_over(seen, reader)
        seen.opened = time.time()

    async def _is_over(self, seen: Seen, reader: asyncio.StreamReader) -> bool:
        size = int(await reader.readline(), 16)
        chunk = await reader.readexactly(size + 2)
        now = time.time()
        if seen.is_page:
            steps = max((part.count(b"<li") for part in chunk.split(b"event: live")), default=0)
            seen.told += [now] * (steps - len(seen.told))
            return b"Call ended" in chunk
        seen.told += [now] * chunk.count(b"event: step\n")
        return b'"event":"ended"' in chunk

    async def _others(self) -> None:
        """Check codes, and ask whether the daemon lives, all the while."""
        asking = Retrying(self._connect(ADDRESSES[-1]))
        seen, _, _ = await self._native(asking, self._count)
        check, guess = (
            f"/v1/verifications/{seen.verification}/check",
            msgspec.json.encode({"passcode": "0000"}),
        )
        while True:
            for name in ("healthz", "check"):
                began = time.monotonic()
                answer = await (
                    asking.ask("GET", "/healthz")
                    if name == "healthz"
                    else asking.ask(
                        "POST", check, headers=self._key, body=guess, media_type="application/json"
                    )
                )
                self._answers[name].append(time.monotonic() - began)
                if answer.status != 200:
                    self._refused.append(f"{name}: {answer.status}")
            await asyncio.sleep(0.25)

    async def _figures(self) -> Figures:
        missed, delays = [], []
        async with AsyncClient(socket=self._target.socket) as admin:
            for seen in self._seen:
                steps = _moments(await admin.verification(seen.verification), is_page=seen.is_page)
                if len(steps) != len(seen.told):
                    missed.append(f"{seen.verification}: {len(seen.told)} of {len(steps)} steps")
                pairs = zip(steps, seen.told, strict=False)
                delays += [told - at for at, told in pairs if at > seen.opened]
        return Figures(missed, sorted(delays), self._answers, self._refused)


def _moments(verification: Verification, *, is_page: bool) -> list[float]:
    [call] = verification.calls
    events = [step for step in call.timeline if not is_page or step.event in _VISIBLE]
    return [_seconds(step.at) for step in events]


def _seconds(at: datetime) -> float:
    return at.timestamp()


def number_of(number: int) -> str:
    """A number whose last two digits are of a telephone that answers."""
    return f"+1202456{number // 80:02d}{20 + number % 80:02d}"
