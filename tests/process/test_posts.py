"""kill -9 while a post is made: the next process goes on where it was; no text is asked for twice, but the one under way."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import Any

import httpx
import pytest
from tests.blogs import ROOT, TOMATOES
from tests.process.faults import TOKENS, Calls, Fuse
from tests.process.pairs import Pair
from tests.process.servers import FAULTY, Process, free_port

from atelier.pipelines.blog.spans import SPANS

SHAPE: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.1, "max_attempts": 20}
EACH = TOKENS.read + TOKENS.written


async def killed(process: Process) -> None:
    assert await asyncio.wait_for(process.wait(), 100) == -signal.SIGKILL


async def ordered(pair: Pair) -> str:
    """Submit a post to a process that runs none; its id."""
    async with pair.running(role="web", **SHAPE) as server:
        response = await server.client.post(f"{ROOT}/generate-enhanced", json=TOMATOES)
        assert response.status_code == 200, response.text
        return str(response.json()["job_id"])


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(100):
        while True:
            found: dict[str, Any] = (await client.get(f"{ROOT}/jobs/{job_id}")).json()
            if found["status"] in {"completed", "failed", "cancelled"}:
                return found
            await asyncio.sleep(0.1)


async def killed_at(pair: Pair, *points: str) -> tuple[dict[str, Any], Counter[str]]:
    """Kill one process after the other at these points of one post; the post, and how often each text was asked for."""
    port, fuse = free_port(), Fuse(pair.folder)
    job_id = await ordered(pair)
    for point in points:
        fuse.light(point)
        await killed(await pair.start(port=port, **SHAPE))
    async with pair.running(port=port, **SHAPE) as server:
        job = await ended(server.client, job_id)
    assert job["status"] == "completed", job["error_message"]
    return job, Counter(Calls(pair.folder, "texts").read())


def stages_of(job: dict[str, Any]) -> list[str]:
    """Return the stages in the order in which they were entered first."""
    sequence = [update["seq"] for update in job["progress_updates"]]
    assert sequence == list(range(1, len(sequence) + 1))
    return list(dict.fromkeys(update["stage"] for update in job["progress_updates"]))


async def test_kill_9_in_each_stage(pair: Pair) -> None:
    """Thirteen processes die, each in the next stage of the same post. Its texts cost nothing: one may be under way by then."""
    job, texts = await killed_at(pair, *(f"entered:{stage}" for stage in SPANS))
    assert stages_of(job) == ["queued", *SPANS, "completed"]
    assert set(texts.values()) <= {1, 2}
    assert job["result"]["total_tokens"] == EACH * len(texts)
    assert sum(each["tokens"] for each in job["result"]["stage_results"]) == EACH * len(texts)


async def test_what_was_under_way_is_asked_for_again_and_told(pair: Pair) -> None:
    """Each text costs money: one that a process died with is ordered once more, and the job says so; no other is."""
    (pair.folder / "terms").write_text("paid")
    lost = ["outline", "section/2", "section/4", "enhance/1", "polish"]
    job, texts = await killed_at(pair, *(f"written:{key}" for key in lost))
    assert stages_of(job) == ["queued", *SPANS, "completed"]
    assert {key for key, times in texts.items() if times == 2} == set(lost)
    assert set(texts.values()) == {1, 2}
    told = [each for each in job["warnings"] if each.endswith("brought no text; it may have been charged.")]
    assert len(told) == len(lost)
    assert job["result"]["total_tokens"] == EACH * len(texts)
    assert job["cost"] == pytest.approx(0.01 * len(texts)), "what is known to be paid"
    sections = [update["section"]["number"] for update in map(_data, job["progress_updates"]) if "section" in update]
    assert sections == sorted(set(sections))


async def test_a_third_order_of_a_text_is_not_placed(pair: Pair) -> None:
    (pair.folder / "terms").write_text("paid")
    port, fuse = free_port(), Fuse(pair.folder)
    job_id = await ordered(pair)
    for _ in range(2):
        fuse.light("writing:section/3")
        await killed(await pair.start(port=port, **SHAPE))
    async with pair.running(port=port, **SHAPE) as server:
        job = await ended(server.client, job_id)
    texts = Counter(Calls(pair.folder, "texts").read())
    assert (job["status"], job["error_code"], texts["section/3"]) == ("failed", "maybe_charged", 2)


def _data(update: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = update["data"]
    return found
