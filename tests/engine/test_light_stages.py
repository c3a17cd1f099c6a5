"""Stages whose entries are written with what follows: none is missing, none twice, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from tests.house import Count, House, Nothing, Scripted

from atelier.errors import ProviderUnavailable, StoreUnavailable
from atelier.jobs.events import CancelRequested, Claimed, Retried
from atelier.jobs.models import Fault, Snapshot, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Decide, Decision


class Light(Scripted):
    """Both stages are light."""

    stages = tuple(replace(one, light=True) for one in Scripted.stages)


@pytest.fixture
def light(house: House) -> House:
    house.pipeline = Light()
    house.engine = house.another_engine()
    return house


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


async def test_a_quick_run_is_two_writes(light: House) -> None:
    job = await light.submit()
    with counted(light) as versions:
        assert (await light.deliver(job.id)).status is Status.COMPLETED
    assert len(versions) == 2, "the claim, and all the rest"
    assert await log(light, job.id) == ["queued", "first", "second", "completed"]


async def test_what_takes_a_moment_is_written_meanwhile(light: House) -> None:
    seen = []

    async def looks(run: Run[Nothing, Count]) -> None:
        await written(run)
        seen.append(await log(light, run.job.id))

    light.pipeline.acts = {"first": looks, "second": looks}
    job = await light.submit()
    await light.deliver(job.id)
    assert seen == [["queued", "first"], ["queued", "first", "second"]]
    assert await log(light, job.id) == ["queued", "first", "second", "completed"]


async def test_all_is_written_before_an_order(light: House) -> None:
    async def orders(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="provider_cannot_cancel", billed="yes", price="yes"):
            assert await log(light, run.job.id) == ["queued", "first", "second"]

    light.pipeline.acts["second"] = orders
    job = await light.submit()
    assert (await light.deliver(job.id)).status is Status.COMPLETED


@pytest.mark.parametrize("lost", ["asked", "answered"])
async def test_a_write_in_between_that_fails_leaves_no_hole_and_no_double(
    light: House, lost: Literal["asked", "answered"]
) -> None:
    """The store was away, or its answer was lost: the next write finds out which."""
    write, failed = light.store.write, list[str]()

    async def fails(job_id: str, decide: Decide) -> Snapshot | None:
        if light.pipeline.entered != ["first"] or failed:
            return await write(job_id, decide)
        failed.append(lost)
        if lost == "answered":
            await write(job_id, decide)
        raise StoreUnavailable("Away.")

    light.store.write = fails  # type: ignore[method-assign]
    light.pipeline.acts["first"] = moment
    job = await light.submit()
    assert (await light.deliver(job.id)).status is Status.COMPLETED
    assert failed
    assert await log(light, job.id) == ["queued", "first", "second", "completed"]


async def test_a_failed_attempt_shows_the_stage_it_failed_in(light: House) -> None:
    async def fails(_: Any) -> None:
        raise ProviderUnavailable("Down.")

    light.pipeline.acts["second"] = fails
    job = await light.submit()
    assert (await light.deliver(job.id)).status is Status.QUEUED
    assert await log(light, job.id) == ["queued", "first", "second"]
    light.pipeline.acts.clear()
    light.clock.pass_(minutes=1)
    await light.deliver(job.id)
    assert await log(light, job.id) == ["queued", "first", "second", "second", "completed"]
    assert light.pipeline.entered == ["first", "second", "second"]


async def test_a_cancel_ends_the_log_behind_what_was_entered(light: House) -> None:
    async def is_cancelled(run: Run[Nothing, Count]) -> None:
        await light.store.write(run.job.id, lambda _: Decision(events=(CancelRequested(),)))

    light.pipeline.acts["second"] = is_cancelled
    job = await light.submit()
    assert (await light.deliver(job.id)).status is Status.CANCELLED
    assert await log(light, job.id) == ["queued", "first", "second", "error"]


async def test_a_run_that_lost_its_lease_writes_nothing(light: House) -> None:
    async def loses(run: Run[Nothing, Count]) -> None:
        now = light.clock()
        fault = Fault(code="worker_lost", message="Silent.", retryable=True)
        taken = (
            Retried(run_at=now, fault=fault),
            Claimed(worker="elsewhere-1", lease_until=now + timedelta(seconds=30)),
        )
        await light.store.write(run.job.id, lambda _: Decision(events=taken))

    light.pipeline.acts["second"] = loses
    job = await light.submit()
    taken = await light.deliver(job.id)
    assert (taken.status, taken.worker, taken.fence) == (Status.PROCESSING, "elsewhere-1", 2)
    assert await log(light, job.id) == ["queued"]
