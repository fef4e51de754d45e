"""Rows for a controller's database: copies of what one real call left, so that they have all that rows have.

Made while no controller runs on it.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from tests.bench.numbers import all_numbers
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.tables import calls, challenges

PAST: Final = timedelta(days=80)
"""Over how long the history goes back: within every retention."""
_CHUNK: Final = 2000
_LIFETIME: Final = timedelta(hours=20)
_TIMES: Final = frozenset(
    {"issued_at", "expires_at", "created_at", "answered_at", "ended_at", "originated_at", "at"}
)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that was spoken and can be entered."""

    id: str
    """Its verification's."""
    digits: str


def add_codes(database: str, key: Path, count: int) -> Sequence[OpenCode]:
    """Add verifications whose codes were spoken just now, each to a number of its own; return their codes.

    They are copies of the newest one in the database, which was delivered.
    """
    keyring, numbers, now = FileKeyring.open(key, may_create=False), all_numbers(), datetime.now(UTC)
    engine = engines.connect_writer(engines.locate(database))
    codes = []
    try:
        with engine.begin() as connection:
            challenge, call = _newest(connection)
            rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
            for index in range(count):
                name, number = f"ver_{index:020}", numbers[index % len(numbers)]
                code = keyring.derive(name, challenge["passcode_length"])
                own: dict[str, Any] = {
                    "id": name,
                    "number": number,
                    "bucket": number,
                    "digest": keyring.digest(name, code),
                }
                # The one that is copied may have a code of its caller's.
                own |= {"sealed": None, "issued_at": now, "expires_at": now + _LIFETIME}
                rows[0].append({**challenge, **own})
                own_call = {"id": f"call_{index:020}", "challenge_id": name, "number": number}
                rows[1].append({**call, **own_call, "created_at": now, "is_test": False})
                codes.append(OpenCode(name, code.digits))
            for table, these in zip((challenges, calls), rows, strict=True):
                for start in range(0, count, _CHUNK):
                    connection.execute(insert(table), these[start : start + _CHUNK])
    finally:
        engine.dispose()
    return codes


def _newest(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    call = connection.execute(
        select(calls).where(calls.c.outcome == "delivered").order_by(calls.c.created_at.desc()).limit(1)
    ).one()
    challenge = connection.execute(select(challenges).where(challenges.c.id == call.challenge_id)).one()
    return dict(challenge._mapping), dict(call._mapping)


def add_history(database: Path, count: int, already: int = 0) -> None:
    """Add calls that are over, with their verifications and timelines, evenly over the past; SQLite only.

    `already`: how many of them an earlier call of this function has added.
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        call, challenge = connection.execute(
            "SELECT id, challenge_id FROM calls WHERE outcome = 'delivered' ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
        last = already + count - 1
        series = f"WITH RECURSIVE n(n) AS (VALUES({already}) UNION ALL SELECT n + 1 FROM n WHERE n < {last})"
        step = PAST.total_seconds() / (already + count)
        for table, key, template in (
            ("challenges", "id", challenge),
            ("calls", "id", call),
            ("timeline", "call_id", call),
        ):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(_copied(table, column, step) for column in columns)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) {series}"
                f" SELECT {values} FROM n, {table} t WHERE t.{key} = ?",
                (template,),
            )
        connection.commit()


def _copied(table: str, column: str, step: float) -> str:
    number = "'+1' || printf('%010d', 2005550100 + (n * 7919) % 7899899)"
    own = {
        ("challenges", "id"): "'ver_h' || n",
        ("challenges", "state"): "'verified'",
        ("calls", "id"): "'call_h' || n",
        ("calls", "challenge_id"): "'ver_h' || n",
        ("timeline", "call_id"): "'call_h' || n",
        ("calls", "is_test"): "0",
        ("challenges", "number"): number,
        ("challenges", "bucket"): number,
        ("calls", "number"): number,
    }
    if value := own.get((table, column)):
        return value
    if column in _TIMES:
        # One hour ago and older: not in the windows of limits.
        return f"strftime('%Y-%m-%d %H:%M:%f000', t.{column}, '-' || (3600 + n * {step}) || ' seconds')"
    return f"t.{column}"
