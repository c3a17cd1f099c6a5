from __future__ import annotations

import asyncio

from tests.jobs import Clock, new_job, tamper

from atelier.jobs.events import Queued
from atelier.jobs.ports import Delivery
from atelier.queues.embedded import EmbeddedQueue
from atelier.stores.sqlite import SqliteStore


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
    assert await asyncio.wait_for(delivered.get(), 4) == "c-well"
    await queue.stop()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
