"""Page sessions as rows of their table, and how one is found."""

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.rows import Columns
from voicegate.adapters.storage.tables import page_sessions
from voicegate.domain.page_session import PagePurpose, PageResult, PageSession, PageState


def page_session_row(session: PageSession) -> Columns:
    """Return the row of a page session."""
    return {
        "id": session.id,
        "client": session.client,
        "subscriber": session.subscriber,
        "purpose": str(session.purpose),
        "state": str(session.state),
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "url_digest": session.url_digest,
        "state_digest": session.state_digest,
        "cookie_digest": session.cookie_digest,
        "result_digest": session.result_digest,
        "return_url": session.return_url,
        "alternative_url": session.alternative_url,
        "language": session.language,
        "reference": session.reference,
        "factor_id": session.factor_id,
        "challenge_id": session.challenge_id,
        "call_again_at": session.call_again_at,
        "consent_version": session.consent_version,
        "consent_at": session.consent_at,
        "result": None if session.result is None else str(session.result),
        "completed_at": session.completed_at,
    }


def page_session_of(row: RowMapping) -> PageSession:
    """Return the page session of a row."""
    result = row["result"]
    as_they_are = {name: row[name] for name in row if name not in ("purpose", "state", "result")}
    return PageSession(
        purpose=PagePurpose(row["purpose"]),
        state=PageState(row["state"]),
        result=None if result is None else PageResult(result),
        **as_they_are,
    )


def find(connection: Connection, which: ColumnElement[bool]) -> PageSession | None:
    """Return a page session, locked until the transaction's end; None: there is none."""
    own = select(page_sessions).where(which).with_for_update()
    row = connection.execute(own).mappings().one_or_none()
    return None if row is None else page_session_of(row)


def look(connection: Connection, page_id: str) -> PageSession | None:
    """Return a page session as it is now; None: unknown."""
    own = select(page_sessions).where(page_sessions.c.id == page_id)
    row = connection.execute(own).mappings().one_or_none()
    return None if row is None else page_session_of(row)
