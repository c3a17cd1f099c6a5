"""A job that another process deletes: who listens hears of it, who runs it stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.house import Count, Gate, Hand, House, Nothing
from tests.jobs import Clock

from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Delivery
from atelier.stores.sqlite import SqliteStore


async def test_who_follows_a_job_hears_that_another_process_deleted_it(tmp_path: Path) -> None:
    clock = Clock()
    here, there = SqliteStore(tmp_path / "a.db", clock), SqliteStore(tmp_path / "a.db", clock)
    await here.open()
    await there.open()
    house = House(there, clock, Hand())
    job = await house.submit()
    await asyncio.sleep(0.3)
    heard: list[object] = []
    stop = here.listen(job.id, heard.append)
    assert here._threads is not None
    here._threads[0]._look_at = asyncio.get_running_loop().time() + 5  # it sleeps, as a stopped process does
    await here.ping()
    heard.clear()
    await house.engine.cancel(job.owner, job.id)
    await house.engine.delete(job.owner, job.id)
    here._threads[0]._look_at = 0.0
    await here.ping()
    await asyncio.sleep(0.2)
    assert heard, "it is gone, and nobody said so"
    stop()
    await here.close()
    await there.close()


async def test_a_run_whose_job_was_deleted_elsewhere_stops(tmp_path: Path) -> None:
    clock = Clock()
    here, there = SqliteStore(tmp_path / "a.db", clock), SqliteStore(tmp_path / "a.db", clock)
    await here.open()
    await there.open()
    house, other = House(here, clock, Hand()), House(there, clock, Hand())
    gate = Gate()
    bought: list[str] = []

    async def buys(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="unknown", billed="unknown", price="yes", durable=True):
            bought.append(run.job.id)

    house.pipeline.acts = {"first": gate, "second": buys}
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    here._wake = lambda *_: None  # type: ignore[method-assign]  # it slept, and heard nothing
    clock.pass_(seconds=31)
    await other.engine.sweep()
    await other.engine.cancel(job.owner, job.id)
    await other.engine.delete(job.owner, job.id)
    gate.open.set()
    assert await asyncio.wait_for(running, 30) is Delivery.BUSY
    assert not bought, "nothing is bought for a job that is gone"
    await here.close()
    await there.close()
