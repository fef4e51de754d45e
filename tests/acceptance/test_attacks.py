"""The published attacks, replayed through the running daemon: what they would have cost is not paid."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.test_daemon import SETTINGS, daemon
from voicegate.bootstrap.policies import call_policy
from voicegate.bootstrap.routing import routes
from voicegate.cli.requests_file import read_requests
from voicegate.client import ApiError, AsyncClient
from voicegate.config import load, project_folder
from voicegate.domain.policy import Allow, Deny, DenyReason
from voicegate.domain.simulation import Request, Simulated, price_of, simulate

CALL: Final = timedelta(seconds=30)
REPLAYED: Final = 45
"""Requests of each file: enough to meet its limit, as set here."""
LIMITS: Final = """allowed_countries = ["US", "GB", "FR", "DE"]
calls_per_prefix = 15
calls_per_subscriber = 15
sequential_numbers = 15
"""
ATTACKS: Final = {
    "spellings-of-one-number": 1,
    "special-numbers": 0,
    "one-number-every-30-s": 1,
    "one-person-many-numbers": 15,
    "sequential-numbers": 15,
    "one-range-many-people": 15,
}
"""Each file with how many of its calls may be placed, asked for as fast as it goes."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    text = SETTINGS.format(folder=tmp_path).replace('allowed_countries = ["US"]\n', LIMITS)
    rates = project_folder("config") / "rates-example.csv"
    file.write_text(f'{text}\n[spend]\nrates_file = "{rates}"\nmoney_per_client = 5\n')
    return file


async def ask(client: AsyncClient, request: Request) -> bool:
    """Ask for a call as the request says; return whether it is placed."""
    number, subscriber = request.destination.number, request.caller.subscriber
    try:
        if subscriber is None:
            await client.create_verification(number)
        else:
            factor = await client.factors.enroll(subscriber, number)
            await client.factors.reset(subscriber, factor.id)
    except ApiError as error:
        if error.problem.status >= 500:
            raise
        return False
    return True


async def test_each_attack_is_refused_by_the_daemon_as_in_simulation(settings: Path) -> None:
    rules, ways = call_policy(load(settings)), routes(load(settings))
    avoided: dict[str, int] = {}
    async with daemon(settings) as (client, _):
        for name, most in ATTACKS.items():
            read, _ = read_requests(project_folder("config") / "attacks" / f"{name}.csv")
            requests = read[:REPLAYED]
            answers = [await ask(client, request) for request in requests]
            found = simulate(requests, rules, routes=ways, call_time=CALL)
            simulated = sum(isinstance(one.decision, Allow) for one in found)
            assert sum(answers) <= min(most, simulated), name
            refused = [request for request, is_placed in zip(requests, answers, strict=True) if not is_placed]
            deny = Deny(DenyReason.RATE_LIMITED)
            prices = (price_of(Simulated(one, deny, "carrier"), rules.spend.rates, CALL) for one in refused)
            avoided[name] = sum(price for price in prices if price is not None)
            entries = [entry for entry in await client.audit(len(requests)) if entry.decision != "allowed"]
            assert entries, name
            assert all(entry.rule for entry in entries)
        placed = await client.calls(500)
    # Of all that was asked for; most special numbers have no price, for no trunk takes them.
    assert 0 < len(placed) <= sum(ATTACKS.values())
    assert all(micros > 0 for name, micros in avoided.items() if name != "special-numbers"), avoided
