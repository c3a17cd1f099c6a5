"""What Firestore counts for a job, counted here; docs/performance.md says the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.emulator import Emulator
from tests.indexes import Spent
from tests.jobs import Clock
from tests.live import ROOT
from tests.stores import Firestore

from atelier import wiring
from atelier.jobs import backlog
from atelier.jobs.engine import JobEngine, NewJob
from atelier.jobs.followers import Followers
from atelier.jobs.models import Status
from atelier.jobs.ports import Delivery
from atelier.pipelines.blog.models import BlogParams
from atelier.pipelines.pictures import ImageParams
from atelier.pipelines.ports import Script
from atelier.settings import Settings
from atelier.stores.firestore import following

READ, WRITE, DELETE = 0.3, 0.9, 0.1
"""List prices in dollars for a million, in a region of the United States."""


@pytest.fixture
def backend(emulator: Emulator, clock: Clock) -> Firestore:
    return Firestore(emulator, clock)


@pytest.fixture
async def engine(backend: Firestore, tmp_path: Path) -> AsyncIterator[JobEngine]:
    settings = Settings(data_dir=tmp_path / "data")
    store = backend.process()
    await store.open()
    adapters = replace(await asyncio.to_thread(wiring.build_adapters, settings), store=store)
    services = wiring.build_services(settings, adapters)
    yield services.engine
    for provider in services.providers.values():
        await provider.close()
    await store.close()


NEW = NewJob(
    kind="image",
    owner="ann",
    params=ImageParams(
        prompt="A hill",
        provider="sandbox",
        quality="draft",
        aspect_ratio="1:1",
        output_format="png",
        script=Script(scenario="noop"),
    ),
)


async def test_what_a_job_costs(backend: Firestore, engine: JobEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "FRESH", timedelta(minutes=5))  # a busy machine takes longer over the first job
    monkeypatch.setattr(following, "TICK_SECONDS", 3600)  # and runs the second for longer than a look is apart
    spent = backend.watchman.spent
    told: dict[str, Spent] = {}

    async def measured(what: str, work: object) -> object:
        before = replace(spent)
        outcome = await work  # type: ignore[misc]
        told[what] = spent.since(before)
        return outcome

    job = (await engine.submit(NEW)).snapshot.job  # the first looks at the queue and at the providers are not a job's
    assert await engine.deliver(job.id, 1) is Delivery.SETTLED
    await engine.delete("ann", job.id)
    job = (await measured("accepting it", engine.submit(NEW))).snapshot.job  # type: ignore[attr-defined]
    assert await measured("running it", engine.deliver(job.id, 1)) is Delivery.SETTLED
    found = await measured("reading it, ended", engine.get("ann", job.id))
    assert found.job.status is Status.COMPLETED  # type: ignore[attr-defined]
    await measured("deleting it", engine.delete("ann", job.id))
    await measured("a sweep that finds nothing", engine.sweep())
    usual, ran = documented()["running it"], told["running it"]
    assert usual.writes <= ran.writes <= usual.writes + 2, "on a busy machine stages that follow at once are two writes"
    assert told | {"running it": replace(ran, writes=usual.writes)} == documented()


async def test_what_watching_costs(backend: Firestore, engine: JobEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at all that is watched, a document for each job, however many watch it; news is one more read."""
    monkeypatch.setattr(following, "TICK_SECONDS", 0.1)
    other = backend.process()
    await other.open()
    followers, looks = Followers(other, nobody), 0
    versions = other._open.reader.versions

    async def counted(job_ids: Sequence[str]) -> dict[str, datetime]:
        nonlocal looks
        found = await versions(job_ids)
        looks += 1
        return found

    monkeypatch.setattr(other._open.reader, "versions", counted)
    job = (await engine.submit(NEW)).snapshot.job
    before = replace(backend.watchman.spent)
    watching = [asyncio.create_task(_ends(followers, job.id)) for _ in range(20)]
    while looks < 5:
        await asyncio.sleep(0.05)
    idle = backend.watchman.spent.since(before)
    assert idle.writes == 0
    assert 1 + 1 + looks <= idle.reads <= 1 + 1 + looks + 1, "one to begin with, one more at the first look, one a look"
    before, looks = replace(backend.watchman.spent), 0
    assert await engine.deliver(job.id, 1) is Delivery.SETTLED
    await asyncio.gather(*watching)
    ran = backend.watchman.spent.since(before)
    assert ran.reads <= 1 + 3 * (looks + 1), "one for the run, one a look of both, one for each look that found news"
    await other.close()


async def nobody(_: object) -> int:
    """Return that nobody goes before."""
    return 0


async def _ends(followers: Followers, job_id: str) -> None:
    async for _ in followers.follow(job_id, 0):
        pass


def documented() -> dict[str, Spent]:
    """Return the table of docs/performance.md."""
    page = (ROOT / "docs" / "performance.md").read_text().partition("## Firestore")[2]
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", page, re.MULTILINE)
    found = {}
    for name, reads, writes, deletes, dollars in rows:
        spent = found[name] = Spent(reads=int(reads), writes=int(writes), deletes=int(deletes))
        cost = spent.reads * READ + spent.writes * WRITE + spent.deletes * DELETE
        assert abs(float(dollars) - cost) < 0.001, (name, cost)
    return found


POST = NewJob(
    kind="blog",
    owner="ann",
    params=BlogParams(blog_id="post", topic="Growing tomatoes on a balcony", provider="sandbox", length="short"),
    tags={"blog_id": "post"},
)


async def test_what_a_post_costs(backend: Firestore, engine: JobEngine) -> None:
    await engine.submit(NEW)  # the first look at the queue is not a job's
    job = (await engine.submit(POST)).snapshot.job
    before = replace(backend.watchman.spent)
    assert await engine.deliver(job.id, 1) is Delivery.SETTLED
    assert (await engine.get("ann", job.id)).job.status is Status.COMPLETED
    ran = backend.watchman.spent.since(before)
    page = (ROOT / "docs" / "performance.md").read_text()
    usual = re.search(r"Running a post of 600 words in the sandbox\*\*: about (\d+) writes", page)
    assert usual is not None
    stages = 13  # each is written with what follows it at once, or by itself, as the machine has time
    assert abs(ran.writes - int(usual[1])) <= stages
    assert ran.deletes == 0
