"""How long jobs take: by table, by measure, and by what other processes measured."""

from __future__ import annotations

import asyncio

from tests.jobs import Clock, new_job

from atelier.jobs.estimates import SAMPLES, Estimates
from atelier.stores.sqlite import SqliteStore


async def test_a_table_until_there_are_samples(store: SqliteStore, clock: Clock) -> None:
    estimates, job = Estimates(store), new_job(clock(), pace="image/sandbox/draft", expected=3.0)
    first = estimates.of(job)
    assert (first.p50, first.p90, first.basis, first.samples) == (3.0, 6.0, "table", 0)
    for seconds in (1, 2, 3, 4, 10):
        estimates.measured(job, seconds)
    then = estimates.of(job)
    assert (then.p50, then.basis, then.samples) == (3.0, "measured", 5)
    assert 4 < then.p90 <= 10
    assert estimates.of(new_job(clock(), pace="image/other/draft")).basis == "table"


async def test_processes_share_what_they_measure_and_lose_nothing(store: SqliteStore, clock: Clock) -> None:
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


async def test_only_the_latest_samples_are_kept(store: SqliteStore, clock: Clock) -> None:
    estimates, job = Estimates(store), new_job(clock(), pace="p")
    for _ in range(3):
        for _ in range(SAMPLES):
            estimates.measured(job, 100)
        await estimates.exchange()
    for _ in range(SAMPLES):
        estimates.measured(job, 1)
    await estimates.exchange()
    assert (estimates.of(job).p50, estimates.of(job).samples) == (1, SAMPLES)
