"""How to connect to PostgreSQL, and how its transactions exclude each other.

All writing transactions of a database, whoever runs them, hold one advisory lock: one writes after the other,
as into an SQLite file. So each query that was proven with one writer holds here too, and no two transactions
can wait for each other. Readers never wait. Source: the PostgreSQL 15 manual, 9.27.10, 13.2 and 34.1.2.
"""

from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from voicegate.adapters.storage.prepared import json_text
from voicegate.domain.errors import StoreError

LOCK_STEP_S: Final = 1.0
"""How long the writer waits for the write lock at a time; so late can a job fail that may wait no longer."""
RETRY_S: Final = 0.1
"""How long the writer waits before it tries to reach a server again."""
_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_WRITE_LOCK: Final = 0x766F696365_01
"""The number of the lock of who writes; the first digits are "voice"."""
_SOLE_LOCK: Final = 0x766F696365_02
"""The number of the lock that every controller shares, and that an older version wants for itself."""
_LOCK_NOT_AVAILABLE: Final = "55P03"
# A peer that is gone without a word is noticed by both ends after 25 s at most: by us, and by the server,
# which else would keep its locks for hours.
LIBPQ: Final = {
    "application_name": "voicegate",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""How every connection is made, unless the URL says something else."""
_SERVER: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
    # A controller that was stopped in mid-transaction keeps the others from writing no longer than this.
    "idle_in_transaction_session_timeout": "10000",
}


class InUse(StoreError):
    """A daemon of an older version, which can share it with no other, uses the database."""


def as_psycopg(url: URL) -> URL:
    """Return a PostgreSQL URL with the one driver that is supported.

    Raises:
        StoreError: it names another database or driver.
    """
    if url.drivername not in _DRIVERS:
        raise StoreError(
            f"storage.database: {url.drivername} is not supported: a PostgreSQL URL or an SQLite file is"
        )
    return url.set(drivername="postgresql+psycopg")


def connect_writer(url: URL, lock_timeout_s: float, controller: str | None = None) -> Engine:
    """Return an engine for the one writer; connects when first used.

    `lock_timeout_s`: how long it waits for other writers; `controller`: the id of the controller that it
    belongs to, if it belongs to one.
    """
    engine = _connect(with_name(url, controller), 1, {"lock_timeout": f"{int(lock_timeout_s * 1000)}"})
    if controller is not None:
        event.listen(engine, "connect", _exclude_older_versions)
    event.listen(engine, "begin", _exclude_other_writers)
    return engine.execution_options(controller=controller)


def connect_readers(url: URL, connections: int, controller: str | None = None) -> Engine:
    """Return an engine for readers, who see only what is committed; connects when first used."""
    # What a reader's queries see is one moment, as in SQLite. The ping finds a server that was restarted.
    own = {"default_transaction_read_only": "on", "default_transaction_isolation": "repeatable\\ read"}
    engine = _connect(with_name(url, controller), connections, own, pool_pre_ping=True)
    return engine.execution_options(controller=controller)


def with_name(url: URL, controller: str | None) -> URL:
    """Return a URL whose sessions show on the server whose they are."""
    if controller is None or "application_name" in url.query:
        return url
    return url.update_query_dict({"application_name": _session_name(controller)})


def has_session(connection: Connection, controller: str) -> bool:
    """Is a controller connected to the server?"""
    # Its own role's sessions are shown to every role in full.
    found = "SELECT 1 FROM pg_stat_activity WHERE application_name = %(name)s LIMIT 1"
    return connection.exec_driver_sql(found, {"name": _session_name(controller)}).first() is not None


def is_unavailable(error: Exception) -> bool:
    """Is the server away, or has another writer kept its lock, so that a later try may succeed?"""
    if isinstance(error, DBAPIError) and isinstance(error, OperationalError | InterfaceError):
        return hasattr(error.orig, "sqlstate")
    # It may be our own session of before the network was cut, which the server has not noticed yet.
    return isinstance(error, InUse)


def _connect(url: URL, connections: int, own: dict[str, str], *, pool_pre_ping: bool = False) -> Engine:
    settings = " ".join(f"-c {name}={value}" for name, value in {**_SERVER, **own}.items())
    given = url.query.get("options", "")
    # An admin's own come last, and so win.
    arguments = {name: value for name, value in LIBPQ.items() if name not in url.query}
    arguments["options"] = f"{settings} {given}".rstrip()
    try:
        return create_engine(
            url,
            # Else errors, and so the log, would show the telephone numbers in a statement.
            hide_parameters=True,
            json_serializer=json_text,
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=pool_pre_ping,
            connect_args=arguments,
        )
    except ImportError as error:
        raise StoreError(
            "storage.database: PostgreSQL needs its driver: install voicegate-pbx[postgresql]"
        ) from error
    except ArgumentError:
        # Without its text, which may have a password in it.
        raise StoreError("storage.database: the URL cannot be read") from None


def _session_name(controller: str) -> str:
    return f"{LIBPQ['application_name']} {controller}"


def _exclude_older_versions(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # A version that knows of no other controllers would end their calls; it takes this lock for itself. The
    # server gives up a session's lock with the connection, however that ends.
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT pg_advisory_lock_shared({_SOLE_LOCK})")
        connection.commit()
    except Exception as error:
        # The pool does not close a connection that it never had.
        connection.close()
        # Here SQLAlchemy does not put its own errors around the driver's.
        if getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise InUse("a daemon of an older version uses this database: stop it first") from error
        raise StoreError(str(error).split("\n", 1)[0]) from error


def _exclude_other_writers(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
