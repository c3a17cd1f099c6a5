"""What a queue outside the process asks of the engine: early and long deliveries, deadlines, withdrawals, ordered sweeps."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import timedelta
from typing import Any

import pytest
from tests.house import Gate, House

from atelier.jobs.groups import NewGroup, NewMember
from atelier.jobs.models import Job, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Delivery
from atelier.jobs.watch import Watch


async def test_a_delivery_far_too_early_is_made_anew(house: House) -> None:
    job = await house.submit(not_before=house.clock() + timedelta(minutes=2))
    assert await house.engine.deliver(job.id, 1) is Delivery.SETTLED
    again = await house.job(job.id)
    assert (again.dispatch, again.status, again.attempt, again.run_at) == (2, Status.QUEUED, 0, job.run_at)
    assert [one.dispatch for one in house.queue.dispatched] == [1, 2]
    assert again.state_reason == job.state_reason
    assert await house.engine.deliver(job.id, 1) is Delivery.SETTLED
    assert (await house.job(job.id)).dispatch == 2, "its repetition is stale"


async def test_what_one_delivery_cannot_finish_is_handed_back(house: House) -> None:
    gate = house.pipeline.acts["second"] = Gate()
    engine = house.another_engine(longest_run=timedelta(seconds=0.1))
    job = await house.submit()
    running = asyncio.create_task(engine.deliver(job.id, 1))
    await gate.reached.wait()
    house.clock.pass_(seconds=1)
    assert await asyncio.wait_for(running, 60) is Delivery.SETTLED
    back = await house.job(job.id)
    assert (back.status, back.attempt, back.state_reason, back.run_at) == (Status.QUEUED, 0, None, house.clock())
    assert house.queue.dispatched[-1].dispatch == 2
    gate.open.set()
    assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert house.pipeline.entered == ["first", "second", "second"], "it goes on where it was"


async def test_the_deadline_comes_before_a_handing_back(house: House) -> None:
    gate = house.pipeline.acts["first"] = Gate()
    engine = house.another_engine(longest_run=timedelta(seconds=0.1), lease=timedelta(hours=1))
    job = await house.submit()
    running = asyncio.create_task(engine.deliver(job.id, 1))
    await gate.reached.wait()
    house.clock.pass_(minutes=10)
    await asyncio.wait_for(running, 60)
    ended = await house.job(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code) == (Status.FAILED, "deadline_exceeded")


async def test_a_run_that_stops_quietly_keeps_its_delivery(house: House) -> None:
    gate = house.pipeline.acts["first"] = Gate()
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    house.clock.pass_(seconds=31)
    del house.pipeline.acts["first"]
    assert await house.another_engine().deliver(job.id, 1) is Delivery.SETTLED
    assert await asyncio.wait_for(running, 60) is Delivery.BUSY, "whoever has the job may die too"
    assert (await house.job(job.id)).status is Status.COMPLETED


async def test_a_deadline_s_delivery_ends_a_job_nobody_took(house: House) -> None:
    job = await house.submit()
    assert await house.engine.attend(job.id) == job.must_finish_by
    assert (await house.job(job.id)).status is Status.QUEUED
    house.clock.pass_(minutes=10)
    assert await house.engine.attend(job.id) is None
    ended = await house.job(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code) == (Status.FAILED, "deadline_exceeded")
    assert await house.engine.attend(job.id) is None
    assert await house.engine.attend("unknown") is None


async def test_a_deadline_s_delivery_takes_up_what_a_lost_worker_held(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    assert await house.engine.attend(job.id) is not None
    assert (await house.job(job.id)).status is Status.PROCESSING, "its lease is good"
    house.clock.pass_(seconds=31)
    assert await house.engine.attend(job.id) == job.must_finish_by
    assert (await house.job(job.id)).status is Status.QUEUED
    assert house.queue.dispatched[-1].dispatch == 2


async def test_what_a_cancel_ended_is_withdrawn(house: House) -> None:
    waiting = await house.submit()
    await house.engine.cancel("ann", waiting.id)
    assert [job.id for job in house.queue.withdrawn] == [waiting.id]
    gate = house.pipeline.acts["first"] = Gate()
    held = await house.submit()
    running = asyncio.create_task(house.engine.deliver(held.id, 1))
    await gate.reached.wait()
    assert (await house.engine.cancel("ann", held.id)).status is Status.CANCELLED
    await running
    assert [job.id for job in house.queue.withdrawn] == [waiting.id], "its delivery is on its way"


async def test_what_the_cancel_of_a_group_ended_is_withdrawn(house: House) -> None:
    members = [NewMember(name=str(place), params={}, title="") for place in range(6)]
    group, _ = await house.engine.groups.create(
        NewGroup(kind="batch", member_kind="image", owner="ann", members=members)
    )
    await house.engine.groups.cancel(group)
    assert {job.id for job in house.queue.withdrawn} == set(house.engine.groups.member_ids(group))


async def test_one_sweep_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    overdue, looks, go_on = house.store.overdue, asyncio.Event(), asyncio.Event()

    async def slow(*args: object, **kwargs: object) -> list[Job]:
        looks.set()
        await go_on.wait()
        return await overdue(*args, **kwargs)  # type: ignore[arg-type]

    job = await house.submit()
    await house.lose(job.id)
    house.clock.pass_(seconds=31)
    monkeypatch.setattr(house.store, "overdue", slow)
    sweeping = asyncio.create_task(house.engine.sweep())
    await looks.wait()
    assert await asyncio.wait_for(house.engine.sweep(), 60) == 0
    go_on.set()
    assert await sweeping == 1
    await house.engine.sweep()


async def test_an_ended_run_is_gone_without_the_collector(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[weakref.ref[Any]] = []
    for kind in (Run, Watch):
        made = kind.__init__

        def noted(one: Any, *what: Any, made: Any = made, **how: Any) -> None:
            made(one, *what, **how)
            kept.append(weakref.ref(one))

        monkeypatch.setattr(kind, "__init__", noted)
    gc.disable()
    try:
        await house.deliver((await house.submit()).id)
        async with asyncio.timeout(60):  # the store's thread holds what it did last until it looks up
            while any(one() is not None for one in kept):
                await asyncio.sleep(0.01)
        assert len(kept) == 2
    finally:
        gc.enable()
