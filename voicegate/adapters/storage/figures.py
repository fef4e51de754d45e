"""How trunks' calls went: summed up by the database, from the calls of one window of time.

Both databases read `ix_calls_created_at` from the window's beginning on: the columns that leave a call out
are in it, so that only calls which count are looked up in the table. Calls that are deleted are added to the
sums of their days before (`keep_figures`), which stay.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.kept_tables import SUMS, daily_figures
from voicegate.adapters.storage.tables import calls
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.domain.trunk_figures import TrunkFigures

_MS: Final = timedelta(milliseconds=1)
# The trunk saw nothing of these: they are no seizures of it.
_NEVER_SENT: Final = (Outcome.QUEUE_TIMEOUT, Outcome.CANCELED, Outcome.PBX_UNAVAILABLE)


def find_figures(connection: Connection, since: datetime) -> Sequence[TrunkFigures]:
    """Return the sums by trunk and country."""
    found = {(one.trunk, one.country): one for one in _present(connection, since)}
    # Whole days only: of what was deleted, it is not known when in a day it was.
    for row in connection.execute(_days(since)):
        gone = _figures_of(*row)
        key = (gone.trunk, gone.country)
        found[key] = found[key].plus(gone) if key in found else gone
    return [found[key] for key in sorted(found)]


def keep_figures(connection: Connection, challenge_ids: Sequence[str]) -> None:
    """Add the calls of challenges that are about to be deleted to the sums of their days."""
    own = select(calls.c.created_at, calls.c.trunk, calls.c.country, *_sums()).where(
        calls.c.challenge_id.in_(challenge_ids), *_is_counted()
    )
    each = connection.execute(own.group_by(calls.c.created_at, calls.c.trunk, calls.c.country)).all()
    kept: dict[tuple[date, str, str], list[int]] = {}
    for at, trunk, country, *sums in each:
        day = kept.setdefault((at.date(), trunk, country or ""), [0] * len(SUMS))
        day[:] = [have + int(more or 0) for have, more in zip(day, sums, strict=True)]
    if not kept:
        return
    # Both databases have the same INSERT ... ON CONFLICT; SQLAlchemy has it only in its dialects.
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = dialect.insert(daily_figures)
    total = {name: daily_figures.c[name] + added.excluded[name] for name in SUMS}
    columns = list(daily_figures.primary_key.columns)
    rows = [
        {"day": day, "trunk": trunk, "country": country, **dict(zip(SUMS, sums, strict=True))}
        for (day, trunk, country), sums in kept.items()
    ]
    connection.execute(added.on_conflict_do_update(index_elements=columns, set_=total), rows)


def find_sip_failures(connection: Connection, since: datetime) -> Sequence[tuple[str, int, int]]:
    """Return trunk, SIP status and number of calls."""
    return [(trunk, status, count) for trunk, status, count in connection.execute(failures_query(since))]


def failures_query(since: datetime) -> Select[Any]:
    """Return the query of the failures."""
    return (
        select(calls.c.trunk, calls.c.sip_status, func.count())
        .where(*_counted(since), calls.c.sip_status.is_not(None), calls.c.answered.is_(False))
        .group_by(calls.c.trunk, calls.c.sip_status)
        .order_by(calls.c.trunk, calls.c.sip_status)
    )


def figures_query(since: datetime) -> Select[Any]:
    """Return the query of the sums."""
    return (
        select(calls.c.trunk, calls.c.country, *_sums())
        .where(*_counted(since))
        .group_by(calls.c.trunk, calls.c.country)
        .order_by(calls.c.trunk, calls.c.country)
    )


def _present(connection: Connection, since: datetime) -> list[TrunkFigures]:
    return [_figures_of(*row) for row in connection.execute(figures_query(since))]


def _days(since: datetime) -> Select[Any]:
    """Return the query of the sums of deleted calls, from the first whole day on."""
    first = (since.astimezone(UTC) + timedelta(days=1) - timedelta.resolution).date()
    sums = (func.sum(daily_figures.c[name]) for name in SUMS)
    return (
        select(daily_figures.c.trunk, daily_figures.c.country, *sums)
        .where(daily_figures.c.day >= first)
        .group_by(daily_figures.c.trunk, daily_figures.c.country)
    )


def _sums() -> list[ColumnElement[int]]:
    """Return the sums over calls, in the order of `SUMS`."""
    return [
        func.count(),
        _where(calls.c.answered.is_(True)),
        _where(calls.c.is_converted.is_(True)),
        _where(calls.c.blame == str(Blame.TRUNK)),
        _where(calls.c.key_asked.is_(True)),
        _where(calls.c.key_asked.is_(True) & calls.c.human.is_(True)),
        func.count(calls.c.post_dial_delay_ms),
        func.sum(calls.c.post_dial_delay_ms),
        func.sum(calls.c.talk_ms),
    ]


def _figures_of(trunk: str, country: str | None, *sums: int | None) -> TrunkFigures:
    placed, answered, verified, failed, asked, pressed, delays, delay_ms, talk_ms = (one or 0 for one in sums)
    return TrunkFigures(
        trunk,
        country or "",
        placed=placed,
        answered=answered,
        verified=verified,
        failed=failed,
        keys_asked=asked,
        keys_pressed=pressed,
        delays=delays,
        # Sums of PostgreSQL are of its type numeric.
        delay=int(delay_ms) * _MS,
        talk=int(talk_ms) * _MS,
    )


def _counted(since: datetime) -> list[ColumnElement[bool]]:
    return [calls.c.created_at >= since, *_is_counted()]


def _is_counted() -> list[ColumnElement[bool]]:
    return [
        calls.c.outcome.is_not(None),
        calls.c.outcome.not_in([str(outcome) for outcome in _NEVER_SENT]),
        calls.c.is_test.is_(False),
    ]


def _where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)
