"""What the Firestore store does beside what every store must do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.contracts.answers import Answers
from tests.contracts.writing import FAULT, always, claimed, create, read
from tests.emulator import Emulator
from tests.jobs import Clock, new_job
from tests.stores import KEEP, Firestore

from atelier import wiring
from atelier.errors import StartRefused, StoreUnavailable, TooLarge
from atelier.jobs.events import (
    Advanced,
    Claimed,
    Completed,
    Event,
    Failed,
    Postponed,
    Queued,
    Reopened,
    Retried,
    StageStarted,
)
from atelier.jobs.followers import Followers
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Decision, Find, Store, Touch, Waiting, process_of, worker_name
from atelier.settings import Settings
from atelier.settings.backends import StoreSettings
from atelier.stores.firestore import FirestoreStore, calls, headers
from atelier.stores.firestore.layout import escaped


@pytest.fixture
def backend(emulator: Emulator, clock: Clock) -> Firestore:
    return Firestore(emulator, clock)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def store(backend: Firestore, answers: Answers) -> AsyncIterator[FirestoreStore]:
    store = backend.process(interceptors=[answers, *backend.watchman.interceptors])
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def other(backend: Firestore) -> AsyncIterator[FirestoreStore]:
    """Another process's store."""
    store = backend.process()
    await store.open()
    yield store
    await store.close()


GO = StageStarted(stage="s", progress=1, message="Go")


async def test_of_fifty_claims_of_two_processes_one_wins_and_none_breaks(
    store: FirestoreStore, other: FirestoreStore, clock: Clock
) -> None:
    await create(store, clock)

    def decide(worker: str) -> Any:
        claim = Claimed(worker=worker, lease_until=clock())
        return lambda job: Decision(events=(claim,) if job.status is Status.QUEUED else ())

    claims = ((store, other)[n % 2].write("job-1", decide(f"w-{n}")) for n in range(50))
    outcomes = await asyncio.gather(*claims)
    assert len({outcome.job.worker for outcome in outcomes if outcome is not None}) == 1
    found = (await read(other)).job
    assert (found.fence, found.attempt) == (1, 1)


LOSSES = [["after"], ["before"], ["before", "after"], ["late"], ["late", "before"]]


@pytest.mark.parametrize("losses", LOSSES)
async def test_a_lost_answer_is_one_effect(
    store: FirestoreStore, answers: Answers, clock: Clock, losses: list[str]
) -> None:
    """With a record and without one, over a known header, for a new job and for a document."""
    answers.next = list(losses)
    _, new = await store.create(new_job(clock(), "job-1"), (Queued(run_at=clock()),), {"a": 1})
    assert new
    answers.next = list(losses)
    first = await store.write("job-1", always(claimed(clock)))
    answers.next = list(losses)
    second = await store.write("job-1", always(GO, state={"b": 1}))
    answers.next = list(losses)
    touched = await store.touch(Touch(job_id="job-1", fence=1, lease_until=clock()))
    assert first is not None
    assert second is not None
    found = await read(store)
    assert (found.job.fence, found.job.rev, found.job.seq) == (1, 4, 2)
    assert found.job == touched
    assert found.records[1:] == second.records
    answers.next = list(losses)
    assert (kept := await store.put("cap", "c", {"n": 1}, if_rev=0)) is not None
    assert kept.rev == 1
    answers.next = list(losses)
    await store.write("job-1", always(Failed(fault=FAULT)))
    answers.next = list(losses)
    await store.delete("job-1")
    assert await store.get("job-1") is None


async def test_a_lost_answer_is_known_though_others_have_written_since(
    store: FirestoreStore, other: FirestoreStore, answers: Answers, clock: Clock
) -> None:
    """A claim leaves no record: the header still tells that it was done."""
    await create(store, clock)
    heard: list[Snapshot | None] = []
    store.listen("job-1", heard.append)
    answers.next = ["held"]
    claiming = asyncio.create_task(store.write("job-1", always(claimed(clock))))
    await answers.done.wait()
    for number in range(3):
        await other.write("job-1", always(StageStarted(stage=f"s{number}", progress=1, message="Go")))
    answers.release.set()
    written = await claiming
    assert written is not None
    assert (written.job.rev, written.job.fence) == (2, 1)
    assert (await read(store)).job.rev == 5
    assert [one.job.rev for one in heard if one is not None] == [2]
    async with asyncio.timeout(60):
        while heard[-1] is not None:
            await asyncio.sleep(0.05)
    assert (await store.write("job-1", always(GO))) is not None, "and goes on from there"


