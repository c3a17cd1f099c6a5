"""What /metrics says is what happened: real jobs, and the differences between two scrapes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from tests.images import NOOP, ROOT, ended, reached, stream, submit
from tests.live import Live, Serve
from tests.scrapes import Scrape, scrape, until

from atelier import logs, metrics, wiring
from atelier.codes import Code
from atelier.errors import StoreUnavailable
from atelier.jobs.ports import Waiting
from atelier.jobs.tally import HANDED_BACK
from atelier.settings import Settings
from atelier.stores.sqlite import SqliteStore

QUICK = {"retry_base_seconds": 0.05, "sweep_seconds": 0.2}


def scripted(scenario: str, **script: object) -> dict[str, object]:
    return {"prompt": "A whispered secret", "quality": "draft", "sandbox": {"scenario": scenario, **script}}


class Between:
    """What changed between two scrapes."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self._before, self._after = before, after

    def __call__(self, name: str, **labels: str) -> float:
        return self._after.value(name, **labels) - self._before.value(name, **labels)


async def test_jobs_are_counted_by_what_became_of_them(serve: Serve) -> None:
    async with serve(**QUICK) as live:
        before = await scrape(live)
        await stream(live, NOOP)
        await ended(live, await submit(live, scripted("refused")))
        await ended(live, await submit(live, scripted("rate_limited_then_ok")))
        await ended(live, await submit(live, scripted("garbage")))
        await cancel(live, await submit(live, scripted("noop", hold_until=time.time() + 60)))
        running = await submit(live, scripted("stall"))
        await reached(live, running, "generating")
        await cancel(live, running)
        await ended(live, running)
        change = Between(before, await until(live, lambda now: now.value("atelier_running_jobs") == 0))
    assert change("atelier_jobs_accepted_total", kind="image") == 6
    outcomes = {name: change("atelier_jobs_total", outcome=name) for name in ("completed", "failed", "cancelled")}
    assert outcomes == {"completed": 2, "failed": 2, "cancelled": 2}
    assert {code: change("atelier_failures_total", code=code) for code in ("provider_refused", "invalid_image")} == {
        "provider_refused": 1,
        "invalid_image": 1,
    }
    assert change("atelier_requeues_total") == change("atelier_requeues_total", reason="provider_rate_limited") == 1
    assert change("atelier_queue_wait_seconds_count") == 6  # five first claims and a second; one was never claimed
    assert change("atelier_run_seconds_count", outcome="cancelled") == 1
    assert change("atelier_run_seconds_count", outcome="completed") == 2
    stages = [change("atelier_stage_seconds_count", stage=name) for name in ("processing", "generating", "uploading")]
    assert stages == [5, 2, 2]


async def cancel(live: Live, job_id: str) -> None:
    assert (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).status_code == 200


async def test_a_replay_is_not_another_job(live: Live) -> None:
    before = await scrape(live)
    for _ in range(3):
        await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Idempotency-Key": "one"})
    assert Between(before, await scrape(live))("atelier_jobs_accepted_total") == 1


async def test_provider_calls_are_counted_by_what_came_of_them(serve: Serve) -> None:
    async with serve(**QUICK) as live:
        before = await scrape(live)
        for scenario in ("noop", "refused", "rate_limited_then_ok", "provider_down_then_ok", "garbage"):
            await ended(live, await submit(live, scripted(scenario)))
        stalled = await submit(live, scripted("stall"))
        await reached(live, stalled, "generating")
        await cancel(live, stalled)
        change = Between(before, await until(live, lambda now: now.value("atelier_running_jobs") == 0))
    counted = {
        outcome: change("atelier_provider_calls_total", provider="sandbox", outcome=outcome)
        for outcome in before.labels("outcome") | set(get_args(Code)) | {"ok", "cancelled"}
    }
    assert {outcome: number for outcome, number in counted.items() if number} == {
        "ok": 3,
        "provider_refused": 1,
        "provider_rate_limited": 1,
        "provider_unavailable": 1,
        "invalid_image": 2,
        "cancelled": 1,
    }
    assert change("atelier_provider_call_seconds_count") == sum(counted.values())


