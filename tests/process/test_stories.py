"""kill -9, STOP and CONT while a story is made: one text, every picture once, and nothing repeated or missing on its stream."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.history import Ended, Evidence, no_more_than_attempts, picture_of, violations
from tests.process.faults import Calls, Constants, Fuse
from tests.process.pairs import UNLOST, Pair
from tests.process.servers import FAULTY, Process, Server, free_port
from tests.process.test_interruptions import is_locked, nothing_runs
from tests.readers import Reader, wrongs
from tests.stories import DRAWN, ROOT

SHAPE: dict[str, Any] = {
    "script": FAULTY,
    "sweep_seconds": 0.3,
    "retry_base_seconds": 0.1,
    "max_attempts": 20,
    "slots__image": 1,
    "story_providers": "sandbox",
}
WRITING = {
    "claimed": 0,
    "writing:story_outline": 1,
    "written:story_outline": 1,
    "writing:story_text": 1,
    "written:story_text": 1,
}
"""Where a process may die while it writes, in order, and how many texts are under way then."""

ORDERING = ("put:group_work", "put:group_items", "put:group", "created", "completing:story", "completed")
"""The same from the text to the story's own end: the text is kept, and the group not made, half made, or just made."""

DRAWING = {"ordered": 1, "drawing": 1, "received": 1, "spooled": 0, "stored": 0, "completing:image": 0}
"""The same while a picture is drawn, and how many are ordered again then."""

Json = dict[str, Any]


async def killed(process: Process) -> None:
    assert await asyncio.wait_for(process.wait(), 100) == -signal.SIGKILL


async def ordered(pair: Pair, **more: Any) -> str:
    """Ask a process that runs nothing for a story; its id."""
    async with pair.running(role="web", **SHAPE) as server:
        return await asked(server.client, **more)


async def asked(client: httpx.AsyncClient, **more: Any) -> str:
    response = await client.post(f"{ROOT}/", json={**DRAWN, **more})
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def read(client: httpx.AsyncClient, story_id: str, part: str = "") -> Json:
    found: Json = (await client.get(f"{ROOT}/{story_id}/{part}")).json()
    return found


async def until(client: httpx.AsyncClient, story_id: str, right: Callable[[Json], bool], within: float = 100) -> Json:
    async with asyncio.timeout(within):
        while not right(found := await read(client, story_id)):
            await asyncio.sleep(0.05)
    return found


def has_ended(story: Json) -> bool:
    return story["status"] in {"completed", "failed", "cancelled"}


async def judged(client: httpx.AsyncClient, pair: Pair, story_id: str, *readers: Reader) -> Json:
    """Fail where anything is not as it has to be in the end; the story. A picture is ordered once in an attempt."""
    story, status = await read(client, story_id), await read(client, story_id, "images/status/")
    assert story["status"] == "completed", story["error_message"]
    assert story["text"] == "\n\n".join(scene["text"] for scene in story["scenes"])
    assert [one["event_number"] for one in story["images"]] == [scene["number"] for scene in story["scenes"]]
    calls = Calls(pair.folder).read()
    ended = {one["job_id"]: await _ended(client, one["job_id"]) for one in story["images"]}
    drawn = {one["job_id"]: _prompt_of(one, ended[one["job_id"]], calls) for one in story["images"]}
    assert len(set(drawn.values())) == len(drawn), "each scene has a picture of its own"
    evidence = Evidence(
        acknowledged=drawn, ended=ended, listed=list(drawn), watches=[], calls=calls, allowed=no_more_than_attempts
    )
    found = violations(evidence) + [wrong for reader in readers for wrong in wrongs(reader, status)]
    assert not found, "\n".join(found)
    return story


def _prompt_of(picture: Json, ended: Ended, calls: list[str]) -> str:
    """Return the prompt that is about this picture's scene; where other stories have the same scene, the one it shows."""
    about = {prompt for prompt in calls if picture["alt_text"].rstrip(".") in prompt}
    (prompt,) = about if len(about) == 1 else {one for one in about if picture_of(one) == ended.picture}
    return prompt


async def _ended(client: httpx.AsyncClient, job_id: str) -> Ended:
    job: Json = (await client.get(f"/api/v1/images/jobs/{job_id}")).json()
    made = await client.get(job["result"]["images"][0]["image_url"]) if job.get("result") else None
    return Ended(job=job, picture=made.content if made is not None else None)


async def test_kill_9_at_each_point(pair: Pair) -> None:
    """One process after the other dies while it writes, orders or draws; a reader comes back every time."""
    port, fuse = free_port(), Fuse(pair.folder)
    story_id = await ordered(pair)
    reader = Reader(story_id, (port,))
    following = asyncio.create_task(reader.follow(within=200))
    for point in (*WRITING, *ORDERING, *DRAWING):
        fuse.light(point)
        await killed(await pair.start(port=port, **SHAPE))
    async with pair.running(port=port, **SHAPE) as server:
        await following
        story = await judged(server.client, pair, story_id, reader)
    assert Counter(Calls(pair.folder, "texts").read()) == {
        key: 1 + sum(number for point, number in WRITING.items() if point.endswith(key))
        for key in ("story_outline", "story_text")
    }, "what was under way is asked for again, and nothing else"
    again = len(Calls(pair.folder).read()) - len(story["images"]) - sum(DRAWING.values())
    assert 0 <= again <= 2, "the same of pictures, of which one may be drawn while the story comes to its end"


