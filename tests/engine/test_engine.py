"""The engine on the real store, with a pipeline that does what the test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.house import Count, Gate, House, Nothing, failing
from tests.jobs import new_job
from tests.stores import Backend, deaf

from atelier.errors import (
    AlreadyTerminal,
    Conflict,
    IdempotencyMismatch,
    JobConflict,
    NotFound,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    QueueFull,
    StorageError,
    StoreFull,
    StoreUnavailable,
)
from atelier.jobs import followers
from atelier.jobs.engine import NewJob
from atelier.jobs.events import Cancelled, CancelRequested, Failed, Retried
from atelier.jobs.groups import NewGroup, NewMember
from atelier.jobs.models import Billed, Fault, Job, Json, Reason, Snapshot, Status, Update
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Decide, Decision, Delivery, Heard, Ready, Touch
from atelier.jobs.progress import Milestone, Progress
from atelier.jobs.verdicts import backoff, cancelling, fault_of, interrupted, receipt_of


async def test_a_job_runs_through_its_stages(house: House) -> None:
    job = await house.submit()
    assert [one.id for one in house.queue.dispatched] == [job.id]
    done = await house.deliver(job.id)
    assert (done.status, done.progress, done.cost, done.warnings) == (Status.COMPLETED, 100, 0.25, ("done",))
    assert await house.stages(job.id) == ["queued", "first", "second", "completed"]
    snapshot = await house.engine.get("ann", job.id)
    assert snapshot.result == {"value": 2}
    assert house.pipeline.settled_runs == 1


async def test_a_key_makes_one_job_for_each_owner(house: House) -> None:
    first = await house.submit(key="k-1")
    assert (await house.submit(key="k-1")).id == first.id
    assert (await house.submit(key="k-2")).id != first.id
    assert (await house.submit(owner="bob", key="k-1")).id != first.id
    with pytest.raises(IdempotencyMismatch):
        await house.submit(key="k-1", request="another")
    await house.deliver(first.id)
    again = await house.engine.submit(NewJob(kind="image", owner="ann", params=Nothing(), key="k-1"))
    assert (again.replayed, again.snapshot.job.status, again.snapshot.result) == (True, Status.COMPLETED, {"value": 2})


async def test_a_full_queue_takes_no_new_key_but_knows_those_it_took(house: House) -> None:
    first = await house.submit(key="k", request="r")
    members = [NewMember(name=str(place), params={}) for place in range(299)]
    await house.engine.groups.create(NewGroup(kind="batch", member_kind="image", owner="ann", members=members))
    for key in ("k-2", None):
        with pytest.raises(QueueFull):
            await house.submit(key=key, request="r")
    assert await house.store.get(house.engine.id_of("ann", "image", "k-2")) is None
    assert (await house.submit(key="k", request="r")).id == first.id


async def test_repeated_and_stale_deliveries_change_nothing(house: House) -> None:
    job = await house.submit()
    assert await house.engine.deliver(job.id, job.dispatch + 1) is Delivery.SETTLED
    assert house.pipeline.entered == []
    await house.deliver(job.id)
    before = await house.job(job.id)
    assert await house.engine.deliver(job.id, job.dispatch) is Delivery.SETTLED
    assert await house.engine.deliver("unknown", 1) is Delivery.SETTLED
    assert await house.job(job.id) == before


async def test_a_stale_delivery_hands_over_the_present_one(house: House) -> None:
    job = await house.submit()
    await house.engine.deliver(job.id, 0)
    assert [one.dispatch for one in house.queue.dispatched] == [1, 1]


async def test_overlapping_deliveries_run_once(house: House) -> None:
    gate = house.pipeline.acts["first"] = Gate()
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    others = await asyncio.gather(*(house.engine.deliver(job.id, 1) for _ in range(20)))
    assert set(others) == {Delivery.BUSY}
    gate.open.set()
    assert await running is Delivery.SETTLED
    assert house.pipeline.entered == ["first", "second"]


async def test_an_early_delivery_comes_again(house: House) -> None:
    job = await house.submit(not_before=house.clock() + timedelta(minutes=1))
    assert job.state_reason is Reason.WAITING_UNTIL
    assert await house.engine.deliver(job.id, 1) is Delivery.AGAIN
    house.clock.pass_(minutes=1)
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_a_retry_starts_at_the_first_unfinished_stage(house: House) -> None:
    house.pipeline.acts["second"] = failing(ProviderUnavailable("Down."))
    job = await house.submit()
    waiting = await house.deliver(job.id)
    assert (waiting.status, waiting.state_reason, waiting.attempt) == (Status.QUEUED, Reason.RETRYING, 1)
    assert waiting.progress == 50
    assert waiting.run_at is not None
    assert timedelta(seconds=1.6) <= waiting.run_at - house.clock() <= timedelta(seconds=2.4)
    assert house.queue.dispatched[-1].dispatch == 2
    assert await house.engine.deliver(job.id, 2) is Delivery.AGAIN
    house.clock.pass_(seconds=3)
    done = await house.deliver(job.id)
    assert (done.status, done.attempt) == (Status.COMPLETED, 2)
    assert house.pipeline.entered == ["first", "second", "second"]
    assert await house.stages(job.id) == ["queued", "first", "second", "second", "completed"]
    assert (await house.engine.get("ann", job.id)).result == {"value": 2}


async def test_attempts_are_capped(house: House) -> None:
    house.pipeline.acts["first"] = failing(*[ProviderUnavailable("Down.")] * 9)
    job = await house.submit()
    for _ in range(3):
        house.clock.pass_(minutes=1)
        ended = await house.deliver(job.id)
    assert (ended.status, ended.attempt, ended.stage) == (Status.FAILED, 3, "error")
    assert ended.fault is not None
    assert ended.fault.code == "provider_unavailable"
    assert house.pipeline.entered == ["first"] * 3


async def test_an_error_that_cannot_be_mended_fails_at_once(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    ended = await house.deliver((await house.submit()).id)
    assert (ended.status, ended.attempt) == (Status.FAILED, 1)
    assert ended.fault is not None
    assert ended.fault.message == "No."


async def test_a_bug_is_retried_and_its_text_stays_inside(house: House) -> None:
    house.pipeline.acts["first"] = failing(*[RuntimeError("secret")] * 3)
    job = await house.submit()
    for _ in range(3):
        house.clock.pass_(minutes=1)
        ended = await house.deliver(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code) == (Status.FAILED, "internal")
    assert "secret" not in ended.fault.message


async def test_a_provider_s_time_is_respected(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRateLimited("Slow down.", retry_after=timedelta(seconds=90)))
    waiting = await house.deliver((await house.submit()).id)
    assert waiting.state_reason is Reason.RATE_LIMITED
    assert waiting.run_at is not None
    assert waiting.run_at - house.clock() == timedelta(seconds=90)


async def test_a_retry_beyond_the_deadline_fails_now(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRateLimited("Slow down.", retry_after=timedelta(hours=1)))
    assert (await house.deliver((await house.submit()).id)).status is Status.FAILED


async def test_a_snooze_gives_the_attempt_back(house: House) -> None:
    until = house.clock() + timedelta(minutes=2)

    async def snooze(run: Run[Nothing, Count]) -> None:
        if run.now < until:
            run.snooze(until, Reason.RATE_LIMITED)

    house.pipeline.acts["first"] = snooze
    job = await house.submit()
    waiting = await house.deliver(job.id)
    assert (waiting.status, waiting.attempt, waiting.run_at) == (Status.QUEUED, 0, until)
    house.clock.pass_(minutes=2)
    assert (await house.deliver(job.id)).attempt == 1


async def test_a_snooze_beyond_the_deadline_fails_and_says_until_when(house: House) -> None:
    until = house.clock() + timedelta(hours=2)

    async def snooze(run: Run[Nothing, Count]) -> None:
        run.snooze(until, Reason.RATE_LIMITED)

    house.pipeline.acts["first"] = snooze
    ended = await house.deliver((await house.submit()).id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code) == (Status.FAILED, "deadline_exceeded")
    assert until.isoformat(timespec="seconds") in ended.fault.message


async def test_once_keeps_what_was_made(house: House) -> None:
    made: list[str] = []

    async def sections(run: Run[Nothing, Count]) -> None:
        for key in ("a", "b"):

            async def make(key: str = key) -> Json:
                made.append(key)
                if made == ["a", "b"]:
                    raise ProviderUnavailable("Down.")
                return {"text": key}

            kept = await run.once(key, make, Milestone(message=f"Section {key}", progress=30))
            assert kept == {"text": key}

    house.pipeline.acts["first"] = sections
    job = await house.submit()
    await house.deliver(job.id)
    house.clock.pass_(minutes=1)
    assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert made == ["a", "b", "b"], "a kept section is not made again"
    assert await house.stages(job.id) == ["queued", "first", "first", "first", "first", "second", "completed"]


async def test_steps_are_shown_between_records(house: House) -> None:
    gate = Gate()

    async def steps(run: Run[Nothing, Count]) -> None:
        for number in range(1, 6):
            run.step(number, 5, span=(10, 50), message=f"step {number}/5", preview=None)
        await gate(run)

    house.pipeline.acts["first"] = steps
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    async with asyncio.timeout(60):
        while (present := await house.job(job.id)).step is None:
            await asyncio.sleep(0.02)
    assert (present.step.step, present.step.total, present.progress) == (5, 5, 50)
    assert present.seq == 2
    gate.open.set()
    await running


async def test_steps_are_written_once_a_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    told, shown, loop = [0], list[tuple[float, bool]](), asyncio.get_running_loop()
    touched = house.store.touch

    async def counted(touch: Touch) -> Job | None:
        shown.append((loop.time(), touch.step is not None and touch.step.step >= told[-1] - 1))
        return await touched(touch)

    async def steps(run: Run[Nothing, Count]) -> None:
        while len(shown) < 2:
            told.append(len(told))
            run.step(told[-1], 10_000, span=(10, 50), message="step", preview=None)
            await asyncio.sleep(0.025)

    monkeypatch.setattr(house.store, "touch", counted)
    house.pipeline.acts["first"] = steps
    await house.deliver((await house.submit()).id)
    (first, _), (second, _) = shown
    assert second - first > 0.9, "the first at once, the next a second later"
    assert [latest for _, latest in shown] == [True, True], "the latest wins"


async def test_the_next_part_is_shown_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.jobs.steps.STEP_INTERVAL", timedelta(hours=1))
    shown: list[tuple[int, str, int, int]] = []
    touched = house.store.touch

    async def noted(touch: Touch) -> Job | None:
        assert touch.step is not None
        shown.append((touch.step.step, touch.step.part, touch.step.part_step, touch.step.part_total))
        return await touched(touch)

    async def steps(run: Run[Nothing, Count]) -> None:
        for number in range(1, 11):
            part = ("sketch", number, 8) if number <= 8 else ("finish", number - 8, 2)
            run.step(number, 10, span=(10, 50), message="step", preview=None, part=part)
            await asyncio.sleep(0.02)

    monkeypatch.setattr(house.store, "touch", noted)
    house.pipeline.acts["first"] = steps
    await house.deliver((await house.submit()).id)
    assert shown == [(1, "sketch", 1, 8), (9, "finish", 1, 2)]


async def collect(house: House, job_id: str, after: int = 0) -> list[Update]:
    return [update async for update in house.engine.follow(job_id, after=after)]


async def watching_from(house: House, job_id: str, count: int = 1) -> asyncio.Task[list[Update]]:
    """Follow a job; begun when so much was told."""
    seen: list[Update] = []

    async def collecting() -> list[Update]:
        async for update in house.engine.follow(job_id, after=0):
            seen.append(update)  # noqa: PERF401 - looked at before the end
        return seen

    watching = asyncio.create_task(collecting())
    async with asyncio.timeout(60):
        while len(seen) < count:
            await asyncio.sleep(0.01)
    return watching


async def test_followers_see_every_record_once_and_end(house: House) -> None:
    job = await house.submit()
    watching = [asyncio.create_task(collect(house, job.id, after)) for after in (0, 0, 1)]
    await asyncio.sleep(0.05)
    await house.deliver(job.id)
    async with asyncio.timeout(60):
        seen = [[update.record.seq for update in await task if update.record] for task in watching]
    assert seen == [[1, 2, 3, 4], [1, 2, 3, 4], [2, 3, 4]]
    assert [update.result for update in await collect(house, job.id, after=3)] == [{"value": 2}]


async def test_many_followers_share_one_reader(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = house.store.read

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*args, **kwargs)

    monkeypatch.setattr(house.store, "read", counted)
    job = await house.submit()
    watching = [asyncio.create_task(collect(house, job.id)) for _ in range(100)]
    await asyncio.sleep(0.05)
    await house.deliver(job.id)
    await asyncio.gather(*watching)
    assert reads <= 8, "reads count changes, not clients"


async def test_who_watches_no_more_is_told_nothing_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    listen, heard = house.store.listen, list[str]()

    def counted(job_id: str, told: Heard) -> Callable[[], None]:
        stop = listen(job_id, told)
        heard.append(job_id)

        def stopped() -> None:
            heard.remove(job_id)
            stop()

        return stopped

    monkeypatch.setattr(house.store, "listen", counted)
    job = await house.submit()
    watching = asyncio.create_task(collect(house, job.id))
    await house.deliver(job.id)
    async with asyncio.timeout(60):
        await watching
    assert (heard, house.engine.followed) == ([], 0)


async def test_nobody_waits_for_a_process_that_is_about_to_end(house: House) -> None:
    job = await house.submit()
    house.engine.close()
    async with asyncio.timeout(60):
        assert await house.engine.wait(job.id, timedelta(minutes=10)) is None
        assert await collect(house, job.id) == []


async def test_a_run_whose_job_is_gone_writes_nothing_and_says_so(house: House) -> None:
    """It is about to order something that costs money: what it noted was not kept."""
    runs = list[Run[Nothing, Count]]()

    async def keep(run: Run[Nothing, Count]) -> None:
        runs.append(run)

    house.pipeline.acts["second"] = keep
    job = await house.deliver((await house.submit()).id)
    await house.engine.delete("ann", job.id)
    with pytest.raises(JobConflict, match="deleted"):
        await runs[0].note()


async def test_a_waiting_job_is_cancelled_at_once(house: House) -> None:
    job = await house.submit()
    cancelled = await house.engine.cancel("ann", job.id)
    assert cancelled.status is Status.CANCELLED
    assert cancelled.cancellation is not None
    assert (cancelled.cancellation.outcome, cancelled.cancellation.billed) == ("dequeued", "no")
    assert await house.engine.deliver(job.id, 1) is Delivery.SETTLED
    assert house.pipeline.entered == []
    with pytest.raises(AlreadyTerminal):
        await house.engine.cancel("ann", job.id)


async def test_a_running_job_is_aborted_with_a_true_receipt(house: House) -> None:
    gate = Gate()

    async def order(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="confirmed_by_provider", billed="no", price="yes"):
            await gate(run)

    house.pipeline.acts["second"] = order
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    cancelled = await house.engine.cancel("ann", job.id)
    assert cancelled.cancellation is not None
    assert cancelled.cancellation.outcome == "confirmed_by_provider"
    await running
    assert (await house.job(job.id)) == cancelled


@pytest.mark.parametrize(
    ("place", "outcome", "billed"), [("before", "aborted_before_send", "no"), ("after", "too_late", "yes")]
)
async def test_receipts_before_and_after_the_order(house: House, place: str, outcome: str, billed: str) -> None:
    gate = Gate()

    async def order(run: Run[Nothing, Count]) -> None:
        if place == "before":
            await gate(run)
        async with run.ordering(abort="unknown", billed="unknown", price="yes"):
            pass
        await gate(run)

    house.pipeline.acts["first"] = order
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    cancelled = await house.engine.cancel("ann", job.id)
    assert cancelled.cancellation is not None
    assert (cancelled.cancellation.outcome, cancelled.cancellation.billed) == (outcome, billed)
    await running


PRICES: tuple[Billed, ...] = ("yes", "no")


async def test_what_was_paid_for_once_stays_paid_for(house: House) -> None:
    """A later order that costs nothing makes no earlier one free."""
    told = list[str]()

    async def order(run: Run[Nothing, Count]) -> None:
        for price in PRICES:
            async with run.ordering(abort="confirmed_by_provider", billed="no", price=price):
                told.append(run.progress.billed)
            told.append(run.progress.billed)

    house.pipeline.acts["first"] = order
    await house.deliver((await house.submit()).id)
    assert told == ["no", "yes", "yes", "yes"]


async def test_a_result_that_comes_after_the_cancel_request_is_discarded(house: House) -> None:
    async def asked_at_the_last_moment(run: Run[Nothing, Count]) -> None:
        async with run.ordering(abort="unknown", billed="unknown", price="yes"):
            pass
        await house.store.write(run.job.id, lambda _: Decision(events=(CancelRequested(),)))

    house.pipeline.acts["second"] = asked_at_the_last_moment
    ended = await house.deliver((await house.submit()).id)
    assert ended.cancellation is not None
    assert (ended.status, ended.cancellation.outcome, ended.cancellation.billed) == (
        Status.CANCELLED,
        "too_late",
        "yes",
    )
    assert "result" not in await house.store.parts(ended.id)


async def test_cancel_and_complete_race_to_one_end(house: House) -> None:
    for _ in range(30):
        job = await house.submit()
        outcome, _ = await asyncio.gather(
            house.engine.cancel("ann", job.id), house.engine.deliver(job.id, 1), return_exceptions=True
        )
        ended = await house.job(job.id)
        assert ended.status.terminal
        terminals = [stage for stage in await house.stages(job.id) if stage in {"completed", "error"}]
        assert len(terminals) == 1
        assert ended.status is Status.CANCELLED or isinstance(outcome, AlreadyTerminal)


async def test_an_unanswered_cancel_is_ended_by_the_sweeper(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    asked = asyncio.create_task(house.engine.cancel("ann", job.id))
    async with asyncio.timeout(60):
        while (await house.job(job.id)).state_reason is not Reason.CANCELLING:
            await asyncio.sleep(0.01)
    await house.engine.sweep()
    assert not (await house.job(job.id)).status.terminal
    house.clock.pass_(seconds=11)
    await house.engine.sweep()
    ended = await asked
    assert ended.cancellation is not None
    assert (ended.status, ended.cancellation.outcome) == (Status.CANCELLED, "unknown")


async def test_a_lost_worker_s_job_is_handed_over_and_the_zombie_fenced_out(house: House) -> None:
    gate = house.pipeline.acts["first"] = Gate()
    job = await house.submit()
    zombie = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    house.clock.pass_(seconds=31)
    await house.engine.sweep()
    assert (await house.job(job.id)).status is Status.PROCESSING, "a process that merely slept keeps its own job"
    await house.another_engine().sweep()
    handed = await house.job(job.id)
    assert (handed.status, handed.dispatch, handed.attempt) == (Status.QUEUED, 2, 1)
    async with asyncio.timeout(60):
        await zombie
    del house.pipeline.acts["first"]
    done = await house.deliver(job.id)
    assert (done.status, done.fence, done.attempt) == (Status.COMPLETED, 2, 2)


async def test_a_process_that_cannot_be_forgotten_holds_up_no_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: str) -> None:
        raise StorageError("The folder cannot be written.")

    lost, late = await house.submit(), await house.submit()
    await house.lose(lost.id)
    house.presence.ended = {"elsewhere"}
    monkeypatch.setattr(house.presence, "forget", refuse)
    house.clock.pass_(days=1)
    await house.engine.sweep()
    assert (await house.job(late.id)).status is Status.FAILED, "what comes behind is attended to"


async def test_the_jobs_of_an_ended_process_are_handed_over_at_once(house: House) -> None:
    lost, waiting = await house.submit(), await house.submit()
    await house.lose(lost.id)
    await house.engine.sweep()
    assert (await house.job(lost.id)).status is Status.PROCESSING
    house.presence.ended = {"elsewhere", "stranger"}
    await house.engine.sweep()
    assert house.presence.ended == set()
    handed = await house.job(lost.id)
    assert (handed.status, handed.attempt, handed.state_reason) == (Status.QUEUED, 1, Reason.RETRYING)
    assert await house.job(waiting.id) == waiting
    assert (await house.deliver(lost.id)).status is Status.COMPLETED


async def test_a_live_lease_is_never_taken(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    house.clock.pass_(seconds=29)
    assert await house.engine.deliver(job.id, 1) is Delivery.BUSY
    await house.engine.sweep()
    assert (await house.job(job.id)).worker == "elsewhere-1"


async def test_an_expired_lease_is_taken_over_by_a_delivery(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    house.clock.pass_(seconds=31)
    await house.engine.deliver(job.id, 1)
    done = await house.job(job.id)
    assert (done.status, done.attempt) == (Status.COMPLETED, 2)


async def test_a_job_that_kills_its_workers_fails_after_its_attempts(house: House) -> None:
    job = await house.submit()
    for _ in range(3):
        await house.lose(job.id)
        house.clock.pass_(seconds=31)
        await house.engine.sweep()
    ended = await house.job(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code, ended.attempt) == (Status.FAILED, "worker_lost", 3)


async def test_a_delivery_takes_no_job_over_whose_attempts_are_used_up(house: House) -> None:
    """A queue outside delivers again when a worker was lost, sooner than a sweep looks."""
    job = await house.submit()
    for _ in range(2):
        await house.lose(job.id)
        house.clock.pass_(seconds=31)
        await house.engine.sweep()
    await house.lose(job.id)
    house.clock.pass_(seconds=31)
    await house.engine.deliver(job.id, (await house.job(job.id)).dispatch)
    ended = await house.job(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code, ended.attempt) == (Status.FAILED, "worker_lost", 3)
    assert house.pipeline.entered == []


async def test_a_beating_worker_keeps_its_job(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    for _ in range(5):
        house.clock.pass_(seconds=20)
        await house.store.touch(Touch(job_id=job.id, fence=1, lease_until=house.clock() + timedelta(seconds=30)))
        await house.engine.sweep()
    assert (await house.job(job.id)).worker == "elsewhere-1"


async def test_a_lease_is_renewed_well_before_it_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = house.pipeline.acts["first"] = Gate()
    lease, renewed, touch = timedelta(seconds=2.4), asyncio.Event(), house.store.touch

    async def noted(asked: Touch) -> Job | None:
        renewed.set()
        return await touch(asked)

    monkeypatch.setattr(house.store, "touch", noted)
    job = await house.submit()
    running = asyncio.create_task(house.another_engine(lease=lease).deliver(job.id, 1))
    await gate.reached.wait()
    async with asyncio.timeout(lease.total_seconds()):
        await renewed.wait()
    gate.open.set()
    assert await running is Delivery.SETTLED


@pytest.mark.parametrize(("passed", "delivery"), [(0.5, Delivery.SETTLED), (0.7, Delivery.BUSY)])
async def test_a_run_goes_on_without_the_store_for_as_long_as_its_lease(
    house: House, monkeypatch: pytest.MonkeyPatch, passed: float, delivery: Delivery
) -> None:
    gate, asked = Gate(), asyncio.Event()
    house.pipeline.acts["second"] = gate

    async def away(_: Touch) -> None:
        asked.set()
        raise StoreUnavailable("Away.")

    monkeypatch.setattr(house.store, "touch", away)
    job = await house.submit()
    running = asyncio.create_task(house.another_engine(lease=timedelta(seconds=0.6)).deliver(job.id, 1))
    await gate.reached.wait()
    house.clock.pass_(seconds=passed)
    async with asyncio.timeout(60):
        await asked.wait()
        if delivery is Delivery.SETTLED:
            gate.open.set()
        assert await running is delivery
    assert (await house.job(job.id)).status.terminal == (delivery is Delivery.SETTLED)


async def test_the_deadline_ends_waiting_and_running_jobs(house: House) -> None:
    waiting, running = await house.submit(), await house.submit()
    await house.lose(running.id)
    house.clock.pass_(minutes=11)
    await house.store.touch(Touch(job_id=running.id, fence=1, lease_until=house.clock() + timedelta(seconds=30)))
    await house.engine.sweep()
    for job in (waiting, running):
        ended = await house.job(job.id)
        assert ended.fault is not None
        assert ended.fault.code == "deadline_exceeded"


async def test_what_the_queue_lost_is_handed_over_under_a_new_number(house: House) -> None:
    job = await house.submit()
    house.queue.losing.add(job.id)
    await house.engine.sweep()
    assert house.queue.asked == [], "the queue has a minute"
    house.clock.pass_(seconds=61)
    await house.engine.sweep()
    again = await house.job(job.id)
    assert (again.status, again.dispatch, again.run_at, again.attempt) == (Status.QUEUED, 2, job.run_at, 0)
    assert [one.dispatch for one in house.queue.dispatched] == [1, 2]
    assert await house.stages(job.id) == ["queued"]
    assert await house.engine.deliver(job.id, 1) is Delivery.SETTLED
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_what_the_queue_carries_is_left_alone(house: House) -> None:
    """Or a backlog would be queued again and again."""
    job = await house.submit()
    later = await house.submit(not_before=house.clock() + timedelta(minutes=2))
    house.queue.losing.add(later.id)
    for _ in range(3):
        house.clock.pass_(seconds=50)
        await house.engine.sweep()
    asked = [[(ready.job_id, ready.dispatch) for ready in lot] for lot in house.queue.asked]
    assert asked == [[(job.id, 1)]] * 2, "what is not due yet is not missed"
    assert await house.job(job.id) == job
    assert len(house.queue.dispatched) == 2


async def test_a_job_that_was_queued_anew_while_the_queue_was_asked_is_left_alone(house: House) -> None:
    job = await house.submit()
    house.clock.pass_(seconds=61)
    asked = house.queue.lost

    async def slow(waiting: Sequence[Ready]) -> Sequence[Ready]:
        house.queue.losing.add(job.id)
        await house.lose(job.id)
        again = Retried(run_at=house.clock(), fault=fault_of(ProviderUnavailable("Down.")))
        await house.store.write(job.id, lambda _: Decision(events=(again,)))
        return await asked(waiting)

    house.queue.lost = slow  # type: ignore[method-assign]
    await house.engine.sweep()
    assert (await house.job(job.id)).dispatch == 2


async def test_a_hold_moves_the_deadline(house: House) -> None:
    job = await house.submit(not_before=house.clock() + timedelta(hours=1))
    assert job.must_finish_by == house.clock() + timedelta(hours=1, minutes=10)


async def test_retry_opens_a_new_run_that_keeps_finished_stages(house: House) -> None:
    house.pipeline.acts["second"] = failing(ProviderRefused("No."))
    job = await house.submit()
    failed = await house.deliver(job.id)
    again = await house.engine.retry("ann", job.id)
    assert (again.run, again.attempt, again.status, again.progress) == (2, 0, Status.QUEUED, 0)
    assert house.queue.dispatched[-1].dispatch == again.dispatch
    done = await house.deliver(job.id)
    assert done.status is Status.COMPLETED
    assert house.pipeline.entered == ["first", "second", "second"]
    seen = await collect(house, job.id, after=1)
    assert [update.record.seq for update in seen if update.record] == list(range(failed.seq + 1, done.seq + 1))
    with pytest.raises(Conflict):
        await house.engine.retry("ann", job.id)


async def test_where_only_the_header_moved_nothing_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever missed a renewal is told enough by the next one."""
    job, reads, read = await house.submit(), 0, house.store.read
    await house.lose(job.id)

    async def counted(job_id: str, *, after: int) -> Snapshot | None:
        nonlocal reads
        reads += 1
        return await read(job_id, after=after)

    monkeypatch.setattr(house.store, "read", counted)
    watching = asyncio.create_task(collect(house, job.id))
    async with asyncio.timeout(60):
        while not reads:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    lease = Touch(job_id=job.id, fence=1, lease_until=house.clock())
    with deaf(house.store):
        await house.store.touch(lease)
    await house.store.touch(lease)
    assert reads == 1
    ended = Failed(fault=Fault(code="internal", message="Broken.", retryable=False))
    await house.store.write(job.id, lambda _: Decision(events=(ended,)))
    async with asyncio.timeout(60):
        assert [update.record.seq for update in await watching if update.record] == [1, 2]


