"""Who does what when SQLite is written to: the loop decides and writes, the thread waits for the lock and for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.writing import FAULT, always, claimed, create, read
from tests.jobs import Clock
from tests.stores import on_file

from atelier.errors import StoreRefused, StoreUnavailable
from atelier.jobs.events import Failed, Noted, Reopened
from atelier.jobs.models import Job, Status, Step
from atelier.jobs.ports import Decision, Touch
from atelier.stores.sqlite import SqliteStore, threads, writer
from atelier.stores.sqlite.transaction import Transaction


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with on_file(tmp_path, clock) as store:
        yield store


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock, as another process does."""
    connection = sqlite3.connect(path / "atelier.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        connection.close()


async def test_only_what_waits_for_the_disk_is_done_in_the_thread(store: SqliteStore, clock: Clock) -> None:
    done: list[tuple[str, str]] = []

    def note(statement: str) -> None:
        done.append((threading.current_thread().name, statement.split(maxsplit=1)[0]))

    store._writer._connection.set_trace_callback(note)
    await create(store, clock)
    store._writer._connection.set_trace_callback(None)
    assert {what for who, what in done if who == "atelier-store-writer"} == {"COMMIT"}
    assert {"BEGIN", "INSERT"} <= {what for who, what in done if who != "atelier-store-writer"}


async def test_a_lock_is_waited_for_while_the_loop_goes_on(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with locked(tmp_path) as other:
        asked = [asyncio.ensure_future(create(store, clock, f"job-{number}")) for number in range(3)]
        began, longest = loop.time(), 0.0
        while (now := loop.time()) < began + 0.5:
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - now)
        assert not any(one.done() for one in asked)
        other.execute("ROLLBACK")
        await asyncio.gather(*asked)
    assert longest < 0.4, "the loop waited for the lock"
    assert (await create(store, clock, "later")).job.seq == 1


async def test_who_waited_for_a_lock_in_vain_is_told_and_the_next_one_does_not_wait(
    store: SqliteStore, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.2)
    with locked(tmp_path):
        told = await asyncio.gather(*(create(store, clock, f"job-{n}") for n in range(3)), return_exceptions=True)
        assert [type(one) for one in told] == [StoreRefused] * 3
        assert store._writer._connection.execute("PRAGMA busy_timeout").fetchone() == (0,), "the loop would wait for it"
    assert (await create(store, clock, "job-0")).job.seq == 1


async def test_what_is_asked_for_during_a_commit_waits_for_the_next(store: SqliteStore, clock: Clock) -> None:
    disk = threading.Event()
    store._writer._inbox.put(lambda: (disk.wait(10), None)[1])  # it takes its time
    asked = []
    for number in range(5):
        asked.append(asyncio.ensure_future(create(store, clock, f"job-{number}")))
        await asyncio.sleep(0.02)
    assert not any(one.done() for one in asked)
    disk.set()
    assert [made.job.seq for made in await asyncio.gather(*asked)] == [1] * 5


async def test_a_commit_that_fails_is_done_again_without_what_broke_it(store: SqliteStore, clock: Clock) -> None:
    connection = store._writer._connection
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE broken (job INTEGER REFERENCES jobs (number) DEFERRABLE INITIALLY DEFERRED)")

    def spoil(transaction: Transaction) -> None:
        transaction.connection.execute("INSERT INTO broken VALUES (-1)")  # found out by the commit alone

    asked: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(create(store, clock, f"job-{number}")) for number in range(10)
    ]
    asked.insert(5, store._writer.do(spoil))
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told if isinstance(one, BaseException)] == [StoreUnavailable]
    assert isinstance(told[5], StoreUnavailable)
    for number in range(10):
        assert (await read(store, f"job-{number}")).job.seq == 1


