"""What the SQLite store knows of jobs without asking a thread is what stands in the file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contracts.writing import FAULT, always, claimed, create, read
from tests.jobs import Clock, new_job
from tests.stores import on_file

from atelier.jobs.events import Completed, Event, Failed, StageStarted
from atelier.jobs.models import Snapshot
from atelier.jobs.ports import Touch
from atelier.stores.sqlite import SqliteStore
from atelier.stores.sqlite.remembered import CHARACTERS, HEADER, Remembered, Whole, Written

RUNS = StageStarted(stage="generating", progress=15.0, message="Generating", data={"since": 1.5})


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with on_file(tmp_path, clock) as store:
        yield store


@pytest.fixture
async def other(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    """Another process's, on the same file."""
    async with on_file(tmp_path, clock) as other:
        yield other


@pytest.fixture
def unread(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note who asks the store's reading thread, and let it be asked."""
    asked: list[str] = []
    real = store._fresh

    async def fresh(job_id: str) -> Snapshot | None:
        asked.append(job_id)
        return await real(job_id)

    monkeypatch.setattr(store, "_fresh", fresh)
    return asked


@pytest.mark.parametrize(
    "end", [(Completed(cost=0.5, warnings=("a",)), {"images": [{"n": 1}]}), (Failed(fault=FAULT), None)]
)
async def test_what_this_process_wrote_is_known_as_it_stands_in_the_file(
    store: SqliteStore, other: SqliteStore, clock: Clock, unread: list[str], end: tuple[Event, dict[str, object] | None]
) -> None:
    event, result = end
    await create(store, clock, warnings=("so",), tags={"blog_id": "b"})
    assert await read(store) == await read(other)
    await store.write("job-1", always(claimed(clock)))
    clock.pass_(seconds=1)
    await store.touch(Touch(job_id="job-1", fence=1, lease_until=clock() + timedelta(seconds=30)))
    await store.write("job-1", always(RUNS, state={"kept": True}))
    assert await read(store) == await read(other)
    parts = {"result": result} if result is not None else {}
    await store.write("job-1", always(event, **parts))
    known = await read(store)
    assert known == await read(other)
    assert [record.seq for record in known.records] == [1, 2, 3]
    assert (known.result, known.parts) == (result, None)
    assert await store.get("job-1") == known.job
    assert (await read(store, after=2)).records == known.records[2:]
    assert unread == []


async def test_what_another_process_wrote_is_read_at_once(
    store: SqliteStore, other: SqliteStore, clock: Clock, unread: list[str]
) -> None:
    await create(store, clock)
    assert (await read(store)).job.fence == 0
    await other.write("job-1", always(claimed(clock)))
    assert (await read(store)).job.fence == 1
    assert unread == ["job-1"]
    await other.write("job-1", always(RUNS))
    assert [await store.get("job-1") == (await read(other)).job, len((await read(store)).records)] == [True, 2]
    await store.write("job-1", always(Failed(fault=FAULT)))
    assert await read(store) == await read(other)
    assert unread == ["job-1", "job-1"]
    await other.delete("job-1")
    assert await store.read("job-1", after=0) is None
    assert await store.get("job-1") is None


async def test_a_job_that_came_back_is_another(store: SqliteStore, other: SqliteStore, clock: Clock) -> None:
    """Its number of changes goes on where the deleted one's stopped."""
    await create(store, clock, title="first")
    for event in (claimed(clock), Failed(fault=FAULT)):
        await store.write("job-1", always(event))
    await store.delete("job-1")
    await other.create(new_job(clock(), "job-1", title="second"), (), {})
    assert (await read(store)).job.title == "second"


async def test_what_cannot_be_looked_at_here_is_read_by_the_thread(
    store: SqliteStore, clock: Clock, unread: list[str]
) -> None:
    await create(store, clock)
    assert store._remembered._connection is not None
    store._remembered._connection.close()
    assert (await read(store)).job.id == "job-1"
    assert unread == ["job-1"]


def test_the_oldest_are_forgotten_beyond_the_bound(clock: Clock) -> None:
    known = Remembered()
    big = CHARACTERS // 3
    for name in ("a", "b", "c", "a", "d"):
        known.keep(Whole(1, big - HEADER, Snapshot(job=new_job(clock(), name))))
        assert known._characters <= CHARACTERS
    assert list(known._jobs) == ["c", "a", "d"]
    for name in ("c", "a", "d"):
        known.forget(name)
    assert known._characters == 0


def test_what_a_commit_adds_counts_towards_the_bound(clock: Clock) -> None:
    known = Remembered()
    job = new_job(clock())
    known.follow(Written(Snapshot(job=job), 0, 1, 10))
    for change in range(1, 4):
        known.follow(Written(Snapshot(job=job), change, change + 1, CHARACTERS // 4))
    assert known._characters == HEADER + 10 + 3 * (CHARACTERS // 4)
    known.keep(Whole(1, CHARACTERS // 2, Snapshot(job=new_job(clock(), "job-2"))))
    assert list(known._jobs) == ["job-2"]
    known.forget("job-2")
    assert known._characters == 0


async def test_a_commit_upon_another_process_s_is_not_put_onto_what_was_known_before(
    store: SqliteStore, other: SqliteStore, clock: Clock
) -> None:
    await create(store, clock)
    await other.write("job-1", always(claimed(clock), RUNS))
    await store.write("job-1", always(Failed(fault=FAULT)))
    known = await read(store)
    assert known == await read(other)
    assert [record.seq for record in known.records] == [1, 2, 3]
