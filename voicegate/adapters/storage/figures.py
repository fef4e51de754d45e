"""How trunks' calls went: summed up by the database, from the calls of one window of time.

Both databases read `ix_calls_created_at` from the window's beginning on: the columns that leave a call out
are in it, so that only calls which count are looked up in the table. Nothing is kept for it but what each
call's row has.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.tables import calls
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.domain.trunk_figures import TrunkFigures

_MS: Final = timedelta(milliseconds=1)
# The trunk saw nothing of these: they are no seizures of it.
_NEVER_SENT: Final = (Outcome.QUEUE_TIMEOUT, Outcome.CANCELED, Outcome.PBX_UNAVAILABLE)


def find_figures(connection: Connection, since: datetime) -> Sequence[TrunkFigures]:
    """Return the sums by trunk and country."""
    return [_figures_of(*row) for row in connection.execute(figures_query(since))]


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
        select(
            calls.c.trunk,
            calls.c.country,
            func.count(),
            _where(calls.c.answered.is_(True)),
            _where(calls.c.is_converted.is_(True)),
            _where(calls.c.blame == str(Blame.TRUNK)),
            _where(calls.c.key_asked.is_(True)),
            _where(calls.c.key_asked.is_(True) & calls.c.human.is_(True)),
            func.count(calls.c.post_dial_delay_ms),
            func.sum(calls.c.post_dial_delay_ms),
            func.sum(calls.c.talk_ms),
        )
        .where(*_counted(since))
        .group_by(calls.c.trunk, calls.c.country)
        .order_by(calls.c.trunk, calls.c.country)
    )


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
    return [
        calls.c.created_at >= since,
        calls.c.outcome.is_not(None),
        calls.c.outcome.not_in([str(outcome) for outcome in _NEVER_SENT]),
        calls.c.is_test.is_(False),
    ]


def _where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)
