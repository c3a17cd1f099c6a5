"""The statements for the members of groups, each one statement, so as of one moment."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from atelier.jobs.models import Snapshot
from atelier.jobs.ports import Members, Turns
from atelier.stores import serialisation as codec
from atelier.stores.sqlite.queries import result_of

CHANGED = (
    "SELECT changed, header,"
    " (SELECT '[' || body || ']' FROM records WHERE job = number ORDER BY seq DESC LIMIT 1),"
    " (SELECT body FROM parts WHERE job = number AND key = 'result')"
    " FROM jobs WHERE member_of = ? AND changed > ? ORDER BY changed"
)
TURNS = (
    "SELECT (SELECT count(*) FROM jobs WHERE {these} AND status = 'processing')"
    " + (SELECT count(*) FROM jobs WHERE {these} AND status = 'queued' AND run_at <= :by),"
    " (SELECT count(*) FROM jobs WHERE {these} AND status = 'queued' AND run_at > :by),"
    " (SELECT json_group_array(id) FROM"
    "   (SELECT id FROM jobs WHERE {these} AND status = 'pending' ORDER BY place LIMIT :limit))"
)
GROUP_TURNS = TURNS.format(these="member_of = :group")
LANE_TURNS = TURNS.format(these="member_of = :group AND member_lane = :lane AND member_lane != ''")


def changed(connection: sqlite3.Connection, group: str, since: int) -> Members:
    """Return the members written behind the change `since`. Changes count in the order of commits: none comes in late."""
    rows = connection.execute(CHANGED, (group, since)).fetchall()
    snapshots = []
    for _, header, record, result in rows:
        job = codec.load_job(header)
        records = codec.load_records(record) if record is not None else ()
        snapshots.append(Snapshot(job=job, records=records, result=result_of(job, result)))
    return Members(snapshots=snapshots, cursor=str(rows[-1][0] if rows else since))


def turns(connection: sqlite3.Connection, group: str, lane: str, by: datetime, limit: int) -> Turns:
    """Count who is under way and list who is next."""
    values = {"group": group, "lane": lane, "by": by.timestamp(), "limit": limit}
    active, later, pending = connection.execute(LANE_TURNS if lane else GROUP_TURNS, values).fetchone()
    return Turns(active=active, later=later, pending=json.loads(pending))
