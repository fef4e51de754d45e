"""Clients, their keys, what each may see, and the audit of it all."""

from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from voicegate.application.clients import KNOWN_FOR, ClientExists, ClientRevoked, NewKey
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.listing import AuditFilter
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Client, ClientKey, Principal, Scope
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination

SCOPES = frozenset({Scope.VERIFICATIONS})


async def add(bench: Bench, name: str = "backend") -> NewKey:
    added = await bench.clients.add(ADMIN, name, SCOPES)
    assert isinstance(added, NewKey)
    return added


async def test_a_key_stands_for_its_client_and_is_kept_nowhere(bench: Bench) -> None:
    added = await add(bench)
    principal = await bench.clients.authenticate(added.key, "req_9")
    assert principal == Principal("backend", SCOPES, "req_9")
    (record,) = await bench.clients.list()
    assert added.key not in repr(record)
    assert added.key.rpartition("_")[2].encode() not in record.keys[0].digest
    assert added.key not in repr(added)


@pytest.mark.parametrize("change", ["", "x", "_", "vgk_1_2", "vgk_unknown_secret", "\ud800", "é"])
async def test_anything_else_stands_for_nobody(bench: Bench, change: str) -> None:
    added = await add(bench)
    assert await bench.clients.authenticate(change, "req_9") is None
    assert await bench.clients.authenticate(added.key + change + "x", "req_9") is None
    assert await bench.clients.authenticate(added.key[:-1], "req_9") is None


async def test_a_name_beside_the_key_must_be_its_clients(bench: Bench) -> None:
    added = await add(bench)
    await add(bench, "another")
    assert await bench.clients.authenticate(added.key, "req_9", "backend") is not None
    assert await bench.clients.authenticate(added.key, "req_9", "another") is None


async def test_an_old_key_lives_on_for_its_grace_and_no_longer(bench: Bench) -> None:
    old = await add(bench)
    new = await bench.clients.rotate(ADMIN, "backend", timedelta(hours=1))
    assert isinstance(new, NewKey)
    assert await bench.clients.authenticate(old.key, "req_9") is not None
    bench.clock.time += timedelta(hours=1)
    assert await bench.clients.authenticate(old.key, "req_9") is None
    assert await bench.clients.authenticate(new.key, "req_9") is not None


async def test_a_rotation_without_grace_ends_the_old_key_at_once(bench: Bench) -> None:
    old = await add(bench)
    await bench.clients.rotate(ADMIN, "backend", timedelta(hours=1))
    await bench.clients.rotate(ADMIN, "backend")
    assert await bench.clients.authenticate(old.key, "req_9") is None


async def test_a_revoked_client_asks_nothing_and_its_name_is_not_given_again(bench: Bench) -> None:
    added = await add(bench)
    assert isinstance(await bench.clients.revoke(ADMIN, "backend"), ClientRevoked)
    assert await bench.clients.authenticate(added.key, "req_9") is None
    assert await bench.clients.add(ADMIN, "backend", SCOPES) == ClientExists()
    assert await bench.clients.rotate(ADMIN, "backend") == NotFound()
    assert await bench.clients.revoke(ADMIN, "backend") == NotFound()


async def test_somebody_elses_verification_and_calls_are_as_if_they_were_not_there(bench: Bench) -> None:
    challenge_id = await bench.issue()
    record = await bench.settled(challenge_id)
    call_id, use, seen = record.calls[0].call.id, bench.sign_in, bench.challenges
    assert await seen.look(OTHER, challenge_id) is None
    assert await use.verify(OTHER, challenge_id, Passcode(bench.code(challenge_id))) == NotFound()
    assert await use.redial(OTHER, challenge_id) == NotFound()
    assert await use.cancel(OTHER, challenge_id) == NotFound()
    assert await seen.call(OTHER, call_id) is None
    assert await seen.calls(OTHER, 10) == []
    assert await seen.newest(OTHER, NUMBER) is None
    for principal in (TESTER, ADMIN):
        assert await seen.look(principal, challenge_id) is not None
        assert await seen.call(principal, call_id) is not None
        assert [entry.call.id for entry in await seen.calls(principal, 10)] == [call_id]


async def test_the_newest_verification_of_a_number_is_found_by_it(bench: Bench) -> None:
    assert await bench.challenges.newest(TESTER, NUMBER) is None
    await bench.settled(await bench.issue())
    bench.clock.time += timedelta(seconds=1)
    second = await bench.issue()
    found = await bench.challenges.newest(TESTER, NUMBER)
    assert found is not None
    assert found.challenge.id == second


async def test_the_audit_tells_who_asked_for_what_and_holds_no_code_and_no_number(bench: Bench) -> None:
    challenge_id = await bench.issue()
    code = bench.code(challenge_id)
    await bench.sign_in.verify(OTHER, challenge_id, Passcode(code))
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(code))
    record = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", Destination.parse("+19002345678")))
    assert not isinstance(record, FactorRecord)
    await bench.clients.add(ADMIN, "backend", SCOPES)
    entries = await bench.store.audit(10)
    assert [(entry.client, entry.request_id, entry.action, entry.decision) for entry in entries] == [
        ("root", "req_3", "client.add", "allowed"),
        ("tester", "req_1", "factor.enroll", "number_type_not_allowed"),
        ("tester", "req_1", "verification.check", "verified"),
        ("other", "req_2", "verification.check", "unknown"),
        ("tester", "req_1", "verification.create", "allowed"),
    ]
    assert [entry.subject for entry in entries] == [
        "backend",
        "alice",
        challenge_id,
        challenge_id,
        challenge_id,
    ]
    assert [entry.number for entry in entries] == [None, "+1••••••••78", "+1••••••••01", None, "+1••••••••01"]
    assert code not in repr(entries)
    assert (
        await bench.sign_in.verify(TESTER, NUMBER, Passcode(code)),
        await bench.enrollment.reset(TESTER, NUMBER),
    ) == (NotFound(), NotFound())
    assert NUMBER not in repr(await bench.store.audit(2))
    page = await bench.store.audit(2, AuditFilter(behind=entries[1].id))
    assert [entry.id for entry in page] == [entries[2].id, entries[3].id]


async def test_a_key_is_looked_for_once_a_second_and_a_revoked_one_is_unknown_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = bench.store, list[str]()
    find = store.client_of

    async def counted(key_id: str) -> tuple[Client, ClientKey] | None:
        asked.append(key_id)
        return await find(key_id)

    monkeypatch.setattr(store, "client_of", counted)
    key = (await add(bench)).key
    for _ in range(3):
        assert await bench.clients.authenticate(key, "req") is not None
    assert await bench.clients.authenticate(f"{key}x", "req") is None
    assert len(asked) == 1
    bench.clock.time += KNOWN_FOR
    assert await bench.clients.authenticate(key, "req") is not None
    assert len(asked) == 2
    await bench.clients.revoke(ADMIN, "backend")
    assert await bench.clients.authenticate(key, "req") is None
