"""Every statement the store makes, as functions on a connection. Moments are kept as Unix seconds for ordering."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.jobs.models import Job, Json, Record, Snapshot, Status
from atelier.jobs.ports import Due, Find, lane_of, process_of
from atelier.stores import serialisation as codec

UNREADABLE = 16
"""Rows read beyond what is asked for, so that a few that cannot be read do not hide the others."""


def load(connection: sqlite3.Connection, job_id: str) -> Job | None:
    """Return the header."""
    row = connection.execute("SELECT header FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return codec.load_job(row[0]) if row else None


def insert(connection: sqlite3.Connection, job: Job) -> None:
    """Add the row and its tags; `save` fills what changes."""
    connection.execute(
        "INSERT INTO jobs (id, kind, owner, lane, grouped, status, created_at, changed, header)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, '')",
        (job.id, job.kind, job.owner, lane_of(job), job.group is not None, job.status, job.created_at.timestamp()),
    )
    connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(job.id, *tag) for tag in job.tags.items()])


def save(connection: sqlite3.Connection, job: Job, records: Sequence[Record]) -> None:
    """Write the header, what is indexed of it, and its new records."""
    changed = connection.execute("UPDATE counter SET changed = changed + 1 RETURNING changed").fetchone()[0]
    connection.execute(
        "UPDATE jobs SET status = ?, run_at = ?, attention_at = ?, completed_at = ?, changed = ?, header = ?"
        " WHERE id = ?",
        (
            job.status,
            _seconds(job.run_at),
            _seconds(job.attention_at),
            _seconds(job.completed_at),
            changed,
            codec.dump_job(job),
            job.id,
        ),
    )
    for record in records:
        connection.execute("INSERT INTO records VALUES (?, ?, ?)", (job.id, record.seq, codec.dump_record(record)))


def keep_parts(connection: sqlite3.Connection, job_id: str, parts: Mapping[str, Json]) -> None:
    """Write parts, over those of the same key."""
    connection.executemany(
        "INSERT OR REPLACE INTO parts VALUES (?, ?, ?)",
        [(job_id, key, codec.dump_part(part)) for key, part in parts.items()],
    )


def parts(connection: sqlite3.Connection, job_id: str) -> dict[str, Json]:
    """Return all parts by key."""
    rows = connection.execute("SELECT key, body FROM parts WHERE job_id = ?", (job_id,))
    return {key: codec.load_part(body) for key, body in rows}


def result_of(connection: sqlite3.Connection, job: Job) -> Json | None:
    """Return the result of a completed job."""
    if job.status is not Status.COMPLETED:
        return None
    row = connection.execute("SELECT body FROM parts WHERE job_id = ? AND key = 'result'", (job.id,)).fetchone()
    return codec.load_part(row[0]) if row else None


def read(connection: sqlite3.Connection, job_id: str, after: int) -> Snapshot | None:
    """Return the job, its records behind `after` and its result, as of one moment."""
    connection.execute("BEGIN")
    try:
        job = load(connection, job_id)
        return snapshot(connection, job, after) if job is not None else None
    finally:
        connection.execute("COMMIT")


def snapshot(connection: sqlite3.Connection, job: Job, after: int) -> Snapshot:
    """Add records and result to a header."""
    records: tuple[Record, ...] = ()
    if job.seq > after:
        rows = connection.execute("SELECT body FROM records WHERE job_id = ? AND seq > ? ORDER BY seq", (job.id, after))
        records = tuple(codec.load_record(body) for (body,) in rows)
    return Snapshot(job=job, records=records, result=result_of(connection, job))


def continues(told: Snapshot, after: int, rev: int) -> bool:
    """Whether a snapshot handed over by its writer follows what the reader has without a gap."""
    first = told.records[0].seq - 1 if told.records else told.job.seq
    return told.job.rev == rev + 1 and first == after


def find(connection: sqlite3.Connection, query: Find) -> list[Snapshot]:
    """Return matching jobs, newest first."""
    where, values = _conditions(query)
    rows = connection.execute(
        f"SELECT header FROM jobs WHERE {' AND '.join(where)} ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608 - conditions are ours, values are bound
        (*values, query.limit),
    ).fetchall()
    jobs = _readable(rows)
    return [Snapshot(job=job, result=result_of(connection, job)) for job in jobs]


def _conditions(query: Find) -> tuple[list[str], list[object]]:
    where = ["owner = ?", "grouped = 0", f"kind IN ({_marks(query.kinds)})"]
    values: list[object] = [query.owner, *query.kinds]
    if query.statuses:
        where.append(f"status IN ({_marks(query.statuses)})")
        values += query.statuses
    for name, value in query.tags.items():
        where.append("id IN (SELECT job_id FROM tags WHERE name = ? AND value = ?)")
        values += [name, value]
    if query.created_after is not None:
        where.append("created_at > ?")
        values.append(query.created_after.timestamp())
    if query.before is not None:
        where.append("(created_at, id) < (?, ?)")
        values += [query.before[0].timestamp(), query.before[1]]
    return where, values


NEXT_LANE = "SELECT min(lane) FROM jobs WHERE status = 'queued' AND kind = ? AND lane > ?"
LANE_DUE = (
    "SELECT header FROM jobs WHERE status = 'queued' AND kind = ? AND lane = ? AND run_at <= ? ORDER BY run_at LIMIT ?"
)
NEXT_DUE = "SELECT min(run_at) FROM jobs WHERE status = 'queued' AND kind = ? AND run_at > ?"


def due(connection: sqlite3.Connection, kind: str, now: datetime, limit: int, after: str) -> Due:
    """Take up to `limit` jobs, going round the lanes behind `after`; lanes are found by skipping along the index."""
    moment = now.timestamp()
    lanes = _lanes(connection, kind, after, limit)
    queues = []
    for lane in lanes:
        rows = connection.execute(LANE_DUE, (kind, lane, moment, limit + UNREADABLE)).fetchall()
        queues.append(_readable(rows)[:limit])
    jobs = [waiting[turn] for turn in range(limit) for waiting in queues if turn < len(waiting)][:limit]
    next_at = connection.execute(NEXT_DUE, (kind, moment)).fetchone()[0]
    return Due(
        jobs=jobs,
        lane=lane_of(jobs[-1]) if jobs else "",
        next_at=datetime.fromtimestamp(next_at, UTC) if next_at is not None else None,
    )


def _lanes(connection: sqlite3.Connection, kind: str, after: str, limit: int) -> list[str]:
    """Return up to `limit` lanes with queued jobs: those behind `after`, then from the start."""
    found: list[str] = []
    for start in (after, ""):
        lane = start
        while len(found) < limit:
            lane = connection.execute(NEXT_LANE, (kind, lane)).fetchone()[0]
            if lane is None or lane in found:
                break
            found.append(lane)
    return found


def overdue(connection: sqlite3.Connection, now: datetime, limit: int) -> list[Job]:
    """Return jobs the sweeper has to look at."""
    rows = connection.execute(
        "SELECT header FROM jobs WHERE attention_at <= ? ORDER BY attention_at LIMIT ?", (now.timestamp(), limit)
    )
    return _readable(rows.fetchall())


def held_by(connection: sqlite3.Connection, processes: frozenset[str]) -> list[Job]:
    """Return the jobs whose workers belong to these processes."""
    rows = connection.execute("SELECT header FROM jobs WHERE status = 'processing'").fetchall()
    return [job for job in _readable(rows) if process_of(job.worker or "") in processes]


def finished(connection: sqlite3.Connection, kinds: Sequence[str], before: datetime, limit: int) -> list[str]:
    """Return ungrouped jobs that ended before a moment."""
    rows = connection.execute(
        f"SELECT id FROM jobs WHERE kind IN ({_marks(kinds)}) AND completed_at < ? AND grouped = 0 LIMIT ?",  # noqa: S608 - only placeholders are put in
        (*kinds, before.timestamp(), limit),
    )
    return [job_id for (job_id,) in rows.fetchall()]


def delete(connection: sqlite3.Connection, job_id: str) -> None:
    """Remove a job that has ended."""
    job = load(connection, job_id)
    if job is None or not job.status.terminal:
        return
    for table, column in (("records", "job_id"), ("parts", "job_id"), ("tags", "job_id"), ("jobs", "id")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (job_id,))  # noqa: S608 - names of our own tables


def changed_since(connection: sqlite3.Connection, change: int) -> tuple[list[str], int]:
    """Return the jobs written after `change`, and the change reached."""
    rows = connection.execute("SELECT id, changed FROM jobs WHERE changed > ? ORDER BY changed", (change,)).fetchall()
    return [job_id for job_id, _ in rows], rows[-1][1] if rows else change


def _readable(rows: Sequence[tuple[str]]) -> list[Job]:
    """Return the headers that can be read; one that cannot stands in nobody's way."""
    jobs = []
    for (header,) in rows:
        try:
            jobs.append(codec.load_job(header))
        except StoreUnavailable as error:
            logs.warning("job_unreadable", reason=error.message)
    return jobs


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
