"""How many calls were placed lately, by counter and slot of time, for the limits of `domain.policy.velocity`.

A counter is held before it is read: of many requests at once, no more get through than the limit allows;
`hold` in `buckets` says how.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from voicegate.adapters.storage import buckets
from voicegate.adapters.storage.tables import call_volume, calls
from voicegate.domain.policy.velocity import Counter


def find_volume(connection: Connection, counter: Counter, since: datetime) -> Mapping[datetime, int]:
    """Hold a counter until the transaction is over; return its calls by the slots that began after `since`;
    blocks."""
    buckets.hold(connection, f"{counter.kind} {counter.client} {counter.key}")
    wanted = select(call_volume.c.slot, call_volume.c.calls).where(
        call_volume.c.kind == str(counter.kind),
        call_volume.c.client == counter.client,
        call_volume.c.key == counter.key,
        call_volume.c.slot > since,
    )
    return {row.slot: row.calls for row in connection.execute(wanted)}


def add_volume(connection: Connection, counters: Sequence[Counter], slot: datetime) -> None:
    """Count one call in each counter."""
    # The same statement in both databases, which SQLAlchemy has twice.
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for counter in counters:
        added = insert(call_volume).values(
            kind=str(counter.kind), client=counter.client, key=counter.key, slot=slot, calls=1
        )
        total = {"calls": call_volume.c.calls + added.excluded.calls}
        columns = [column.name for column in call_volume.primary_key]
        connection.execute(added.on_conflict_do_update(index_elements=columns, set_=total))


def find_unproven(
    connection: Connection, numbers: Sequence[str], *, client: str, since: datetime
) -> frozenset[str]:
    """Return those of `numbers` that a client called after `since` without any of their codes being
    entered."""
    if not numbers:
        return frozenset()
    called = select(calls.c.number, calls.c.is_converted).where(
        calls.c.number.in_(numbers), calls.c.created_at > since, calls.c.client == client
    )
    found = list(connection.execute(called))
    proven = {row.number for row in found if row.is_converted}
    return frozenset(row.number for row in found) - proven
