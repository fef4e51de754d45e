"""The calls of services' challenges, and how many of their codes were entered."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, case, func, select
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.rows import call_of, challenge_of
from voicegate.adapters.storage.tables import calls, verifications
from voicegate.application.storing import Attempt, AttemptFilter, Conversion
from voicegate.domain.call import TEST_TRUNK
from voicegate.domain.challenge import ChallengeState

_OTHERS: Final = calls.alias("others")
_NEWEST: Final = (
    select(func.max(_OTHERS.c.position))
    .where(_OTHERS.c.verification_id == calls.c.verification_id)
    .scalar_subquery()
)
_IS_CONVERTED: Final = (verifications.c.state == str(ChallengeState.VERIFIED)) & (calls.c.position == _NEWEST)


def find_attempts(connection: Connection, wanted: AttemptFilter, *, limit: int) -> Sequence[Attempt]:
    """Return the newest calls first, each with its challenge."""
    newest = select(calls.c.id, _IS_CONVERTED).join(verifications).where(*_fitting(wanted))
    newest = newest.order_by(calls.c.created_at.desc(), calls.c.position.desc(), calls.c.id.desc())
    converted = {call_id: bool(is_so) for call_id, is_so in connection.execute(newest.limit(limit))}
    by_id = {
        row["id"]: row
        for row in connection.execute(select(calls).where(calls.c.id.in_(converted))).mappings()
    }
    challenge_ids = {row["verification_id"] for row in by_id.values()}
    own = select(verifications).where(verifications.c.id.in_(challenge_ids))
    challenges = {row["id"]: challenge_of(row) for row in connection.execute(own).mappings()}
    return [
        Attempt(call_of(by_id[call_id]), challenges[by_id[call_id]["verification_id"]], is_so)
        for call_id, is_so in converted.items()
    ]


def count_conversions(connection: Connection, wanted: AttemptFilter) -> Sequence[Conversion]:
    """Return how the calls to each number fared."""
    converted = func.sum(case((_IS_CONVERTED, 1), else_=0))
    fared = select(calls.c.number, func.count(), converted).join(verifications).where(*_fitting(wanted))
    rows = connection.execute(fared.group_by(calls.c.number))
    return [Conversion(number, attempts, int(done)) for number, attempts, done in rows]


def _fitting(wanted: AttemptFilter) -> list[ColumnElement[bool]]:
    fitting: list[ColumnElement[bool]] = [verifications.c.service.is_not(None)]
    exact = (
        (verifications.c.client, wanted.client),
        (verifications.c.service, wanted.service),
        (verifications.c.id, wanted.challenge_id),
        (calls.c.id, wanted.call_id),
        (calls.c.number, wanted.number),
    )
    fitting += [column == value for column, value in exact if value is not None]
    if wanted.prefix:
        fitting.append(calls.c.number.startswith(wanted.prefix, autoescape=True))
    if wanted.after is not None:
        fitting.append(calls.c.created_at >= wanted.after)
    if wanted.before is not None:
        fitting.append(calls.c.created_at < wanted.before)
    if wanted.is_converted is not None:
        fitting.append(_IS_CONVERTED if wanted.is_converted else ~_IS_CONVERTED)
    if not wanted.with_tests:
        fitting.append(calls.c.trunk != TEST_TRUNK)
    return fitting
