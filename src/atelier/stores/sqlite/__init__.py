"""Jobs in one SQLite file: WAL, synchronous=FULL, group commit by a thread."""

from atelier.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
