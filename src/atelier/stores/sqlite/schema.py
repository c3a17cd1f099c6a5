"""The file: its tables, how it is opened, and when it is refused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from atelier import logs
from atelier.errors import StartRefused

BUSY_SECONDS = 5.0
EX_TEMPFAIL = 75
LARGE_MIB = 64
"""From here on a start says that it reads the file: at a cold disk's speed that takes a while."""

FIRST = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, lane TEXT NOT NULL, grouped INTEGER NOT NULL,
    status TEXT NOT NULL, run_at REAL, attention_at REAL, created_at REAL NOT NULL, completed_at REAL,
    changed INTEGER NOT NULL, header TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tags (
    job_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (job_id, name)
) WITHOUT ROWID;
CREATE TABLE parts (
    job_id TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job_id, key)
) WITHOUT ROWID;
CREATE TABLE records (
    job_id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job_id, seq)
) WITHOUT ROWID;
CREATE TABLE counter (changed INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""

DOCUMENTS = """
CREATE TABLE documents (
    kind TEXT NOT NULL, name TEXT NOT NULL, rev INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""

NUMBERED = """
ALTER TABLE jobs RENAME TO old_jobs;
ALTER TABLE tags RENAME TO old_tags;
ALTER TABLE parts RENAME TO old_parts;
ALTER TABLE records RENAME TO old_records;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, owner TEXT NOT NULL, lane TEXT NOT NULL,
    grouped INTEGER NOT NULL, status TEXT NOT NULL, dispatch INTEGER NOT NULL, run_at REAL, attention_at REAL,
    created_at REAL NOT NULL, completed_at REAL, changed INTEGER NOT NULL, header TEXT NOT NULL
);
CREATE TABLE tags (job INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (job, name)) WITHOUT ROWID;
CREATE TABLE parts (job INTEGER NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job, key)) WITHOUT ROWID;
CREATE TABLE records (job INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job, seq)) WITHOUT ROWID;
INSERT INTO jobs SELECT NULL, id, kind, owner, lane, grouped, status, json_extract(header, '$.dispatch'), run_at,
    attention_at, created_at, completed_at, changed, header FROM old_jobs ORDER BY created_at;
INSERT INTO tags SELECT number, name, value FROM old_tags JOIN jobs ON id = job_id;
INSERT INTO parts SELECT number, key, body FROM old_parts JOIN jobs ON id = job_id;
INSERT INTO records SELECT number, seq, body FROM old_records JOIN jobs ON id = job_id;
DROP TABLE old_jobs;
DROP TABLE old_tags;
DROP TABLE old_parts;
DROP TABLE old_records;
CREATE INDEX jobs_due ON jobs (kind, lane, run_at) WHERE status = 'queued';
CREATE INDEX jobs_attention ON jobs (attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX jobs_newest ON jobs (owner, created_at, id);
CREATE INDEX jobs_finished ON jobs (kind, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX jobs_changed ON jobs (changed);
CREATE INDEX tags_value ON tags (name, value, job);
"""
"""Jobs by number: what is written together lies together, so that a commit touches few pages."""

GROUPS = """
ALTER TABLE jobs RENAME COLUMN grouped TO hidden;
ALTER TABLE jobs ADD COLUMN member_of TEXT;
ALTER TABLE jobs ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET member_of = json_extract(header, '$.group') WHERE hidden = 1;
CREATE INDEX jobs_members ON jobs (member_of, status, place) WHERE member_of IS NOT NULL;
CREATE INDEX jobs_members_changed ON jobs (member_of, changed) WHERE member_of IS NOT NULL
"""
"""Members are found by their group, in order of their turns and of their changes."""

LANES = """
ALTER TABLE jobs ADD COLUMN member_lane TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_member_lanes ON jobs (member_of, member_lane, status, place) WHERE member_lane != ''
"""
"""Members of groups with lanes are found by those, too."""

GONE = "CREATE TABLE gone (changed INTEGER PRIMARY KEY, id TEXT NOT NULL, member_of TEXT)"
"""Removed jobs, by the change that removed them: other processes find what is gone as they find what has changed."""

STEPS = (FIRST, DOCUMENTS, NUMBERED, GROUPS, LANES, GONE)
"""What brings a file from each version to the next."""

VERSION = len(STEPS)


def prepare(path: Path) -> int:
    """Create the file or check the one there; the number of its last change.

    Raises StartRefused; never repairs, never recreates.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_permissions(path)
        if path.exists():
            _check(path)
        connection = connect(path)
    except OSError as error:
        raise StartRefused(f"The store {path} cannot be opened: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise _refusal(path, error, f"The store {path} cannot be opened: {error}.") from error
    try:
        _migrate(connection, path)
        return int(connection.execute("SELECT changed FROM counter").fetchone()[0])
    except sqlite3.Error as error:
        raise _refusal(path, error, _damaged(path, str(error))) from error
    finally:
        connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection as every thread of the store uses it: explicit transactions, full durability."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class OpenFile:
    """The file that was opened: whoever removes or replaces it leaves the service a file that nobody will find again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._which = self._there()

    def in_place(self) -> bool:
        """Whether it still lies where it was opened, and has not been emptied."""
        return self._which is not None and self._there() == self._which

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found.st_size > 0 else None


def prove_writable(connection: sqlite3.Connection) -> None:
    """Write what is there already: an empty transaction would reach no disk."""
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_permissions(path: Path) -> None:
    """Ask before SQLite does: beside a read-only file it leaves read-only ones that stay when the file is mended."""
    for needed in (path.parent, path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if needed.exists() and not os.access(needed, os.W_OK):
            raise StartRefused(f"The store {path} cannot be written: {needed} is read-only. Nothing was changed.")


def _check(path: Path) -> None:
    """Look before anything can write: else the log that a killed process left is copied into the file, sound or not."""
    mib = path.stat().st_size >> 20
    if mib >= LARGE_MIB:
        logs.info("checking_store", mib=mib)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        ) as reading:
            verdict = reading.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise _refusal(path, error, _damaged(path, str(error))) from error
    if verdict != "ok":
        raise StartRefused(_damaged(path, verdict))


def _refusal(path: Path, error: sqlite3.Error, sentence: str) -> StartRefused:
    """Return the refusal: a lock that somebody holds is no damage, and trying again may do."""
    if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StartRefused(sentence)
    locked = f"The store {path} is locked by another process; try again when that has finished."
    return StartRefused(locked, exit_code=EX_TEMPFAIL)


def _damaged(path: Path, why: str) -> str:
    return f"The store {path} is damaged or not writable ({why}). Restore a backup or move the file away; it was not changed."


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to VERSION in one transaction, so that two processes may start at once."""
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StartRefused(
            f"The store {path} was written by a newer atelier (schema {version}); this one knows {VERSION}."
        )
    for step in STEPS[version:]:
        for statement in step.split(";"):
            connection.execute(statement)
    if version < VERSION:  # a start that is refused for another reason leaves the file as it is, to the byte
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