async def test_what_was_asked_for_while_a_commit_broke_comes_behind_it(store: SqliteStore) -> None:
    order: list[int] = []

    def operation(number: int) -> None:
        if number == 1 and not order:
            order.append(-1)
            for late in (3, 4):
                asyncio.get_running_loop().call_soon(ask, late)
            raise ValueError
        order.append(number)

    later: list[asyncio.Future[None]] = []

    def ask(number: int) -> asyncio.Future[None]:
        later.append(store._writer.do(lambda _: operation(number)))
        return later[-1]

    await asyncio.gather(*(store._writer.do(lambda _, number=number: operation(number)) for number in (1, 2)))  # type: ignore[misc]
    await asyncio.gather(*later)
    assert order == [-1, 1, 2, 3, 4]


async def test_who_listens_hears_of_others_writes_alone(tmp_path: Path, clock: Clock) -> None:
    """What this process wrote itself is not looked through again when another has written."""
    async with on_file(tmp_path, clock) as here, on_file(tmp_path, clock) as there:
        heard: list[str] = []
        here._writer._changed = heard.extend
        for number in range(50):
            await create(here, clock, f"own-{number}")
        await asyncio.sleep(3 * writer.POLL_SECONDS)
        await create(there, clock, "other")
        async with asyncio.timeout(5):
            while not heard:
                await asyncio.sleep(0.01)
        assert heard == ["other"]


async def test_what_was_seen_of_others_is_not_seen_again(tmp_path: Path, clock: Clock) -> None:
    """This process's own last change may lie far behind those of others."""
    async with on_file(tmp_path, clock) as here, on_file(tmp_path, clock) as there:
        heard: list[str] = []
        here._writer._changed = heard.extend
        await create(here, clock, "own")
        await asyncio.sleep(3 * writer.POLL_SECONDS)
        heard.clear()
        for number in range(5):
            await create(there, clock, f"other-{number}")
            await asyncio.sleep(3 * writer.POLL_SECONDS)
        assert heard == [f"other-{number}" for number in range(5)]


async def test_a_store_that_closes_answers_all_and_uses_no_closed_connection(tmp_path: Path, clock: Clock) -> None:
    loop, broken = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, what: broken.append(what))
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = SqliteStore(folder / "atelier.db", clock)
        await store.open()
        with locked(folder) as other:
            asked = [asyncio.ensure_future(_until_it_ends(store, clock, f"job-{n}")) for n in range(4)]
            await asyncio.sleep(0.001 * number)
            closing = asyncio.ensure_future(store.close())
            await asyncio.sleep(0.01)
            other.execute("ROLLBACK")
            await closing
        assert all(isinstance(told, StoreUnavailable) for told in await asyncio.gather(*asked))
    assert broken == []


async def _until_it_ends(store: SqliteStore, clock: Clock, name: str) -> StoreUnavailable:
    """Ask for one thing after the other, until the store takes no more."""
    number = 0
    while True:
        try:
            async with asyncio.timeout(5):
                await create(store, clock, f"{name}-{(number := number + 1)}")
        except StoreUnavailable as told:
            return told


async def test_a_stop_that_does_not_wait_for_the_disk_any_longer_leaves_no_lock_behind(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 0.2)
    store, disk = SqliteStore(tmp_path / "atelier.db", clock), threading.Event()
    await store.open()
    store._writer._inbox.put(lambda: (disk.wait(20), None)[1])  # it takes longer than anybody waits
    asked = []
    for number in range(2):
        asked.append(asyncio.ensure_future(create(store, clock, f"job-{number}")))
        await asyncio.sleep(0.02)
    await store.close()
    disk.set()
    await asyncio.sleep(0.2)
    for one in asked:
        one.cancel()
    with locked(tmp_path) as other:
        assert other.execute("SELECT id FROM jobs").fetchall() == [("job-0",)]


async def test_a_store_may_be_closed_while_it_is_read(tmp_path: Path, clock: Clock) -> None:
    for number in range(20):
        store = SqliteStore(tmp_path / f"{number}.db", clock)
        await store.open()
        await create(store, clock)
        reading = [asyncio.ensure_future(_read_until_it_ends(store)) for _ in range(3)]
        await asyncio.sleep(0.001 * number)
        await store.close()
        await asyncio.gather(*reading)


