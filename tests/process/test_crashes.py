"""kill -9 at every point of a job's way: what was acknowledged ends once, nothing is ordered that was kept already."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.process.faults import POINTS, Calls, Fuse
from tests.process.history import History
from tests.process.servers import FAULTY, Process, free_port, running, start

QUICK: dict[str, Any] = {"scenario": "ok"}
SLOW: dict[str, Any] = {"scenario": "slow", "seconds": 2}
SHAPE: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.1}


async def killed(process: Process) -> None:
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL


async def test_kill_9_at_each_point(tmp_path: Path) -> None:
    """One process after the other dies at the next point; the one job there goes on in its successor."""
    port, fuse, calls = free_port(), Fuse(tmp_path), Calls(tmp_path)
    history, expected = History(port), {}
    for point, orders in POINTS.items():
        process = await start(tmp_path / "data", port=port, **SHAPE)
        await history.settle()
        fuse.light(point)
        submitting = asyncio.create_task(history.submit(sandbox=QUICK))
        await killed(process)
        async with running(tmp_path / "data", port=port, **SHAPE) as server:
            expected[await submitting] = orders
            await history.settle()
            await server.signal(signal.SIGTERM)
    async with running(tmp_path / "data", port=port, **SHAPE) as server:
        jobs = await history.judge(server.client, calls.read(), lambda job: expected[job["job_id"]])
    assert {job["status"] for job in jobs.values()} == {"completed"}
    assert len(calls.read()) == sum(POINTS.values())
