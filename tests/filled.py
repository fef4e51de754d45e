"""A database with very many calls in it, written past the store: ten thousand in a second."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

CLIENT: Final = "web"
SERVICE: Final = "VA00000000000000000000000000000001"
NEWEST: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPACING: Final = timedelta(seconds=60)
"""Between two calls."""
_STEPS: Final = 4
"""Of each call."""


def fill(file: Path, count: int) -> None:
    """Add `count` verified challenges of `CLIENT`'s `SERVICE` with a call, its steps and an audit entry each,
    to a database that is migrated: the newest at `NEWEST`."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table, rows in (
            ("challenges", map(_challenge, range(count))),
            ("calls", map(_call, range(count))),
            ("timeline", (_step(n, seq) for n in range(count) for seq in range(1, _STEPS + 1))),
            ("audit", map(_entry, reversed(range(count)))),
        ):
            _insert(connection, table, list(rows))
        # As the store would have counted them; both are their own test's.
        connection.execute(
            "INSERT INTO call_counts SELECT client, service,"
            " strftime('%Y-%m-%d %H:00:00.000000', created_at), country, count(*), sum(is_converted)"
            " FROM calls WHERE service IS NOT NULL GROUP BY 1, 2, 3, 4"
        )


def at(n: int) -> datetime:
    """When the call `n` was queued; 0 is the newest."""
    return NEWEST - n * SPACING


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _number(n: int) -> str:
    return f"+1202555{n % 10_000:04}"


def _challenge(n: int) -> dict[str, object]:
    return {
        "id": f"ver_{n:020}",
        "client": CLIENT,
        "number": _number(n),
        "language": "en",
        "human_check": "random_key",
        "passcode_length": 6,
        "digest": bytes(32),
        "issued_at": _text(at(n)),
        "expires_at": _text(at(n) + timedelta(minutes=5)),
        "guesses_left": 5,
        "state": "verified",
        "revision": 9,
        "purpose": "plain",
        "service": SERVICE,
    }


def _call(n: int) -> dict[str, object]:
    facts = (
        "rang",
        "progressed",
        "answered",
        "media",
        "extension_sent",
        "human",
        "announced",
        "is_converted",
    )
    return {
        "id": f"call_{n:020}",
        "challenge_id": f"ver_{n:020}",
        "position": 1,
        "number": _number(n),
        "trunk": "carrier",
        "caller_id": "+12025550100",
        "created_at": _text(at(n)),
        "state": "ended",
        "outcome": "delivered",
        "blame": "nobody",
        "retry_safe": 0,
        "is_unreachable": 0,
        "client": CLIENT,
        "service": SERVICE,
        "country": "US",
    } | dict.fromkeys(facts, 1)


def _step(n: int, seq: int) -> dict[str, object]:
    return {
        "call_id": f"call_{n:020}",
        "seq": seq,
        "at": _text(at(n) + timedelta(seconds=seq)),
        "state": "ringing",
        "event": "rang",
        "detail": "{}",
    }


def _entry(n: int) -> dict[str, object]:
    return {
        "at": _text(at(n)),
        "client": CLIENT,
        "request_id": f"req_{n:016}",
        "action": "verification.send",
        "decision": "allowed",
        "subject": f"ver_{n:020}",
        "number": "+1••••••••43",
    }


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    columns = rows[0]
    values = ", ".join(f":{name}" for name in columns)
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", rows)
