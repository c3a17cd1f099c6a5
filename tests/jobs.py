"""Jobs for tests of the engine and its stores."""

from __future__ import annotations

from datetime import datetime, timedelta

from atelier.jobs.models import Job


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
