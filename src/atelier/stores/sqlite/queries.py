"""Every statement that reads jobs, as functions on a connection. Moments are kept as Unix seconds for ordering."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.jobs.models import Job, Json, Snapshot, Status
from atelier.jobs.ports import Due, Find, Ready, Waiting, lane_of, lanes_of, process_of
from atelier.stores import serialisation as codec
from atelier.stores.sqlite.remembered import Whole


def load(connection: sqlite3.Connection, job_id: str) -> Job | None:
    """Return the header."""
    row = connection.execute("SELECT header FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return codec.load_job(row[0]) if row else None


def parts(connection: sqlite3.Connection, job_id: str) -> dict[str, Json]:
    """Return by key what a run begins with."""
    rows = connection.execute(
        "SELECT key, body FROM parts JOIN jobs ON number = job WHERE id = ? AND key != 'result'", (job_id,)
    )
    return {key: codec.load_part(body) for key, body in rows}


WHOLE = (
    "SELECT changed, header,"
    " (SELECT '[' || group_concat(body) || ']' FROM (SELECT body FROM records WHERE job = number ORDER BY seq)),"
    " (SELECT body FROM parts WHERE job = number AND key = 'result')"
    " FROM jobs WHERE id = ?"
)


def whole(connection: sqlite3.Connection, job_id: str) -> Whole | None:
    """Return the job with all its records and its result, as of one moment: what one statement read."""
    row = connection.execute(WHOLE, (job_id,)).fetchone()
    return _whole(*row) if row is not None else None


def _whole(change: int, header: str, records: str | None, result: str | None) -> Whole:
    job = codec.load_job(header)
    log = codec.load_records(records) if records is not None else ()
    snapshot = Snapshot(job=job, records=log, result=result_of(job, result))
    return Whole(change, len(records or "") + len(result or ""), snapshot)


def result_of(job: Job, body: str | None) -> Json | None:
    """Return a part as the job's result: only a completed job has one."""
    return codec.load_part(body) if body is not None and job.status is Status.COMPLETED else None


def find(connection: sqlite3.Connection, query: Find) -> list[Snapshot]:
    """Return matching jobs, newest first."""
    where, values = _conditions(query)
    rows = connection.execute(
        "SELECT header, (SELECT body FROM parts WHERE job = number AND key = 'result') FROM jobs"  # noqa: S608 - conditions are ours, values are bound
        f" WHERE {' AND '.join(where)} ORDER BY created_at DESC, id DESC LIMIT ?",
        (*values, query.limit),
    ).fetchall()
    results = {job.id: result_of(job, body) for (header, body) in rows for job in _readable([(header,)])}
    return [Snapshot(job=job, result=results[job.id]) for job in _readable([(header,) for header, _ in rows])]


def _conditions(query: Find) -> tuple[list[str], list[object]]:
    where = ["owner = ?", "hidden = 0", f"kind IN ({_marks(query.kinds)})"]
    values: list[object] = [query.owner, *query.kinds]
    if query.statuses:
        where.append(f"status IN ({_marks(query.statuses)})")
        values += query.statuses
    for name, value in query.tags.items():
        where.append("number IN (SELECT job FROM tags WHERE name = ? AND value = ?)")
        values += [name, value]
    if query.created_after is not None:
        where.append("created_at > ?")
        values.append(query.created_after.timestamp())
    if query.before is not None:
        where.append("(created_at, id) < (?, ?)")
        values += [query.before[0].timestamp(), query.before[1]]
    return where, values


LINE = """
WITH RECURSIVE line (lane) AS (
    SELECT min(lane) FROM jobs WHERE status = 'queued' AND kind = ?1 AND lane > ?2
    UNION ALL
    SELECT (SELECT min(lane) FROM jobs WHERE status = 'queued' AND kind = ?1 AND lane > line.lane) FROM line
    WHERE line.lane IS NOT NULL
)
"""
"""The lanes behind one, in order, found by skipping along the index: as many steps as are asked for."""

OF_LANE = "FROM jobs WHERE status = 'queued' AND kind = ?1 AND lane = line.lane"
DUE_LANES = f"{LINE} SELECT lane FROM line WHERE (SELECT min(run_at) {OF_LANE}) <= ?3 LIMIT ?4"  # noqa: S608 - all ours
NEXT_DUE = f"{LINE} SELECT min((SELECT min(run_at) {OF_LANE} AND run_at > ?3)) FROM line"  # noqa: S608 - all ours
LANE_DUE = (
    "SELECT id, dispatch FROM jobs"
    " WHERE status = 'queued' AND kind = ? AND lane = ? AND run_at <= ? ORDER BY run_at LIMIT ?"
)


