from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.jobs import Clock, new_job, tamper

from atelier.jobs.events import Cancelled, Queued
from atelier.jobs.models import Receipt
from atelier.jobs.ports import Decision, Delivery
from atelier.queues import embedded
from atelier.queues.embedded import EmbeddedQueue
from atelier.stores.sqlite import SqliteStore

RECEIPT = Receipt(requested_at=datetime(2026, 1, 1, tzinfo=UTC), outcome="aborted_before_send", billed="no")


async def test_jobs_that_cannot_be_delivered_do_not_hold_the_slots(store: SqliteStore, clock: Clock) -> None:
    for job_id in ("a-newer", "b-odd", "c-well"):
        await store.create(new_job(clock(), job_id), (Queued(run_at=clock()),), {})
        clock.pass_(seconds=1)
    await tamper(
        store._path,
        "UPDATE jobs SET header = json_set(header, '$.schema', 99) WHERE id = 'a-newer'",
        "UPDATE jobs SET header = json_set(header, '$.status', 'odd') WHERE id = 'b-odd'",
    )
    delivered: asyncio.Queue[str] = asyncio.Queue()

    async def deliver(job_id: str, _: int) -> Delivery:
        await store.get(job_id)  # raises for those that cannot be read
        delivered.put_nowait(job_id)
        await asyncio.sleep(3600)
        return Delivery.SETTLED

    queue = EmbeddedQueue(store=store, slots={"image": 1}, now=clock)
    queue.start(deliver)
    assert await asyncio.wait_for(delivered.get(), 60) == "c-well"
    await queue.stop()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_what_is_known_is_not_waited_for(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New work, a slot that comes free and a moment that comes are no matter of the next look, which is far away."""
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 3600)
    started, free = asyncio.Queue[str](), asyncio.Queue[None]()

    async def deliver(job_id: str, _: int) -> Delivery:
        started.put_nowait(job_id)
        await free.get()
        await store.write(job_id, lambda _: Decision(events=(Cancelled(receipt=RECEIPT),)))
        return Delivery.SETTLED

    async def add(job_id: str, wait: timedelta = timedelta(0)) -> None:
        made, _ = await store.create(new_job(clock(), job_id), (Queued(run_at=clock() + wait),), {})
        await queue.dispatch(made.job)

    queue = EmbeddedQueue(store=store, slots={"blog": 1, "image": 1}, now=clock)
    queue.start(deliver)
    await asyncio.sleep(0.2)  # the first look, which finds nothing
    await add("new")
    assert await asyncio.wait_for(started.get(), 60) == "new"
    await add("next")
    free.put_nowait(None)
    assert await asyncio.wait_for(started.get(), 60) == "next"
    free.put_nowait(None)
    await asyncio.sleep(0.2)
    await add("later", timedelta(seconds=0.5))
    await asyncio.sleep(0.2)
    assert started.empty()
    clock.pass_(seconds=1)
    assert await asyncio.wait_for(started.get(), 60) == "later"
    free.put_nowait(None)
    await queue.stop()
