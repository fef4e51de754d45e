"""Who lives of the controllers on one PostgreSQL database, and whose a call is.

The server's clock decides, and no controller's. One transaction writes at a time (`postgresql`): a call is
either begun by its controller or taken from it.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import (
    Connection,
    Row,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage import postgresql, statements
from voicegate.adapters.storage.controller_tables import controllers, trunk_starts
from voicegate.adapters.storage.tables import IS_LIVE, calls, challenges
from voicegate.adapters.storage.utc_time import UtcDateTime
from voicegate.application.controllers import (
    GAP,
    SETTLE_AFTER,
    TAKE_AFTER,
    Attendance,
    Controller,
    Orphan,
    Presence,
    Pulse,
)
from voicegate.application.lines import LineCaps, NoLine
from voicegate.domain.call import Call, CallState
from voicegate.domain.challenge import ChallengeState

T = TypeVar("T")
_BATCH: Final = 100
"""Calls that are taken over at a time; the rest at the next beat."""
_IS_QUEUED: Final = calls.c.state == str(CallState.QUEUED)
_ATTEND: Final = insert(controllers)
_IS_WITHOUT_GAP: Final = and_(
    controllers.c.seen_at >= bindparam("gap_since", type_=UtcDateTime()),
    # Else the server's clock was set back: nothing is known of the time between.
    controllers.c.seen_at <= _ATTEND.excluded.seen_at,
)
_SAY: Final = _ATTEND.on_conflict_do_update(
    index_elements=[controllers.c.id],
    set_={
        "seen_at": _ATTEND.excluded.seen_at,
        "key_ids": _ATTEND.excluded.key_ids,
        "present_since": case(
            (_IS_WITHOUT_GAP, controllers.c.present_since), else_=_ATTEND.excluded.present_since
        ),
    },
).returning(controllers.c.present_since)
_COUNT: Final = select(calls.c.trunk, func.count()).where(IS_LIVE, ~_IS_QUEUED, ~calls.c.is_test)
_NOW: Final = select(func.clock_timestamp())


class Run(Protocol):
    """Runs work on a connection, and returns its answer."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Raise StoreError when the database cannot be used."""
        ...


class SqlControllers:
    """The port `ControllerStore` on a store's connections."""

    def __init__(self, *, write: Run, read: Run) -> None:
        self._write = write
        self._read = read

    async def attend(
        self, controller: Controller, *, is_first: bool = False, may_claim: bool = True
    ) -> Attendance:
        """Store that a controller lives, and give it the calls that lost theirs, if it may claim some."""
        work = partial(_attend, controller=controller, is_first=is_first, may_claim=may_claim)
        return await self._write(work)

    async def left(self) -> Sequence[Orphan]:
        """Return the controller's own calls that have not ended and are older than `SETTLE_AFTER`."""
        return await self._read(_find_left)

    async def taken(self, call_ids: Collection[str]) -> Collection[str]:
        """Return those of its calls that another controller has taken over."""
        return await self._read(partial(_find_taken, call_ids=call_ids))

    async def lines(self) -> Mapping[str, int]:
        """Return how many calls of other controllers are in progress, by trunk."""
        return await self._read(_find_lines)

    async def pulse(self, challenge_ids: Collection[str]) -> Mapping[str, Pulse]:
        """Return the state of challenges, by their ids."""
        return await self._read(partial(_find_pulse, challenge_ids=challenge_ids))

    async def present(self) -> Sequence[Presence]:
        """Return the controllers that are present, by name."""
        return await self._read(find_present)

    async def leave(self, controller: Controller) -> None:
        """Store that a controller has stopped."""
        await self._write(partial(_forget, controller_id=controller.id))


def refuse_line(connection: Connection, call: Call, caps: LineCaps) -> NoLine | None:
    """Return why a call may not begin now: all controllers' calls count. None: it may, and its trunk's pace
    counts it."""
    if call.is_test or statements.own_controller(connection) is None:
        return None
    # Not from a counter of its own: nothing is to be put right after a controller died.
    counts = _counts(connection, _COUNT)
    if counts.get(call.trunk, 0) >= caps.of_trunk or sum(counts.values()) >= caps.in_progress:
        return NoLine()
    return _keep_pace(connection, call.trunk, caps) if caps.per_second else None


def _counts(connection: Connection, wanted: Select[str, int]) -> Mapping[str, int]:
    return {row[0]: row[1] for row in connection.execute(wanted.group_by(calls.c.trunk))}


def _find_lines(connection: Connection) -> Mapping[str, int]:
    own = calls.c.controller.is_not_distinct_from(statements.own_controller(connection))
    return _counts(connection, _COUNT.where(~own))


def _keep_pace(connection: Connection, trunk: str, caps: LineCaps) -> NoLine | None:
    now = _now(connection)
    last = connection.execute(select(trunk_starts.c.at).where(trunk_starts.c.trunk == trunk)).scalar()
    # A start in the future: the server's clock was set back.
    if last is not None and last <= now < last + caps.apart:
        return NoLine(last + caps.apart - now)
    own = insert(trunk_starts).values(trunk=trunk, at=now)
    connection.execute(own.on_conflict_do_update(index_elements=[trunk_starts.c.trunk], set_={"at": now}))
    return None