CROWD = 4


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", [*WRITING, *ORDERING, *DRAWING])
async def test_kill_9_at_a_point_in_a_crowd(pair: Pair, point: str) -> None:
    """Stories write, order and draw at the same time when the process dies at the point, three times, and at a moment after it."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance, port, fuse = random.Random(seed), free_port(), Fuse(pair.folder)
    shape = {**SHAPE, "slots__image": 4}
    counts = [chance.randint(1, 5) for _ in range(CROWD)]
    stories = [await ordered(pair, topic=f"Fox {number}", image_count=count) for number, count in enumerate(counts)]
    readers = [Reader(story_id, (port,)) for story_id in stories]
    following = [asyncio.create_task(reader.follow(within=500)) for reader in readers]
    for _ in range(3):
        process = await pair.start(port=port, **shape)
        await asyncio.sleep(chance.uniform(0, 0.5))
        fuse.light(point)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), chance.uniform(0.5, 4))
        process.kill()
        await process.wait()
    async with pair.running(port=port, **shape) as server:
        await asyncio.gather(*following)
        for reader in readers:
            await judged(server.client, pair, reader.story_id, reader)


async def stopped(pair: Pair, zombie: Server, point: str, **more: Any) -> str:
    """Stop a process at a point of a new story; the story's id.

    A process that stops in the middle of a write keeps the store locked: then it goes on, and is stopped again.
    """
    fuse = Fuse(pair.folder)
    while True:
        fuse.light(point, signal.SIGSTOP)
        story_id = await asked(zombie.client, **more)
        async with asyncio.timeout(60):
            while fuse.lit:
                await asyncio.sleep(0.02)
        if pair.in_cloud or not await asyncio.to_thread(is_locked, pair.data / "atelier.db"):
            return story_id
        zombie.process.send_signal(signal.SIGCONT)
        await until(zombie.client, story_id, has_ended)


async def test_a_stopped_process_writes_orders_and_draws_nothing_of_what_another_one_made(pair: Pair) -> None:
    """STOP beyond the lease as a text is there, as its pictures are ordered, and as one is drawn; CONT when all is over."""
    ports = free_port(), free_port()
    Constants(pair.folder).set(jobs__sweeper__QUEUE_PATIENCE=2)
    shape = {**SHAPE, "lease_seconds": pair.shortest_lease}
    for number, point in enumerate(("written:story_text", "put:group", "spooled")):
        async with pair.running(port=ports[0], **shape) as zombie:
            story_id = await stopped(pair, zombie, point, topic=f"Fox {number}")
            pair.lose(ports[0])
            try:
                async with pair.running(port=ports[1], **{**shape, **UNLOST}) as other:
                    reader = Reader(story_id, (ports[1],))
                    await reader.follow(within=100)
                    before = await read(other.client, story_id)
                    orders = Calls(pair.folder).read(), Calls(pair.folder, "texts").read()
                    zombie.process.send_signal(signal.SIGCONT)
                    await nothing_runs(zombie)
                    await asyncio.sleep(0.5)
                    assert await read(other.client, story_id) == before
                    assert (Calls(pair.folder).read(), Calls(pair.folder, "texts").read()) == orders
                    await judged(other.client, pair, story_id, reader)
                    await judged(zombie.client, pair, story_id)
            finally:
                zombie.process.send_signal(signal.SIGCONT)


async def test_nothing_is_drawn_for_a_story_that_was_cancelled_while_its_process_slept(pair: Pair) -> None:
    """It was ordering the pictures, and wakes when the story is over: what it orders then is taken back."""
    ports = free_port(), free_port()
    shape = {**SHAPE, "lease_seconds": pair.shortest_lease}
    async with pair.running(port=ports[0], **shape) as zombie:
        story_id = await stopped(pair, zombie, "put:group_work", image_count=5)
        pair.lose(ports[0])
        try:
            async with pair.running(role="web", **shape) as web:
                cancelling = asyncio.create_task(web.client.post(f"{ROOT}/{story_id}/cancel/"))
                async with asyncio.timeout(60):
                    while '"cancel_requested"' not in web.log.read_text():
                        await asyncio.sleep(0.05)
                cancelling.cancel()  # it waits for a receipt that nobody writes
            async with pair.running(port=ports[1], **{**shape, **UNLOST}) as other:
                await until(other.client, story_id, has_ended)
        finally:
            zombie.process.send_signal(signal.SIGCONT)
        pair.join(ports[0])
        await until(zombie.client, await asked(zombie.client, illustrated=False), has_ended)
        await asyncio.sleep(1.5)  # it goes on with what it was at, if it does
        story = await read(zombie.client, story_id)
    assert story["status"] == "cancelled"
    assert {one["status"] for one in story["images"]} == {"failed"}
    assert len(Calls(pair.folder).read()) <= 1, "one may have begun before it was taken back"
