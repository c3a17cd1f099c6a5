"""Jobs that this process read or wrote lately, whole: one look at a job's last change tells whether it still is so.

The look is made in the event loop, where who asks is. It waits for no lock, reads a row that was in use a moment ago, and
takes a tenth of the time of a trip to a thread.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from atelier.jobs.models import Job, Json, Record, Snapshot
from atelier.stores.sqlite import schema

CHARACTERS = 16_000_000
"""Most text of what is remembered, as it is in the file."""

HEADER = 2_000
"""Characters that each job counts for beside its records and its result."""


class Whole(NamedTuple):
    """A job with all its records and its result, its last change, and the characters of its records and result."""

    change: int
    characters: int
    snapshot: Snapshot


class Written(NamedTuple):
    """What a commit did to a job: its new header and records, the change before (0: none) and this one, the text added."""

    snapshot: Snapshot
    before: int
    change: int
    characters: int


@dataclass(slots=True)
class Known:
    """A job as of a change."""

    change: int
    characters: int
    job: Job
    records: tuple[Record, ...]
    result: Json | None


class Remembered:
    """What is known of jobs without asking a thread."""

    def __init__(self) -> None:
        self._jobs: dict[str, Known] = {}
        self._characters = 0
        self._connection: sqlite3.Connection | None = None

    def open(self, path: Path) -> None:
        """Open a connection to look with; it waits for nobody."""
        self._connection = schema.connect(path)
        self._connection.execute("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """Forget everything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._jobs.clear()
        self._characters = 0

    def find(self, job_id: str) -> Snapshot | None:
        """Return a job that is known and has not changed since; None: ask the reader, which can wait for what is locked."""
        known = self._jobs.get(job_id)
        if known is None or self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT changed FROM jobs WHERE id = ?", (job_id,)).fetchone()
        except sqlite3.Error:
            return None
        if row != (known.change,):
            return None
        return Snapshot(job=known.job, records=known.records, result=known.result)

    def keep(self, read: Whole) -> None:
        """Remember a job as it was read."""
        change, characters, job = read
        self._put(Known(change, characters, job.job, job.records, job.result))

    def follow(self, written: Written) -> None:
        """Go along with a commit of this process, where the job is new or was known as it was before."""
        new, before, change, characters = written
        known = self._jobs.get(new.job.id)
        if before == 0:
            self._put(Known(change, characters, new.job, new.records, None))
        elif known is not None and known.change == before:
            known.change, known.job = change, new.job
            known.records, known.result = known.records + new.records, new.result or known.result
            known.characters += characters
            self._characters += characters

    def forget(self, job_id: str) -> None:
        """Know nothing of a job."""
        known = self._jobs.pop(job_id, None)
        if known is not None:
            self._characters -= HEADER + known.characters

    def _put(self, known: Known) -> None:
        """Know a job; forget those that came first, beyond the bound."""
        self.forget(known.job.id)
        self._jobs[known.job.id] = known
        self._characters += HEADER + known.characters
        while self._characters > CHARACTERS:
            self.forget(next(iter(self._jobs)))
