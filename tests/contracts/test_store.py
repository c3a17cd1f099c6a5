"""What every store must do, whatever it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic_core import PydanticSerializationError
from tests.contracts.writing import FAULT, always, claimed, create, read
from tests.jobs import Clock, new_job
from tests.stores import Backend

from atelier.errors import JobConflict, StoreUnavailable
from atelier.jobs.events import Claimed, Completed, Failed, Queued, Snoozed, StageStarted
from atelier.jobs.models import Job, Snapshot, Status, Step
from atelier.jobs.ports import Decision, Find, Store, Touch


async def test_create_keeps_header_params_and_first_record(store: Store, clock: Clock) -> None:
    created = await create(store, clock, tags={"blog_id": "b"}, title="A hill", warnings=("w",))
    found = await read(store)
    assert found == created
    assert found.job.status is Status.QUEUED
    assert (found.job.title, found.job.tags, found.job.warnings) == ("A hill", {"blog_id": "b"}, ("w",))
    assert [record.seq for record in found.records] == [1]
    assert await store.parts("job-1") == {"params": {"prompt": "x"}}
    assert await store.get("job-1") == found.job


async def test_create_twice_creates_once(store: Store, clock: Clock) -> None:
    first = await create(store, clock)
    await store.write("job-1", always(claimed(clock)))
    second, new = await store.create(new_job(clock(), owner="bob"), (Queued(run_at=clock()),), {})
    assert not new
    assert [record.seq for record in second.records] == [1]
    assert second.job.owner == first.job.owner
    assert second.job.status is Status.PROCESSING


async def test_unknown_jobs_are_none(store: Store, clock: Clock) -> None:
    assert await store.get("nope") is None
    assert await store.read("nope", after=0) is None
    assert await store.write("nope", always(claimed(clock))) is None
    assert await store.touch(Touch(job_id="nope", fence=1, lease_until=clock())) is None
    await store.delete("nope")


async def test_write_is_all_or_nothing(store: Store, clock: Clock) -> None:
    await create(store, clock)
    bad = always(claimed(clock), Queued(run_at=clock()), state={"lost": True})
    with pytest.raises(JobConflict):
        await store.write("job-1", bad)
    found = await read(store)
    assert (found.job.status, found.job.fence) == (Status.QUEUED, 0)
    assert "state" not in await store.parts("job-1")


async def test_a_write_that_breaks_half_way_leaves_nothing(store: Store, clock: Clock) -> None:
    created = await create(store, clock)
    with pytest.raises(PydanticSerializationError):
        await store.write("job-1", always(claimed(clock), state={"not JSON": object()}))
    assert await read(store) == created
    other = await create(store, clock, "job-2")
    assert other.job.seq == 1


async def test_a_decision_without_events_writes_nothing(store: Store, clock: Clock) -> None:
    before = await create(store, clock)
    after = await store.write("job-1", lambda _: Decision(parts={"state": {"lost": True}}))
    assert after is not None
    assert after.job == before.job
    assert "state" not in await store.parts("job-1")


async def test_a_broken_decision_breaks_only_itself(store: Store, clock: Clock) -> None:
    await create(store, clock)

    def broken(_: Job) -> Decision:
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        store.write("job-1", broken), store.write("job-1", always(claimed(clock))), return_exceptions=True
    )
    assert isinstance(outcomes[0], ZeroDivisionError)
    assert isinstance(outcomes[1], Snapshot)
    await store.ping()


async def test_result_and_completed_become_visible_together(store: Store, clock: Clock) -> None:
    await create(store, clock)
    await store.write("job-1", always(claimed(clock)))
    assert (await read(store)).result is None
    written = await store.write("job-1", always(Completed(cost=0.5), result={"images": [1]}))
    assert written is not None
    assert written.result == {"images": [1]}
    found = await read(store)
    assert (found.job.status, found.job.cost, found.result) == (Status.COMPLETED, 0.5, {"images": [1]})


async def test_one_of_fifty_claims_wins(store: Store, clock: Clock) -> None:
    await create(store, clock)

    def claim(worker: str) -> Callable[[Job], Decision]:
        def decide(job: Job) -> Decision:
            if job.status is not Status.QUEUED:
                return Decision()
            return Decision(events=(Claimed(worker=worker, lease_until=clock()),))

        return decide

    outcomes = await asyncio.gather(*(store.write("job-1", claim(f"w{n}")) for n in range(50)))
    workers = {outcome.job.worker for outcome in outcomes if outcome is not None}
    assert len(workers) == 1
    assert (await read(store)).job.fence == 1


async def test_touch_renews_and_shows_the_step(store: Store, clock: Clock) -> None:
    await create(store, clock)
    await store.write("job-1", always(claimed(clock), StageStarted(stage="generating", progress=15, message="Go")))
    step = Step(stage="generating", step=3, total=8, progress=40, message="step 3/8", at=clock(), preview="/p.jpg")
    step = replace(step, part="sketch", part_step=3, part_total=5)
    until = clock() + timedelta(minutes=1)
    job = await store.touch(Touch(job_id="job-1", fence=1, lease_until=until, step=step))
    assert job is not None
    assert (job.lease_until, job.step, job.progress) == (until, step, 40)
    assert (await read(store)).job == job
    assert len((await read(store)).records) == 2, "steps are not logged"
    with pytest.raises(JobConflict):
        await store.touch(Touch(job_id="job-1", fence=7, lease_until=until))


async def test_records_behind_a_cursor(store: Store, clock: Clock) -> None:
    await create(store, clock)
    await store.write("job-1", always(claimed(clock)))
    for number in range(5):
        await store.write("job-1", always(StageStarted(stage=f"s{number}", progress=number, message="Go")))
    for after in range(7):
        records = (await read(store, after=after)).records
        assert [record.seq for record in records] == list(range(after + 1, 7))


async def test_a_listener_is_handed_what_the_writer_is(store: Store, clock: Clock) -> None:
    await create(store, clock)
    heard: list[Snapshot | None] = []
    deafen = store.listen("job-1", heard.append)
    await create(store, clock, "job-2")
    first = await store.write("job-1", always(claimed(clock), StageStarted(stage="s", progress=1, message="Go")))
    touched = await store.touch(Touch(job_id="job-1", fence=1, lease_until=clock()))
    last = await store.write("job-1", always(Completed(), result={"value": 1}))
    told = [snapshot for snapshot in heard if snapshot is not None]
    assert told[0] == first
    assert [snapshot.job for snapshot in told[1:]] == [touched, last and last.job]
    assert told[2].result == {"value": 1}
    deafen()
    heard.clear()
    await store.delete("job-1")
    assert heard == []


async def test_listeners_hear_of_a_commit_whose_writer_has_gone(store: Store, clock: Clock) -> None:
    """Who is cut off while it waits for its write may leave; the write may still be done, and is told."""
    await create(store, clock)
    heard: asyncio.Queue[Snapshot | None] = asyncio.Queue()
    store.listen("job-1", heard.put_nowait)
    writing = asyncio.create_task(store.write("job-1", always(claimed(clock))))
    await asyncio.sleep(0)
    writing.cancel()
    async with asyncio.timeout(60):
        while (told := await heard.get()) is None:
            pass
    assert told.job.status is Status.PROCESSING


async def test_a_reader_that_listens_misses_no_record(store: Store, clock: Clock) -> None:
    """Whatever the timing, who reads whenever there may be news sees every number once."""
    await create(store, clock)
    await store.write("job-1", always(claimed(clock)))

    async def write() -> None:
        for number in range(200):
            await store.write("job-1", always(StageStarted(stage=f"s{number}", progress=1, message="Go")))

    async def follow() -> list[int]:
        seen: list[int] = []
        news = asyncio.Event()
        store.listen("job-1", lambda _: news.set())
        news.set()
        while len(seen) < 201:
            await asyncio.wait_for(news.wait(), 60)
            news.clear()
            seen += [record.seq for record in (await read(store, after=len(seen))).records]
        return seen

    numbers, _ = await asyncio.gather(follow(), write())
    assert numbers == list(range(1, 202))


async def test_find_newest_first_with_filters(store: Store, clock: Clock) -> None:
    for number in range(6):
        await create(store, clock, f"job-{number}", tags={"blog_id": f"b{number % 2}"})
        clock.pass_(seconds=1)
    await create(store, clock, "other", owner="bob")
    await create(store, clock, "member", group="g-1", listed=False)
    await store.write("job-3", always(Failed(fault=FAULT)))

    async def ids(**query: object) -> list[str]:
        found = await store.find(Find(owner="ann", kinds=("image",), **query))  # type: ignore[arg-type]
        return [snapshot.job.id for snapshot in found]

    assert await ids() == [f"job-{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert await ids(limit=2) == ["job-5", "job-4"]
    fourth = await store.get("job-4")
    assert fourth is not None
    assert await ids(before=(fourth.created_at, fourth.id), limit=2) == ["job-3", "job-2"]
    assert await ids(tags={"blog_id": "b1"}) == ["job-5", "job-3", "job-1"]
    assert await ids(statuses=(Status.FAILED,)) == ["job-3"]
    assert await ids(created_after=fourth.created_at) == ["job-5"]
    assert await store.find(Find(owner="ann", kinds=("blog",))) == []


async def test_what_waits_until_later_stands_in_nobody_s_way(store: Store, clock: Clock) -> None:
    """Many owners' jobs that start later or again, before and behind the ones that are due, in order of any kind."""
    later = clock() + timedelta(hours=1)
    for number in range(6):
        for name in ("ann", "zoe"):
            held = new_job(clock(), f"{name}-held-{number}", owner=f"{name}-{number}")
            await store.create(held, (Queued(run_at=later),), {})
            await create(store, clock, f"{name}-again-{number}", owner=f"{name}-{number}", group=f"g-{number}")
            await store.write(f"{name}-again-{number}", always(claimed(clock), Snoozed(run_at=later, reason=None)))
    await create(store, clock, "now", owner="mia")
    await create(store, clock, "too", owner="tim")
    due = await store.due("image", clock(), limit=2, after="")
    assert sorted(job.job_id for job in due.jobs) == ["now", "too"]


