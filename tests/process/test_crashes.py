"""kill -9 at every point of a job's way: what was acknowledged ends once, nothing is ordered that was kept already."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Any

import pytest
from tests.history import History
from tests.process.faults import POINTS, Calls, Fuse
from tests.process.pairs import Pair
from tests.process.servers import FAULTY, Process, free_port

QUICK: dict[str, Any] = {"scenario": "ok"}
SLOW: dict[str, Any] = {"scenario": "slow", "seconds": 2}
TROUBLE: dict[str, Any] = {"scenario": "provider_down_then_ok"}
SHAPE: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.1}


async def killed(process: Process) -> None:
    assert await asyncio.wait_for(process.wait(), 100) == -signal.SIGKILL


async def test_kill_9_at_each_point(pair: Pair) -> None:
    """One process after the other dies at the next point; the one job there goes on in its successor."""
    port, fuse, calls, orders = free_port(), Fuse(pair.folder), Calls(pair.folder), {}
    async with History(port) as history:
        for point in POINTS:
            process = await pair.start(port=port, **SHAPE)
            fuse.light(point)
            submitting = asyncio.create_task(history.submit(sandbox=QUICK))
            await killed(process)
            async with pair.running(port=port, **SHAPE):
                orders[await submitting] = POINTS[point]
                await history.settle()
        async with pair.running(port=port, **SHAPE) as server:
            jobs = await history.judge(server.client, calls.read(), lambda job: orders[job["job_id"]])
    assert {job["status"] for job in jobs.values()} == {"completed"}
    assert len(calls.read()) == sum(POINTS.values()), "no fewer either: the points are where they are said to be"


async def test_a_job_that_kills_every_worker_fails_after_its_attempts(pair: Pair) -> None:
    port, fuse, calls = free_port(), Fuse(pair.folder), Calls(pair.folder)
    async with History(port) as history:
        submitting = asyncio.create_task(history.submit(sandbox=QUICK))
        for _ in range(3):
            fuse.light("ordered")
            await killed(await pair.start(port=port, max_attempts=3, **SHAPE))
        fuse.light("ordered")
        async with pair.running(port=port, max_attempts=3, **SHAPE) as server:
            job_id = await submitting
            job = (await history.judge(server.client, calls.read()))[job_id]
    assert (job["status"], job["error_code"], job["attempt"]) == ("failed", "worker_lost", 3)


@pytest.mark.soak
@pytest.mark.parametrize("pace", ["quick", "slow"])
@pytest.mark.parametrize("point", POINTS)
async def test_kill_9_at_a_point_in_a_crowd(pair: Pair, point: str, pace: str) -> None:
    """Jobs of every kind run, wait and are retried when the process dies at the point, three times."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    port, fuse, calls = free_port(), Fuse(pair.folder), Calls(pair.folder)
    shape = {**SHAPE, "max_attempts": 20, "slots__image": 6}
    scripts = [QUICK, TROUBLE] if pace == "quick" else [QUICK, SLOW, SLOW, TROUBLE]
    async with History(port) as history:
        for _ in range(3):
            process = await pair.start(port=port, **shape)
            crowd = [asyncio.create_task(history.submit(watchers=2, sandbox=chance.choice(scripts))) for _ in range(15)]
            await asyncio.sleep(chance.uniform(0, 1))
            fuse.light(point)
            late = [asyncio.create_task(history.submit(sandbox=script)) for script in scripts]
            await killed(process)
            async with pair.running(port=port, **shape):
                await asyncio.gather(*crowd, *late)
        async with pair.running(port=port, **shape) as server:
            jobs = await history.judge(server.client, calls.read())
    assert {job["status"] for job in jobs.values()} == {"completed"}