async def test_what_is_never_answered_is_told_in_five_seconds(
    store: FirestoreStore, answers: Answers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.stores.firestore.calls.CALL_SECONDS", 0.2)
    monkeypatch.setattr("atelier.stores.firestore.calls.OPERATION_SECONDS", 0.5)
    await create(store, clock)
    for what in ("silent", "before"):
        answers.next = [what] * 1000
        with pytest.raises(StoreUnavailable):
            await store.write("job-1", always(claimed(clock)))
    monkeypatch.setattr("atelier.stores.firestore.calls.OPERATION_SECONDS", 3)
    answers.next = ["silent"]
    assert (await store.write("job-1", always(claimed(clock)))) is not None, "one call is not the whole time"


async def test_a_removal_that_is_done_late_removes_nothing_newer(store: FirestoreStore, answers: Answers) -> None:
    for losses in (["late"], ["after"], ["before"], []):
        assert await store.put("cap", "c", {}, if_rev=0) is not None
        answers.next = list(losses)
        await store.drop("cap", "c")
        assert await store.document("cap", "c") is None
        anew = await store.put("cap", "c", {"n": 2}, if_rev=0)
        await asyncio.sleep(0.05)
        assert await store.document("cap", "c") == anew
        await store.drop("cap", "c")


async def test_a_removal_of_what_was_read_that_is_done_late_removes_nothing_newer(
    store: FirestoreStore, answers: Answers
) -> None:
    for losses in (["late"], ["after"], ["before"], []):
        read = await store.put("cap", "c", {}, if_rev=0)
        assert read is not None
        answers.next = list(losses)
        await store.drop_unchanged(read)
        assert await store.document("cap", "c") is None
        anew = await store.put("cap", "c", {}, if_rev=0)
        await asyncio.sleep(0.05)
        assert await store.document("cap", "c") == anew
        await store.drop("cap", "c")


async def test_an_old_header_decides_nothing(store: FirestoreStore, other: FirestoreStore, clock: Clock) -> None:
    """Neither a refusal nor a decision to write nothing is believed of what this process saw last."""
    await create(store, clock)
    lease = claimed(clock)
    await other.write("job-1", always(lease))
    assert (await store.write("job-1", lambda _: Decision())).job.fence == 1  # type: ignore[union-attr]
    await other.write("job-1", always(Retried(run_at=clock(), fault=FAULT)))
    written = await store.write("job-1", always(lease))
    assert written is not None
    assert written.job.fence == 2


async def test_a_late_member_is_found_behind_the_cursor(
    backend: Firestore, store: FirestoreStore, clock: Clock
) -> None:
    """Firestore's time is not the order of its commits: one that is five seconds older comes into view now."""
    for job_id in ("early", "late"):
        await create(store, clock, job_id, group="g")
    first = await store.members("g", since="")
    await store.write("early", always(Failed(fault=FAULT)))
    second = await store.members("g", since=first.cursor)
    await _end_behind(backend, store, second.cursor, timedelta(seconds=5))
    third = await store.members("g", since=second.cursor)
    assert {one.job.id: one.job.status for one in third.snapshots}["late"] is Status.FAILED


async def test_what_is_later_still_is_found_when_the_group_is_read_whole(
    backend: Firestore, store: FirestoreStore, clock: Clock
) -> None:
    for job_id in ("early", "late"):
        await create(store, clock, job_id, group="g")
    found = await store.members("g", since="")
    await _end_behind(backend, store, found.cursor, timedelta(seconds=60))
    found = await store.members("g", since=found.cursor)
    assert {one.job.id for one in found.snapshots} == {"early"}
    clock.pass_(seconds=31)
    found = await store.members("g", since=found.cursor)
    assert {one.job.id: one.job.status for one in found.snapshots}["late"] is Status.FAILED


async def _end_behind(backend: Firestore, store: FirestoreStore, cursor: str, behind: timedelta) -> None:
    """End the job `late` in a commit whose time is behind a cursor."""
    await store.write("late", always(Failed(fault=FAULT)))
    moment = datetime.fromisoformat(cursor.partition("/")[0]) - behind
    await backend.client.document("jobs", "late").update({"changed": moment})


async def test_a_queue_without_lanes_goes_in_one_line(store: FirestoreStore, clock: Clock) -> None:
    jobs = []
    for number in range(5):
        owner = "bob" if number == 4 else "ann"
        jobs.append((await create(store, clock, f"job-{number}", owner=owner)).job)
        clock.pass_(seconds=1)
    later = clock() + timedelta(hours=1)
    await store.create(new_job(clock(), "later"), (Queued(run_at=later),), {})
    assert await store.waiting("image", clock()) == Waiting(queued=6, due=5)
    assert await store.waiting("blog", clock()) == Waiting(queued=0, due=0)
    assert [await store.rank(job) for job in jobs] == [0, 1, 2, 3, 4]
    pages, cursor = [], ""
    for _ in range(4):
        due = await store.due("image", clock(), limit=2, after=cursor)
        pages.append([ready.job_id for ready in due.jobs])
        cursor = due.cursor
    assert pages == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"], ["job-0", "job-1"]], "and round again"


async def test_jobs_that_are_due_at_one_moment_are_paged_through(store: FirestoreStore, clock: Clock) -> None:
    for number in range(5):
        await create(store, clock, f"job-{number}")
    seen, cursor = [], ""
    for _ in range(3):
        due = await store.due("image", clock(), limit=2, after=cursor)
        seen += [ready.job_id for ready in due.jobs]
        cursor = due.cursor
    assert seen == [f"job-{number}" for number in range(5)]


@pytest.mark.parametrize("size", [10, 40_000, 200_000, 3_000_000])
async def test_parts_and_results_of_any_size_come_back_whole(
    store: FirestoreStore, other: FirestoreStore, clock: Clock, size: int
) -> None:
    await create(store, clock)
    big: dict[str, object] = {"text": "ä€" * (size // 5)}
    small: dict[str, object] = {"text": "short"}
    await store.write("job-1", always(claimed(clock), GO, state=big))
    assert (await other.parts("job-1"))["state"] == big
    await store.write("job-1", always(GO, state=small))
    assert (await other.parts("job-1"))["state"] == small, "what a longer one left is not read"
    await store.write("job-1", always(Completed(), result=big))
    for one in (store, other):
        assert (await read(one)).result == big
        (listed,) = await one.find(Find(owner="ann", kinds=("image",)))
        assert listed.result == big
    assert (await other.parts("job-1")).keys() == {"params", "state"}
    await other.delete("job-1")
    assert await store.parts("job-1") == {}


async def test_what_is_too_large_is_refused_and_nothing_is_written(store: FirestoreStore, clock: Clock) -> None:
    created = await create(store, clock)
    await store.write("job-1", always(claimed(clock)))
    before = await read(store)
    for decision in (
        always(GO, state={"text": "x" * 12_000_000}),
        always(StageStarted(stage="s", progress=1, message="Go", data={"text": "x" * 1_100_000})),
        always(Advanced(progress=1, message="Kept", shows={"text": "x" * 1_100_000})),
    ):
        with pytest.raises(TooLarge):
            await store.write("job-1", decision)
    assert await read(store) == before
    assert created.job.seq == 1
    with pytest.raises(TooLarge):
        await store.put("group", "g", {"text": "x" * 1_100_000}, if_rev=0)


async def test_a_log_that_is_longer_than_its_tail_is_read_whole(
    store: FirestoreStore, other: FirestoreStore, clock: Clock
) -> None:
    await create(store, clock, group="g")
    await store.write("job-1", always(claimed(clock)))
    for number in range(12):
        data = {"text": str(number) * (headers.TAIL_BYTES // 4 if number != 10 else 2 * headers.TAIL_BYTES)}
        await store.write("job-1", always(StageStarted(stage=f"s{number}", progress=1, message="Go", data=data)))
    for one in (store, other):
        for after in range(14):
            assert [record.seq for record in (await read(one, after=after)).records] == list(range(after + 1, 14))
    (member,) = (await other.members("g", since="")).snapshots
    assert [record.stage for record in member.records] == ["s11"]


@pytest.mark.parametrize("name", ["", ".", "..", "__x__", "a/b", "a\x00b", "~", "ä" * 2000, "%2e", "\ud800"])
async def test_any_name_is_a_name(store: FirestoreStore, name: str) -> None:
    assert await store.get(name) is None
    assert await store.document("group", name) is None
    await store.drop("group", name)
    assert escaped(name) not in {escaped(other) for other in ("a", "a/c", "%252e", "x") if other != name}


async def expiries(backend: Firestore, job_id: str) -> set[Any]:
    """Return when the documents of a job go, all of them."""
    job = backend.client.document("jobs", job_id)
    found = [await job.get()]
    for beside in ("records", "parts"):
        found += [one async for one in job.collection(beside).stream()]
    assert len(found) > 2
    return {one.get("expires_at") for one in found}


async def test_everything_of_a_job_expires_together_and_later_than_the_sweeper_comes(
    backend: Firestore, store: FirestoreStore, clock: Clock
) -> None:
    job = (await create(store, clock)).job
    week = timedelta(days=7)
    assert await expiries(backend, "job-1") == {job.must_finish_by + KEEP + week}
    postponed = job.must_finish_by + timedelta(days=3)
    await store.write("job-1", always(Postponed(must_finish_by=postponed), claimed(clock), GO, state={}))
    assert await expiries(backend, "job-1") == {postponed + KEEP + week}
    await store.write("job-1", always(Failed(fault=FAULT)))
    anew = postponed + timedelta(days=30)
    await store.write("job-1", always(Reopened(run_at=clock(), must_finish_by=anew)))
    assert await expiries(backend, "job-1") == {anew + KEEP + week}
    await store.write("job-1", always(claimed(clock), Postponed(must_finish_by=anew + timedelta(minutes=5))))
    assert await expiries(backend, "job-1") == {anew + KEEP + week}, "a little later is not worth a write each"


async def test_what_is_kept_for_good_has_no_expiry(backend: Firestore, store: FirestoreStore, clock: Clock) -> None:
    await create(store, clock, "blog", kind="blog")
    await create(store, clock, "member", group="g", listed=False)
    assert await expiries(backend, "blog") | await expiries(backend, "member") == {None}


async def test_a_store_that_is_away_refuses_the_start_in_words(clock: Clock) -> None:
    store = FirestoreStore("p", clock, keep={}, emulator="127.0.0.1:9")
    with pytest.raises(StartRefused, match="did not answer") as refusal:
        await store.open()
    assert refusal.value.exit_code == 75


async def test_without_credentials_the_start_is_refused_in_words(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path_factory.getbasetemp() / "none.json"))
    with pytest.raises(StartRefused, match="credentials") as refusal:
        await FirestoreStore("p", clock, keep={}).open()
    assert refusal.value.exit_code == 78


def test_google_s_libraries_are_loaded_where_they_are_used_only() -> None:
    program = (
        "import sys, atelier.app as app; from atelier.settings import Settings; app.wiring.build_store(Settings());"
        " print([name for name in ('google.cloud', 'google.auth', 'google.api_core', 'grpc') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert told.stdout.strip() == b"[]"


async def test_the_settings_lead_here(emulator: Emulator) -> None:
    settings = Settings(
        store=StoreSettings(kind="firestore", project="wired"), firestore_emulator_host=emulator.address
    )
    store = wiring.build_store(settings)
    await store.open()
    await store.ping()
    await store.close()
    presence = wiring.build_presence(settings)
    assert await presence.gone() == frozenset()
    assert process_of(worker_name(presence.name, 7)) == presence.name
    assert presence.name != wiring.build_presence(settings).name


async def test_a_ping_writes(store: FirestoreStore, answers: Answers) -> None:
    sent = answers.sent
    await store.ping()
    await store.ping()
    assert answers.sent == sent + 2


@pytest.fixture
def half_as_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave half of the five seconds to a machine that stands still."""
    assert calls.OPERATION_SECONDS < 5
    monkeypatch.setattr(calls, "OPERATION_SECONDS", 2.5)


@pytest.mark.usefixtures("half_as_patient")
@pytest.mark.parametrize("seconds", [1, pytest.param(30, marks=pytest.mark.soak)])
async def test_a_hung_store_is_waited_for_and_nothing_is_lost(
    store: FirestoreStore, other: FirestoreStore, emulator: Emulator, clock: Clock, seconds: float
) -> None:
    """Streams stay; who asks hears in five seconds; when it goes on, all catch up."""
    for number in range(3):
        await create(store, clock, f"job-{number}")
        await store.write(f"job-{number}", always(claimed(clock)))
    watching = [asyncio.create_task(_follow(other, f"job-{number}")) for number in range(3)]
    await asyncio.sleep(0.5)
    writing = []
    os.kill(emulator.process.pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            outcomes = await asyncio.gather(
                other.get("job-0"), store.write("job-1", always(GO)), return_exceptions=True
            )
            assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
            assert time.monotonic() - began < 5
        assert not any(one.done() for one in watching)
    finally:
        os.kill(emulator.process.pid, signal.SIGCONT)
    writing = [_until_written(store, f"job-{number}", Failed(fault=FAULT)) for number in range(3)]
    await asyncio.gather(*writing)
    async with asyncio.timeout(60):
        seen = await asyncio.gather(*watching)
    for number, numbers in enumerate(seen):
        assert numbers == list(range(1, (await read(store, f"job-{number}")).job.seq + 1))


async def _until_written(store: Store, job_id: str, event: Event) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await store.write(job_id, lambda job: Decision(events=() if job.status.terminal else (event,)))
            except StoreUnavailable:
                continue
            return


async def _follow(store: Store, job_id: str) -> list[int]:
    async def nobody(_: Job) -> int:
        return 0

    updates = Followers(store, nobody).follow(job_id, 0)
    return [update.record.seq async for update in updates if update.record is not None]