async def test_overdue_finds_lost_workers_and_deadlines(store: Store, clock: Clock) -> None:
    await create(store, clock, "lost")
    await create(store, clock, "late", must_finish_by=clock() + timedelta(seconds=20))
    await create(store, clock, "well")
    await store.write("lost", always(claimed(clock, seconds=10)))
    assert await store.overdue(clock(), limit=10) == []
    clock.pass_(seconds=30)
    assert [job.id for job in await store.overdue(clock(), limit=10)] == ["lost", "late"]
    await store.write("late", always(Failed(fault=FAULT)))
    assert [job.id for job in await store.overdue(clock(), limit=10)] == ["lost"]


async def test_a_job_that_cannot_be_read_stands_in_nobody_s_way(store: Store, clock: Clock, backend: Backend) -> None:
    for job_id in ("newer", "odd", "well"):
        await create(store, clock, job_id)

    await backend.spoil_header("newer", '"schema":1', '"schema":99')
    await backend.spoil_header("odd", '"queued"', '"odd"')
    assert [one.job.id for one in await store.find(Find(owner="ann", kinds=("image",)))] == ["well"]
    clock.pass_(hours=1)
    assert [job.id for job in await store.overdue(clock(), limit=10)] == ["well"]
    for job_id in ("newer", "odd"):
        with pytest.raises(StoreUnavailable):
            await store.get(job_id)


