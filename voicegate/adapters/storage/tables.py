"""The tables, the same for SQLite and PostgreSQL; `rows` turns them into objects of the domain.

Times are UTC; durations end in `_s`. A change of a table needs a revision in `migrations/versions`; a test
compares the two.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    literal_column,
)

from voicegate.adapters.storage.utc_time import UtcDateTime
from voicegate.domain.call import CallState
from voicegate.domain.challenge import OPEN_STATES, Purpose
from voicegate.domain.factor import FactorState
from voicegate.domain.webhook import MessageState

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""All tables."""


challenges: Final = Table(
    "challenges",
    METADATA,
    Column("id", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("number", String, nullable=False),
    Column("extension", String),
    Column("language", String, nullable=False),
    Column("human_check", String, nullable=False),
    Column("passcode_length", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("guesses_left", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("reference", Text),
    Column("revision", Integer, nullable=False),
    Column("factor_id", ForeignKey("factors.id")),
    Column("purpose", String, nullable=False, server_default=Purpose.PLAIN),
    Column("service", String),
    Column("bucket", String, nullable=False, server_default=""),
    Column("matching_digits", String),
)
"""One row for each challenge. `bucket`: what its calls and guesses are counted by, a number or a
telephone."""

calls: Final = Table(
    "calls",
    METADATA,
    Column("id", String, primary_key=True),
    Column("challenge_id", ForeignKey("challenges.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("number", String, nullable=False),
    Column("extension", String),
    Column("trunk", String, nullable=False),
    Column("caller_id", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("rang", Boolean, nullable=False),
    Column("progressed", Boolean, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("media", Boolean, nullable=False),
    Column("extension_sent", Boolean, nullable=False),
    Column("human", Boolean, nullable=False),
    Column("announced", Integer, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("outcome", String),
    Column("blame", String),
    Column("retry_safe", Boolean),
    Column("cause", Integer),
    Column("sip_status", Integer),
    Column("is_unreachable", Boolean),
    Column("gave_up", String),
    Column("client", String, nullable=False, server_default=""),
    Column("service", String),
    Column("country", String),
    Column("is_converted", Boolean, nullable=False, server_default=false()),
    Column("has_own_code", Boolean, nullable=False, server_default=false()),
    Column("counted_at", UtcDateTime),
    Column("is_test", Boolean, nullable=False, server_default=false()),
    Column("subscriber", String),
    Column("reference", Text),
    Column("quality", JSON(none_as_null=True)),
    Column("originated_at", UtcDateTime),
    Column("post_dial_delay_ms", Integer),
    Column("talk_ms", Integer),
    Column("key_asked", Boolean, nullable=False, server_default=false()),
    Column("controller", String),
    Column("place_until", UtcDateTime),
    UniqueConstraint("challenge_id", "position"),
)
"""One row for each call; `position` counts a challenge's calls from 1. `outcome` and `is_unreachable` are
NULL until it ends. `client`, `service`, `subscriber` and `reference` are its challenge's, repeated here for
the indexes of lists.
`is_converted`: its code was entered, and it was the challenge's newest call then. `counted_at`: the time from
which the waits between calls are counted, if that is not `created_at` because the clock was set back.
`controller` and `place_until`: as in `controller_tables`."""

call_counts: Final = Table(
    "call_counts",
    METADATA,
    Column("client", String, primary_key=True),
    Column("service", String, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("country", String, primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("converted", Integer, nullable=False),
)
"""How many calls services asked for, and how many of those codes were entered, for each hour in which they
were queued. Calls to test numbers are not counted; an unknown country is empty. Kept when the calls are
deleted."""

call_volume: Final = Table(
    "call_volume",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("slot", UtcDateTime, primary_key=True),
    Column("calls", Integer, nullable=False),
)
"""One row for each counter and slot of time in which calls were placed; kept for a day."""

timeline: Final = Table(
    "timeline",
    METADATA,
    Column("call_id", ForeignKey("calls.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("event", String, nullable=False),
    Column("detail", JSON, nullable=False),
)
"""One row for each step of a call."""

factors: Final = Table(
    "factors",
    METADATA,
    Column("id", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("subscriber", String, nullable=False),
    Column("number", String, nullable=False),
    Column("extension", String),
    Column("language", String),
    Column("activation_lifetime_s", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("verified_at", UtcDateTime),
)
"""One row for each factor, also those that were reset. `verified_at`: when a right code was last entered."""

wrong_guesses: Final = Table(
    "wrong_guesses",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("client", String, nullable=False),
    Column("subscriber", String),
    Column("bucket", String, nullable=False),
)
"""One row for each wrong guess, kept for a day."""

clients: Final = Table(
    "clients",
    METADATA,
    Column("name", String, primary_key=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)
"""One row for each client that asks by API key, also revoked ones."""

client_keys: Final = Table(
    "client_keys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("client", ForeignKey("clients.name"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("retired_at", UtcDateTime),
)
"""One row for each API key: its digest, never the key itself."""

trunk_drains: Final = Table(
    "trunk_drains",
    METADATA,
    Column("trunk", String, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("client", String, nullable=False),
    Column("reason", Text, nullable=False),
)
"""One row for each trunk that gets no new calls."""

outbox: Final = Table(
    "outbox",
    METADATA,
    Column("id", String, primary_key=True),
    Column("webhook", String, nullable=False),
    Column("type", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("give_up_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("status", Integer),
    Column("error", Text),
)
"""One row for each message to a webhook, stored with what it tells, and what became of it."""

page_sessions: Final = Table(
    "page_sessions",
    METADATA,
    Column("id", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("subscriber", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("url_digest", LargeBinary, nullable=False),
    Column("state_digest", LargeBinary, nullable=False),
    Column("cookie_digest", LargeBinary),
    Column("result_digest", LargeBinary),
    Column("return_url", Text),
    Column("alternative_url", Text),
    Column("language", String),
    Column("reference", Text),
    Column("factor_id", String),
    Column("challenge_id", String),
    Column("call_again_at", UtcDateTime),
    Column("consent_version", String),
    Column("consent_at", UtcDateTime),
    Column("result", String),
    Column("completed_at", UtcDateTime),
)
"""One row for each visit to the pages, with digests of its secrets. Its factor or challenge may be purged."""

idempotency_keys: Final = Table(
    "idempotency_keys",
    METADATA,
    Column("client", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("challenge_id", ForeignKey("challenges.id"), nullable=False),
    Column("created", UtcDateTime, nullable=False),
)
"""One row for each idempotency key of a client."""

probes: Final = Table(
    "probes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
)
"""One row, which is written again and again to learn whether the database can store."""

# Literals, not parameters: a database uses a partial index only if the query's own text implies its WHERE.
IS_LIVE: Final = calls.c.state != literal_column(f"'{CallState.ENDED}'")
"""Is a call in progress?"""
counted_at: Final = func.coalesce(calls.c.counted_at, calls.c.created_at)
"""The time from which the waits between calls are counted."""
IS_OPEN: Final = challenges.c.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_STATES)])
"""Can a challenge's code still be entered?"""
IS_LIVING: Final = factors.c.state != literal_column(f"'{FactorState.RESET}'")
"""Is a factor not reset? A subscriber has one such factor at most."""
IS_SERVICE: Final = calls.c.service.is_not(None)
"""Did a service ask for a call?"""

IS_PENDING: Final = outbox.c.state == literal_column(f"'{MessageState.PENDING}'")
"""Is a message to be sent?"""

# In the order of a list, to its last column: a page is read from the index and nothing is sorted. The columns
# after the id are for filters: a row that does not match is skipped in the index, without reading the table.
Index("ix_calls_created_at", *(calls.c[name] for name in ("created_at", "id", "trunk", "outcome", "is_test")))
Index(
    "ix_calls_client",
    *(calls.c[name] for name in ("client", "created_at", "id", "trunk", "outcome", "is_test")),
)
Index("ix_calls_number", calls.c.number, calls.c.created_at, calls.c.id)
Index(
    "ix_calls_service",
    *(calls.c[name] for name in ("client", "created_at", "id", "service", "is_test", "country", "number")),
    calls.c.is_converted,
    sqlite_where=IS_SERVICE,
    postgresql_where=IS_SERVICE,
)
for _name in ("subscriber", "reference"):
    _is_given = calls.c[_name].is_not(None)
    Index(
        f"ix_calls_{_name}",
        *(calls.c[column] for column in (_name, "created_at", "id")),
        sqlite_where=_is_given,
        postgresql_where=_is_given,
    )
Index("ix_calls_live", calls.c.created_at, sqlite_where=IS_LIVE, postgresql_where=IS_LIVE)
Index("ix_calls_live_number", calls.c.number, sqlite_where=IS_LIVE, postgresql_where=IS_LIVE)
Index("ix_challenges_bucket", *(challenges.c[name] for name in ("bucket", "client", "issued_at")))
Index("ix_challenges_open", challenges.c.expires_at, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
Index("ix_challenges_expires_at", challenges.c.expires_at)
Index("ix_challenges_number", challenges.c.number, challenges.c.issued_at)
Index("ix_challenges_factor_id", challenges.c.factor_id, challenges.c.issued_at)
# The rule that a client's subscriber has one factor is kept by the database too: of two requests at once,
# through two controllers, both could see none.
Index(
    "uq_factors_living",
    factors.c.client,
    factors.c.subscriber,
    unique=True,
    sqlite_where=IS_LIVING,
    postgresql_where=IS_LIVING,
)
Index("ix_factors_subscriber", factors.c.subscriber)
Index("ix_factors_number", factors.c.number, sqlite_where=IS_LIVING, postgresql_where=IS_LIVING)
Index("ix_wrong_guesses_bucket", wrong_guesses.c.bucket, wrong_guesses.c.at)
Index("ix_wrong_guesses_client", wrong_guesses.c.client, wrong_guesses.c.at)
Index("ix_wrong_guesses_at", wrong_guesses.c.at)
Index("ix_client_keys_client", client_keys.c.client)
Index("ix_factors_reset", factors.c.updated_at, sqlite_where=~IS_LIVING, postgresql_where=~IS_LIVING)
Index("ix_call_volume_slot", call_volume.c.slot)
Index("ix_timeline_at", timeline.c.at)
Index("ix_idempotency_keys_created", idempotency_keys.c.created)
Index("ix_idempotency_keys_challenge_id", idempotency_keys.c.challenge_id)
Index("ix_page_sessions_created_at", page_sessions.c.created_at)
Index("ix_page_sessions_result_digest", page_sessions.c.result_digest)
Index(
    "ix_outbox_pending",
    outbox.c.webhook,
    outbox.c.next_at,
    sqlite_where=IS_PENDING,
    postgresql_where=IS_PENDING,
)
Index("ix_outbox_created_at", outbox.c.created_at, outbox.c.id)
