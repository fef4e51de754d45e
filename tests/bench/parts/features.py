"""What one feature costs at a time: the same calls with it, by turns with those without."""

import asyncio
import secrets
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from aiohttp import web

from tests.bench.drive import Bench, Plan, Round
from tests.bench.figures import bootstrap
from tests.bench.lab import BenchLab, Controller, running
from tests.bench.options import Options
from tests.bench.parts.floor import call_length, costs_plot, describe, of_side, sound_of
from tests.bench.report import Figure, Result
from tests.bench.sides import OpenSide, Side, floor, voicegate
from tests.postgresql import Server, running_server

_BASE: Final = "Voicegate"
_CALLS, _RATE, _ROUNDS = 40, 6.0, 2
_PRESS_AFTER_MS: Final = 9000
"""After its answer a person presses the key: when the invitation has named it."""


def measure(options: Options) -> Result:
    """Measure receipts, webhooks and PostgreSQL beside the base, then the human check beside a floor."""
    plan = Plan(options.chosen_calls(_CALLS), options.chosen_rate(_RATE))
    count = options.chosen_rounds(_ROUNDS)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lab, running_server() as server:
        rounds = asyncio.run(_features(lab, server, plan=plan, rounds=count))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), press_after_ms=_PRESS_AFTER_MS) as lab,
    ):
        checked = asyncio.run(_human_check(lab, plan, count))
    return Result(
        part="features",
        title="What a feature costs a call",
        figures=[*_extra(rounds), *_human(checked)],
        plots=[costs_plot("features", "Processor time a call, with one feature", [*rounds, *checked])],
        notes=describe([*rounds, *checked], plan),
        faults=[fault for one in (*rounds, *checked) for fault in one.faults],
        raw=[*rounds, *checked],
    )


async def _features(lab: BenchLab, server: Server, *, plan: Plan, rounds: int) -> list[Round]:
    bench = Bench(lab)
    length_s = await call_length(bench, voicegate())
    assert server.process is not None
    sides = [voicegate(), _with_receipts(), _with_webhooks(), _on_postgresql(server)]
    return await bench.by_turns(sides, Plan(plan.calls, plan.rate, length_s), rounds)


async def _human_check(lab: BenchLab, plan: Plan, rounds: int) -> list[Round]:
    bench = Bench(lab)
    side = voicegate("human check", human_check="any_key")
    length_s = await call_length(bench, side)
    sound = await asyncio.to_thread(sound_of, lab, length_s)
    # The floor hears the key as well, and plays on.
    sides = [Side("floor of the human check", floor(sound).open), side]
    return await bench.by_turns(sides, Plan(plan.calls, plan.rate, length_s), rounds)


def _with_receipts() -> Side:
    return voicegate("receipts", make=lambda lab: lab.controller("receipts", {"receipts.enabled": True}))


def _with_webhooks() -> Side:
    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        async with _receiver() as receiver:
            side = voicegate("webhooks", make=lambda lab: _sending(lab, receiver.port))
            async with side.open(lab) as inner:
                yield inner

    return Side("webhooks", opened)


def _sending(lab: BenchLab, port: int) -> Controller:
    secret = lab.settings.folder / "webhook-secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{b64encode(secrets.token_bytes(32)).decode()}")
    return lab.controller(
        "webhooks",
        {
            "webhooks.web.url": f"http://127.0.0.1:{port}/events",
            "webhooks.web.secret_file": str(secret),
            "webhooks.web.client": "",
            "webhooks.web.events": ["call.ended"],
            "webhook_delivery.http_on_loopback": True,
        },
    )


@dataclass
class _Receiver:
    port: int
    taken: int = 0


@asynccontextmanager
async def _receiver() -> AsyncIterator[_Receiver]:
    """Who takes the messages; a generator, whose cost is in no sum."""
    taken = _Receiver(0)

    async def take(_: web.BaseRequest) -> web.Response:
        taken.taken += 1
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taken.port = runner.addresses[0][1]
    try:
        yield taken
    finally:
        await runner.cleanup()


def _on_postgresql(server: Server) -> Side:
    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        assert server.process is not None
        with server.database() as url:
            make: Callable[[BenchLab], Controller] = lambda lab: lab.controller(  # noqa: E731
                "postgresql", {"storage.database": url}
            )
            async with voicegate("PostgreSQL", make=make).open(lab) as inner:
                parts = {**inner.parts, "PostgreSQL": server.process.pid}
                yield OpenSide(inner.place, parts, inner.proven, inner.idle_s)

    return Side("PostgreSQL", opened)


def _extra(rounds: Sequence[Round]) -> list[Figure]:
    """What each feature costs more than the base of the same turn."""
    base = [one.total_ms for one in of_side(rounds, _BASE)]
    figures = [Figure("without any", median(base), "ms")]
    for side in dict.fromkeys(one.side for one in rounds if one.side != _BASE):
        more = [one.total_ms - their for one, their in zip(of_side(rounds, side), base, strict=True)]
        spread = bootstrap(more, median)
        figures.append(Figure(f"{side}, more than without", spread.value, "ms", spread.low, spread.high))
    return figures


def _human(rounds: Sequence[Round]) -> list[Figure]:
    sides: Mapping[str, list[Round]] = {
        name: of_side(rounds, name) for name in ("human check", "floor of the human check")
    }
    mine, base = sides.values()
    over = [one.total_ms / their.total_ms for one, their in zip(mine, base, strict=True)]
    spread = bootstrap(over, median)
    controller = median(one.cost_ms["controller"] for one in mine)
    return [
        Figure("with the human check, over a floor as long", spread.value, "", spread.low, spread.high),
        Figure("controller with the human check", controller, "ms"),
    ]