async def test_a_watcher_sees_the_end_of_its_run_and_the_next_one(house: House) -> None:
    """Failed and opened again between two looks at the store: not a number is missing."""
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    job = await house.submit()
    watching = await watching_from(house, job.id)
    other = house.another_engine()
    with deaf(house.store):
        await other.deliver(job.id, 1)
        reopened = await other.retry("ann", job.id)
    await other.deliver(job.id, reopened.dispatch)
    async with asyncio.timeout(60):
        seen = [update.record.seq for update in await watching if update.record]
    assert seen == list(range(1, (await house.job(job.id)).seq + 1))


async def test_a_cursor_from_another_process_is_not_taken_for_an_unknown_one(house: House) -> None:
    """The watcher comes from where the news was known; here somebody else watches, and has not heard of it yet."""
    job = await house.submit()
    watching = await watching_from(house, job.id)
    with deaf(house.store):
        await house.deliver(job.id)
    async with asyncio.timeout(60):
        seen = [update.record.seq for update in await collect(house, job.id, after=2) if update.record]
        assert seen == [3, 4], "and not the whole run again"
        assert [update.record.seq for update in await watching if update.record] == [1, 2, 3, 4]


async def test_an_older_sight_of_the_job_does_not_end_a_new_run(house: House) -> None:
    job = await house.submit()
    await house.lose(job.id)
    await house.store.write(job.id, lambda _: Decision(events=(CancelRequested(),)))
    asked = await house.job(job.id)
    assert not interrupted(asked.fence + 1)(asked)
    assert interrupted(asked.fence)(asked)
    assert interrupted(asked.fence - 1)(asked)


