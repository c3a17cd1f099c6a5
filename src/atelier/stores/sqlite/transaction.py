"""One commit of the writer: what its operations change is collected, and written at its end, table by table.

Six statements do it, the same ones in every commit: prepared once, they stay where the processor finds them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from atelier.jobs.models import Job, Json, Record, Snapshot
from atelier.jobs.ports import lane_of
from atelier.stores import serialisation as codec
from atelier.stores.sqlite.remembered import Written

KNOWN = 10_000
"""Most headers kept between two commits."""

SMALL = 4_000
"""Most characters of the parts that are kept with a header: most jobs are run soon after they came."""

TOLD = 100_000
"""How many changes back removals are told of: a process that slept through more of them is not told of the first."""

RECORD = 300
"""About as many characters has a record."""


class Place(NamedTuple):
    """A job's number in the file, its last change, its header, what of that the indexes know, its parts where new and small."""

    number: int
    change: int
    job: Job
    indexed: tuple[object, ...]
    parts: Mapping[str, Json] | None = None


class Transaction:
    """Work inside one commit. Headers of this process's own commits need not be read again until another process writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, Place] = {}
        self._written: dict[str, Place | None] = {}
        self._pending = Pending()
        self._counted = False
        self._change: int | None = None
        self._last_number: int | None = None
        self._version = -1

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, with everything written so far visible on it."""
        self._pending.flush(self._connection)
        return self._connection

    @property
    def reached(self) -> int | None:
        """The last change this process made, where that is the last of all as far as it knows."""
        return self._change

    def begin(self) -> None:
        """Take the write lock; forget what was known if another process has written since."""
        self._connection.execute("BEGIN IMMEDIATE")
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._forget()

    def seal(self) -> None:
        """Write all that is left: what follows is the commit, which waits for the disk."""
        self._pending.flush(self._connection)
        if self._counted:
            self._connection.execute("UPDATE counter SET changed = ?", (self._change,))

    def keep(self) -> None:
        """Remember the headers of jobs that go on: they are durable now."""
        for job_id, place in self._written.items():
            if place is None or place.job.status.terminal:
                self._known.pop(job_id, None)
            else:
                self._known[job_id] = place
        if len(self._known) > KNOWN:
            self._known.clear()
        self._written, self._pending, self._counted = {}, Pending(), False

    def undo(self) -> None:
        """Take everything back, and forget what was known."""
        self._forget()
        self._written, self._pending, self._counted = {}, Pending(), False
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # begun again, it says so
                self._connection.execute("ROLLBACK")

    def load(self, job_id: str) -> Place | None:
        """Return a job as it is now, in this commit."""
        if job_id in self._written:
            return self._written[job_id]
        place = self._known.get(job_id)
        if place is not None:
            return place
        row = self._connection.execute("SELECT number, changed, header FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return _place(row[0], row[1], codec.load_job(row[2])) if row else None

    def parts(self, place: Place) -> Mapping[str, Json]:
        """Return what is kept beside a header, by key."""
        if place.parts is not None:
            return place.parts
        connection = self.connection if place.job.id in self._written else self._connection
        rows = connection.execute("SELECT key, body FROM parts WHERE job = ?", (place.number,)).fetchall()
        return {key: codec.load_part(body) for key, body in rows}

    def insert(self, job: Job, records: tuple[Record, ...], parts: Mapping[str, Json]) -> Written | None:
        """Add a new job with its first records and parts. None, having changed nothing: its id is taken."""
        if self.load(job.id) is not None:
            return None
        lines, bodies = _lines(records), _bodies(parts)
        small = _length(bodies) <= SMALL
        place = _place(self._next_number(), self._next_change(), job, parts if small else None)
        self._pending.add(place, lines, bodies)
        self._written[job.id] = place
        return Written(Snapshot(job=job, records=records), 0, place.change, RECORD * len(records))

    def save(self, place: Place, after: Snapshot, parts: Mapping[str, Json]) -> Written:
        """Write the header over the one in `place`, and add its records and parts."""
        lines, bodies = _lines(after.records), _bodies(parts)
        then = _place(place.number, self._next_change(), after.job, None if parts else place.parts)
        self._pending.change(place, then, lines, bodies)
        self._written[after.job.id] = then
        return Written(after, place.change, then.change, RECORD * len(lines) + _length(bodies))

    def delete(self, job_id: str) -> None:
        """Remove a job that has ended."""
        place = self.load(job_id)
        if place is None or not place.job.status.terminal:
            return
        for table, column in (("records", "job"), ("parts", "job"), ("tags", "job"), ("jobs", "number")):
            self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (place.number,))  # noqa: S608 - our own tables
        change = self._next_change()
        self.connection.execute("INSERT INTO gone VALUES (?, ?, ?)", (change, job_id, place.job.group))
        self.connection.execute("DELETE FROM gone WHERE changed <= ?", (change - TOLD,))
        self._written[job_id] = None

    def _next_number(self) -> int:
        if self._last_number is None:
            self._last_number = int(self._one("SELECT coalesce(max(number), 0) FROM jobs"))
        self._last_number += 1
        return self._last_number

    def _next_change(self) -> int:
        """Number this write: one counter for the file orders the commits of every process."""
        if self._change is None:
            self._change = int(self._one("SELECT changed FROM counter"))
        self._change, self._counted = self._change + 1, True
        return self._change

    def _one(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchone()[0])

    def _forget(self) -> None:
        self._known.clear()
        self._change, self._last_number = None, None


