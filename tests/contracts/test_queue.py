"""What every queue must do, on a real store and, where jobs are carried outside, over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from starlette.responses import Response
from tests.cloud_tasks.issuer import EMAIL, Issuer
from tests.cloud_tasks.receiver import Received, Receiver
from tests.cloud_tasks.server import QUEUE, CloudTasks
from tests.jobs import new_job

from atelier.jobs.events import Cancelled, Claimed, Completed, Queued, Redispatched
from atelier.jobs.models import Job, Receipt
from atelier.jobs.ports import Decision, Deliver, Delivery, Ready
from atelier.queues.cloud_tasks import CloudTasksQueue, Target
from atelier.queues.embedded import EmbeddedQueue
from atelier.stores.sqlite import SqliteStore
from atelier.wiring import Carrier, utc_now

STATUS = {Delivery.SETTLED: 200, Delivery.BUSY: 409, Delivery.AGAIN: 503}


class Making(Protocol):
    async def __call__(self, stack: AsyncExitStack, store: SqliteStore, deliver: Deliver) -> Carrier: ...


async def embedded(stack: AsyncExitStack, store: SqliteStore, deliver: Deliver) -> Carrier:
    assert stack
    queue = EmbeddedQueue(store=store, slots={"image": 4}, now=utc_now)
    queue.start(deliver)
    return queue


async def cloud_tasks(stack: AsyncExitStack, store: SqliteStore, deliver: Deliver) -> Carrier:
    assert store

    async def act(received: Received) -> Response:
        if received.body["dispatch"] == 0:
            return Response()
        return Response(status_code=STATUS[await deliver(received.body["job_id"], received.body["dispatch"])])

    receiver = await stack.enter_async_context(Receiver(act=act).serving())
    server = await stack.enter_async_context(CloudTasks(Issuer()).serving())
    server.configure(min_backoff=1)
    target = Target(url=receiver.url, email=EMAIL, audience="worker", longest=timedelta(minutes=30))
    return CloudTasksQueue(queue=QUEUE, target=target, endpoint=server.endpoint, now=utc_now)


class Place:
    """A queue with a worker that notes what it is delivered and finishes each job, unless `answer` says otherwise."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.delivered: list[tuple[str, int, datetime]] = []
        self.answer: Callable[[str], Awaitable[Delivery]] = self.finish

    carrier: Carrier

    async def deliver(self, job_id: str, dispatch: int) -> Delivery:
        self.delivered.append((job_id, dispatch, utc_now()))
        return await self.answer(job_id)

    async def finish(self, job_id: str) -> Delivery:
        def decide(job: Job) -> Decision:
            if job.status.terminal:
                return Decision()
            return Decision(events=(Claimed(worker="w", lease_until=utc_now() + timedelta(seconds=30)), Completed()))

        await self.store.write(job_id, decide)
        return Delivery.SETTLED

    async def make(self, name: str, due: datetime | None = None) -> Job:
        snapshot, _ = await self.store.create(new_job(utc_now(), name), (Queued(run_at=due or utc_now()),), {})
        return snapshot.job

    async def present(self, job_id: str) -> Job:
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def until(self, count: int) -> Counter[str]:
        """Wait until so many different jobs were delivered."""
        async with asyncio.timeout(60):
            while len(seen := Counter(job_id for job_id, _, _ in self.delivered)) < count:
                await asyncio.sleep(0.01)
        return seen


