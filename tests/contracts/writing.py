"""Writing jobs into a store, for tests of stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.jobs import Clock, new_job

from atelier.jobs.events import Claimed, Event, Queued
from atelier.jobs.models import Fault, Job, Snapshot
from atelier.jobs.ports import Decision, Store

FAULT = Fault(code="internal", message="Broken.", retryable=False)


async def create(store: Store, clock: Clock, job_id: str = "job-1", **fields: object) -> Snapshot:
    job = new_job(clock(), job_id, **fields)
    return (await store.create(job, (Queued(run_at=clock()),), {"prompt": "x"}))[0]


def always(*events: Event, **parts: dict[str, object]) -> Callable[[Job], Decision]:
    return lambda _: Decision(events=events, parts=parts)


async def read(store: Store, job_id: str = "job-1", after: int = 0) -> Snapshot:
    snapshot = await store.read(job_id, after=after)
    assert snapshot is not None
    return snapshot


def claimed(clock: Clock, **lease: float) -> Claimed:
    return Claimed(worker="w", lease_until=clock() + timedelta(**(lease or {"seconds": 30})))