Row = tuple[object, ...]


class Pending:
    """Rows that wait for the end of the commit; of several headers of one job the last is written."""

    def __init__(self) -> None:
        self._new: dict[int, Row] = {}
        self._moved: dict[int, Row] = {}
        self._kept: dict[int, Row] = {}
        self._tags: list[Row] = []
        self._records: list[Row] = []
        self._parts: dict[tuple[int, str], str] = {}

    def add(self, place: Place, lines: Lines, bodies: Bodies) -> None:
        """Put in a new job."""
        number, change, job, indexed, _ = place
        owned = (job.id, job.kind, job.owner, lane_of(job), int(not job.listed), job.group, job.place, job.lane)
        self._new[number] = (number, *owned, job.created_at.timestamp(), *indexed, change, codec.dump_job(job))
        self._tags += [(number, *tag) for tag in job.tags.items()]
        self._append(number, lines, bodies)

    def change(self, before: Place, place: Place, lines: Lines, bodies: Bodies) -> None:
        """Put in a job's next header: indexes are touched only where their columns move."""
        number, change, job, indexed, _ = place
        header = codec.dump_job(job)
        if number in self._new:
            self._new[number] = (*self._new[number][:10], *indexed, change, header)
        elif number in self._moved or before.indexed != indexed:
            self._kept.pop(number, None)
            self._moved[number] = (number, *indexed, change, header)
        else:
            self._kept[number] = (number, change, header)
        self._append(number, lines, bodies)

    def flush(self, connection: sqlite3.Connection) -> None:
        """Write everything that waits."""
        written: tuple[tuple[str, Sequence[Row]], ...] = (
            (NEW, [*self._new.values()]),
            (MOVED, [*self._moved.values()]),
            (KEPT, [*self._kept.values()]),
            (TAGS, self._tags),
            (RECORDS, self._records),
            (PARTS, [(*key, body) for key, body in self._parts.items()]),
        )
        for statement, rows in written:
            if rows:
                connection.executemany(statement, rows)
        for waiting in (self._new, self._moved, self._kept, self._tags, self._records, self._parts):
            waiting.clear()

    def _append(self, number: int, lines: Lines, bodies: Bodies) -> None:
        self._records += [(number, seq, body) for seq, body in lines]
        self._parts |= {(number, key): body for key, body in bodies}


Lines = Sequence[tuple[int, str]]
Bodies = Sequence[tuple[str, str]]

NEW = (
    "INSERT INTO jobs (number, id, kind, owner, lane, hidden, member_of, place, member_lane, created_at,"
    " status, dispatch, run_at, attention_at, completed_at, changed, header)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MOVED = (
    "UPDATE jobs SET status = ?2, dispatch = ?3, run_at = ?4, attention_at = ?5, completed_at = ?6, changed = ?7, header = ?8"
    " WHERE number = ?1"
)
KEPT = "UPDATE jobs SET changed = ?2, header = ?3 WHERE number = ?1"
TAGS = "INSERT INTO tags VALUES (?, ?, ?)"
RECORDS = "INSERT INTO records VALUES (?, ?, ?)"
PARTS = "INSERT OR REPLACE INTO parts VALUES (?, ?, ?)"


def _place(number: int, change: int, job: Job, parts: Mapping[str, Json] | None = None) -> Place:
    run_at, attention_at, completed_at = job.run_at, job.attention_at, job.completed_at
    indexed = (
        str(job.status),  # a plain text is bound as it is, a subclass is looked up first
        job.dispatch,
        run_at.timestamp() if run_at is not None else None,
        attention_at.timestamp() if attention_at is not None else None,
        completed_at.timestamp() if completed_at is not None else None,
    )
    return Place(number, change, job, indexed, parts)


def _lines(records: Sequence[Record]) -> Lines:
    return [(record.seq, codec.dump_record(record)) for record in records]


def _bodies(parts: Mapping[str, Json]) -> Bodies:
    return [(key, codec.dump_part(part)) for key, part in parts.items()]


def _length(bodies: Bodies) -> int:
    return sum([len(body) for _, body in bodies])
