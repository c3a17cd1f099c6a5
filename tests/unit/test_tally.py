"""What is counted where no server shows it: takeovers, costs, a store that fails."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.jobs import Clock, new_job

from atelier import metrics
from atelier.errors import StoreUnavailable
from atelier.jobs.events import Claimed, Completed, Event, Queued, Retried
from atelier.jobs.models import Fault, Job
from atelier.jobs.ports import Decision
from atelier.jobs.tally import Counted
from atelier.stores.sqlite import SqliteStore, threads

LOST = Fault(code="worker_lost", message="Gone.", retryable=True)


def waits() -> tuple[float, float]:
    """Return how many waits were seen, and their sum in seconds."""
    return sample("atelier_queue_wait_seconds_count"), sample("atelier_queue_wait_seconds_sum")


def sample(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def created(store: SqliteStore, clock: Clock) -> Job:
    return (await store.create(new_job(clock()), (Queued(run_at=clock()),), {}))[0].job


def deciding(*events: Event) -> Counted:
    return Counted(lambda _: Decision(events=events))


async def written(store: SqliteStore, decision: Counted) -> None:
    snapshot = await store.write("job-1", decision)
    assert snapshot is not None
    decision.count(snapshot.job)


async def test_a_wait_is_from_being_due_to_being_claimed(store: SqliteStore, clock: Clock) -> None:
    await created(store, clock)
    clock.pass_(seconds=7)
    count, seconds = waits()
    await written(store, deciding(Claimed(worker="w", lease_until=clock() + timedelta(seconds=30))))
    now_count, now_seconds = waits()
    assert now_count == count + 1
    assert now_seconds == pytest.approx(seconds + 7)


async def test_a_takeover_is_a_lost_worker_and_no_wait(store: SqliteStore, clock: Clock) -> None:
    await created(store, clock)
    claimed = Claimed(worker="w", lease_until=clock() + timedelta(seconds=30))
    await written(store, deciding(claimed))
    before, lost = waits(), sample("atelier_requeues_total", kind="image", reason="worker_lost")
    await written(store, deciding(Retried(run_at=clock(), fault=LOST), replace(claimed, worker="v")))
    assert waits() == before
    assert sample("atelier_requeues_total", kind="image", reason="worker_lost") == lost + 1


async def test_an_end_is_counted_once_however_often_it_was_decided(store: SqliteStore, clock: Clock) -> None:
    job = await created(store, clock)
    await written(store, deciding(Claimed(worker="w", lease_until=clock() + timedelta(seconds=30))))
    ended = sample("atelier_jobs_total", kind="image", outcome="completed")
    decision = deciding(Completed())
    decision(job)
    await written(store, decision)
    assert sample("atelier_jobs_total", kind="image", outcome="completed") == ended + 1


def test_what_pictures_cost_is_added_up() -> None:
    before = sample("atelier_provider_cost_dollars_total", provider="sandbox")
    for dollars in (0.04, 0.0, 0.01):
        metrics.spent("sandbox", dollars)
    assert sample("atelier_provider_cost_dollars_total", provider="sandbox") - before == pytest.approx(0.05)


async def test_a_full_disk_and_a_broken_file_are_told_apart(tmp_path: Path) -> None:
    before = {error: sample("atelier_store_errors_total", error=error) for error in ("full", "unavailable")}
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE x (y BLOB)")
    for statement in ("INSERT INTO x VALUES (zeroblob(100000))", "SELECT * FROM nothing"):
        with pytest.raises(sqlite3.Error) as broken:
            connection.execute(statement)
        threads.unavailable(broken.value)
    connection.close()
    assert {
        error: sample("atelier_store_errors_total", error=error) - before[error] for error in before
    } == dict.fromkeys(before, 1)


async def test_a_store_that_does_not_answer_is_counted(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(threads, "WATCH_SECONDS", 0.01)
    before = sample("atelier_store_errors_total", error="timeout")
    with pytest.raises(StoreUnavailable):
        await store._reader.do(lambda _: time.sleep(0.2))
    assert sample("atelier_store_errors_total", error="timeout") == before + 1
