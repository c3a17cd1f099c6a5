from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.jobs import Clock, new_job, tamper

from atelier.errors import QueueUnavailable, StoreUnavailable
from atelier.jobs.events import Cancelled, Claimed, Queued
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


async def test_a_job_whose_delivery_broke_is_tried_again_when_it_has_rested(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "REST_SECONDS", 0.1)
    await store.create(new_job(clock()), (Queued(run_at=clock()),), {})
    tries: list[str] = []
    done = asyncio.Event()

    async def deliver(job_id: str, _: int) -> Delivery:
        tries.append(job_id)
        if len(tries) == 1:
            raise StoreUnavailable("Away.")
        await store.write(job_id, lambda _: Decision(events=(Cancelled(receipt=RECEIPT),)))
        done.set()
        return Delivery.SETTLED

    queue = EmbeddedQueue(store=store, slots={"image": 1}, now=clock)
    queue.start(deliver)
    await asyncio.wait_for(done.wait(), 60)
    await queue.stop()
    assert tries == ["job-1", "job-1"]


async def test_owners_take_turns_and_no_more_run_than_there_are_slots(store: SqliteStore, clock: Clock) -> None:
    """What runs is no longer due: asking for as many more as run must not start them."""
    for job_id, owner in (("a1", "ann"), ("a2", "ann"), ("a3", "ann"), ("a4", "ann"), ("b1", "bob"), ("c1", "cid")):
        await store.create(new_job(clock(), job_id, owner=owner), (Queued(run_at=clock()),), {})
        clock.pass_(seconds=1)
    started, free = asyncio.Queue[str](), asyncio.Semaphore(0)
    running: set[str] = set()
    most = 0

    async def deliver(job_id: str, _: int) -> Delivery:
        nonlocal most
        claimed = Claimed(worker="w", lease_until=clock() + timedelta(hours=1))
        await store.write(job_id, lambda _: Decision(events=(claimed,)))
        running.add(job_id)
        most = max(most, len(running))
        started.put_nowait(job_id)
        await free.acquire()
        running.remove(job_id)
        return Delivery.SETTLED

    queue = EmbeddedQueue(store=store, slots={"image": 2}, now=clock)
    queue.start(deliver)
    order: list[str] = []
    for _ in range(6):
        order.append(await asyncio.wait_for(started.get(), 60))
        if len(order) > 1:
            free.release()
    await queue.stop()
    assert order == ["a1", "b1", "c1", "a2", "a3", "a4"]
    assert most == 2
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_a_queue_whose_dispatcher_has_died_says_so(store: SqliteStore, clock: Clock) -> None:
    queue = EmbeddedQueue(store=store, slots={"image": 1}, now=clock)
    queue.start(lambda *_: asyncio.sleep(0, Delivery.SETTLED))
    await queue.ping()
    assert queue._dispatcher is not None
    queue._dispatcher.cancel()
    await asyncio.wait({queue._dispatcher})
    with pytest.raises(QueueUnavailable):
        await queue.ping()
    await queue.stop()
