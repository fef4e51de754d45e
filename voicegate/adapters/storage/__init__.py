"""Challenges and calls on disk: fills the `Store` port with SQLAlchemy Core, SQLite first."""

from voicegate.adapters.storage.store import SqlStore

__all__ = ["SqlStore"]