@pytest.fixture(params=[embedded, cloud_tasks], ids=["embedded", "cloud_tasks"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    making: Making = request.param
    async with AsyncExitStack() as stack:
        store = SqliteStore(tmp_path / "queue.db", utc_now)
        await store.open()
        stack.push_async_callback(store.close)
        place = Place(store)
        place.carrier = await making(stack, store, place.deliver)
        stack.push_async_callback(place.carrier.close)
        stack.push_async_callback(place.carrier.stop)
        yield place


def ready_of(job: Job) -> Ready:
    return Ready(job_id=job.id, dispatch=job.dispatch, created_at=job.created_at)


async def test_every_dispatch_is_delivered(place: Place) -> None:
    jobs = [await place.make(f"job-{number}") for number in range(30)]
    await asyncio.gather(*(place.carrier.dispatch(job) for job in jobs))
    seen = await place.until(30)
    assert seen.keys() == {job.id for job in jobs}
    assert {dispatch for _, dispatch, _ in place.delivered} == {1}


async def test_a_dispatch_made_twice_is_delivered_once(place: Place) -> None:
    job = await place.make("job-1")
    await asyncio.gather(*(place.carrier.dispatch(job) for _ in range(10)))
    await place.until(1)
    await place.carrier.dispatch(job)
    await place.carrier.dispatch(await place.make("job-2"))
    assert await place.until(2) == {"job-1": 1, "job-2": 1}


async def test_what_is_not_due_is_not_delivered_sooner(place: Place) -> None:
    due = utc_now() + timedelta(seconds=0.6)
    await place.carrier.dispatch(await place.make("job-1", due))
    await place.carrier.dispatch(await place.make("job-2"))
    await place.until(2)
    (when,) = [at for job_id, _, at in place.delivered if job_id == "job-1"]
    assert when >= due


async def test_the_next_dispatch_of_a_job_is_carried_too(place: Place) -> None:
    job = await place.make("job-1", utc_now() + timedelta(hours=1))
    await place.carrier.dispatch(job)
    snapshot = await place.store.write(job.id, lambda _: Decision(events=(Redispatched(),)))
    assert snapshot is not None
    assert snapshot.job.dispatch == 2
    await place.carrier.dispatch(snapshot.job)
    assert await place.carrier.lost([ready_of(snapshot.job)]) in ((), [])


async def test_what_was_removed_and_is_made_again_is_delivered_again(place: Place) -> None:
    """Its id is the same, and its dispatches are counted from 1 again."""
    for times in (1, 2):
        job = await place.make("job-1")
        assert job.dispatch == 1
        await place.carrier.dispatch(job)
        async with asyncio.timeout(10):
            while len(place.delivered) < times or not (await place.present(job.id)).status.terminal:
                await asyncio.sleep(0.01)
        await place.store.delete(job.id)


async def test_a_delivery_that_was_not_taken_comes_again(place: Place) -> None:
    answers = [Delivery.BUSY, Delivery.AGAIN]

    async def answer(job_id: str) -> Delivery:
        return answers.pop() if answers else await place.finish(job_id)

    place.answer = answer
    await place.carrier.dispatch(await place.make("job-1"))
    async with asyncio.timeout(60):
        while len(place.delivered) < 3:
            await asyncio.sleep(0.01)


async def test_nothing_is_lost_that_waits(place: Place) -> None:
    jobs = [await place.make(f"job-{number}", utc_now() + timedelta(hours=1)) for number in range(5)]
    for job in jobs:
        await place.carrier.dispatch(job)
    assert not await place.carrier.lost([ready_of(job) for job in jobs])


async def test_what_was_withdrawn_is_not_delivered(place: Place) -> None:
    due = utc_now() + timedelta(seconds=0.5)
    job = await place.make("job-1", due)
    await place.carrier.dispatch(job)
    ended = Cancelled(receipt=Receipt(requested_at=utc_now(), outcome="dequeued", billed="no"))
    snapshot = await place.store.write(job.id, lambda _: Decision(events=(ended,)))
    assert snapshot is not None
    await place.carrier.withdraw(snapshot.job)
    await place.carrier.withdraw(snapshot.job)
    await place.carrier.dispatch(await place.make("job-2", due + timedelta(seconds=0.3)))
    assert await place.until(1) == {"job-2": 1}


async def test_it_says_that_it_works(place: Place) -> None:
    await place.carrier.ping()
