"""What cannot be answered in time is refused before the store, and never for another client's sake."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import serving
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import overload
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.problems import OVERLOADED, Refused
from voicegate.adapters.http.server import ServerSettings
from voicegate.adapters.storage.pace import WritePace
from voicegate.domain.client import Scope

STEP_S = 0.001
BATCH_S = 0.1
HOOK_WAIT_S = 0.32


def refused(load: Load, client: str, *, writes: bool = True, wait_s: float = overload.STORE_WAIT_S) -> bool:
    try:
        load.enter(client, writes=writes, wait_s=wait_s)
    except Refused as error:
        return error.kind is OVERLOADED
    return False


DOORS = pytest.mark.parametrize("wait_s", [HOOK_WAIT_S, overload.STORE_WAIT_S], ids=["the hook", "others"])


@dataclass(slots=True)
class Day:
    """A daemon that is asked to write, by a clock of its own; its store takes so long for each."""

    each_s: float
    wait_s: float
    now: float = 0.0
    refused: int = 0
    took: list[float] = field(default_factory=list)
    queue: deque[float] = field(default_factory=deque)
    batch: list[float] = field(default_factory=list)
    began: float = 0.0
    free_at: float = 0.0
    pace: WritePace = field(default_factory=lambda: WritePace(0.0))
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        self.load = Load(self._delay, lambda: self.now)

    def run(self, rate: int, seconds: float, *, stalled: tuple[float, float] = (0.0, 0.0)) -> None:
        """Ask so often for so long. From one moment to another nothing is done, nor seen what came."""
        came = [self.now + number / rate for number in range(int(rate * seconds))]
        halt, go_on = stalled[0] + self.now, stalled[1] + self.now
        looks_at = self.now
        while came or self.queue or self.batch:
            self.now += STEP_S
            if halt <= self.now < go_on:
                self.free_at += STEP_S
                continue
            while came and came[0] <= self.now:
                self._ask(came.pop(0))
            if self.now >= looks_at:
                self.load.look()
                looks_at = self.now + 0.05
            if self.now >= self.free_at:
                self._commit()

    def _ask(self, came_at: float) -> None:
        if refused(self.load, "hook", wait_s=self.wait_s):
            self.refused += 1
        else:
            self.queue.append(came_at)

    def _commit(self) -> None:
        """End a batch, and begin the next."""
        if self.batch:
            self.pace.note(len(self.batch), self.now - self.began, self.now)
        for came_at in self.batch:
            self.load.leave("hook", writes=True)
            self.took.append(self.now - came_at)
        size = min(len(self.queue), max(1, int(BATCH_S / self.each_s)))
        self.batch = [self.queue.popleft() for _ in range(size)]
        self.began, self.free_at = self.now, self.now + size * self.each_s

    def _delay(self, ahead: int) -> float:
        return max(ahead, len(self.queue) + len(self.batch)) * self.pace.each_s(self.now)


@pytest.mark.parametrize("at", [0.0, 3.0], ids=["at the start", "later"])
@pytest.mark.parametrize("each_s", [0.003, 0.012], ids=["an idle machine", "a busy one"])
@DOORS
def test_one_stall_refuses_nobody(wait_s: float, each_s: float, at: float) -> None:
    day = Day(each_s, wait_s)
    day.run(50, 5, stalled=(at, at + 0.3))
    assert day.refused == 0
    assert len(day.took) == 250
    assert max(day.took) < 1


@pytest.mark.parametrize(
    ("wait_s", "each_s"),
    [(HOOK_WAIT_S, 0.006), (HOOK_WAIT_S, 0.02), (HOOK_WAIT_S, 0.1), (None, 0.006), (None, 0.02)],
)
def test_what_is_accepted_of_far_too_much_is_in_time(wait_s: float | None, each_s: float) -> None:
    day = Day(each_s, wait_s or overload.STORE_WAIT_S)
    day.run(5, 3)
    day.took.clear()
    day.run(200, 15)
    assert sorted(day.took)[int(len(day.took) * 0.99)] < 1
    # Nearly all that can be done is done.
    assert len(day.took) > 0.9 * 15 / each_s
    assert day.refused + len(day.took) == 3000


def test_after_far_too_much_the_ordinary_is_accepted_again() -> None:
    day = Day(0.02, HOOK_WAIT_S)
    day.run(200, 5)
    assert day.refused
    day.refused = 0
    day.run(25, 5)
    assert day.refused == 0


async def test_past_the_cap_each_client_has_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "MAX_UNDER_WAY", 3)
    load = Load()
    assert [refused(load, "flood") for _ in range(5)] == [False, False, False, True, True]
    assert not refused(load, "other")
    assert refused(load, "other")
    load.leave("other", writes=True)
    assert not refused(load, "other")


async def test_a_late_store_refuses_what_writes_and_nothing_else() -> None:
    delay = [0.0]
    load = Load(lambda _ahead: delay[0])
    assert not refused(load, "a")
    assert not refused(load, "a")
    delay[0] = overload.STORE_WAIT_S * 2
    assert refused(load, "a")
    assert not refused(load, "a", writes=False)
    assert not refused(load, "b")
    delay[0] = 0
    assert not refused(load, "a")


async def test_what_was_let_in_counts_before_it_reaches_the_store() -> None:
    load = Load(lambda ahead: ahead * overload.STORE_WAIT_S / 2)
    assert [refused(load, "a") for _ in range(4)] == [False, False, False, True]
    assert not refused(load, "a", writes=False)
    load.leave("a", writes=False)
    assert refused(load, "a")
    load.leave("a", writes=True)
    assert not refused(load, "a")


def test_a_loop_that_is_behind_refuses_once_it_has_been_so_without_a_break() -> None:
    now = [0.0]
    load = Load(monotonic=lambda: now[0])

    def pass_by(seconds: float) -> bool:
        now[0] += seconds
        load.look()
        return refused(load, "a", writes=False)

    assert not pass_by(0)
    assert not pass_by(0.3)
    assert not pass_by(0.05)
    assert [pass_by(0.25) for _ in range(4)] == [False, False, True, True]
    assert not pass_by(0.05)


def test_what_is_read_by_a_loop_that_is_behind_came_when_it_should_have_looked() -> None:
    now = [10.0]
    load = Load(monotonic=lambda: now[0])
    assert load.came_at() == 10
    load.look()
    now[0] += 0.04
    assert load.came_at() == now[0]
    now[0] += 1
    assert 0.9 < now[0] - load.came_at() <= 1


async def test_a_refusal_comes_before_the_body_and_says_when_to_come_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delay, asked, answered = [0.0], asyncio.Event(), asyncio.Event()

    async def slow_states() -> Mapping[str, str]:
        asked.set()
        await answered.wait()
        return {}

    monkeypatch.setattr(bench.pbx, "trunk_states", slow_states)
    settings = ServerSettings(store_delay=lambda _ahead: delay[0])
    async with serving(bench, tmp_path, settings=settings) as served:
        first = asyncio.create_task(served.http.get("/v1/trunks"))
        await asked.wait()
        delay[0] = 1.0
        # The body that is promised here never comes.
        answer = await served.raw(
            b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        )
        assert answer.status == 503
        assert "Retry-After: 1" in answer.head
        assert b"urn:voicegate:problem:overloaded" in answer.body
        key = await served.key(Scope.VERIFICATIONS, name="other")
        sent = await served.remote.post(
            "/v1/verifications", json={"destination": "+12025550101"}, headers=key
        )
        assert sent.status_code == 202
        answered.set()
        assert (await first).status_code == 200


async def test_refusals_cost_the_log_one_line(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Load, client: str, **_: object) -> None:
        raise Refused(OVERLOADED)

    async with serving(bench, tmp_path) as served:
        monkeypatch.setattr(Load, "enter", full)
        with capture_logs() as logged:
            answers = [await served.http.get("/v1/calls") for _ in range(5)]
        assert {answer.status_code for answer in answers} == {503}
    assert [line["event"] for line in logged] == ["overloaded"]
