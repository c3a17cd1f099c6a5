"""What the SQLite store does beside what every store must do: its file, its threads, its lanes."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_core import PydanticSerializationError
from tests.contracts.writing import FAULT, always, claimed, create, read
from tests.jobs import Clock, new_job
from tests.stores import on_file

from atelier.errors import StartRefused, StoreUnavailable
from atelier.jobs.events import Failed, Queued
from atelier.jobs.lifecycle import play
from atelier.jobs.models import Snapshot, Status
from atelier.jobs.ports import Find, Waiting, lane_of
from atelier.stores.serialisation import dump_job, dump_record
from atelier.stores.sqlite import SqliteStore, schema, writer
from atelier.stores.sqlite.transaction import Transaction


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with on_file(tmp_path, clock) as store:
        yield store


async def test_due_takes_turns_between_lanes(store: SqliteStore, clock: Clock) -> None:
    for number in range(5):
        await create(store, clock, f"a{number}", owner="ann", group="big")
        await create(store, clock, f"b{number}", owner="bob") if number < 2 else None
    first = await store.due("image", clock(), limit=4, after="")
    assert [job.job_id for job in first.jobs] == ["a0", "b0", "a1", "b1"]
    one = await store.due("image", clock(), limit=1, after="")
    two = await store.due("image", clock(), limit=1, after=one.cursor)
    three = await store.due("image", clock(), limit=1, after=two.cursor)
    assert [due.jobs[0].job_id for due in (one, two, three)] == ["a0", "b0", "a0"]
    assert (await store.due("blog", clock(), limit=4, after="")).jobs == []


async def test_due_knows_when_the_next_one_comes(store: SqliteStore, clock: Clock) -> None:
    later = clock() + timedelta(seconds=90)
    await store.create(new_job(clock(), "later"), (Queued(run_at=later),), {})
    due = await store.due("image", clock(), limit=4, after="")
    assert (due.jobs, due.next_at) == ([], later)
    assert [job.job_id for job in (await store.due("image", later, limit=4, after="")).jobs] == ["later"]


async def test_turns_pass_by_the_lanes_that_wait(store: SqliteStore, clock: Clock) -> None:
    soon, later = clock() + timedelta(seconds=60), clock() + timedelta(seconds=90)
    for number, owner in enumerate("abcdefgh"):
        await store.create(new_job(clock(), f"later-{owner}", owner=owner), (Queued(run_at=later),), {})
        await create(store, clock, f"now-{owner}", owner=owner) if number % 3 == 2 else None
    await store.create(new_job(clock(), "soon", owner="i"), (Queued(run_at=soon),), {})
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        due = await store.due("image", clock(), limit=1, after=cursor)
        seen, cursor = [*seen, *(job.job_id for job in due.jobs)], due.cursor
    assert seen == ["now-c", "now-f", "now-c"]
    everything = await store.due("image", clock(), limit=4, after=cursor)
    assert ([job.job_id for job in everything.jobs], everything.next_at) == (["now-f", "now-c"], soon)


async def test_full_durability_is_switched_on(store: SqliteStore) -> None:
    def modes(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert await store._writer.do(lambda transaction: modes(transaction.connection)) == ["wal", 2]
    assert await store._reader.do(modes) == ["wal", 2]


async def test_many_operations_share_a_commit(store: SqliteStore, clock: Clock) -> None:
    """Group commit: far fewer commits than operations."""
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    await store._writer.do(lambda transaction: transaction.connection.set_trace_callback(count))
    await asyncio.gather(*(create(store, clock, f"job-{n}") for n in range(300)))
    assert 1 <= commits < 100


async def test_what_one_turn_of_the_loop_asks_for_is_one_commit(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    seal = Transaction.seal

    def counted(transaction: Transaction) -> None:
        commits.append(len(transaction._written))
        seal(transaction)

    monkeypatch.setattr(Transaction, "seal", counted)

    async def ask(number: int) -> None:
        time.sleep(0.005)  # noqa: ASYNC251 - a long turn: a thread that is told at once would begin with the first
        await create(store, clock, f"job-{number}")

    await asyncio.gather(*(ask(number) for number in range(20)))
    assert commits == [20]


async def test_what_was_asked_for_before_the_end_is_done(tmp_path: Path, clock: Clock) -> None:
    async with on_file(tmp_path, clock) as store:
        asking = asyncio.ensure_future(create(store, clock, "last"))
        await asyncio.sleep(0)
    assert await asking
    async with on_file(tmp_path, clock) as store:
        assert await store.get("last") is not None


async def test_a_damaged_file_is_refused_and_left_alone(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    for number in range(200):
        await create(store, clock, f"job-{number}")
    await store.close()
    path = tmp_path / "atelier.db"
    content = bytearray(await asyncio.to_thread(path.read_bytes))
    content[4096 * 5 : 4096 * 6] = b"\xa5" * 4096
    await asyncio.to_thread(path.write_bytes, bytes(content))
    with pytest.raises(StartRefused, match="damaged") as refusal:
        await SqliteStore(path, clock).open()
    assert str(path) in refusal.value.message
    assert await asyncio.to_thread(path.read_bytes) == bytes(content)


async def test_a_start_that_reads_much_says_so(
    store: SqliteStore, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await store.close()
    caplog.set_level(logging.INFO, "atelier")
    async with on_file(tmp_path, clock):
        assert caplog.messages == []
    monkeypatch.setattr(schema, "LARGE_MIB", 0)
    async with on_file(tmp_path, clock):
        assert caplog.messages == ["checking_store"]


@pytest.mark.parametrize("content", [b"this is not a database, it is a long enough text" * 100, b"SQLite format 3\x00"])
async def test_something_else_is_refused(tmp_path: Path, clock: Clock, content: bytes) -> None:
    path = tmp_path / "other.db"
    await asyncio.to_thread(path.write_bytes, content)
    with pytest.raises(StartRefused):
        await SqliteStore(path, clock).open()


async def test_a_newer_schema_is_refused(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    await store.close()
    path = tmp_path / "atelier.db"

    def tamper() -> None:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()

    await asyncio.to_thread(tamper)
    with pytest.raises(StartRefused, match="newer"):
        await SqliteStore(path, clock).open()


async def test_a_locked_file_is_not_called_damaged(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.2)
    path = tmp_path / "atelier.db"
    blocker = await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)
    await asyncio.to_thread(blocker.execute, "BEGIN EXCLUSIVE")
    with pytest.raises(StartRefused, match="locked by another process") as refusal:
        await SqliteStore(path, clock).open()
    assert refusal.value.exit_code == 75
    await asyncio.to_thread(blocker.close)


async def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path, clock: Clock) -> None:
    await asyncio.to_thread((tmp_path / "file").write_text, "x")
    with pytest.raises(StartRefused, match="cannot be opened"):
        await SqliteStore(tmp_path / "file" / "atelier.db", clock).open()


async def test_a_locked_file_answers_in_time_and_recovers(
    store: SqliteStore, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.2)
    blocker = await asyncio.to_thread(sqlite3.connect, tmp_path / "atelier.db", check_same_thread=False)
    await asyncio.to_thread(blocker.execute, "BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await create(store, clock)
    await asyncio.to_thread(blocker.rollback)
    await asyncio.to_thread(blocker.close)
    assert (await create(store, clock)).job.seq == 1


async def test_a_full_disk_loses_nothing(store: SqliteStore, clock: Clock) -> None:
    await create(store, clock)

    def execute(statement: str) -> Callable[[Transaction], int]:
        return lambda transaction: int(transaction.connection.execute(statement).fetchone()[0])

    pages = await store._writer.do(execute("PRAGMA page_count"))
    await store._writer.do(execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(Exception, match="full"):
        await store.create(new_job(clock(), "big"), (Queued(run_at=clock()),), {"prompt": "x" * 100_000})
    assert await store.get("big") is None
    await store._writer.do(execute("PRAGMA max_page_count = 1000000"))
    assert (await create(store, clock, "again")).job.seq == 1


async def test_a_file_of_the_first_version_is_brought_to_the_present_one(tmp_path: Path, clock: Clock) -> None:
    """What an earlier version wrote is kept, whole and in place."""
    old, now = new_job(clock(), "old-1", tags={"blog_id": "b"}), clock()
    job, records = play(old, (Queued(run_at=now),), now)
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(schema.FIRST + "PRAGMA user_version = 1;")
        row = (job.id, "image", "ann", lane_of(job), 0, "queued", now.timestamp(), None, now.timestamp(), None, 1)
        connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, dump_job(job)))
        connection.execute("INSERT INTO tags VALUES ('old-1', 'blog_id', 'b')")
        connection.execute("INSERT INTO parts VALUES ('old-1', 'params', '{}')")
        connection.execute("INSERT INTO records VALUES ('old-1', 1, ?)", (dump_record(records[0]),))
        connection.execute("UPDATE counter SET changed = 1")
    connection.close()
    store = SqliteStore(tmp_path / "old.db", clock)
    await store.open()
    assert await read(store, "old-1") == Snapshot(job=job, records=records)
    assert await store.parts("old-1") == {"params": {}}
    assert [ready.job_id for ready in (await store.due("image", now, limit=5, after="")).jobs] == ["old-1"]
    assert len(await store.find(Find(owner="ann", kinds=("image",), tags={"blog_id": "b"}))) == 1
    assert (await create(store, clock, "new-1")).job.status is Status.QUEUED
    assert await store.put("key", "k", {}, if_rev=0) is not None
    await store.close()


async def test_an_operation_that_breaks_undoes_itself_alone(store: SqliteStore, clock: Clock) -> None:
    """Others of the same commit are done again without it."""
    await create(store, clock, "bad")
    unwritable = {"value": object()}
    writes = [create(store, clock, f"job-{n}") for n in range(20)]
    writes.insert(10, store.write("bad", always(claimed(clock), state=unwritable)))  # type: ignore[arg-type]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [PydanticSerializationError]
    assert len(await store.find(Find(owner="ann", kinds=("image",)))) == 21
    assert (await read(store, "bad")).job.status is Status.QUEUED


async def test_what_waits_is_counted_by_lane(store: SqliteStore, clock: Clock) -> None:
    for number in range(3):
        await create(store, clock, f"a{number}")
        clock.pass_(seconds=1)
    last = await create(store, clock, "b", owner="bob")
    await store.create(new_job(clock(), "later"), (Queued(run_at=clock() + timedelta(hours=1)),), {})
    await store.write("a1", always(claimed(clock)))
    waiting = await store.waiting("image", clock())
    assert (waiting.queued, waiting.due, sorted(waiting.lanes.values())) == (4, 3, [1, 2])
    assert waiting.lanes[lane_of(last.job)] == 1
    assert await store.waiting("blog", clock()) == Waiting(queued=0, due=0)
    assert await store.rank((await read(store, "a2")).job) == 1
    assert await store.rank(last.job) == 0


async def test_members_of_an_earlier_file_keep_their_group(tmp_path: Path, clock: Clock) -> None:
    """Version 3 hid every member from lists and knew groups from headers only."""
    job, _ = play(new_job(clock(), "old", group="g"), (Queued(run_at=clock()),), clock())
    alone, _ = play(new_job(clock(), "alone"), (Queued(run_at=clock()),), clock())
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript("".join(schema.STEPS[:3]) + "PRAGMA user_version = 3;")
        now = clock().timestamp()
        for place, one in enumerate((job, alone), 1):
            row = (
                one.id,
                "image",
                "ann",
                lane_of(one),
                one.group is not None,
                "queued",
                1,
                now,
                None,
                now,
                None,
                place,
            )
            connection.execute(
                f"INSERT INTO jobs VALUES (NULL, {', '.join('?' * 13)})",  # noqa: S608 - placeholders only
                (*row, dump_job(one)),
            )
        connection.execute("UPDATE counter SET changed = 2")
    connection.close()
    store = SqliteStore(tmp_path / "old.db", clock)
    await store.open()
    assert [one.job for one in (await store.members("g", since="")).snapshots] == [job]
    assert [one.job.id for one in await store.find(Find(owner="ann", kinds=("image",)))] == ["alone"]
    await create(store, clock, "new", group="g")
    assert len((await store.members("g", since="")).snapshots) == 2
    await store.close()


async def test_nothing_of_a_deleted_job_comes_back_with_its_number(tmp_path: Path, clock: Clock) -> None:
    """The last number is given again by who opens the file next."""
    async with on_file(tmp_path, clock) as store:
        await create(store, clock, tags={"blog_id": "b"})
        await store.write("job-1", always(claimed(clock), state={"drawn": "hers"}))
        await store.write("job-1", always(Failed(fault=FAULT)))
        await store.delete("job-1")
    async with on_file(tmp_path, clock) as store:
        await create(store, clock, "job-2", owner="bob", tags={"story_id": "s"})
        assert await store.parts("job-2") == {"params": {"prompt": "x"}}
        mine = Find(owner="bob", kinds=("image",), limit=10)
        assert [found.job.id for found in await store.find(replace(mine, tags={"story_id": "s"}))] == ["job-2"]
        assert await store.find(replace(mine, tags={"blog_id": "b"})) == []
