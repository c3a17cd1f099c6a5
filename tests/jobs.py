"""Jobs and time for tests of the engine and its stores."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from atelier.jobs.models import Job


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


class Monotonic:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def new_job(now: datetime, job_id: str = "job-1", **fields: object) -> Job:
    """Return a pending job as the engine makes it."""
    values: dict[str, object] = {
        "id": job_id,
        "kind": "image",
        "owner": "ann",
        "created_at": now,
        "updated_at": now,
        "must_finish_by": now + timedelta(minutes=10),
        "max_attempts": 3,
        **fields,
    }
    return Job(**values)  # type: ignore[arg-type]


async def tamper(path: Path, *statements: str) -> None:
    """Change the store's file behind its back, as another process would."""

    def change() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute("UPDATE counter SET changed = changed + 1")
            connection.execute("UPDATE jobs SET changed = (SELECT changed FROM counter)")

    await asyncio.to_thread(change)