async def test_jobs_held_by_processes(store: Store, clock: Clock) -> None:
    for number, worker in enumerate(("p1-1", "p1-2", "p2-1", "p11-1")):
        await create(store, clock, f"job-{number}")
        await store.write(f"job-{number}", always(Claimed(worker=worker, lease_until=clock())))
    await create(store, clock, "waiting")
    await store.write("job-1", always(Failed(fault=FAULT)))
    held = await store.held_by(frozenset({"p1", "p3"}))
    assert [job.id for job in held] == ["job-0"]


async def test_finished_jobs_can_be_forgotten(store: Store, clock: Clock) -> None:
    await create(store, clock, "old")
    await create(store, clock, "live")
    await create(store, clock, "member", group="g")
    for job_id in ("old", "member"):
        await store.write(job_id, always(Failed(fault=FAULT)))
    clock.pass_(days=31)
    before = clock() - timedelta(days=30)
    assert await store.finished(("image",), before, limit=10) == ["old"]
    assert await store.finished(("blog",), before, limit=10) == []
    await store.delete("live")
    assert await store.get("live") is not None, "only ended jobs are removed"
    await store.delete("old")
    assert await store.get("old") is None
    assert await store.parts("old") == {}


async def test_a_listener_to_a_deleted_job_is_told(store: Store, clock: Clock) -> None:
    await create(store, clock)
    ended = await store.write("job-1", always(Failed(fault=FAULT)))
    assert ended is not None
    heard: list[Snapshot | None] = []
    store.listen("job-1", heard.append)
    await store.delete("job-1")
    assert heard[-1] is None
    assert await store.read("job-1", after=0) is None


async def test_who_listens_hears_of_the_job_s_making(store: Store, clock: Clock, backend: Backend) -> None:
    """In the process that makes it, and in another one."""
    other = backend.process()
    await other.open()
    here, there = asyncio.Event(), asyncio.Event()
    store.listen("job-1", lambda _: here.set())
    other.listen("job-1", lambda _: there.set())
    await asyncio.sleep(1.5)
    here.clear()  # that there is none may have been told
    there.clear()
    await create(store, clock)
    await asyncio.wait_for(here.wait(), 60)
    await asyncio.wait_for(there.wait(), 60)
    await other.close()


