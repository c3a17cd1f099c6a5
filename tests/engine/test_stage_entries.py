"""Stages' entries, which are written with what follows: none is missing, none twice, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import pytest
from tests.house import Count, Gate, House, Nothing

from atelier.errors import ProviderUnavailable, StoreUnavailable
from atelier.jobs.events import CancelRequested, Claimed, Retried
from atelier.jobs.models import Fault, Snapshot, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Decide, Decision


async def log(house: House, job_id: str) -> list[str]:
    snapshot = await house.store.read(job_id, after=0)
    assert snapshot is not None
    assert [record.seq for record in snapshot.records] == list(range(1, len(snapshot.records) + 1))
    return [record.stage for record in snapshot.records]


async def moment(run: Run[Nothing, Count]) -> None:  # noqa: ARG001
    """Take long enough for what was collected to be written, or not to be."""
    await asyncio.sleep(0.05)


async def written(run: Run[Nothing, Count]) -> None:
    """Wait until what was collected is written, with nothing behind it."""
    async with asyncio.timeout(60):
        while run._tail.events:
            await asyncio.sleep(0.02)


@contextmanager
def counted(house: House) -> Iterator[set[int]]:
    """Collect the versions that writes left."""
    write, versions = house.store.write, set[int]()

    async def counting(job_id: str, decide: Decide) -> Snapshot | None:
        snapshot = await write(job_id, decide)
        versions.add(snapshot.job.rev if snapshot is not None else 0)
        return snapshot

    house.store.write = counting  # type: ignore[method-assign]
    yield versions


async def test_a_quick_run_is_two_writes(house: House) -> None:
    job = await house.submit()
    with counted(house) as versions:
        assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert len(versions) == 2, "the claim, and all the rest"
    assert await log(house, job.id) == ["queued", "first", "second", "completed"]


async def test_what_takes_a_moment_is_written_meanwhile(house: House) -> None:
    seen = []

    async def looks(run: Run[Nothing, Count]) -> None:
        await written(run)
        seen.append(await log(house, run.job.id))

    house.pipeline.acts = {"first": looks, "second": looks}
    job = await house.submit()
    await house.deliver(job.id)
    assert seen == [["queued", "first"], ["queued", "first", "second"]]
    assert await log(house, job.id) == ["queued", "first", "second", "completed"]


async def test_all_is_written_before_an_order_that_costs(house: House) -> None:
    async def orders(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="provider_cannot_cancel", billed="yes", price="yes", durable=True):
            assert await log(house, run.job.id) == ["queued", "first", "second"]

    house.pipeline.acts["second"] = orders
    job = await house.submit()
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_what_costs_nothing_is_ordered_at_once(house: House) -> None:
    async def orders(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="aborted_before_send", billed="no", price="no"):
            pass

    house.pipeline.acts["second"] = orders
    job = await house.submit()
    with counted(house) as versions:
        assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert len(versions) == 2, "the claim, and all the rest"


async def test_a_step_is_written_behind_its_stage_s_entry(house: House) -> None:
    async def steps(run: Run[Nothing, Count]) -> None:
        run.step(1, 4, span=(50, 90), message="step 1/4", preview=None)
        await gate(run)

    gate, house.pipeline.acts["second"] = Gate(), steps
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    async with asyncio.timeout(60):
        while (seen := await house.job(job.id)).step is None:
            await asyncio.sleep(0.02)
    assert (seen.stage, seen.step.stage, seen.progress) == ("second", "second", 60)
    gate.open.set()
    await running


@pytest.mark.parametrize("lost", ["asked", "answered"])
async def test_a_write_in_between_that_fails_leaves_no_hole_and_no_double(
    house: House, lost: Literal["asked", "answered"]
) -> None:
    """The store was away, or its answer was lost: the next write finds out which."""
    write, failed = house.store.write, list[str]()

    async def fails(job_id: str, decide: Decide) -> Snapshot | None:
        if house.pipeline.entered != ["first"] or failed:
            return await write(job_id, decide)
        failed.append(lost)
        if lost == "answered":
            await write(job_id, decide)
        raise StoreUnavailable("Away.")

    house.store.write = fails  # type: ignore[method-assign]
    house.pipeline.acts["first"] = moment
    job = await house.submit()
    assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert failed
    assert await log(house, job.id) == ["queued", "first", "second", "completed"]


async def test_a_failed_attempt_shows_the_stage_it_failed_in(house: House) -> None:
    async def fails(_: Any) -> None:
        raise ProviderUnavailable("Down.")

    house.pipeline.acts["second"] = fails
    job = await house.submit()
    assert (await house.deliver(job.id)).status is Status.QUEUED
    assert await log(house, job.id) == ["queued", "first", "second"]
    house.pipeline.acts.clear()
    house.clock.pass_(minutes=1)
    await house.deliver(job.id)
    assert await log(house, job.id) == ["queued", "first", "second", "second", "completed"]
    assert house.pipeline.entered == ["first", "second", "second"]


async def test_a_cancel_ends_the_log_behind_what_was_entered(house: House) -> None:
    async def is_cancelled(run: Run[Nothing, Count]) -> None:
        await house.store.write(run.job.id, lambda _: Decision(events=(CancelRequested(),)))

    house.pipeline.acts["second"] = is_cancelled
    job = await house.submit()
    assert (await house.deliver(job.id)).status is Status.CANCELLED
    assert await log(house, job.id) == ["queued", "first", "second", "error"]


async def test_a_run_that_lost_its_lease_writes_nothing(house: House) -> None:
    async def loses(run: Run[Nothing, Count]) -> None:
        now = house.clock()
        fault = Fault(code="worker_lost", message="Silent.", retryable=True)
        taken = (
            Retried(run_at=now, fault=fault),
            Claimed(worker="elsewhere-1", lease_until=now + timedelta(seconds=30)),
        )
        await house.store.write(run.job.id, lambda _: Decision(events=taken))

    house.pipeline.acts["second"] = loses
    job = await house.submit()
    taken = await house.deliver(job.id)
    assert (taken.status, taken.worker, taken.fence) == (Status.PROCESSING, "elsewhere-1", 2)
    assert await log(house, job.id) == ["queued"]
