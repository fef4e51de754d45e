"""What every `Store` promises of factors, clients and the audit, on every database in `conftest`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.listing import CallFilter, FactorFilter
from voicegate.application.store_port import (
    ClientRecord,
    FactorRecord,
    Store,
    Transaction,
    WrongGuess,
)
from voicegate.domain.challenge import ChallengeState, Purpose
from voicegate.domain.client import Client, ClientKey, Scope
from voicegate.domain.errors import StoreError
from voicegate.domain.factor import Factor, FactorEvent, FactorState, step
from voicegate.domain.phone_number import Destination

NUMBER = "+12025550101"
MINUTE = timedelta(minutes=1)


def make_factor(name: str = "1", **but: object) -> Factor:
    factor = Factor(
        id=f"fac_{name}",
        client="tester",
        subscriber="alice",
        destination=Destination(NUMBER, "204"),
        created_at=NOW,
        updated_at=NOW + MINUTE,
        language="en",
        activation_lifetime=timedelta(seconds=86400),
        failures=3,
        verified_at=NOW + 2 * MINUTE,
    )
    return replace(factor, **but)  # type: ignore[arg-type]


async def add(store: Store, *factors: Factor) -> None:
    def work(tx: Transaction) -> None:
        for factor in factors:
            tx.add_factor(factor)

    await store.transact(work)


async def test_a_factor_comes_back_as_it_was(store: Store) -> None:
    plain = make_factor(
        "2", subscriber="bob", language=None, destination=Destination(NUMBER), failures=0, verified_at=None
    )
    await add(store, make_factor(), plain)
    assert await store.factor("fac_1") == FactorRecord(make_factor(), None, sharing=2)
    assert await store.factor("fac_2") == FactorRecord(plain, None, sharing=2)
    assert await store.factor("fac_3") is None


async def test_a_clients_subscriber_has_one_living_factor(store: Store) -> None:
    await add(store, make_factor(), make_factor("2", client="other"))
    with pytest.raises(StoreError):
        await add(store, make_factor("3"))
    dead = step(make_factor(), FactorEvent.RESET, NOW)
    await store.transact(lambda tx: tx.save_factor(dead))
    await add(store, make_factor("3"))
    assert [one.factor.id for one in await store.factors("alice", None)] == ["fac_2", "fac_3"]
    assert [one.factor.id for one in await store.factors("alice", "tester")] == ["fac_3"]
    present = await store.factor("fac_1")
    assert present is not None
    assert present.factor.state is FactorState.RESET
    assert present.sharing == 2


async def test_factors_are_listed_by_client_and_subscriber_page_by_page(store: Store) -> None:
    await add(
        store,
        make_factor("1", subscriber="bob"),
        make_factor("2", client="other"),
        make_factor("3"),
        make_factor("4", client="other", subscriber="zoë"),
        make_factor("5", subscriber="dead", state=FactorState.RESET),
    )

    async def ids(limit: int = 9, **wanted: object) -> list[str]:
        found = await store.list_factors(limit, FactorFilter(**wanted))  # type: ignore[arg-type]
        return [record.factor.id for record in found]

    assert await ids() == ["fac_2", "fac_4", "fac_3", "fac_1"]
    assert await ids(2, behind=("other", "alice")) == ["fac_4", "fac_3"]
    assert await ids(client="tester") == ["fac_3", "fac_1"]
    assert await ids(client="tester", behind=("tester", "alice")) == ["fac_1"]
    assert await ids(subscriber="alice") == ["fac_2", "fac_3"]


async def test_of_many_who_look_and_then_add_one_adds(store: Store) -> None:
    def bind(tx: Transaction, name: str) -> bool:
        if tx.living_factors("alice", "tester"):
            return False
        tx.add_factor(make_factor(name))
        return True

    answers = await asyncio.gather(
        *(store.transact(lambda tx, name=str(n): bind(tx, name)) for n in range(20))  # type: ignore[misc]
    )
    assert answers.count(True) == 1


async def test_what_a_failed_transaction_did_is_undone(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.add_factor(make_factor())
        tx.audit(AuditEntry(NOW, "tester", "req_1", "factor.enroll", "allowed"))
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await store.transact(work)
    assert await store.factor("fac_1") is None
    assert await store.audit(10) == []


async def test_a_factors_newest_challenge_is_found_by_its_purpose(store: Store) -> None:
    def work(tx: Transaction) -> tuple[object, ...]:
        tx.add_factor(make_factor())
        for name, purpose, state in (
            ("1", Purpose.ACTIVATION, ChallengeState.VERIFIED),
            ("2", Purpose.SIGN_IN, ChallengeState.EXPIRED),
            ("3", Purpose.SIGN_IN, ChallengeState.DELIVERING),
        ):
            at = NOW + int(name) * MINUTE
            challenge = make_challenge(name, factor_id="fac_1", purpose=purpose, state=state, issued_at=at)
            tx.add_challenge(challenge)
            tx.add_call(make_call(name, name, created_at=at))
        newest = (tx.newest_challenge("fac_1"), tx.newest_challenge("fac_1", Purpose.ACTIVATION))
        return (
            *(record.challenge.id for record in newest if record),
            [challenge.id for challenge in tx.open_challenges("fac_1")],
            tx.newest_challenge("fac_2"),
        )

    found = await store.transact(work)
    assert found == ("ver_3", "ver_1", ["ver_3"], None)
    record = await store.factor("fac_1")
    assert record is not None
    assert record.challenge is not None
    assert (record.challenge.challenge.id, len(record.challenge.calls)) == ("ver_3", 1)
    assert await store.newest_plain(NUMBER, "tester") is None


async def test_wrong_guesses_are_counted_newest_first_in_their_window(store: Store) -> None:
    def work(tx: Transaction) -> list[int]:
        for n, (client, subscriber) in enumerate([("a", None), ("a", "x"), ("b", "x"), ("a", "x")]):
            tx.add_wrong_guess(WrongGuess(NOW + n * MINUTE, client, NUMBER, subscriber))
        before = NOW - MINUTE
        assert list(tx.wrong_guesses(before, 2, bucket=NUMBER)) == [NOW + 3 * MINUTE, NOW + 2 * MINUTE]
        return [
            len(tx.wrong_guesses(before, 9, bucket=NUMBER)),
            len(tx.wrong_guesses(NOW, 9, bucket=NUMBER)),
            len(tx.wrong_guesses(before, 9, client="a")),
            len(tx.wrong_guesses(before, 9, client="a", subscriber="x")),
            len(tx.wrong_guesses(before, 9, bucket="+12125550101")),
        ]

    assert await store.transact(work) == [4, 3, 3, 2, 0]


async def test_clients_and_keys_come_back_as_they_were(store: Store) -> None:
    web = Client("web", frozenset({Scope.HOOKS, Scope.FACTORS}), created_at=NOW)
    old = ClientKey("vgk_1", "web", bytes(range(32)), created_at=NOW)
    new = ClientKey("vgk_2", "web", bytes(32), created_at=NOW + MINUTE, expires_at=NOW + 2 * MINUTE)

    def work(tx: Transaction) -> None:
        tx.save_client(web)
        tx.save_key(old)
        tx.save_key(new)

    await store.transact(work)
    assert await store.client_of("vgk_2") == (web, new)
    assert await store.client_of("vgk_3") is None
    revoked, ended = replace(web, revoked_at=NOW), replace(old, expires_at=NOW)
    await store.transact(lambda tx: tx.save_client(revoked))
    await store.transact(lambda tx: tx.save_key(ended))
    assert await store.clients() == [ClientRecord(revoked, [ended, new])]
    assert await store.transact(lambda tx: (tx.client("web"), tx.client("none"))) == (revoked, None)


async def test_calls_are_listed_by_client(store: Store) -> None:
    def work(tx: Transaction) -> None:
        for name, client in (("1", "a"), ("2", "b")):
            tx.add_challenge(make_challenge(name, client=client))
            tx.add_call(make_call(name, name))

    await store.transact(work)
    assert [record.call.id for record in await store.recent_calls(10, CallFilter(client="b"))] == ["call_2"]
    assert len(await store.recent_calls(10)) == 2