async def test_two_stores_on_one_file_see_each_other(store: Store, clock: Clock, backend: Backend) -> None:
    other = backend.process()
    await other.open()
    await create(store, clock)
    heard = asyncio.Event()
    other.listen("job-1", lambda _: heard.set())
    await asyncio.wait_for(heard.wait(), 60)
    heard.clear()
    await store.write("job-1", always(claimed(clock), StageStarted(stage="s", progress=1, message="Go")))
    await asyncio.wait_for(heard.wait(), 60)
    assert (await read(other, after=1)).records[0].stage == "s"
    await other.close()


async def test_what_another_process_wrote_is_what_is_decided_on(store: Store, clock: Clock, backend: Backend) -> None:
    """Headers remembered between commits are forgotten as soon as somebody else has written."""
    other = backend.process()
    await other.open()
    await create(store, clock)
    for number in range(20):
        writer, stage = (store, other)[number % 2], f"s{number}"
        event = StageStarted(stage=stage, progress=number, message="Go") if number else claimed(clock)
        written = await writer.write("job-1", always(event))
        assert written is not None
        assert written.job.rev == number + 2
    await other.close()


async def test_two_stores_claim_each_job_once(store: Store, clock: Clock, backend: Backend) -> None:
    other = backend.process()
    await other.open()
    for number in range(40):
        await create(store, clock, f"job-{number}")

    def claim(worker: str) -> Callable[[Job], Decision]:
        def decide(job: Job) -> Decision:
            events = (Claimed(worker=worker, lease_until=clock()),) if job.status is Status.QUEUED else ()
            return Decision(events=events)

        return decide

    await asyncio.gather(
        *(one.write(f"job-{n}", claim(name)) for n in range(40) for one, name in ((store, "x"), (other, "y")))
    )
    assert [job.fence for n in range(40) if (job := await store.get(f"job-{n}"))] == [1] * 40
    await other.close()


async def test_what_was_answered_survives_reopening(store: Store, clock: Clock, backend: Backend) -> None:
    created = await create(store, clock)
    await store.close()
    again = backend.process()
    await again.open()
    assert await read(again) == created
    await again.close()


async def test_a_closed_store_says_so(store: Store, clock: Clock) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await create(store, clock)


async def test_a_document_is_put_over_the_revision_it_was_read_at(store: Store) -> None:
    assert await store.document("group", "g") is None
    first = await store.put("group", "g", {"items": [1]}, if_rev=0)
    assert first is not None
    assert await store.put("group", "g", {"items": [2]}, if_rev=0) is None
    second = await store.put("group", "g", {"items": [3]}, if_rev=first.rev)
    assert second is not None
    assert await store.document("group", "g") == second
    assert second.body == {"items": [3]}
    assert await store.put("group", "g", {}, if_rev=first.rev) is None


async def test_one_of_many_puts_over_a_revision_wins(store: Store) -> None:
    puts = (store.put("cap", "c", {"by": n}, if_rev=0) for n in range(50))
    won = [document for document in await asyncio.gather(*puts) if document is not None]
    assert [await store.document("cap", "c")] == won


async def test_documents_are_listed_by_name_and_kind(store: Store) -> None:
    for name in ("b", "a", "c"):
        await store.put("key", name, {}, if_rev=0)
    await store.put("other", "z", {}, if_rev=0)
    assert [document.name for document in await store.documents("key")] == ["a", "b", "c"]
    assert [document.name for document in await store.documents("key", after="a", limit=1)] == ["b"]
    await store.drop("key", "b")
    await store.drop("key", "b")
    assert [document.name for document in await store.documents("key")] == ["a", "c"]


async def test_a_document_that_was_put_again_is_not_removed_as_it_was_read(store: Store) -> None:
    first = await store.put("work", "g", {"token": "a"}, if_rev=0)
    assert first is not None
    second = await store.put("work", "g", {"token": "b"}, if_rev=first.rev)
    assert second is not None
    await store.drop_unchanged(first)
    assert await store.document("work", "g") == second
    await store.drop_unchanged(second)
    assert await store.document("work", "g") is None
    await store.drop_unchanged(second)
    third = await store.put("work", "g", {"token": "c"}, if_rev=0)
    assert third is not None
    await store.drop_unchanged(first)
    assert await store.document("work", "g") == third, "revisions count from 1 again"


async def test_what_is_removed_as_it_was_read_and_put_at_once_is_either(store: Store) -> None:
    for _ in range(20):
        read = await store.put("work", "g", {"token": "a"}, if_rev=0)
        assert read is not None
        put, _ = await asyncio.gather(store.put("work", "g", {"token": "b"}, if_rev=1), store.drop_unchanged(read))
        assert await store.document("work", "g") == put
        await store.drop("work", "g")
