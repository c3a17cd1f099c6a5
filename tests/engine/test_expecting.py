"""Watching a job that is yet to come: who waits for it sees everything, and disturbs nobody who knows that it is there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.house import Gate, House
from tests.stores import Backend, deaf

from atelier.jobs.models import Status, Update

KEY = "task 1"
Seen = list[Update | None]


def awaited(house: House) -> str:
    return house.engine.id_of("ann", "image", KEY)


def expecting(house: House, seen: Seen, after: int | None = None) -> asyncio.Task[None]:
    """Collect what is told about the job of KEY."""

    async def collect() -> None:
        async for update in house.engine.expect(awaited(house), after=after):
            seen.append(update)

    return asyncio.create_task(collect())


def numbers(seen: Seen) -> list[int | None]:
    """Return the records' numbers; None for what was told between them."""
    return [update.record.seq if update is not None and update.record is not None else None for update in seen]


async def until(seen: Seen, count: int) -> None:
    async with asyncio.timeout(60):
        while len(seen) < count:
            await asyncio.sleep(0.01)


async def test_who_waits_is_told_at_once_that_there_is_none_and_then_everything(house: House) -> None:
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    assert seen == [None]
    job = await house.submit(key=KEY)
    assert job.id == awaited(house)
    await house.deliver(job.id)
    await asyncio.wait_for(watching, 60)
    assert numbers(seen) == [None, 1, 2, 3, 4]
    assert seen[-1] is not None
    assert seen[-1].result == {"value": 2}


async def test_a_job_that_another_process_makes_is_seen(house: House, backend: Backend) -> None:
    """Several processes on one store: the one that is asked is not the one that is watched."""
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    other = backend.process()
    await other.open()
    elsewhere = House(other, house.clock, house.queue)
    job = await elsewhere.submit(key=KEY)
    await elsewhere.deliver(job.id)
    await asyncio.wait_for(watching, 60)
    assert numbers(seen) == [None, 1, 2, 3, 4]
    await other.close()


async def test_many_who_wait_look_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = house.store.read

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*args, **kwargs)

    monkeypatch.setattr(house.store, "read", counted)
    all_seen: list[Seen] = [[] for _ in range(100)]
    watching = [expecting(house, seen) for seen in all_seen]
    for seen in all_seen:
        await until(seen, 1)
    assert reads <= 2, "who comes while it is looked for waits for that look"
    job = await house.submit(key=KEY)
    await house.deliver(job.id)
    async with asyncio.timeout(60):
        await asyncio.gather(*watching)
    assert all(numbers(seen) == [None, 1, 2, 3, 4] for seen in all_seen)
    assert reads <= 10, "reads count changes, not clients"


async def test_who_knows_that_it_is_there_is_not_told_it_were_not(house: House) -> None:
    """Who waits has not heard of the job yet; who follows it right after making it shares what is known, and must not end."""
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    with deaf(house.store):
        job = await house.submit(key=KEY)
    told: list[int] = []

    async def follow() -> None:
        async for update in house.engine.follow(job.id):
            told.extend([update.record.seq] if update.record is not None else [])

    following = asyncio.create_task(follow())
    waiting = asyncio.create_task(house.engine.wait(job.id, timedelta(seconds=60)))
    await asyncio.sleep(0.05)
    await house.deliver(job.id)
    ended = await waiting
    await asyncio.wait_for(following, 60)
    await asyncio.wait_for(watching, 60)
    assert ended is not None
    assert ended.status is Status.COMPLETED
    assert told == [1, 2, 3, 4]
    assert numbers(seen) == [None, 1, 2, 3, 4]


async def test_an_unknown_job_is_still_none_to_those_who_do_not_wait(house: House) -> None:
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    assert [update async for update in house.engine.follow(awaited(house))] == []
    assert await house.engine.wait(awaited(house), timedelta(seconds=5)) is None
    assert not watching.done()
    watching.cancel()


@pytest.mark.parametrize(
    ("after", "first", "then"),
    [(None, [None], [4]), (3, [None], [4]), (1, [2, 3], [4]), (0, [1, 2, 3], [4]), (99, [1, 2, 3], [4])],
)
async def test_it_begins_at_once_behind_the_cursor_or_with_the_present_state(
    house: House, after: int | None, first: list[int | None], then: list[int]
) -> None:
    gate = Gate()
    house.pipeline.acts["second"] = gate
    job = await house.submit(key=KEY)
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    async with asyncio.timeout(60):
        while (await house.job(job.id)).seq < 3:
            await asyncio.sleep(0.02)
    seen: Seen = []
    watching = expecting(house, seen, after)
    await until(seen, len(first))
    await asyncio.sleep(0.05)
    assert numbers(seen) == first
    gate.open.set()
    await running
    await asyncio.wait_for(watching, 60)
    assert numbers(seen) == [*first, *then]


@pytest.mark.parametrize("after", [None, 4, 2, 99])
async def test_of_a_job_that_has_ended_the_end_is_told(house: House, after: int | None) -> None:
    job = await house.submit(key=KEY)
    await house.deliver(job.id)
    seen: Seen = []
    await asyncio.wait_for(expecting(house, seen, after), 60)
    assert seen[-1] is not None
    assert seen[-1].job.status is Status.COMPLETED
    assert seen[-1].result == {"value": 2}
    assert numbers(seen) == ([3, 4] if after == 2 else [None])


async def test_a_job_that_is_made_again_is_seen_anew(house: House) -> None:
    job = await house.submit(key=KEY)
    await house.deliver(job.id)
    await house.engine.delete("ann", job.id)
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    assert seen == [None]
    await house.submit(key=KEY)
    await house.deliver(job.id)
    await asyncio.wait_for(watching, 60)
    assert numbers(seen) == [None, 1, 2, 3, 4]


async def test_the_end_of_the_process_ends_the_wait(house: House) -> None:
    seen: Seen = []
    watching = expecting(house, seen)
    await until(seen, 1)
    house.engine.close()
    await asyncio.wait_for(watching, 60)
    assert seen == [None]
    assert house.engine.followed == 0