async def _read_until_it_ends(store: SqliteStore) -> None:
    with contextlib.suppress(StoreUnavailable):
        while True:
            await store.get("job-1")
            await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["removed", "replaced", "emptied"])
async def test_nothing_is_accepted_into_a_file_that_nobody_will_find(
    store: SqliteStore, clock: Clock, tmp_path: Path, how: str
) -> None:
    await create(store, clock)
    path, away = tmp_path / "atelier.db", tmp_path / "away.db"
    await asyncio.to_thread(shutil.copy, path, away) if how == "emptied" else await asyncio.to_thread(path.rename, away)
    if how != "removed":
        await asyncio.to_thread(path.write_bytes, b"x" if how == "replaced" else b"")
    await asyncio.sleep(3 * writer.POLL_SECONDS)
    with pytest.raises(StoreRefused, match="removed or replaced"):
        await create(store, clock, "lost")
    with pytest.raises(StoreRefused):
        await store.ping()
    if how == "emptied":
        return
    await asyncio.to_thread(away.replace, path)
    await asyncio.sleep(3 * writer.POLL_SECONDS)
    assert (await create(store, clock, "found")).job.seq == 1


async def test_a_store_is_ready_that_can_be_written(store: SqliteStore, tmp_path: Path) -> None:
    wal = tmp_path / "atelier.db-wal"
    before = wal.stat().st_size
    await store.ping()
    assert wal.stat().st_size > before, "nothing reached the disk"
    await store._writer.do(lambda transaction: transaction.connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.ping()


async def test_what_is_deleted_is_gone_for_those_behind_it_in_the_commit(store: SqliteStore, clock: Clock) -> None:
    """Else a person would be told that a job runs again which is in no table."""
    await create(store, clock)
    reopened = Reopened(run_at=clock(), must_finish_by=clock() + timedelta(hours=1))
    *_, again = await asyncio.gather(
        store.write("job-1", always(Failed(fault=FAULT))),
        store.delete("job-1"),
        store.write("job-1", always(reopened)),
    )
    assert again is None
    assert await store.read("job-1", after=0) is None


async def test_of_several_writes_in_a_commit_the_last_one_s_header_stays(
    store: SqliteStore, clock: Clock, tmp_path: Path
) -> None:
    await create(store, clock)
    await store.write("job-1", always(claimed(clock)))
    until = clock() + timedelta(hours=1)
    step = Step(stage="generating", step=1, total=2, progress=50.0, message="Half", at=clock())
    await asyncio.gather(
        store.touch(Touch(job_id="job-1", fence=1, lease_until=clock() + timedelta(seconds=30), step=step)),
        store.touch(Touch(job_id="job-1", fence=1, lease_until=until)),
        store.write("job-1", always(Failed(fault=FAULT))),
    )
    async with on_file(tmp_path, clock) as other:
        assert (await read(other)).job.status is Status.FAILED


@pytest.mark.parametrize("together", [True, False])
async def test_a_run_begins_with_what_was_kept_last(store: SqliteStore, clock: Clock, together: bool) -> None:  # noqa: FBT001
    """What was paid for is kept there: a run that began with less would buy it again."""
    await create(store, clock)
    keeping = store.write("job-1", always(claimed(clock), state={"bought": 1}))

    def begin(_: Job) -> Decision:
        return Decision(events=(Noted(billed="no"),), reads=True)

    if together:
        _, begun = await asyncio.gather(keeping, store.write("job-1", begin))
    else:
        await keeping
        begun = await store.write("job-1", begin)
    assert begun is not None
    assert begun.parts == {"params": {"prompt": "x"}, "state": {"bought": 1}}


async def test_two_processes_give_no_number_twice(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    async with on_file(tmp_path, clock) as other:
        for number in range(3):
            await create(store, clock, f"here-{number}")
            await create(other, clock, f"there-{number}")
        for number in range(3):
            assert (await read(store, f"there-{number}")).job.id == f"there-{number}"
