"""What every store must do for the members of groups."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.jobs import Clock, new_job
from tests.stores import Backend

from atelier.jobs.events import Claimed, Completed, Event, Failed, Held, Queued, StageStarted
from atelier.jobs.models import Fault, Job, Json, Snapshot, Status
from atelier.jobs.ports import Decision, Find, Store, Turns


async def create(store: Store, clock: Clock, job_id: str, *events: Event, **fields: object) -> Snapshot:
    return (await store.create(new_job(clock(), job_id, **{"group": "g", **fields}), events, {}))[0]


async def write(store: Store, job_id: str, *events: Event, **parts: Json) -> None:
    await store.write(job_id, lambda _: Decision(events=events, parts=parts))


def claimed(clock: Clock) -> Claimed:
    return Claimed(worker="w-1", lease_until=clock() + timedelta(seconds=30))


async def test_a_member_may_be_made_without_a_record(store: Store, clock: Clock) -> None:
    made = await create(store, clock, "a", place=3, listed=False)
    assert (made.job.status, made.job.seq, made.records) == (Status.PENDING, 0, ())
    assert await create(store, clock, "a") == made
    found = (await store.members("g", since="")).snapshots
    assert found == [made]


async def test_members_come_with_their_last_record_and_result(store: Store, clock: Clock) -> None:
    queued = Queued(run_at=clock())
    for job_id in ("a", "b", "c"):
        await create(store, clock, job_id, queued)
    await create(store, clock, "other", queued, group="h")
    await create(store, clock, "alone", queued, group=None)
    await write(store, "a", claimed(clock), StageStarted(stage="s", progress=1, message="Go"))
    await write(store, "b", claimed(clock), Completed(), result={"value": 1})
    found = {one.job.id: one for one in (await store.members("g", since="")).snapshots}
    assert found.keys() == {"a", "b", "c"}
    assert {job_id: [record.seq for record in one.records] for job_id, one in found.items()} == {
        "a": [2],
        "b": [2],
        "c": [1],
    }
    assert [found[job_id].result for job_id in "abc"] == [None, {"value": 1}, None]
    assert (await store.members("unknown", since="")).snapshots == []


async def test_members_behind_a_cursor_are_those_that_changed(store: Store, clock: Clock) -> None:
    for job_id in ("a", "b", "c"):
        await create(store, clock, job_id, Queued(run_at=clock()))
    first = await store.members("g", since="")
    await create(store, clock, "other", group="h")
    assert {one.job.id for one in (await store.members("g", since=first.cursor)).snapshots} <= {"a", "b", "c"}
    await write(store, "b", claimed(clock))
    await write(store, "b", Completed())
    await create(store, clock, "d")
    second = await store.members("g", since=first.cursor)
    changed = {one.job.id: one.job.status for one in second.snapshots}
    assert (changed["b"], changed["d"]) == (Status.COMPLETED, Status.PENDING)
    for member in (await store.members("g", since=second.cursor)).snapshots:
        assert changed[member.job.id] is member.job.status, "repeated at most"


async def test_who_listens_to_a_group_hears_of_every_member(store: Store, clock: Clock) -> None:
    heard: asyncio.Queue[Snapshot | None] = asyncio.Queue()
    deafen = store.listen_to_members("g", heard.put_nowait)
    await create(store, clock, "a")
    await create(store, clock, "other", group="h")
    await write(store, "a", Queued(run_at=clock()))
    await write(store, "a", claimed(clock), Completed(), result={"value": 1})
    async with asyncio.timeout(60):
        told: list[Snapshot] = []
        while len(told) < 3:
            told += [one for one in [await heard.get()] if one is not None]
    assert [one.job.status for one in told] == [Status.PENDING, Status.QUEUED, Status.COMPLETED]
    assert told[-1].result == {"value": 1}
    deafen()
    await create(store, clock, "b")
    await asyncio.sleep(0)
    assert heard.empty()


async def test_who_reads_whenever_it_hears_misses_no_last_state(store: Store, clock: Clock) -> None:
    for number in range(30):
        await create(store, clock, f"m-{number}", Queued(run_at=clock()))

    async def live(job_id: str) -> None:
        await write(store, job_id, claimed(clock))
        for number in range(5):
            await write(store, job_id, StageStarted(stage=f"s{number}", progress=1, message="Go"))
        await write(store, job_id, Completed())

    async def follow() -> dict[str, Job]:
        seen: dict[str, Job] = {}
        cursor, news = "", asyncio.Event()
        store.listen_to_members("g", lambda _: news.set())
        news.set()
        while len([job for job in seen.values() if job.status.terminal]) < 30:
            await asyncio.wait_for(news.wait(), 60)
            news.clear()
            found = await store.members("g", since=cursor)
            cursor = found.cursor
            seen |= {one.job.id: one.job for one in found.snapshots}
        return seen

    seen, *_ = await asyncio.gather(follow(), *(live(f"m-{number}") for number in range(30)))
    assert seen == {one.job.id: one.job for one in (await store.members("g", since="")).snapshots}


async def test_another_process_s_members_are_heard_of(store: Store, clock: Clock, backend: Backend) -> None:
    other = backend.process()
    await other.open()
    heard: asyncio.Queue[Snapshot | None] = asyncio.Queue()
    store.listen_to_members("g", heard.put_nowait)
    await create(other, clock, "a")
    async with asyncio.timeout(60):
        assert await heard.get() is None
        assert [one.job.id for one in (await store.members("g", since="")).snapshots] == ["a"]
        await write(other, "a", Queued(run_at=clock()))
        assert await heard.get() is None
    await other.close()


async def test_turns_count_who_is_under_way_and_lists_who_is_next(store: Store, clock: Clock) -> None:
    soon, late = clock() + timedelta(seconds=60), clock() + timedelta(seconds=61)
    for place, job_id in enumerate(("z", "y", "x", "w")):
        await create(store, clock, job_id, place=place)
    for job_id, run_at in (("now", clock()), ("soon", soon), ("late", late), ("done", clock())):
        await create(store, clock, job_id, Queued(run_at=run_at), place=9)
    await create(store, clock, "other", group="h")
    await write(store, "now", claimed(clock))
    await write(store, "done", Failed(fault=Fault(code="internal", message="Broken.", retryable=False)))
    assert await store.turns("g", by=soon, limit=3) == Turns(active=2, later=1, pending=["z", "y", "x"])
    await write(store, "now", Held())
    assert await store.turns("g", by=soon, limit=9) == Turns(active=1, later=1, pending=["z", "y", "x", "w", "now"])
    assert await store.turns("unknown", by=soon, limit=9) == Turns(active=0, later=0, pending=[])


async def test_turns_of_a_lane_leave_the_others_out(store: Store, clock: Clock) -> None:
    for place, (job_id, lane) in enumerate((("a2", "a"), ("b1", "b"), ("a1", "a"), ("c", ""))):
        await create(store, clock, job_id, place=place, lane=lane)
    await create(store, clock, "other", group="h", lane="a")
    await create(store, clock, "b2", Queued(run_at=clock()), place=9, lane="b")
    await create(store, clock, "b3", Queued(run_at=clock() + timedelta(hours=1)), place=9, lane="b")
    assert await store.turns("g", by=clock(), limit=9, lane="a") == Turns(active=0, later=0, pending=["a2", "a1"])
    assert await store.turns("g", by=clock(), limit=9, lane="b") == Turns(active=1, later=1, pending=["b1"])
    assert await store.turns("g", by=clock(), limit=9, lane="z") == Turns(active=0, later=0, pending=[])
    whole = await store.turns("g", by=clock(), limit=9)
    assert whole == Turns(active=1, later=1, pending=["a2", "b1", "a1", "c"])
    assert (await store.members("g", since="")).snapshots[0].job.lane == "a"


async def test_lists_and_retention_leave_members_to_their_group(store: Store, clock: Clock) -> None:
    failed = Failed(fault=Fault(code="internal", message="Broken.", retryable=False))
    for job_id, fields in (("alone", {"group": None}), ("shown", {}), ("hidden", {"listed": False})):
        await create(store, clock, job_id, Queued(run_at=clock()), failed, **fields)
    listed = await store.find(Find(owner="ann", kinds=("image",)))
    assert {one.job.id for one in listed} == {"alone", "shown"}
    assert await store.finished(("image",), clock() + timedelta(days=1), limit=9) == ["alone"]