def due(connection: sqlite3.Connection, kind: str, now: datetime, limit: int, after: str) -> Due:
    """Take up to `limit` jobs, going round the lanes behind `after`. When the next comes due is looked up where that were all."""
    moment = now.timestamp()
    lanes = _lanes(connection, kind, moment, after, limit)
    queues = [connection.execute(LANE_DUE, (kind, lane, moment, limit)).fetchall() for lane in lanes]
    turns = [
        (lane, Ready(job_id=waiting[turn][0], dispatch=waiting[turn][1]))
        for turn in range(max(map(len, queues), default=0))
        for lane, waiting in zip(lanes, queues, strict=True)
        if turn < len(waiting)
    ][:limit]
    all_taken = len(turns) < limit
    next_at = connection.execute(NEXT_DUE, (kind, "", moment)).fetchone()[0] if all_taken else None
    return Due(
        jobs=[ready for _, ready in turns],
        cursor=turns[-1][0] if turns else "",
        next_at=datetime.fromtimestamp(next_at, UTC) if next_at is not None else None,
    )


def _lanes(connection: sqlite3.Connection, kind: str, moment: float, after: str, limit: int) -> list[str]:
    """Return up to `limit` lanes with due jobs: those behind `after`, then from the start. A lane that waits is passed by."""
    behind = [lane for (lane,) in connection.execute(DUE_LANES, (kind, after, moment, limit))]
    if len(behind) == limit or not after:
        return behind
    first = [lane for (lane,) in connection.execute(DUE_LANES, (kind, "", moment, limit - len(behind)))]
    return list(dict.fromkeys((*behind, *first)))


def waiting(connection: sqlite3.Connection, kind: str, now: datetime) -> Waiting:
    """Count the queue along its index."""
    rows = connection.execute(
        "SELECT lane, count(*), sum(run_at <= ?) FROM jobs WHERE status = 'queued' AND kind = ? GROUP BY lane",
        (now.timestamp(), kind),
    ).fetchall()
    lanes = {lane: due for lane, _, due in rows if due}
    return Waiting(queued=sum(queued for _, queued, _ in rows), due=sum(lanes.values()), lanes=lanes)


def rank(connection: sqlite3.Connection, job: Job) -> int:
    """Count what is due before the job in its lane."""
    assert job.run_at is not None, "only queued jobs have a rank"  # noqa: S101 - narrows the type
    before = connection.execute(
        "SELECT count(*) FROM jobs WHERE status = 'queued' AND kind = ? AND lane = ? AND run_at < ?",
        (job.kind, lane_of(job), job.run_at.timestamp()),
    )
    return int(before.fetchone()[0])


def queued_of(connection: sqlite3.Connection, kind: str, owner: str) -> int:
    """Count an owner's queued jobs of a kind, over all their lanes."""
    first, behind = lanes_of(owner)
    counted = connection.execute(
        "SELECT count(*) FROM jobs WHERE status = 'queued' AND kind = ? AND lane >= ? AND lane < ?",
        (kind, first, behind),
    )
    return int(counted.fetchone()[0])


def overdue(connection: sqlite3.Connection, now: datetime, limit: int) -> list[Job]:
    """Return jobs the sweeper has to look at."""
    rows = connection.execute(
        "SELECT header FROM jobs WHERE attention_at <= ? ORDER BY attention_at LIMIT ?", (now.timestamp(), limit)
    )
    return _readable(rows.fetchall())


def held_by(connection: sqlite3.Connection, processes: frozenset[str]) -> list[Job]:
    """Return the jobs whose workers belong to these processes."""
    rows = connection.execute("SELECT header FROM jobs WHERE attention_at IS NOT NULL AND status = 'processing'")
    return [job for job in _readable(rows.fetchall()) if process_of(job.worker or "") in processes]


def finished(connection: sqlite3.Connection, kinds: Sequence[str], before: datetime, limit: int) -> list[str]:
    """Return jobs without a group that ended before a moment."""
    rows = connection.execute(
        f"SELECT id FROM jobs WHERE kind IN ({_marks(kinds)}) AND completed_at < ? AND member_of IS NULL LIMIT ?",  # noqa: S608 - only placeholders are put in
        (*kinds, before.timestamp(), limit),
    )
    return [job_id for (job_id,) in rows.fetchall()]


def changed_since(connection: sqlite3.Connection, change: int) -> tuple[list[str], int]:
    """Return the jobs written or removed after `change` and their groups, and the change reached."""
    rows = connection.execute(
        "SELECT id, member_of, changed FROM jobs WHERE changed > ?1"
        " UNION ALL SELECT id, member_of, changed FROM gone WHERE changed > ?1 ORDER BY changed",
        (change,),
    ).fetchall()
    groups = dict.fromkeys(group for _, group, _ in rows if group is not None)
    return [*(job_id for job_id, _, _ in rows), *groups], rows[-1][2] if rows else change


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
