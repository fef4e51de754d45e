"""The attack: everything at once, while an honest client signs people in: `make attack`."""

import asyncio
import dataclasses
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import msgspec

from tests.attack.attackers import Figures, Plan
from tests.attack.target import Target, target

ONE_ADDRESS: Final = ["127.0.0.1"]
MANY_ADDRESSES: Final = [f"127.0.0.{last}" for last in range(2, 21)]
REST_WITHIN_S: Final = 10
_SIGN_INS_AT_REST: Final = 2
_TIMEOUT_S: Final = 30
_PASSCODE: Final = "4710"
# The host's own descriptors come and go: a few connections of the store, a log.
_FEW_DESCRIPTORS: Final = 8
_IDLE_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Force:
    """How strong the attack is."""

    seconds: float = 40
    silent: int = 2400
    idle: int = 1000
    polls: int = 500
    requests_a_second: int = 100
    flood_a_second: int = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it did to the daemon, and to the honest client."""

    at_rest_s: float
    """How long a sign-in takes when nobody attacks."""
    attacked_s: list[float]
    """How long each took under attack."""
    failed: list[str]
    """The sign-ins that failed, each with what went wrong."""
    peak_mb: float
    """The daemon's memory, at its highest."""
    resident_mb: tuple[float, float]
    """Its memory before and after."""
    rest_after_s: float | None
    """How long after the attack the daemon was at rest; None: it was not in time."""
    figures: Figures
    """What the attackers were answered."""

    @property
    def added_s(self) -> float:
        return max(self.attacked_s, default=0.0) - self.at_rest_s


async def attack(folder: Path, force: Force, addresses: list[str]) -> Outcome:
    async with target(folder) as daemon:
        numbers = (f"+1202555{number}01" for number in itertools.cycle(range(10, 99)))
        at_rest = [await sign_in(daemon, next(numbers)) for _ in range(_SIGN_INS_AT_REST)]
        descriptors, before = daemon.descriptors(), daemon.resident_mb()
        attacking = asyncio.create_task(_attack(folder, await _plan(daemon, force, addresses)))
        attacked, failed = [], []
        while not attacking.done():
            try:
                attacked.append(await sign_in(daemon, next(numbers)))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is what the honest client saw
                failed.append(f"{type(error).__name__}: {error}")
        ended = time.monotonic()
        rested = await _rest(daemon, descriptors, ended)
        return Outcome(
            at_rest_s=max(at_rest),
            attacked_s=attacked,
            failed=failed,
            peak_mb=daemon.peak_mb(),
            resident_mb=(before, daemon.resident_mb()),
            rest_after_s=rested,
            figures=await attacking,
        )


async def sign_in(daemon: Target, number: str) -> float:
    """Sign a person in, each time on a new connection; return how long it took."""
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {daemon.honest}"}
    async with httpx.AsyncClient(
        base_url=daemon.url, headers=headers, verify=daemon.trust, timeout=_TIMEOUT_S
    ) as client:
        body = {"destination": number, "passcode": _PASSCODE}
        created = await client.post("/v1/verifications", json=body)
        path, seen = created.raise_for_status().headers["Location"], {"revision": 0, "calls": [{"state": ""}]}
        while seen["calls"][-1]["state"] not in ("announcing", "ended"):  # type: ignore[index]
            answer = await client.get(path, params={"wait_s": 20, "since": str(seen["revision"])})
            seen = answer.raise_for_status().json()
        checked = await client.post(f"{path}/check", json={"passcode": _PASSCODE})
        if checked.raise_for_status().json()["status"] != "verified":
            raise AssertionError(checked.text)
    return time.monotonic() - began


async def _attack(folder: Path, plan: Plan) -> Figures:
    """Attack from two processes: what keeps thousands of connections would read its answers late."""
    holding = msgspec.structs.replace(plan, requests_a_second=0, flood_a_second=0)
    asking = msgspec.structs.replace(plan, silent=0, idle=0, polls=0)
    held, asked = await asyncio.gather(_run(folder / "holding", holding), _run(folder / "asking", asking))
    return msgspec.structs.replace(asked, answers=held.answers | asked.answers)


async def _run(file: Path, plan: Plan) -> Figures:
    file.write_bytes(msgspec.json.encode(plan))
    # Their own work must not be what keeps the daemon from its own.
    attackers = await asyncio.create_subprocess_exec(
        "nice", sys.executable, "-m", "tests.attack.attackers", str(file), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await attackers.communicate()
    return msgspec.json.decode(told, type=Figures)


async def _plan(daemon: Target, force: Force, addresses: list[str]) -> Plan:
    """The hostile client has a verification of its own, to wait for."""
    async with httpx.AsyncClient(base_url=daemon.url, verify=daemon.trust) as client:
        headers = {"Authorization": f"Bearer {daemon.hostile}"}
        body = {"destination": "+12025550404", "lifetime_s": 3600}
        created = await client.post("/v1/verifications", json=body, headers=headers)
        path = created.raise_for_status().headers["Location"]
    return Plan(
        port=daemon.port,
        key=daemon.hostile,
        poll=f"{path}?since=1000",
        addresses=addresses,
        **dataclasses.asdict(force),
    )


async def _rest(daemon: Target, descriptors: int, ended: float) -> float | None:
    """Return how long it takes until connections are gone and the daemon has next to nothing to do."""
    while (after := time.monotonic() - ended) < REST_WITHIN_S:
        worked = daemon.processor_s()
        await asyncio.sleep(1)
        is_idle = daemon.processor_s() - worked < _IDLE_SHARE
        if is_idle and daemon.descriptors() <= descriptors + _FEW_DESCRIPTORS:
            return after
    return None


def report(name: str, outcome: Outcome) -> str:
    rest = "not in time" if outcome.rest_after_s is None else f"{outcome.rest_after_s:.0f} s after"
    lines = [
        f"{name}:",
        f"  sign-ins: {len(outcome.attacked_s)} of {len(outcome.attacked_s) + len(outcome.failed)} succeeded,"
        f" {outcome.added_s:+.2f} s at worst (at rest {outcome.at_rest_s:.2f} s)",
        *(f"    failed: {reason}" for reason in outcome.failed),
        f"  memory: {outcome.peak_mb:.0f} MB at most; {outcome.resident_mb[0]:.0f} before,"
        f" {outcome.resident_mb[1]:.0f} after",
        f"  at rest: {rest}",
        *(f"  {attack}: {answers}" for attack, answers in sorted(outcome.figures.answers.items())),
        f"  what was accepted: answered within {outcome.figures.slowest_s:.2f} s, but for one in a hundred;"
        f" the attackers were late by {outcome.figures.own_delay_s:.2f} s themselves",
    ]
    return "\n".join(lines)


def main() -> None:
    for name, addresses in (("19 addresses", MANY_ADDRESSES), ("one address", ONE_ADDRESS)):
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(report(name, asyncio.run(attack(Path(folder), Force(), addresses))) + "\n")


if __name__ == "__main__":
    main()
