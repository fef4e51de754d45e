"""How many calls were placed lately, by counter and slot of time, for the limits of `domain.policy.velocity`.

One transaction writes at a time (`writer`, `postgresql`): of many requests at once, no more get through than
the limit allows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from voicegate.adapters.storage.prepared import Prepared, numbered, parameters
from voicegate.adapters.storage.tables import call_volume, calls
from voicegate.domain.policy.velocity import Counter

_FIND: Final = Prepared(
    select(call_volume.c.slot, call_volume.c.calls).where(
        call_volume.c.kind == bindparam("of_kind"),
        call_volume.c.client == bindparam("of_client"),
        call_volume.c.key == bindparam("of_key"),
        call_volume.c.slot > bindparam("since"),
    )
)


# Not by a range: the index then leads past months of calls to each number, straight to the newest.
@cache
def _called(numbers: int) -> Prepared:
    return Prepared(
        select(calls.c.number, calls.c.is_converted).where(
            calls.c.number.in_(parameters("number", numbers)),
            calls.c.created_at > bindparam("since"),
            calls.c.client == bindparam("of_client"),
        )
    )


def _adding(added: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    """Return the statement that counts one call: the same in both databases, which SQLAlchemy has twice."""
    counted = added.values(
        kind=bindparam("of_kind"),
        client=bindparam("of_client"),
        key=bindparam("of_key"),
        slot=bindparam("at"),
        calls=1,
    )
    columns = [column.name for column in call_volume.primary_key]
    return counted.on_conflict_do_update(
        index_elements=columns, set_={"calls": call_volume.c.calls + counted.excluded.calls}
    )


_ADD: Final = Prepared(
    {
        "sqlite": _adding(sqlite.insert(call_volume)),
        "postgresql": _adding(postgresql.insert(call_volume)),
    }
)


def find_volume(connection: Connection, counter: Counter, since: datetime) -> Mapping[datetime, int]:
    """Return a counter's calls by the slots that began after `since`."""
    found = _FIND.all(connection, _columns(counter) | {"since": since})
    return {row["slot"]: row["calls"] for row in found}


def add_volume(connection: Connection, counters: Sequence[Counter], slot: datetime) -> None:
    """Count one call in each counter."""
    _ADD.run_each(connection, [_columns(counter) | {"at": slot} for counter in counters])


def _columns(counter: Counter) -> dict[str, object]:
    return {"of_kind": str(counter.kind), "of_client": counter.client, "of_key": counter.key}


def find_unproven(
    connection: Connection, numbers: Sequence[str], *, client: str, since: datetime
) -> frozenset[str]:
    """Return those of `numbers` that a client called after `since` without any of their codes being
    entered."""
    if not numbers:
        return frozenset()
    values = {"since": since, "of_client": client} | numbered("number", numbers)
    found = _called(len(numbers)).all(connection, values)
    # One code that was entered proves the number, however many calls before it proved none.
    proven = {row["number"] for row in found if row["is_converted"]}
    return frozenset(row["number"] for row in found) - proven