async def test_the_backlog_is_what_is_due_and_not_what_is_held(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        first = await submit(live, scripted("stall"))
        await reached(live, first, "generating")
        waiting = [await submit(live, NOOP) for _ in range(3)]
        await submit(live, scripted("noop", hold_until=time.time() + 60))
        await until(live, lambda now: now.value("atelier_queue_depth", kind="image") == 3)
        assert (await scrape(live)).value("atelier_running_jobs") == 1
        await cancel(live, first)
        for job_id in waiting:
            await ended(live, job_id)
        await until(live, lambda now: now.value("atelier_queue_depth") == now.value("atelier_running_jobs") == 0)


async def test_lost_workers_and_the_sweeper_are_seen(serve: Serve) -> None:
    async with serve(lease_seconds=0.5, **QUICK) as live:
        before = await scrape(live)
        began = time.time()
        await ended(live, await submit(live, scripted("worker_lost")))
        change = Between(before, after := await scrape(live))
    assert change("atelier_requeues_total", reason="worker_lost") == 1
    assert (
        change("atelier_sweeper_findings_total") == change("atelier_sweeper_findings_total", finding="worker_lost") == 1
    )
    assert after.value("atelier_last_sweep_timestamp_seconds") >= began


async def test_a_passed_deadline_is_a_failure_with_its_code(serve: Serve) -> None:
    async with serve(deadlines={"image_seconds": 1}) as live:
        before = await scrape(live)
        await ended(live, await submit(live, scripted("stall")))
        change = Between(before, await scrape(live))
    assert change("atelier_failures_total", code="deadline_exceeded") == 1


async def test_a_stop_hands_jobs_back(serve: Serve) -> None:
    async with serve(grace_seconds=0) as live:
        before = await scrape(live)
        await reached(live, await submit(live, scripted("stall")), "generating")
    change = Between(before, Scrape((await asyncio.to_thread(metrics.text)).decode()))
    assert change("atelier_requeues_total", reason=HANDED_BACK) == 1


async def test_streams_count_while_they_are_open(serve: Serve) -> None:
    """The only slot is taken until the stream is open, so that what is told on it comes after that."""
    open_now = ("atelier_open_streams", "atelier_followed_jobs")
    async with serve(slots={"image": 1}) as live:
        taking = await submit(live, scripted("stall"))
        await reached(live, taking, "generating")
        before = await until(live, lambda now: not any(map(now.value, open_now)))
        async with live.client.stream("POST", f"{ROOT}/generate/stream", json=scripted("stall")) as opened:
            chunks = opened.aiter_bytes()
            seen = await anext(chunks)
            await cancel(live, taking)
            while b"generating" not in seen:
                seen += await anext(chunks)
            await until(live, lambda now: [now.value(name) for name in open_now] == [1, 1])
        ended_streams = {"route": f"{ROOT}/generate/stream", "status": "2xx"}
        after = await until(live, lambda now: Between(before, now)("atelier_http_requests_total", **ended_streams) == 1)
        change = Between(before, after)
    assert change("atelier_open_streams") == 0
    assert 2 <= change("atelier_stream_lag_seconds_count") <= 3  # entering two stages, and perhaps being queued


async def test_records_from_before_a_stream_are_no_lag(live: Live) -> None:
    job_id = await submit(live, NOOP)
    await ended(live, job_id)
    before = await scrape(live)
    await live.client.get(f"{ROOT}/jobs/{job_id}/stream")
    assert Between(before, await scrape(live))("atelier_stream_lag_seconds_count") == 0


async def test_commits_are_timed_with_their_size(live: Live) -> None:
    before = await scrape(live)
    async with asyncio.TaskGroup() as together:
        jobs = [together.create_task(submit(live, NOOP)) for _ in range(20)]
    for job in jobs:
        await ended(live, await job)
    change = Between(before, await scrape(live))
    assert change("atelier_store_batch_operations_sum") >= 20 * 3  # made, claimed, ended
    assert change("atelier_store_commit_seconds_count") == change("atelier_store_batch_operations_count")
    assert 0 < change("atelier_store_commit_seconds_sum") < 60


async def test_a_blocked_loop_shows() -> None:
    before = metrics.LOOP_LAG.total
    watching = asyncio.create_task(metrics.watch_loop(0.01))
    await asyncio.sleep(0.05)
    time.sleep(0.3)  # noqa: ASYNC251 - that is what is to be seen
    await asyncio.sleep(0.05)
    watching.cancel()
    assert metrics.LOOP_LAG.total - before > 0.2


class Away(SqliteStore):
    """A store that cannot count."""

    silent = False

    async def waiting(self, kind: str, now: datetime) -> Waiting:
        if self.silent:
            await asyncio.Event().wait()
        if now.year:
            raise StoreUnavailable("Away.")
        return await super().waiting(kind, now)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_store_that_is_away_leaves_the_rest(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    monkeypatch.setattr("atelier.api.metrics.PATIENCE_SECONDS", 0.2)
    adapters = await asyncio.to_thread(wiring.build_adapters, Settings(data_dir=tmp_path / "data"))
    away = Away(tmp_path / "data" / "atelier.db", wiring.utc_now)
    away.silent = silent
    metrics.QUEUE_DEPTH.labels("image").set(7)
    async with serve(replace(adapters, store=away)) as live:
        found = await scrape(live)
    assert found.families["atelier_queue_depth"].samples == []
    assert found.value("process_resident_memory_bytes") > 0
    assert found.value("atelier_disk_free_bytes") > 0


async def test_a_scrape_is_plain_text_for_anybody(live: Live) -> None:
    answer = await live.client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "/metrics" in (await live.client.get("/openapi.json")).json()["paths"]


async def test_the_log_names_routes_and_no_caller_s_text(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "atelier")
    job_id = await submit(live, scripted("noop", hold_until=0))
    await ended(live, job_id)
    await live.client.get("/pictures/whispered.png")
    await live.client.get("/whispered", params={"ticket": "whispered"})
    await live.client.get(f"{ROOT}/jobs/whispered")
    await live.client.post(f"{ROOT}/generate", json={"prompt": "whispered", "style": "whispered"})
    lines = [logs.JsonFormatter().format(record) for record in caplog.records]
    assert not [line for line in lines if "whispered" in line]
    requests = [line for line in map(json.loads, lines) if line["action"] == "request"]
    assert {line["route"] for line in requests} >= {"other", f"{ROOT}/generate", f"{ROOT}/jobs/{{job_id}}"}
    assert [line for line in requests if line["route"] == f"{ROOT}/jobs/{{job_id}}" and line.get("job_id") == job_id]
