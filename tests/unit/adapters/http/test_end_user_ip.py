"""The address of the person who signs in, however a door's clients tell it: calls are counted by it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.okta.serving import PHONE, Okta
from tests.unit.adapters.http.okta.serving import serving as serving_okta
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.twilio.serving import BANK, door_of
from tests.unit.application.conftest import UNHURRIED, Bench
from voicegate.adapters.http.forwarding import Proxies
from voicegate.domain.policy import VelocityPolicy

HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def limited(bench: Bench) -> Bench:
    """One call in an hour for each address."""
    velocity = VelocityPolicy(per_end_user_ip=1, sequential_numbers=0)
    bench.challenge_service.policy = replace(UNHURRIED, velocity=velocity)
    return bench


async def native(served: Served, n: int, address: str) -> httpx.Response:
    body = {"subscriber": f"user{n}", "destination": f"+1202555{n * 7:04}", "end_user_ip": address}
    return await served.http.post("/v1/factors", json=body)


async def twilio(served: Served, n: int, address: str) -> httpx.Response:
    form = {"To": f"+1202555{n * 7:04}", "Channel": "call", "DeviceIp": address}
    return await served.http.post(f"/v2/Services/{BANK}/Verifications", data=form)


async def okta(okta: Okta, n: int, address: str) -> httpx.Response:
    body: dict[str, Any] = PHONE | {"profile": {"phoneNumber": f"+1202555{n * 7:04}"}}
    path = f"/api/v1/users/user{n}/factors"
    return await okta.http.post(path, json=body, headers={"X-Forwarded-For": address})


@pytest.mark.parametrize("ask", [native, twilio])
async def test_calls_for_one_address_are_counted(limited: Bench, tmp_path: Path, ask: Any) -> None:
    async with serving(limited, tmp_path, doors=[door_of(limited)]) as served:
        statuses = [(await ask(served, n, to)).status_code for n, to in enumerate((HERE, HERE, THERE), 1)]
        assert statuses == [201, 429, 201]
        assert (await ask(served, 9, "nowhere")).status_code in (400, 422)


@pytest.mark.parametrize(("is_on", "expected"), [(True, [200, 429, 200]), (False, [200, 200, 200])])
async def test_oktas_clients_tell_it_as_a_proxy_does_where_that_is_on(
    limited: Bench, tmp_path: Path, is_on: bool, expected: list[int]
) -> None:
    async with serving_okta(limited, tmp_path, end_user_ip=is_on) as served:
        statuses = [(await okta(served, n, to)).status_code for n, to in enumerate((HERE, HERE, THERE), 1)]
        assert statuses == expected


async def test_a_code_that_is_spoken_again_counts_for_whom_it_is_asked(
    limited: Bench, tmp_path: Path
) -> None:
    async with serving(limited, tmp_path) as served:
        factor = (await native(served, 1, THERE)).json()
        await served.bench.settled(factor["verification"]["id"])
        path = f"/v1/factors/{factor['id']}/calls"
        again = [await served.http.post(path, json={"end_user_ip": one}) for one in (THERE, HERE)]
        assert [one.status_code for one in again] == [429, 202]


@pytest.mark.parametrize(
    ("written", "is_proxied", "address"),
    [
        ([], False, None),
        ([HERE], False, HERE),
        ([f"{HERE}, 192.0.2.1"], False, HERE),
        # A trusted proxy writes the client's own address behind what the client wrote.
        (["192.0.2.1"], True, None),
        ([f"{HERE}, 192.0.2.1"], True, HERE),
        ([HERE, "192.0.2.1, 10.0.0.9"], True, HERE),
        (["2001:db8:1:2::3"], False, "2001:db8:1:2::/64"),
        (["unknown"], False, None),
    ],
)
def test_a_proxys_own_word_is_not_taken_for_the_clients(
    written: list[str], is_proxied: bool, address: str | None
) -> None:
    assert Proxies.of(["10.0.0.0/8"]).end_user_of(written, is_proxied=is_proxied) == address
