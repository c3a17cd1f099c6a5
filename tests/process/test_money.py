"""kill -9 around an order that costs money: nothing is paid for twice silently, nothing that was kept is ordered again."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.history import History
from tests.process.faults import Calls, Fuse
from tests.process.servers import FAULTY, Process, free_port, running, start

QUICK: dict[str, Any] = {"scenario": "ok"}
SHAPE: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.1}
UNCLEAR = "brought no picture; it may have been charged."


async def killed(process: Process) -> None:
    assert await asyncio.wait_for(process.wait(), 100) == -signal.SIGKILL


async def killed_at(tmp_path: Path, terms: str, *points: str) -> tuple[dict[str, Any], int]:
    """Kill one process after the other at these points of one job; the job at the end, and how often it was ordered."""
    (tmp_path / "terms").write_text(terms)
    port, fuse, calls = free_port(), Fuse(tmp_path), Calls(tmp_path)
    async with History(port) as history:
        fuse.light(points[0])
        process = await start(tmp_path / "data", port=port, **SHAPE)
        submitting = asyncio.create_task(history.submit(sandbox=QUICK))
        await killed(process)
        for point in points[1:]:
            fuse.light(point)
            await killed(await start(tmp_path / "data", port=port, **SHAPE))
        async with running(tmp_path / "data", port=port, **SHAPE) as server:
            job_id = await submitting
            job = (await history.judge(server.client, calls.read()))[job_id]
    return job, len(calls.read())


@pytest.mark.parametrize("point", ["spooled", "stored"])
async def test_a_picture_that_was_kept_is_not_paid_for_again(tmp_path: Path, point: str) -> None:
    job, orders = await killed_at(tmp_path, "paid", point)
    assert (job["status"], orders, job["warnings"]) == ("completed", 1, [])
    assert (job["cost"], job["result"]["cost"]) == (0.01, 0.01)


@pytest.mark.parametrize("point", ["ordered", "received"])
async def test_an_order_that_was_lost_is_placed_once_more_and_told(tmp_path: Path, point: str) -> None:
    job, orders = await killed_at(tmp_path, "paid", point)
    assert (job["status"], orders) == ("completed", 2)
    (warning,) = job["warnings"]
    assert warning.endswith(UNCLEAR)


async def test_a_third_order_is_not_placed(tmp_path: Path) -> None:
    job, orders = await killed_at(tmp_path, "paid", "ordered", "drawing")
    assert (job["status"], job["error_code"], orders) == ("failed", "maybe_charged", 2)
    assert len(job["warnings"]) == 2


@pytest.mark.parametrize("points", [("drawing",), ("received",), ("drawing", "received")])
async def test_an_order_that_can_be_waited_for_again_is_not_placed_again(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    job, orders = await killed_at(tmp_path, "attaching", *points)
    assert (job["status"], orders, job["warnings"]) == ("completed", 1, [])
