"""Jobs in one SQLite file: WAL, synchronous=FULL, one writer thread, group commit."""

from atelier.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