async def test_a_replay_of_a_job_that_has_ended_is_handed_to_nobody(house: House) -> None:
    job = await house.submit(key="mine")
    again = await house.submit(key="mine")
    assert [one.id for one in house.queue.dispatched] == [job.id, again.id], "while it waits, once more does no harm"
    await house.deliver(job.id)
    house.queue.dispatched.clear()
    assert (await house.submit(key="mine")).status is Status.COMPLETED
    assert house.queue.dispatched == []


async def test_what_an_attempt_reached_is_kept_when_it_is_retried(house: House) -> None:
    """The stage was finished, but the next one's first write failed: it is not done again."""
    write, broken = house.store.write, [True]

    async def full(job_id: str, decide: Decide) -> Snapshot | None:
        if house.pipeline.entered == ["first", "second"] and broken:
            broken.clear()
            raise StoreFull("The disk is full; nothing was written.")
        return await write(job_id, decide)

    async def notes(run: Run[Nothing, Count]) -> None:
        await run.note()

    house.store.write = full  # type: ignore[method-assign]
    house.pipeline.acts["second"] = notes
    job = await house.submit()
    waiting = await house.deliver(job.id)
    assert waiting.state_reason is Reason.RETRYING
    house.clock.pass_(minutes=1)
    assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert house.pipeline.entered == ["first", "second", "second"]


