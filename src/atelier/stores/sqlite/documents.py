"""The statements for documents: what is durable and not a job."""

from __future__ import annotations

import sqlite3

from atelier.jobs.ports import Document
from atelier.stores import serialisation as codec


def load(connection: sqlite3.Connection, kind: str, name: str) -> Document | None:
    """Return a document."""
    row = connection.execute("SELECT rev, body FROM documents WHERE kind = ? AND name = ?", (kind, name)).fetchone()
    return Document(kind=kind, name=name, rev=row[0], body=codec.load_part(row[1])) if row else None


def listed(connection: sqlite3.Connection, kind: str, after: str, limit: int) -> list[Document]:
    """Return documents in order of their names."""
    rows = connection.execute(
        "SELECT name, rev, body FROM documents WHERE kind = ? AND name > ? ORDER BY name LIMIT ?", (kind, after, limit)
    )
    return [Document(kind=kind, name=name, rev=rev, body=codec.load_part(body)) for name, rev, body in rows.fetchall()]


def put(connection: sqlite3.Connection, document: Document) -> Document | None:
    """Write the document over the revision before its own; None where another is there."""
    present = load(connection, document.kind, document.name)
    if (present.rev if present is not None else 0) != document.rev - 1:
        return None
    connection.execute(
        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)",
        (document.kind, document.name, document.rev, codec.dump_part(document.body)),
    )
    return document


def drop(connection: sqlite3.Connection, kind: str, name: str) -> None:
    """Remove a document."""
    connection.execute("DELETE FROM documents WHERE kind = ? AND name = ?", (kind, name))


def drop_unchanged(connection: sqlite3.Connection, document: Document) -> None:
    """Remove a document where it is this one: the revision alone begins again where one was removed meanwhile."""
    if load(connection, document.kind, document.name) == document:
        drop(connection, document.kind, document.name)
