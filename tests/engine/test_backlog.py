"""How much waits, who goes first, and when nobody is let in any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.jobs import Clock, new_job

from atelier.errors import QueueFull
from atelier.jobs.backlog import Backlog
from atelier.jobs.events import Claimed, Queued
from atelier.jobs.models import Job
from atelier.jobs.ports import Decision, Store


async def queue(store: Store, clock: Clock, job_id: str, **fields: Any) -> Job:
    clock.pass_(seconds=0.01)
    return (await store.create(new_job(clock(), job_id, **fields), (Queued(run_at=clock()),), {}))[0].job


async def start_order(store: Store, clock: Clock) -> list[str]:
    """Take jobs one by one as a worker with one slot does."""
    order, lane = [], ""
    claim = Claimed(worker="w", lease_until=clock())
    while (due := await store.due("image", clock(), limit=1, after=lane)).jobs:
        lane = due.cursor
        order.append(due.jobs[0].job_id)
        await store.write(due.jobs[0].job_id, lambda _: Decision(events=(claim,)))
    return order


async def test_a_place_is_what_comes_of_it(store: Store, clock: Clock) -> None:
    """Nobody starts later than their place said, and at most one turn of the lanes sooner."""
    jobs = [await queue(store, clock, f"a{n}", owner="ann") for n in range(6)]
    jobs += [await queue(store, clock, f"b{n}", owner="bob") for n in range(2)]
    jobs += [await queue(store, clock, f"g{n}", owner="ann", group="batch") for n in range(4)]
    clock.pass_(seconds=1)
    backlog = Backlog(store, limit=100, share=None, now=clock)
    told = {job.id: await backlog.ahead(job) for job in jobs}
    order = await start_order(store, clock)
    lanes = 3
    for place, job_id in enumerate(order):
        ahead = told[job_id]
        assert ahead is not None
        assert place <= ahead < place + lanes, (job_id, place, ahead)


async def test_only_what_waits_for_a_slot_has_a_place(store: Store, clock: Clock) -> None:
    job = await queue(store, clock, "job-1")
    backlog = Backlog(store, limit=100, share=None, now=clock)
    assert await backlog.ahead(job) == 0
    assert await backlog.due("image") == 1
    snapshot = await store.write(job.id, lambda _: Decision(events=(Claimed(worker="w", lease_until=clock()),)))
    assert snapshot is not None
    assert await backlog.ahead(snapshot.job) is None
    later = new_job(clock(), "later")
    held = (await store.create(later, (Queued(run_at=clock.moment.replace(year=2027)),), {}))[0].job
    assert await backlog.ahead(held) is None, "it waits for its time, not for a slot"


async def test_a_full_queue_lets_nobody_in_and_opens_again(store: Store, clock: Clock) -> None:
    backlog = Backlog(store, limit=3, share=None, now=clock)
    for number in range(3):
        await backlog.admit("image", "ann")
        await queue(store, clock, f"job-{number}")
    with pytest.raises(QueueFull) as refusal:
        await backlog.admit("image", "ann")
    assert refusal.value.retry_after is not None
    await start_order(store, clock)
    clock.pass_(seconds=1)
    await backlog.admit("image", "ann", 3)
    with pytest.raises(QueueFull):
        await backlog.admit("image", "ann")


async def test_nobody_fills_the_queue_alone(store: Store, clock: Clock) -> None:
    backlog = Backlog(store, limit=100, share=3, now=clock)
    await queue(store, clock, "other", owner="anna")
    for number in range(3):
        await backlog.admit("image", "ann")
        await queue(store, clock, f"job-{number}", owner="ann", group="g" if number else None)
    for _ in range(2):
        with pytest.raises(QueueFull, match="3 of your jobs are waiting; an owner may have 3") as refusal:
            await backlog.admit("image", "ann")
    assert refusal.value.retry_after is not None
    await backlog.admit("image", "bob", 100 - 4)
    await backlog.admit("blog", "ann")
    clock.pass_(seconds=2)
    await start_order(store, clock)
    await backlog.admit("image", "ann")


async def test_what_an_owner_sent_at_once_counts_before_it_is_seen(store: Store, clock: Clock) -> None:
    """Requests that come within a second of a look: what they let in is remembered, though the store has none of it yet."""
    backlog = Backlog(store, limit=100, share=3, now=clock)
    await asyncio.gather(*(queue(store, clock, f"b{number}", owner="bob") for number in range(5)))
    for _ in range(3):
        await backlog.admit("image", "ann")
    await asyncio.gather(*(queue(store, clock, f"a{number}", owner="ann") for number in range(3)))
    clock.pass_(seconds=0.1)
    with pytest.raises(QueueFull):
        await backlog.admit("image", "ann")


async def test_an_owner_alone_in_the_queue_has_no_more_than_a_part_of_it(store: Store, clock: Clock) -> None:
    backlog = Backlog(store, limit=100, share=3, now=clock)
    for number in range(3):
        await queue(store, clock, f"job-{number}", owner="ann")
    clock.pass_(seconds=2)
    with pytest.raises(QueueFull):
        await backlog.admit("image", "ann")


async def test_a_batch_counts_as_many_as_it_has(store: Store, clock: Clock) -> None:
    backlog = Backlog(store, limit=100, share=3, now=clock)
    await asyncio.gather(*(queue(store, clock, f"b{number}", owner="bob") for number in range(5)))
    await backlog.admit("image", "ann", 3)
    with pytest.raises(QueueFull, match="3 of your jobs are waiting"):
        await backlog.admit("image", "ann")
    assert backlog.soon("image") == 5 + 3, "what was let in since the look waits as well"


async def test_of_many_places_the_latest_are_remembered(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.jobs.backlog.REMEMBERED", 2)
    backlog = Backlog(store, limit=100, share=None, now=clock)
    jobs = [await queue(store, clock, f"job-{number}") for number in range(4)]
    for job in jobs:
        assert await backlog.ahead(job) is not None
    assert [*backlog._places] == [job.id for job in jobs[2:]]


async def test_many_questions_are_one_look(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    job, looks = await queue(store, clock, "job-1"), 0
    waiting = store.waiting

    async def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return await waiting(*args)

    monkeypatch.setattr(store, "waiting", counted)
    backlog = Backlog(store, limit=100, share=None, now=clock)
    await asyncio.gather(*(backlog.ahead(job) for _ in range(50)), *(backlog.admit("image", "ann") for _ in range(50)))
    assert looks == 1
    clock.pass_(hours=-2)
    await backlog.due("image")
    assert looks == 2, "a clock that was put back does not freeze the answer"
