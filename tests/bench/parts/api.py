"""What a request and a guess cost, and how fast guesses are judged: a controller alone, on its socket."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.backend import HttpBackend, Schedule, http_backend
from tests.bench.drive import tell
from tests.bench.figures import percentile
from tests.bench.lab import Controller
from tests.bench.machine import family_s
from tests.bench.numbers import numbers
from tests.bench.options import Options
from tests.bench.report import Figure, Plot, Result
from tests.bench.seeding import OpenCode, add_codes
from tests.bench.sides import TEST_NUMBER
from tests.bench.simulated import serving, simulated
from tests.bench.validity import judge_load, judge_schedule
from tests.bench.watch import Watch

TEST_NUMBERS: Final = "[test_numbers]\nenabled = true\npace = 0.01\n"
_ACCEPTS, _ACCEPT_RATE = 1500, 50.0
_VERIFIES, _VERIFY_RATE, _VERIFY_S = 24000, 1000.0, 15.0
_CLOSED_S, _WORKERS = 5.0, 16
_HEADROOM: Final = 0.8


@dataclass
class Judged:
    """What guesses came to."""

    took_s: list[float]
    wrong: Counter[str] = field(default_factory=Counter)
    """Answers that were not "verified"."""


def measure(options: Options) -> Result:
    """Measure accepting, then verifying."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        figures, faults, raw = asyncio.run(_measure(Path(folder), options))
    took = raw["verify_ms"]
    ranked = [(took[index], index / len(took)) for index in range(0, len(took), max(1, len(took) // 500))]
    return Result(
        part="api",
        title="What a request costs, and how fast a guess is judged",
        figures=figures,
        plots=[Plot("api", "Guesses judged within", "ms", "share", lines={"verify": ranked})],
        notes=[
            "A controller alone, with the simulator as its PBX, on SQLite; asked on its Unix socket.",
            "Accepting: calls that wait for their turn, so that nothing but the request is in the sum.",
        ],
        faults=[*faults, *judge_load(watch.load())],
        raw=raw,
    )


async def _measure(folder: Path, options: Options) -> tuple[list[Figure], list[str], dict[str, list[float]]]:
    tell("accepting requests")
    accept_ms, accepted = await _accept(folder / "accept", options.chosen_calls(_ACCEPTS))
    tell("verifying codes")
    controller = simulated(folder / "verify", more=TEST_NUMBERS)
    codes = await prepare(controller, _VERIFIES)
    async with serving(controller), http_backend(controller.socket, 200) as backend:
        most, used, verify_ms = await closed_loop(controller, backend, codes)
        rate = min(options.chosen_rate(_VERIFY_RATE), most * _HEADROOM)
        seconds = options.chosen_seconds(_VERIFY_S)
        tell(f"{most:.0f}/s at most; now {rate:.0f}/s for {seconds:.0f} s")
        rest = codes[used : used + round(rate * seconds)]
        judged, schedule = await open_loop(backend, rest, rate)
    faults = judge_schedule(schedule.lateness_s)
    faults += [f"right codes were not verified: {dict(judged.wrong)}"] if judged.wrong else []
    took = sorted(one * 1000 for one in judged.took_s)
    figures = [
        Figure("accept: processor time", accept_ms, "ms", aim=1),
        Figure("verify: processor time", verify_ms, "ms", aim=0.5),
        Figure("verify: most, 16 connections that do not wait", most, "1/s", aim=1000, is_least=True),
        Figure(f"verify: p50 at {rate:.0f}/s", percentile(took, 0.5), "ms"),
        Figure(f"verify: p99 at {rate:.0f}/s", percentile(took, 0.99), "ms", aim=10),
    ]
    return figures, faults, {"verify_ms": took, "accept_s": accepted}


async def _accept(folder: Path, count: int) -> tuple[float, list[float]]:
    """Return the processor time of a request, in milliseconds, and how long each took."""
    waiting = {"max_in_progress": 1, "queue_timeout_s": 3600}
    took: list[float] = []
    calling = numbers()
    async with (
        serving(simulated(folder, call=waiting)) as controller,
        http_backend(controller.socket) as backend,
    ):
        for _ in range(20):
            await backend.must_create(next(calling))
        before = family_s(controller.pid)
        async for _ in Schedule(_ACCEPT_RATE, count):
            began = time.monotonic()
            await backend.must_create(next(calling))
            took.append(time.monotonic() - began)
        spent = family_s(controller.pid) - before
    return spent * 1000 / count, took


async def prepare(controller: Controller, count: int) -> Sequence[OpenCode]:
    """Have a controller, which is not running, place one call, and add codes that can be entered."""
    await first_call(controller)
    return await asyncio.to_thread(add_codes, controller.database, _key_of(controller), count)


async def first_call(controller: Controller) -> None:
    """Have a controller, which is not running, place one call to a test number, and stop it again."""
    async with serving(controller), http_backend(controller.socket) as backend:
        status, created = await backend.post(
            "/v1/verifications", {"destination": TEST_NUMBER, "lifetime_s": 86400}
        )
        if status != 202:
            raise RuntimeError(f"the first request was answered {status}: {created}")
        while (await backend.get(f"/v1/verifications/{created['id']}"))[1]["status"] == "delivering":
            await asyncio.sleep(0.1)


def _key_of(controller: Controller) -> Path:
    line = next(line for line in controller.config_text.splitlines() if line.startswith("key_file"))
    return Path(line.partition("=")[2].strip().strip('"'))


async def closed_loop(
    controller: Controller, backend: HttpBackend, codes: Sequence[OpenCode]
) -> tuple[float, int, float]:
    """Verify as fast as it goes for some seconds.

    Return the rate in 1/s, how many codes were used, and the processor time of each, in milliseconds.
    """
    # Two thirds are left for the open loop.
    mine = iter(codes[: len(codes) // 3])
    judged = Judged([])
    before, began = family_s(controller.pid), time.monotonic()

    async def work() -> None:
        while time.monotonic() - began < _CLOSED_S and (code := next(mine, None)):
            await _verify(backend, code, judged)

    await asyncio.gather(*(work() for _ in range(_WORKERS)))
    if judged.wrong:
        raise RuntimeError(f"right codes were not verified: {dict(judged.wrong)}")
    wall, spent, count = time.monotonic() - began, family_s(controller.pid) - before, len(judged.took_s)
    return count / wall, len(codes) // 3, spent * 1000 / count


async def open_loop(backend: HttpBackend, codes: Sequence[OpenCode], rate: float) -> tuple[Judged, Schedule]:
    """Verify each code when it is due."""
    judged, schedule = Judged([]), Schedule(rate, len(codes))
    async with asyncio.TaskGroup() as tasks:
        async for index in schedule:
            tasks.create_task(_verify(backend, codes[index], judged))
    return judged, schedule


async def _verify(backend: HttpBackend, code: OpenCode, judged: Judged) -> None:
    began = time.monotonic()
    status, answer = await backend.post(f"/v1/verifications/{code.id}/check", {"passcode": code.digits})
    judged.took_s.append(time.monotonic() - began)
    if answer.get("status") != "verified":
        judged.wrong[f"{status} {answer.get('reason') or answer.get('title')}"] += 1