def _attend(connection: Connection, *, controller: Controller, is_first: bool, may_claim: bool) -> Attendance:
    now = _now(connection)
    row = {
        "id": controller.id,
        "name": controller.name,
        "version": controller.version,
        "key_ids": list(controller.key_ids),
        "started_at": now,
        "seen_at": now,
        "present_since": now,
    }
    since = connection.execute(_SAY, row | {"gap_since": now - GAP}).scalar_one()
    # Before the claim: a call whose controller is not known any more is anybody's.
    if is_first:
        _forget_predecessors(connection, controller)
    claimed = _claim(connection, controller.id, now=now, since=since) if may_claim else ()
    if not claimed:
        _forget_silent(connection, now=now, since=since)
    others = [one for one in find_present(connection) if one.controller.id != controller.id]
    return Attendance(claimed, has_returned=since == now and not is_first, others=others)


def _claim(connection: Connection, own_id: str, *, now: datetime, since: datetime) -> Sequence[Orphan]:
    """Take over the calls whose controller is gone, or was silent while this one watched."""
    # With the server's clock alone: hosts' clocks differ, and one that was stepped would end living calls.
    is_lost: list[ColumnElement[bool]] = [controllers.c.id.is_(None)]
    for silence, which in ((TAKE_AFTER, _IS_QUEUED), (SETTLE_AFTER, true())):
        if since <= now - silence:
            is_lost.append(and_(which, controllers.c.seen_at < now - silence))
    # Outer: calls from before there were controllers have none, and a stopped one leaves no row.
    owned = calls.outerjoin(controllers, controllers.c.id == calls.c.controller)
    own = calls.c.controller.is_not_distinct_from(own_id)
    lost = select(calls.c.id).select_from(owned).where(IS_LIVE, ~own, or_(*is_lost))
    lost = lost.order_by(calls.c.created_at).limit(_BATCH).with_for_update(of=calls, skip_locked=True)
    # The write lock alone would do. SKIP LOCKED: a row that an admin holds must not keep the others waiting.
    taken = update(calls).where(calls.c.id.in_(lost)).values(controller=own_id)
    return _orphans(connection, connection.execute(taken.returning(calls.c.id, calls.c.place_until)).all())


def _orphans(connection: Connection, rows: Sequence[Row[str, datetime | None]]) -> Sequence[Orphan]:
    found = [(statements.find_call(connection, row.id), row.place_until) for row in rows]
    return [Orphan(record, place_until) for record, place_until in found if record is not None]


def _find_left(connection: Connection) -> Sequence[Orphan]:
    own = calls.c.controller == statements.own_controller(connection)
    old = calls.c.created_at < _now(connection) - SETTLE_AFTER
    return _orphans(
        connection, connection.execute(select(calls.c.id, calls.c.place_until).where(IS_LIVE, own, old)).all()
    )


def _forget_predecessors(connection: Connection, controller: Controller) -> None:
    """Forget earlier runs under the same name whose sessions have ended: they were killed."""
    earlier = select(controllers.c.id).where(
        controllers.c.name == controller.name, controllers.c.id != controller.id
    )
    for earlier_id in connection.execute(earlier).scalars().all():
        if not postgresql.has_session(connection, earlier_id):
            _forget(connection, controller_id=earlier_id)


def _forget_silent(connection: Connection, *, now: datetime, since: datetime) -> None:
    """Forget controllers that are silent, and have no calls any more."""
    if since <= now - SETTLE_AFTER:
        # With calls it stays: they are the next beats' to take, and show whose they were.
        has_calls = select(calls.c.id).where(IS_LIVE, calls.c.controller == controllers.c.id).exists()
        silent = controllers.c.seen_at < now - SETTLE_AFTER
        connection.execute(delete(controllers).where(silent, ~has_calls))


def _forget(connection: Connection, *, controller_id: str) -> None:
    connection.execute(delete(controllers).where(controllers.c.id == controller_id))


def _find_taken(connection: Connection, *, call_ids: Collection[str]) -> Collection[str]:
    own = calls.c.controller.is_not_distinct_from(statements.own_controller(connection))
    return connection.execute(select(calls.c.id).where(calls.c.id.in_(call_ids), ~own)).scalars().all()


def _find_pulse(connection: Connection, *, challenge_ids: Collection[str]) -> Mapping[str, Pulse]:
    columns = (challenges.c.id, challenges.c.revision, challenges.c.state)
    rows = connection.execute(select(*columns).where(challenges.c.id.in_(challenge_ids)))
    return {row.id: Pulse(row.revision, ChallengeState(row.state)) for row in rows}


def find_present(connection: Connection) -> Sequence[Presence]:
    """Return the controllers that are present, by name."""
    is_present = controllers.c.seen_at >= _now(connection) - SETTLE_AFTER
    found = select(controllers).where(is_present).order_by(controllers.c.name, controllers.c.id)
    return [_presence(row) for row in connection.execute(found).mappings()]


def _presence(row: RowMapping) -> Presence:
    fields: dict[str, Any] = {name: row[name] for name in ("id", "name", "version", "key_ids")}
    return Presence(Controller(**fields), row["started_at"], row["seen_at"])


def _now(connection: Connection) -> datetime:
    now: datetime = connection.execute(_NOW).scalar_one()
    return now