async def test_an_end_is_written_when_the_store_is_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made and paid for is not thrown away because the store was away for a moment."""
    gate = house.pipeline.acts["second"] = Gate()
    monkeypatch.setattr("atelier.jobs.runner.SETTLE_PAUSES", (0, 0, 0, 0, 0))
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    left, write = iter(range(3)), house.store.write

    async def away(job_id: str, decide: Decide) -> Snapshot | None:
        if next(left, None) is not None:
            raise StoreUnavailable("Away.")
        return await write(job_id, decide)

    monkeypatch.setattr(house.store, "write", away)
    gate.open.set()
    assert await running is Delivery.SETTLED
    assert (await house.job(job.id)).status is Status.COMPLETED
    assert house.pipeline.entered == ["first", "second"]


async def test_drain_gives_running_jobs_back_with_their_attempt(house: House) -> None:
    gate = house.pipeline.acts["second"] = Gate()
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    await house.engine.drain(timedelta(seconds=0.1))
    await running
    back = await house.job(job.id)
    assert (back.status, back.attempt, back.state_reason, back.worker) == (Status.QUEUED, 0, None, None)
    assert await house.engine.deliver(job.id, back.dispatch) is Delivery.AGAIN, "a drained engine takes no more"
    gate.open.set()
    successor = house.another_engine()
    await successor.deliver(job.id, back.dispatch)
    assert (await house.job(job.id)).status is Status.COMPLETED
    assert house.pipeline.entered == ["first", "second", "second"]


async def test_a_process_tells_what_it_runs(house: House) -> None:
    gate = house.pipeline.acts["second"] = Gate()
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    assert house.engine.running == 1
    gate.open.set()
    await running
    assert house.engine.running == 0
    assert not house.engine._runner._running, "of a delivery that has ended nothing is kept"


async def test_drain_lets_a_quick_job_finish(house: House) -> None:
    gate = house.pipeline.acts["second"] = Gate()
    job = await house.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    draining = asyncio.create_task(house.engine.drain(timedelta(seconds=60)))
    await asyncio.sleep(0.05)
    gate.open.set()
    await asyncio.gather(draining, running)
    assert (await house.job(job.id)).status is Status.COMPLETED


async def test_others_jobs_look_like_none(house: House) -> None:
    job = await house.submit(owner="bob")
    for call in (house.engine.get, house.engine.cancel, house.engine.retry):
        with pytest.raises(NotFound, match="There is no such job"):
            await call("ann", job.id)
        with pytest.raises(NotFound, match="There is no such job"):
            await call("ann", "0" * 32)


async def test_old_jobs_are_forgotten_after_their_time(house: House) -> None:
    job = await house.submit()
    await house.deliver(job.id)
    house.clock.pass_(days=29)
    await house.engine.sweep()
    assert await house.store.get(job.id) is not None
    house.clock.pass_(days=2)
    await house.engine.sweep()
    assert await house.store.get(job.id) is None


async def test_a_claim_that_is_under_way_when_the_engine_closes_is_not_left_behind(house: House) -> None:
    house.pipeline.acts["first"] = Gate()
    jobs = [await house.submit() for _ in range(20)]
    deliveries = [asyncio.create_task(house.engine.deliver(job.id, 1)) for job in jobs]
    await asyncio.sleep(0)
    await house.engine.drain(timedelta())
    async with asyncio.timeout(60):
        await asyncio.gather(*deliveries)
    for job in jobs:
        left = await house.job(job.id)
        assert (left.status, left.attempt) == (Status.QUEUED, 0)


async def test_a_watcher_is_told_of_a_wait_for_a_slot_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "SLOT_PATIENCE", 0.05)
    job = await house.submit()
    watching = await watching_from(house, job.id, 2)
    await asyncio.sleep(0.1)
    await house.deliver(job.id)
    async with asyncio.timeout(60):
        seen = await watching
    told = [update.job.state_reason for update in seen if update.record is None]
    assert told == [Reason.WAITING_FOR_SLOT, None], "and once that the wait is over"
    assert [update.record.seq for update in seen if update.record] == [1, 2, 3, 4]


async def test_a_kind_that_is_not_known_here_is_left_to_others(house: House, backend: Backend) -> None:
    job = await house.submit()
    await backend.spoil_header(job.id, "image", "opera")
    assert await house.engine.deliver(job.id, 1) is Delivery.AGAIN
    assert (await house.job(job.id)).attempt == 0


async def test_a_follower_whose_reader_breaks_ends(house: House, backend: Backend) -> None:
    job = await house.submit()
    await backend.spoil_log(job.id)
    async with asyncio.timeout(60):
        assert await collect(house, job.id) == []


async def test_unreadable_params_fail_the_job_not_the_worker(house: House, backend: Backend) -> None:
    job = await house.submit()
    await backend.spoil_params(job.id)
    for _ in range(3):
        house.clock.pass_(minutes=1)
        ended = await house.deliver(job.id)
    assert ended.fault is not None
    assert (ended.status, ended.fault.code) == (Status.FAILED, "internal")


def test_backoff_doubles_with_a_spread_and_a_cap() -> None:
    base = timedelta(seconds=2)
    for attempt, middle in ((1, 2), (2, 4), (3, 8), (30, 300)):
        for _ in range(50):
            assert 0.8 * middle <= backoff(attempt, base, None).total_seconds() <= 1.2 * middle
    assert backoff(1, base, timedelta(seconds=60)) == timedelta(seconds=60)


def test_a_provider_that_asks_for_less_is_not_asked_sooner() -> None:
    assert backoff(4, timedelta(seconds=2), timedelta(seconds=1)) >= timedelta(seconds=12)


async def test_a_receipt_tells_when_the_cancel_was_asked_for_and_what_was_paid(house: House) -> None:
    now = house.clock()
    waiting = new_job(now, status=Status.QUEUED, attempt=1, billed="yes")
    (cancelled,) = cancelling(waiting, now).events
    assert isinstance(cancelled, Cancelled)
    assert cancelled.receipt.billed == "yes", "what was noted is certain"
    asked = new_job(now, status=Status.PROCESSING, cancel_requested_at=now)
    assert receipt_of(asked, Progress(), now + timedelta(seconds=4)).requested_at == now
