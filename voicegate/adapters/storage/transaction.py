"""The `Transaction` port on a connection; the writer begins and commits the transaction.

One transaction writes at a time (`writer`, `postgresql`). Rows that may change are read FOR UPDATE all the
same, a factor always before its challenges: PostgreSQL's rows can be changed by hand meanwhile. SQLAlchemy
leaves FOR UPDATE out for SQLite.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from typing import Final, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage import (
    buckets,
    holds,
    number_rows,
    outbox,
    page_rows,
    receipts,
    spend,
    stamps,
    statements,
    volume,
    wrong_guesses,
)
from voicegate.adapters.storage.audit_tables import audit
from voicegate.adapters.storage.prepared import AnyRow, Prepared
from voicegate.adapters.storage.rows import (
    Columns,
    audit_row,
    challenge_of,
    challenge_row,
    client_of,
    client_row,
    factor_of,
    factor_row,
    key_of,
    key_row,
)
from voicegate.adapters.storage.tables import (
    IS_OPEN,
    challenges,
    client_keys,
    clients,
    factors,
    idempotency_keys,
    page_sessions,
    trunk_drains,
)
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.outbox import Claim, Message, Replaying, StoredMessage
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.application.receipts import Cut
from voicegate.application.store_port import BucketCall, Transaction, WrongGuess
from voicegate.application.trunk_drains import Drain
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, Purpose
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.factor import Factor
from voicegate.domain.page_session import PageSession
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import ListedNumber, NumberList
from voicegate.domain.policy.conversion import PrefixHold
from voicegate.domain.policy.spend import Account, Cost, Reservation
from voicegate.domain.policy.velocity import Counter

T = TypeVar("T")
_ADD_ENTRY: Final = Prepared(insert(audit).inline())
_OWN_ID: Final[BindParameter[str]] = bindparam("own_id")
_CHALLENGE: Final = Prepared(select(challenges).where(challenges.c.id == _OWN_ID).with_for_update())
_ADD_CHALLENGE: Final = Prepared(insert(challenges))
_LOCKED_FACTORS: Final = select(factors).order_by(factors.c.created_at, factors.c.id).with_for_update()
_FACTOR: Final = Prepared(_LOCKED_FACTORS.where(factors.c.id == _OWN_ID))
_FACTOR_OF_CHALLENGE: Final = Prepared(
    _LOCKED_FACTORS.where(
        factors.c.id == select(challenges.c.factor_id).where(challenges.c.id == _OWN_ID).scalar_subquery()
    )
)
_SAVE_FACTOR: Final = Prepared(update(factors).where(factors.c.id == _OWN_ID))
_IDEMPOTENCY_KEY: Final = Prepared(
    select(idempotency_keys).where(
        idempotency_keys.c.client == bindparam("of_client"), idempotency_keys.c.key == bindparam("of_key")
    )
)
_ADD_IDEMPOTENCY_KEY: Final = Prepared(insert(idempotency_keys))
_OPEN_OF_FACTOR: Final = Prepared(
    select(challenges).where(challenges.c.factor_id == _OWN_ID, IS_OPEN).with_for_update()
)


class SqlTransaction:
    """Reads and writes of one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Read once: each is locked from then on, so nobody else can change it before the commit.
        self._known_factors: dict[str, Factor] = {}

    def challenge(self, challenge_id: str, *, timelines: bool = True) -> ChallengeRecord | None:
        """Return a challenge with its calls, and with their timelines if wanted; None: unknown."""
        own = {"own_id": challenge_id}
        # Its factor is locked first, as by requests that begin with the factor: in the other order two
        # transactions could wait for each other (deadlock).
        self._learn(_FACTOR_OF_CHALLENGE.all(self._connection, own))
        return statements.find_one(self._connection, _CHALLENGE, own, timelines=timelines)

    def newest_challenge(self, factor_id: str, purpose: Purpose | None = None) -> ChallengeRecord | None:
        """Return a factor's newest challenge, of one purpose if given; None: there was none yet."""
        if purpose is None:
            wanted, values = _newest_of_factor(has_purpose=False), {"own_id": factor_id}
        else:
            values = {"own_id": factor_id, "of_purpose": str(purpose)}
            wanted = _newest_of_factor(has_purpose=True)
        return statements.find_one(self._connection, wanted, values)

    def newest_plain(
        self, destination: Destination, *, client: str, service: str | None
    ) -> ChallengeRecord | None:
        """Return a client's newest challenge without a factor for a telephone; None: there is none.

        `service` is the service that asked for it; None: one that no service asked for.
        """
        values = {
            "of_client": client,
            "of_number": destination.number,
            "of_extension": destination.extension,
            "of_service": service,
        }
        return statements.find_one(self._connection, statements.NEWEST_PLAIN_OF_TELEPHONE, values)

    def open_challenges(self, factor_id: str) -> Sequence[Challenge]:
        """Return a factor's challenges that are in an open state."""
        rows = _OPEN_OF_FACTOR.all(self._connection, {"own_id": factor_id})
        return [challenge_of(row) for row in rows]

    def pending_challenges(
        self, client: str, *, bucket: str | None = None, subscriber: str | None = None
    ) -> Sequence[Challenge]:
        """Return a client's challenges that are in an open state; of one bucket or subscriber, if given."""
        return buckets.find_pending(self._connection, client, bucket=bucket, subscriber=subscriber)

    def replay(self, idempotency: IdempotencyKey) -> Replay | None:
        """Return the challenge that an idempotency key was used for; None: the key is new."""
        own = {"of_client": idempotency.client, "of_key": idempotency.key}
        known = _IDEMPOTENCY_KEY.first(self._connection, own)
        if known is None:
            return None
        is_same = known["fingerprint"] == idempotency.fingerprint
        return Replay(known["challenge_id"], is_same_request=is_same)

    def remember(self, idempotency: IdempotencyKey, challenge: Challenge) -> None:
        """Store that an idempotency key was used for a challenge."""
        # No look before: where two requests bring the same key at once, the primary key refuses the second.
        _ADD_IDEMPOTENCY_KEY.run(
            self._connection,
            {
                "client": idempotency.client,
                "key": idempotency.key,
                "fingerprint": idempotency.fingerprint,
                "challenge_id": challenge.id,
                "created": challenge.issued_at,
            },
        )

    def add_challenge(self, challenge: Challenge) -> None:
        """Store a new challenge."""
        _ADD_CHALLENGE.run(self._connection, challenge_row(challenge) | {"revision": 0})

    def save_challenge(self, challenge: Challenge) -> None:
        """Store a challenge that changed, or whose calls changed; its revision grows by 1."""
        statements.save_challenge(self._connection, challenge)

    def add_call(self, call: Call, place_until: datetime | None = None) -> None:
        """Store a new call, the newest of its challenge."""
        statements.add_call(self._connection, call, place_until)

    def set_back(self, now: datetime) -> None:
        """Count calls and guesses with a time in the future as made now: the clock was set back."""
        stamps.set_back_counted(self._connection, now)

    def enrolled_extensions(self, number: str) -> Sequence[str]:
        """Return the extensions of active factors at a number, of all clients."""
        return buckets.find_extensions(self._connection, number)

    def calls_in_progress(self, number: str, unsafe_since: datetime) -> Sequence[BucketCall]:
        """Return all clients' calls to a number that may still ring there.

        Those that have not ended, and those that ended after `unsafe_since` and are not safe to retry.
        """
        unsafe = buckets.find_unsafe(self._connection, number, unsafe_since)
        return (*buckets.find_live(self._connection, number), *unsafe)

    def calls_counted(self, bucket: str, client: str, since: datetime) -> Sequence[BucketCall]:
        """Return a client's calls in a bucket that were queued after `since`."""
        return buckets.find_counted(self._connection, bucket, client=client, since=since)

    def calls_forwarded(self, number: str, client: str, since: datetime) -> Sequence[BucketCall]:
        """Return a client's calls to a number, queued after `since`, that were redirected there."""
        return buckets.find_forwarded(self._connection, number, client=client, since=since)

    def settle_cost(self, record: CallRecord) -> None:
        """Put the real cost of an ended call in the place of what is held for its challenge."""
        spend.settle(self._connection, record)

    def volume(self, counter: Counter, since: datetime) -> Mapping[datetime, int]:
        """Return a counter's calls by slot, those after `since`."""
        return volume.find_volume(self._connection, counter, since)

    def add_volume(self, counters: Sequence[Counter], slot: datetime) -> None:
        """Count one call in each counter."""
        volume.add_volume(self._connection, counters, slot)

    def unproven(self, numbers: Sequence[str], *, client: str, since: datetime) -> Set[str]:
        """Return those of the numbers that a client called after `since`, and that proved no code."""
        return volume.find_unproven(self._connection, numbers, client=client, since=since)

    def spent(self, accounts: Iterable[Account], day: date) -> Mapping[Account, Cost]:
        """Return what calls cost in each of some accounts on a day."""
        return spend.find_spent(self._connection, accounts, day)

    def prefix_holds(self, keys: Iterable[str] | None = None) -> Sequence[PrefixHold]:
        """Return the holds on some keys, all if not given, also those that are over."""
        return holds.find_holds(self._connection, keys)

    def save_prefix_hold(self, hold: PrefixHold) -> None:
        """Store a hold, new or changed."""
        holds.save_hold(self._connection, hold)

    def reserve(self, challenge_id: str, reservation: Reservation) -> None:
        """Hold what the challenge's next call may cost, until it ends."""
        spend.add_reservation(self._connection, challenge_id, reservation)

    def factor(self, factor_id: str) -> Factor | None:
        """Return a factor, also one that was reset; None: unknown."""
        if factor_id not in self._known_factors:
            self._learn(_FACTOR.all(self._connection, {"own_id": factor_id}))
        return self._known_factors.get(factor_id)

    def living_factors(self, subscriber: str, client: str | None) -> Sequence[Factor]:
        """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
        wanted = _LOCKED_FACTORS.where(*statements.living(subscriber, client))
        return self._learn(self._connection.execute(wanted).mappings().all())

    def sharing(self, number: str) -> int:
        """Return how many factors that are not reset have this number."""
        return statements.count_sharing(self._connection, number)

    def add_factor(self, factor: Factor) -> None:
        """Store a new factor. A client's subscriber has at most one factor that is not reset."""
        self._insert(factors, factor_row(factor))
        self._known_factors[factor.id] = factor

    def save_factor(self, factor: Factor) -> None:
        """Store a factor that changed."""
        _SAVE_FACTOR.run(self._connection, {"own_id": factor.id, **factor_row(factor)})
        self._known_factors[factor.id] = factor

    def wrong_guesses(
        self,
        since: datetime,
        limit: int,
        *,
        client: str | None = None,
        subscriber: str | None = None,
        bucket: str | None = None,
    ) -> Sequence[datetime]:
        """Return the times of the newest wrong guesses after `since`, newest first, at most `limit`."""
        wanted = {"client": client, "subscriber": subscriber, "bucket": bucket}
        return wrong_guesses.find(self._connection, since, wanted, limit=limit)

    def count_wrong_guesses(self, since: datetime, client: str) -> int:
        """Return how many wrong guesses were made after `since` at codes of a client."""
        return wrong_guesses.count(self._connection, since, client=client)

    def add_wrong_guess(self, guess: WrongGuess) -> None:
        """Store a wrong guess."""
        wrong_guesses.add(self._connection, guess)

    def client(self, name: str) -> Client | None:
        """Return a client, also a revoked one; None: unknown."""
        # Locked, so that two admins who add a key to it at once do so one after the other.
        own = select(clients).where(clients.c.name == name).with_for_update()
        row = self._connection.execute(own).mappings().one_or_none()
        return None if row is None else client_of(row)

    def save_client(self, client: Client) -> None:
        """Store a client, new or changed."""
        self._put(clients, clients.c.name == client.name, client_row(client))

    def keys(self, client: str) -> Sequence[ClientKey]:
        """Return a client's keys, oldest first."""
        own = select(client_keys).where(client_keys.c.client == client).order_by(client_keys.c.created_at)
        return [key_of(row) for row in self._connection.execute(own).mappings()]

    def save_key(self, key: ClientKey) -> None:
        """Store a key, new or changed."""
        self._put(client_keys, client_keys.c.id == key.id, key_row(key))

    def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, also one that is over; None: unknown."""
        return page_rows.find(self._connection, page_sessions.c.id == page_id)

    def page_session_of(self, result_digest: bytes) -> PageSession | None:
        """Return the page session with that result code; None: unknown."""
        return page_rows.find(self._connection, page_sessions.c.result_digest == result_digest)

    def save_page_session(self, session: PageSession) -> None:
        """Store a page session, new or changed."""
        self._put(page_sessions, page_sessions.c.id == session.id, page_rows.page_session_row(session))

    def add_messages(self, messages: Sequence[Message]) -> None:
        """Store new messages to webhooks; one that is stored already stays as it is."""
        outbox.add_messages(self._connection, messages)

    def claim_messages(self, claim: Claim) -> Sequence[StoredMessage]:
        """Take messages that are due, so that no other sender takes them."""
        return outbox.claim_messages(self._connection, claim)

    def settle_message(self, message: StoredMessage) -> None:
        """Store what a try came to."""
        outbox.settle_message(self._connection, message)

    def replay_messages(self, replay: Replaying) -> int:
        """Let messages be sent again; return how many."""
        return outbox.replay_messages(self._connection, replay)

    def cut_receipts(self, cut: Cut) -> int:
        """Delete the oldest receipts, and store the checkpoint that says so; return how many."""
        return receipts.cut_receipts(self._connection, cut)

    def drains(self) -> Sequence[Drain]:
        """Return the trunks that are drained, by name."""
        return statements.find_drains(self._connection)

    def save_drain(self, drain: Drain) -> None:
        """Store that a trunk is drained."""
        self._put(trunk_drains, trunk_drains.c.trunk == drain.trunk, asdict(drain))

    def remove_drain(self, trunk: str) -> None:
        """Store that a trunk is not drained."""
        self._connection.execute(delete(trunk_drains).where(trunk_drains.c.trunk == trunk))

    def listed(self, digests: Sequence[bytes]) -> Sequence[ListedNumber]:
        """Return what the lists say about the number with one of these digests."""
        return number_rows.find(self._connection, digests)

    def add_listed(self, entry: ListedNumber) -> None:
        """Store a number on a list, where it is not yet."""
        number_rows.add(self._connection, entry)

    def unlist(self, kind: NumberList, digests: Sequence[bytes], client: str) -> bool:
        """Take a number off a list; return whether it was there."""
        return number_rows.remove(self._connection, kind, digests, client=client)

    def undo(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, undo what it changed, and return its answer."""
        savepoint = self._connection.begin_nested()
        try:
            # Another one: what this one has read must stay true.
            return work(SqlTransaction(self._connection))
        finally:
            savepoint.rollback()

    def audit(self, entry: AuditEntry) -> None:
        """Store an audit entry."""
        _ADD_ENTRY.run(self._connection, audit_row(entry))

    def _insert(self, table: Table, columns: Columns) -> None:
        self._connection.execute(insert(table).values(**columns))

    def _put(self, table: Table, which: ColumnElement[bool], columns: Columns) -> None:
        changed = self._connection.execute(update(table).where(which).values(**columns))
        if changed.rowcount == 0:
            self._insert(table, columns)

    def _learn(self, rows: Iterable[AnyRow]) -> Sequence[Factor]:
        found = [factor_of(row) for row in rows]
        self._known_factors |= {factor.id: factor for factor in found}
        return found


@cache
def _newest_of_factor(*, has_purpose: bool) -> Prepared:
    wanted = statements.NEWEST_OF_FACTOR.with_for_update()
    return Prepared(wanted.where(challenges.c.purpose == bindparam("of_purpose")) if has_purpose else wanted)
