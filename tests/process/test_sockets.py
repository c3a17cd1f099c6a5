"""Front door C over several processes: the socket at one, the request at another; an end in order, and none."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from tests.process.faults import Fuse
from tests.process.pairs import BOTH, UNLOST, Pair
from tests.process.servers import FAULTY, MAIN, Server, free_port
from tests.sockets import Watcher, check, generate, watching

QUICK: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.2, "max_attempts": 20}
PLAYED: dict[str, Any] = {"quality": "draft", "sandbox": {"scenario": "ok"}}


def slow(seconds: float) -> dict[str, Any]:
    return {"quality": "draft", "sandbox": {"scenario": "slow", "seconds": seconds}}


def address(server: Server) -> str:
    return str(server.client.base_url)


def told(*watchers: Watcher) -> list[int]:
    """Return the numbers that were told, each once; they never fall."""
    messages = [message for watcher in watchers for message in watcher.messages if message["type"] == "progress"]
    for message in messages:
        check(message, messages[0]["task_id"])
    numbers = [message["seq"] for message in messages]
    assert numbers == sorted(numbers)
    return list(dict.fromkeys(numbers))


@BOTH
async def test_the_socket_at_one_instance_and_the_request_at_the_other(pair: Pair) -> None:
    how = {**QUICK, **UNLOST, "script": MAIN}
    async with pair.running(**how) as one, pair.running(**how) as two:
        async with watching(address(one), "task-1") as watcher:
            assert (await watcher.next(60))["seq"] == 0
            answer = await generate(two.client, "task-1", use_refinement=True, **slow(4))
            assert await watcher.rest(60) == 1000
        again = await generate(one.client, "task-1", use_refinement=True, **slow(4))
    assert told(watcher) == [0, 1, 2, 3, 4, 5]
    moving = {message["current_step"] for message in watcher.messages if message["status"] == "generating"}
    assert len(moving) >= 3
    assert watcher.messages[-1]["image_url"].rpartition("/")[2] == answer.json()["image_url"].rpartition("/")[2]
    assert again.json()["job_id"] == answer.json()["job_id"]
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_told_to_end_it_says_so_and_another_instance_goes_on(pair: Pair) -> None:
    """SIGTERM: 1012 at once; with the last number nothing is missing at the other."""
    port, fuse = free_port(), Fuse(pair.folder)
    fuse.hold()
    async with pair.running(port=port, grace_seconds=0, **QUICK) as one, pair.running(**QUICK) as two:
        async with watching(address(one), "task-1") as first, watching(address(one), "nobody") as idle:
            await idle.next(60)
            asking = asyncio.create_task(generate(two.client, "task-1", **PLAYED))
            await first.until("generating", 60)
            pair.leave(port)
            ending = asyncio.create_task(one.signal(signal.SIGTERM))
            assert await first.rest(60) == 1012
            assert await idle.rest(60) == 1012
            await ending
        fuse.let_go()
        async with watching(address(two), "task-1", after=str(first.messages[-1]["seq"])) as second:
            assert await second.rest(60) == 1000
        answer = (await asking).json()
    assert answer["success"]
    numbers = told(first, second)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert second.messages[-1]["status"] == "completed"


async def test_who_waits_over_the_post_is_told_that_the_service_ends(pair: Pair) -> None:
    """The status was sent: the answer is a failure that says that the job goes on; asked again it is the same job's end."""
    port, fuse = free_port(), Fuse(pair.folder)
    fuse.hold()
    async with pair.running(port=port, grace_seconds=0, **QUICK) as one, pair.running(**QUICK) as two:
        asking = asyncio.create_task(generate(one.client, "task-1", **PLAYED))
        async with watching(address(two), "task-1") as watcher:
            await watcher.until("generating", 60)
            pair.leave(port)
            await one.signal(signal.SIGTERM)
            answer = (await asking).json()
            assert (answer["success"], answer["code"], answer["retryable"]) == (False, "timeout", True)
            fuse.let_go()
            assert await watcher.rest(60) == 1000
        again = (await generate(two.client, "task-1", **PLAYED)).json()
    assert again["success"]
    assert again["job_id"] == answer["job_id"]


async def test_killed_while_it_draws_the_socket_at_the_other_is_never_cut(pair: Pair) -> None:
    port, fuse = free_port(), Fuse(pair.folder)
    fuse.hold()
    async with pair.running(port=port, **QUICK) as one, pair.running(role="web", **QUICK) as two:
        async with watching(address(two), "task-1") as watcher:
            await watcher.next(60)
            asking = asyncio.create_task(generate(two.client, "task-1", **PLAYED))
            while not (await watcher.next(60))["current_step"]:
                pass
            reached = watcher.messages[-1]["percentage"]
            await one.signal(signal.SIGKILL)
            fuse.let_go()
            async with pair.running(port=port, **QUICK):
                assert await watcher.rest(60) == 1000
        assert (await asking).json()["success"]
    assert watcher.messages[-1]["status"] == "completed"
    later = [message["percentage"] for message in watcher.messages if message["type"] == "progress"]
    assert later == sorted(later), "the bar never falls"
    assert reached > 0
