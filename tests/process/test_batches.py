"""Batches over whole processes: one answers while others draw, and one is killed in the middle."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from tests.images import NOOP, ROOT, states_of
from tests.process.faults import Constants, Fuse
from tests.process.pairs import BOTH, Pair
from tests.process.servers import FAULTY, Server

PLAYED = {"prompt": "A hill", "sandbox": {"scenario": "ok"}}


async def post(server: Server, count: int, image: dict[str, Any] = NOOP) -> dict[str, Any]:
    response = await server.client.post(f"{ROOT}/batch-generate", json={"images": [image] * count})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def watch(server: Server, batch: dict[str, Any]) -> list[dict[str, Any]]:
    response = await asyncio.wait_for(server.client.get(f"{ROOT}/batches/{batch['batch_id']}/stream"), 100)
    return states_of(response.text)


async def test_a_stream_follows_what_another_process_draws(pair: Pair) -> None:
    async with pair.running(role="web") as web, pair.running(role="worker"), pair.running(role="worker"):
        batch = await post(web, 40)
        last = {state["job_id"]: state for state in await watch(web, batch)}
    assert set(last) == set(batch["job_ids"])
    assert {state["stage"] for state in last.values()} == {"completed"}
    assert all(state["data"]["result"]["images"] for state in last.values())


@BOTH
async def test_kill_9_in_the_middle_of_a_batch(pair: Pair) -> None:
    """Killed between a member's record and its task, too: what nothing carries is found when patience is over."""
    Constants(pair.folder).set(jobs__sweeper__QUEUE_PATIENCE=2)
    fuse = Fuse(pair.folder)
    async with pair.running(script=FAULTY) as server:
        fuse.hold()
        batch = await post(server, 60, PLAYED)
        fuse.light("completed")
        fuse.let_go()
        assert await asyncio.wait_for(server.process.wait(), 60) == -signal.SIGKILL
    async with pair.running(script=FAULTY, sweep_seconds=0.3) as server:
        last = {state["job_id"]: state for state in await watch(server, batch)}
        done = (await server.client.get(f"{ROOT}/batches/{batch['batch_id']}")).json()
    assert {state["status"] for state in last.values()} == {"completed"}
    assert (done["status"], done["completed"]) == ("completed", 60)
    assert {job["run"] for job in done["jobs"]} == {1}
