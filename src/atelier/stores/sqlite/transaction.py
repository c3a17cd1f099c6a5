"""One commit of the writer: the headers it knows, and the statements that change jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from atelier.jobs.models import Job, Json, Record
from atelier.jobs.ports import lane_of
from atelier.stores import serialisation as codec

KNOWN = 10_000
"""Most headers kept between two commits."""

Place = tuple[int, Job]
"""A job's number in the file, and its header."""


class Transaction:
    """Work inside one commit. Headers of this process's own commits need not be read again until another process writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._known: dict[str, Place] = {}
        self._written: dict[str, Place | None] = {}
        self._change: int | None = None
        self._version = -1

    def begin(self) -> None:
        """Take the write lock; forget what was known if another process has written since."""
        self.connection.execute("BEGIN IMMEDIATE")
        version = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._known.clear()

    def commit(self) -> None:
        """Make everything durable, and remember the headers of jobs that go on."""
        if self._change is not None:
            self.connection.execute("UPDATE counter SET changed = ?", (self._change,))
        self.connection.execute("COMMIT")
        for job_id, place in self._written.items():
            if place is None or place[1].status.terminal:
                self._known.pop(job_id, None)
            else:
                self._known[job_id] = place
        if len(self._known) > KNOWN:
            self._known.clear()
        self._forget_work()

    def undo(self) -> None:
        """Take everything back, known headers too."""
        self._known.clear()
        self._forget_work()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def load(self, job_id: str) -> Place | None:
        """Return a job as it is now, in this commit."""
        if job_id in self._written:
            return self._written[job_id]
        place = self._known.get(job_id)
        if place is not None:
            return place
        row = self.connection.execute("SELECT number, header FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return (row[0], codec.load_job(row[1])) if row else None

    def insert(self, job: Job, records: Sequence[Record], parts: Mapping[str, Json]) -> bool:
        """Add a new job with its first records and parts. False, having changed nothing: its id is taken."""
        header, lines, kept = codec.dump_job(job), _lines(records), _bodies(parts)
        cursor = self.connection.execute(
            "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                job.id,
                job.kind,
                job.owner,
                lane_of(job),
                job.group is not None,
                *_indexed(job),
                job.created_at.timestamp(),
                _seconds(job.completed_at),
                self._next_change(),
                header,
            ),
        )
        if cursor.rowcount == 0:
            return False
        number = cursor.lastrowid or 0
        self.connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(number, *tag) for tag in job.tags.items()])
        self._add(number, lines, kept)
        self._written[job.id] = (number, job)
        return True

    def save(self, place: Place, after: Job, records: Sequence[Record], parts: Mapping[str, Json]) -> None:
        """Write the header over the one in `place`; indexes are touched only where their columns change."""
        number, before = place
        header, lines, kept = codec.dump_job(after), _lines(records), _bodies(parts)
        if _indexed(before) == _indexed(after) and before.completed_at == after.completed_at:
            self.connection.execute(
                "UPDATE jobs SET changed = ?, header = ? WHERE number = ?", (self._next_change(), header, number)
            )
        else:
            self.connection.execute(
                "UPDATE jobs SET status = ?, dispatch = ?, run_at = ?, attention_at = ?, completed_at = ?, changed = ?,"
                " header = ? WHERE number = ?",
                (*_indexed(after), _seconds(after.completed_at), self._next_change(), header, number),
            )
        self._add(number, lines, kept)
        self._written[after.id] = (number, after)

    def delete(self, job_id: str) -> None:
        """Remove a job that has ended."""
        place = self.load(job_id)
        if place is None or not place[1].status.terminal:
            return
        for table, column in (("records", "job"), ("parts", "job"), ("tags", "job"), ("jobs", "number")):
            self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (place[0],))  # noqa: S608 - our own tables
        self._written[job_id] = None

    def _add(self, number: int, lines: Sequence[tuple[int, str]], kept: Sequence[tuple[str, str]]) -> None:
        for seq, body in lines:
            self.connection.execute("INSERT INTO records VALUES (?, ?, ?)", (number, seq, body))
        for key, body in kept:
            self.connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", (number, key, body))

    def _next_change(self) -> int:
        """Number this write: one counter for the file orders the commits of every process."""
        if self._change is None:
            self._change = int(self.connection.execute("SELECT changed FROM counter").fetchone()[0])
        self._change += 1
        return self._change

    def _forget_work(self) -> None:
        self._written, self._change = {}, None


def _indexed(job: Job) -> tuple[object, ...]:
    return (job.status, job.dispatch, _seconds(job.run_at), _seconds(job.attention_at))


def _lines(records: Sequence[Record]) -> list[tuple[int, str]]:
    return [(record.seq, codec.dump_record(record)) for record in records]


def _bodies(parts: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [(key, codec.dump_part(part)) for key, part in parts.items()]


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
