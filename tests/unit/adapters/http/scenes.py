"""How each answer that the native door promises is had, whatever is asked for."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import ADMIN, SPACED
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http.operations import Operation
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.request_parsing import MAX_BODY_BYTES
from voicegate.application.number_lists import ListRequest
from voicegate.application.store_port import Transaction
from voicegate.domain.call import Rang
from voicegate.domain.client import Scope
from voicegate.domain.errors import StoreError
from voicegate.domain.factor import FactorState
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    CallPolicy,
    Deny,
    DenyReason,
    GuessPolicy,
    NumberCheck,
    NumberList,
    SpendPolicy,
    VelocityPolicy,
)
from voicegate.domain.policy.spend import Cap, SpendKind
from voicegate.domain.webhook import Webhook

BODIES: Final[dict[str, dict[str, Any]]] = {
    "createVerification": {"destination": NUMBER},
    "dryRun": {"destination": NUMBER},
    "checkPasscode": {"passcode": "000000"},
    "addClient": {"name": "new", "scopes": ["verifications"]},
    "addNumber": {"list": "blocked", "number": NUMBER, "reason": "complaint"},
    "rotateKey": {"grace_s": 60},
    "drainTrunk": {"reason": "carrier works"},
    "resumeTrunk": {},
    "replayWebhook": {},
    "holdPrefix": {"prefix": "+1202555", "reason": "the bill"},
    "liftPrefix": {"prefix": "+1202555", "reason": "paid", "client": "none"},
    "enrollFactor": {"subscriber": "alice", "destination": NUMBER},
    "activateFactor": {"passcode": "000000"},
    "verifyFactor": {"passcode": "000000"},
}
QUERIES: Final = {
    "resetFactors": {"subscriber": "alice"},
    "removeNumber": {"list": "blocked", "number": NUMBER, "reason": "settled"},
}
OTHER_BODIES: Final = {
    "createVerification": {"destination": "+12025550102"},
    "enrollFactor": {"subscriber": "bob", "destination": NUMBER},
    "challengeFactor": {"lifetime_s": 60},
}
ACTIVE: Final = ("challengeFactor", "verifyFactor", "dryRunFactor")
"""What can be asked of an active factor only."""

FACTOR_READS: Final = ("factor", "list_factors", "prefix_holds", "spent_on")
READS: Final = ("challenge", "call", "recent_calls", "clients", "audit", "listed_numbers", "messages")
Scene = Callable[[Served, Operation], Awaitable[httpx.Response]]


async def ask(served: Served, operation: Operation, **more: Any) -> httpx.Response:
    """Ask for the operation as it should be asked, but for `more`."""
    path = more.pop("path", None) or await existing(served, operation)
    if "content" not in more and operation.name in BODIES:
        more.setdefault("json", BODIES[operation.name])
    more.setdefault("params", QUERIES.get(operation.name))
    return await served.http.request(operation.method, path, **more)


async def existing(served: Served, operation: Operation) -> str:
    """A path of something that exists; its call has ended."""
    if operation.name == "removeNumber":
        await served.http.post("/v1/numbers", json=BODIES["addNumber"])
    if operation.path.startswith("/v1/trunks/"):
        return operation.path.replace("{name}", "carrier")
    if operation.path.startswith("/v1/webhooks/"):
        served.bench.app.webhooks._outgoing.webhooks = (Webhook("present"),)
        return operation.path.replace("{name}", "present")
    if "{name}" in operation.path:
        await served.key(name="present")
        return operation.path.replace("{name}", "present")
    if "{id}" not in operation.path:
        await served.http.post("/v1/prefixes/hold", json=BODIES["holdPrefix"] | {"client": "none"})
        return operation.path
    if operation.path.startswith("/v1/factors/"):
        factor = await served.factor(is_active=operation.name in ACTIVE)
        if operation.name == "verifyFactor":
            await served.challenge(factor["id"])
        return operation.path.replace("{id}", factor["id"])
    created = await served.create()
    await served.bench.settled(created["id"])
    if operation.success.events:
        # Of one that is over, so that the stream ends.
        await served.http.delete(f"/v1/verifications/{created['id']}")
    name = created["call"]["id"] if operation.name == "getCall" else created["id"]
    return operation.path.replace("{id}", name)


def barred(number: str) -> Scene:
    """A number that may not be called, or not any more."""

    async def scene(served: Served, operation: Operation) -> httpx.Response:
        if operation.name in BODIES:
            return await ask(served, operation, json=BODIES[operation.name] | {"destination": number})
        challenge_service, policy = served.bench.challenge_service, served.bench.challenge_service.policy
        wider = CallPolicy(frozenset({"US", "GB"}), number_check=NumberCheck.POSSIBLE)
        challenge_service.policy = replace(wider, test_numbers=re.compile(r"\+18005550199"))
        if operation.name in ("redial", "dryRunCall"):
            called = await served.create(destination=number)
            await served.bench.settled(called["id"])
        else:
            called = await served.factor(number, is_active=operation.name in ACTIVE)
        challenge_service.policy = policy
        return await ask(served, operation, path=operation.path.replace("{id}", called["id"]))

    return scene


def content(body: bytes, kind: str = "application/json") -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        return await ask(served, operation, content=body, headers={"Content-Type": kind})

    return scene


async def nothing(served: Served, operation: Operation) -> httpx.Response:
    return await ask(served, operation, path=re.sub(r"{\w+}", "nobody", operation.path))


async def invalid(served: Served, operation: Operation) -> httpx.Response:
    if operation.query is not None:
        return await ask(served, operation, params={"colour": "red"})
    return await ask(served, operation, json={"colour": "red"})


async def slow(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    answer = await served.raw(
        f"{operation.method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: 9\r\n\r\n{".encode()
    )
    headers = dict(line.split(": ", 1) for line in answer.head.split("\r\n")[1:])
    return httpx.Response(answer.status, headers=headers, content=answer.body)


def broken(error: Exception) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = await existing(served, operation)

        async def fail(*_: object, **__: object) -> None:
            raise error

        with pytest.MonkeyPatch.context() as patch:
            for name in ("transact", *READS, *FACTOR_READS, "message_counts", "trunk_figures"):
                patch.setattr(served.bench.store, name, fail)
            patch.setattr(served.bench.pbx, "trunk_states", fail)
            return await ask(served, operation, path=path)

    return scene


async def live(served: Served, operation: Operation) -> httpx.Response:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    path = await existing(served, operation)
    served.bench.pbx.plots = [rings]
    await served.create()
    return await ask(served, operation, path=path)


async def over(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    await served.http.delete(path.rpartition("/")[0])
    return await ask(served, operation, path=path)


async def soon(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    await served.settled((await served.create())["id"])
    served.bench.challenge_service.policy = SPACED
    return await ask(served, operation, path=path)


async def limited(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    await served.settled((await served.create())["id"])
    service = served.bench.challenge_service
    service.policy = replace(service.policy, velocity=VelocityPolicy(per_client=1))
    return await ask(served, operation, path=path)


def listed(kind: NumberList) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = await existing(served, operation)
        await served.bench.app.numbers.add(ADMIN, ListRequest(kind, Destination(NUMBER), "complaint"))
        return await ask(served, operation, path=path)

    return scene


def capped(cap: Cap) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path, spend = await existing(served, operation), SpendPolicy(caps={SpendKind.CLIENT: cap})
        served.bench.challenge_service.policy = replace(served.bench.challenge_service.policy, spend=spend)
        return await ask(served, operation, path=path)

    return scene


async def guessed(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    # So long after, whoever calls again needs another code.
    served.bench.clock.time += timedelta(minutes=6)
    rules = GuessPolicy(per_destination=5)
    served.bench.challenge_service.policy = replace(served.bench.challenge_service.policy, guesses=rules)
    await served.settled((await served.create())["id"])
    return await ask(served, operation, path=path)


async def exhausted(served: Served, operation: Operation) -> httpx.Response:
    path = await existing(served, operation)
    calls = path.replace("/dry-run", "/challenges" if "/factors/" in path else "/calls")
    for _ in range(5):
        answer = await ask(served, operation, path=calls)
        if not answer.is_success:
            break
        told = answer.json()
        newest = told["call"] or told["verification"]["call"]
        await served.bench.settled(newest["verification_id"])
    return await ask(served, operation, path=path)


def where(place: str, is_so: object) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = await existing(served, operation)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, is_so)
            return await ask(served, operation, path=path)

    return scene


async def reused(served: Served, operation: Operation) -> httpx.Response:
    headers, path = {"Idempotency-Key": "one"}, await existing(served, operation)
    await ask(served, operation, path=path, headers=headers)
    return await ask(served, operation, path=path, headers=headers, json=OTHER_BODIES[operation.name])


async def taken(served: Served, operation: Operation) -> httpx.Response:
    await ask(served, operation)
    return await ask(served, operation)


async def enrolled(served: Served, operation: Operation) -> httpx.Response:
    await served.factor(is_active=True)
    return await ask(served, operation)


async def proven(served: Served, operation: Operation) -> httpx.Response:
    """Of a factor that was never called."""
    body = BODIES["enrollFactor"] | {"is_activated": True}
    factor = (await served.http.post("/v1/factors", json=body)).json()
    return await ask(served, operation, path=operation.path.replace("{id}", factor["id"]))


async def pending(served: Served, operation: Operation) -> httpx.Response:
    factor = await served.factor()
    return await ask(served, operation, path=operation.path.replace("{id}", factor["id"]))


async def locked(served: Served, operation: Operation) -> httpx.Response:
    factor = await served.factor()

    def lock(tx: Transaction) -> None:
        found = tx.factor(factor["id"])
        assert found is not None
        tx.save_factor(replace(found, state=FactorState.LOCKED))

    await served.bench.store.transact(lock)
    served.bench.clock.time += timedelta(minutes=6)
    return await ask(served, operation, path=operation.path.replace("{id}", factor["id"]))


async def no_admin(served: Served, operation: Operation) -> httpx.Response:
    headers = await served.key(Scope.FACTORS)
    body = BODIES["enrollFactor"] | {"is_activated": True}
    return await served.remote.request(operation.method, operation.path, json=body, headers=headers)


async def crowded(served: Served, operation: Operation) -> httpx.Response:
    return await ask(served, operation, params={} if operation.success.events else {"wait_s": "1"})


async def overloaded(served: Served, operation: Operation) -> httpx.Response:
    """While there is too much under way, a request of the same client among it."""
    path = await existing(served, operation)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow_states() -> dict[str, str]:
        asked.set()
        await answered.wait()
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.bench.pbx, "trunk_states", slow_states)
        first = asyncio.create_task(served.http.get("/v1/trunks"))
        await asked.wait()
        patch.setattr(Load, "_is_full", lambda *_, **__: True)
        answer = await ask(served, operation, path=path)
        answered.set()
        await first
    assert answer.headers["Retry-After"] == "1"
    return answer


async def unplugged(served: Served, operation: Operation) -> httpx.Response:
    served.bench.pbx.is_connected = False
    return await ask(served, operation)


def with_key(make: Callable[[Served], Awaitable[dict[str, str]]]) -> Scene:
    async def scene(served: Served, operation: Operation) -> httpx.Response:
        path = re.sub(r"{\w+}", "nobody", operation.path)
        return await served.remote.request(operation.method, path, headers=await make(served))

    return scene


async def no_key(served: Served) -> dict[str, str]:
    return {}


async def foreign_key(served: Served) -> dict[str, str]:
    return {"Authorization": "Bearer vgk_x_y"}


async def key_without_scope(served: Served) -> dict[str, str]:
    return await served.key()


SCENES: Final[dict[str, Scene]] = {
    "success": ask,
    "peer_not_allowed": nothing,
    "key_missing": with_key(no_key),
    "key_wrong": with_key(foreign_key),
    "scope_missing": with_key(key_without_scope),
    "bad_request": content(b"{"),
    "unsupported_media_type": content(b"{}", "text/plain"),
    "too_large": content(b" " * (MAX_BODY_BYTES + 1)),
    "body_timeout": slow,
    "invalid": invalid,
    "not_found": nothing,
    "country_not_allowed": barred("+442079460123"),
    "number_type_not_allowed": barred("+18005550199"),
    "idempotency_key_reused": reused,
    "client_exists": taken,
    "admins_only": no_admin,
    "already_enrolled": enrolled,
    "not_pending": proven,
    "not_active": pending,
    "factor_locked": locked,
    "no_challenge": where(
        "voicegate.adapters.storage.transaction.SqlTransaction.newest_challenge", lambda *_: None
    ),
    "no_route": where("voicegate.application.route_choice.find_route", lambda *_: ()),
    "stopping": where("voicegate.application.stopping.Stopping.is_on", property(lambda _: True)),
    "queue_full": where("voicegate.application.queueing.CallQueue.is_full_for", lambda *_: True),
    "call_in_progress": live,
    "not_open": over,
    "too_many_calls": exhausted,
    "too_soon": soon,
    "too_many_guesses": guessed,
    "rate_limited": limited,
    "number_blocked": listed(NumberList.BLOCKED),
    "do_not_call": listed(NumberList.DO_NOT_CALL),
    "call_reported": listed(NumberList.REPORTED),
    "prefix_held": where(
        "voicegate.application.call_admission.may_call_range", lambda *_, **__: Deny(DenyReason.PREFIX_HELD)
    ),
    "spend_limited": capped(Cap(minutes=1)),
    "price_too_high": capped(Cap(micros=1)),
    "too_many_waiting": crowded,
    "overloaded": overloaded,
    "not_ready": unplugged,
    "internal_error": broken(RuntimeError("the secret of the house")),
    "store_unavailable": broken(StoreError()),
}
