"""How long jobs take: by table, by measure, and by what other processes measured."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.house import House, failing
from tests.jobs import Clock, new_job

from atelier.errors import ProviderUnavailable
from atelier.jobs.estimates import SAMPLES, Estimate, Estimates, remaining
from atelier.jobs.models import Status, Step
from atelier.jobs.ports import Store


async def test_a_table_until_there_are_samples(store: Store, clock: Clock) -> None:
    estimates, job = Estimates(store), new_job(clock(), pace="image/sandbox/draft", expected=3.0)
    first = estimates.of(job)
    assert (first.p50, first.p90, first.basis, first.samples) == (3.0, 6.0, "table", 0)
    for seconds in (1, 2, 3, 4, 10):
        estimates.measured(job, seconds)
    then = estimates.of(job)
    assert (then.p50, then.basis, then.samples) == (3.0, "measured", 5)
    assert 4 < then.p90 <= 10
    assert estimates.of(new_job(clock(), pace="image/other/draft")).basis == "table"


async def test_what_is_known_is_worked_out_again_when_a_tenth_is_new(store: Store, clock: Clock) -> None:
    estimates, job = Estimates(store), new_job(clock(), pace="image/sandbox/draft")
    for _ in range(100):
        estimates.measured(job, 1)
    assert (estimates.of(job).p90, estimates.of(job).samples) == (1, 100)
    seen = []
    for _ in range(20):
        estimates.measured(job, 50)
        seen.append((estimates.of(job).samples, estimates.of(job).p90))
    assert seen[:10] == [(100, 1)] * 9 + [(110, 1)], "nine are not a tenth"
    assert seen[-1] == (110, 1)
    estimates.measured(job, 50)
    estimates.measured(job, 50)
    assert estimates.of(job).p90 == 50, "more than a tenth of all samples take long now"


async def test_processes_share_what_they_measure_and_lose_nothing(store: Store, clock: Clock) -> None:
    job = new_job(clock(), pace="image/sandbox/draft")
    processes = [Estimates(store) for _ in range(4)]
    for number, estimates in enumerate(processes):
        for n in range(10):
            estimates.measured(job, number * 10 + n)
    await asyncio.gather(*(estimates.exchange() for estimates in processes))
    for estimates in processes:
        await estimates.exchange()
        assert estimates.of(job).samples == 40
    document = await store.document("samples", "image/sandbox/draft")
    assert document is not None
    assert sorted(document.body["seconds"]) == list(range(40))


async def test_what_another_process_measured_replaces_what_was_told(store: Store, clock: Clock) -> None:
    job = new_job(clock(), pace="p", expected=3.0)
    here, there = Estimates(store), Estimates(store)
    assert here.of(job).basis == "table"
    for _ in range(5):
        there.measured(job, 1)
    await there.exchange()
    await here.exchange()
    assert (here.of(job).p50, here.of(job).basis) == (1, "measured")


async def test_only_the_latest_samples_are_kept(store: Store, clock: Clock) -> None:
    estimates, job = Estimates(store), new_job(clock(), pace="p")
    for _ in range(3):
        for _ in range(SAMPLES):
            estimates.measured(job, 100)
        await estimates.exchange()
    for _ in range(SAMPLES):
        estimates.measured(job, 1)
    await estimates.exchange()
    assert (estimates.of(job).p50, estimates.of(job).samples) == (1, SAMPLES)


async def test_who_waits_is_told_of_turns_of_all_slots_and_who_runs_of_none(house: House) -> None:
    engine = house.another_engine(slots={"image": 4})
    jobs = [await house.submit(expected=timedelta(seconds=10)) for _ in range(9)]
    outlook = await engine.outlook(jobs[-1])
    assert outlook is not None
    assert (outlook.ahead, outlook.eta.p50) == (0, 10.0), "they came at the same moment"
    assert engine.estimate(jobs[-1]).p50 == 30.0, "nine wait: two turns of four, then its own"
    assert engine.estimate(jobs[-1], 7).p50 == 20.0
    await house.lose(jobs[0].id)
    assert engine.estimate(await house.job(jobs[0].id)).p50 == 10.0


async def test_what_was_tried_again_measures_nothing(house: House) -> None:
    """Its time has a pause in it, and the work of two attempts."""
    await house.deliver((await house.submit(pace="p")).id)
    again = await house.submit(pace="p")
    house.pipeline.acts["first"] = failing(ProviderUnavailable("Down."))
    assert (await house.deliver(again.id)).status is Status.QUEUED
    house.clock.pass_(minutes=1)
    ended = await house.deliver(again.id)
    assert ended.status is Status.COMPLETED
    assert house.engine.usual(ended).samples == 1


def test_what_remains_never_promises_more_surely_what_is_sooner(clock: Clock) -> None:
    """However late a job is: nine tenths have ended no sooner than half."""
    whole = Estimate(p50=1.0, p90=3.0, basis="measured", samples=50)
    started = new_job(clock(), status=Status.PROCESSING, started_at=clock(), attempt=1)
    for tenths in range(80):
        left = remaining(started, whole, 0, clock() + timedelta(seconds=tenths / 10))
        assert 0 <= left.p50 <= left.p90, (tenths, left)


def test_steps_are_believed_when_nothing_but_drawing_lies_behind_them(clock: Clock) -> None:
    whole = Estimate(p50=5.0, p90=9.0, basis="table", samples=0)

    def at(step: int, attempt: int) -> Estimate:
        drawn = Step(stage="generating", step=step, total=10, progress=step * 10, message="", at=clock())
        job = new_job(
            clock(), status=Status.PROCESSING, started_at=clock(), attempt=attempt, step=drawn, progress=step * 10
        )
        return remaining(job, whole, 0, clock() + timedelta(seconds=step))

    assert (at(5, 1).basis, at(5, 1).p50) == ("steps", 5.0)
    assert at(1, 1).basis == "table"
    assert at(5, 2).basis == "table", "the wait between attempts is no drawing"
