"""The worker's routes over real sockets: who may deliver, and what becomes of deliveries that go wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests import blogs
from tests.cloud_tasks.place import WORKER, Cloud, cloud
from tests.images import NOOP, ROOT, ended, submit
from tests.live import Live

from atelier import metrics
from atelier.api import deliveries, worker
from atelier.jobs import sweeper
from atelier.jobs.models import Job
from atelier.queues import cloud_tasks

PATHS = (WORKER, "/api/v1/images/worker", "/api/v1/blog/worker")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with cloud(tmp_path / "data") as running:
        yield running


async def eventually(holds: Callable[[], Any], within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.01)


async def stored(live: Live, job_id: str) -> Job:
    """Return the job's whole header."""
    return (await live.app.state.surroundings.engine.get("local", job_id)).job  # type: ignore[no-any-return]


def held(seconds: int) -> dict[str, Any]:
    """Return a request that may not start before so many seconds."""
    return {"prompt": "x", "sandbox": {"scenario": "noop", "hold_until": int(time.time()) + seconds}}


async def test_jobs_are_carried_by_cloud_tasks(place: Cloud) -> None:
    async with place.service(retry_base_seconds=0.1) as live:
        assert (await live.client.get("/ready")).json()["checks"]["queue"] == "ok"
        jobs = await asyncio.gather(*(submit(live, NOOP) for _ in range(20)))
        for job_id in jobs:
            assert (await ended(live, job_id))["status"] == "completed"
        assert place.provider.calls == 20
        retried = await submit(live, {"prompt": "x", "sandbox": {"scenario": "provider_down_then_ok"}})
        job = await ended(live, retried)
        assert (job["status"], job["attempt"]) == ("completed", 2)


async def test_a_web_process_hands_over_and_a_worker_process_runs(place: Cloud) -> None:
    async with place.service("web") as web:
        job_id = await submit(web, NOOP)
        assert (await web.client.post(WORKER, json={"sweep": True}, headers=place.bearer())).status_code == 401
        async with place.service("worker") as working:
            assert (await ended(web, job_id))["status"] == "completed"
            assert (await working.client.post(f"{ROOT}/generate", json=NOOP)).status_code == 404
            assert (await working.client.get("/metrics")).status_code == 200


BAD: list[tuple[str, dict[str, Any]]] = [
    ("alg none", {"header": {"alg": "none"}}),
    ("HS256", {"header": {"alg": "HS256"}}),
    ("wrong key", {"key": "stolen", "header": {"kid": "first"}}),
    ("unknown key", {"key": "unknown"}),
    ("expired", {"exp": 1_700_000_000}),
    ("audience", {"audience": "https://other.example"}),
    ("account", {"email": "other@project.iam.gserviceaccount.com"}),
    ("not verified", {"email_verified": False}),
    ("issuer", {"iss": "https://evil.example"}),
]


async def test_forged_deliveries_are_refused_before_their_body_and_change_nothing(place: Cloud) -> None:
    place.server.queue.pause()
    async with place.service() as live:
        job_id = await submit(live, NOOP)
        before = await stored(live, job_id)
        claimed = {"X-CloudTasks-QueueName": "jobs", "X-CloudTasks-TaskName": "x", "User-Agent": "Google-Cloud-Tasks"}
        headers = [place.bearer(**how) for _, how in BAD] + [{}, {"Authorization": "Bearer atelier_0123_key"}]
        for one in headers:
            for path in PATHS:
                for body in ({"job_id": job_id, "dispatch": 1}, {"job_id": job_id, "dispatch": 0}, {"sweep": True}):
                    answer = await live.client.post(path, json=body, headers={**claimed, **one})
                    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), one
                answer = await live.client.post(path, content=b"x" * 2_000_000, headers=one)
                assert answer.status_code == 401, "not 413: the body is not read"
        assert await stored(live, job_id) == before
        assert place.provider.calls == 0


async def test_without_certificates_nobody_can_be_let_in(place: Cloud) -> None:
    place.issuer.answer = b"HTTP/1.1 500 No\r\n\r\n"
    async with place.service() as live:
        answer = await live.client.post(WORKER, json={"sweep": True}, headers=place.bearer())
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_unavailable")
        job_id = await submit(live, NOOP)
        place.issuer.answer = b""
        assert (await ended(live, job_id))["status"] == "completed"


async def test_what_is_no_order_is_answered_400(place: Cloud) -> None:
    async with place.service() as live:
        bodies = [b"", b"{", b"[]", b"null", b"{}", b'{"job_id": "x"}', b'{"job_id": "", "dispatch": 1}',
                  b'{"job_id": "x", "dispatch": -1}', b'{"job_id": "x", "dispatch": "1"}', b'{"job_id": 1, "dispatch": 1}',
                  b'{"job_id": "a b", "dispatch": 1}', b'{"sweep": false}', b'{"job_id": "x", "dispatch": 1e400}',
                  b'{"job_id": "x", "dispatch": 99999999999999999999}', b"\xff"]  # fmt: skip
        for body in bodies:
            answer = await live.client.post(WORKER, content=body, headers=place.bearer())
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_error"), body
        unknown = {"job_id": "0" * 32, "dispatch": 1, "of_tomorrow": True}
        assert (await live.client.post(WORKER, json=unknown, headers=place.bearer())).status_code == 200
        assert (
            await live.client.post(WORKER, json={**unknown, "dispatch": 0}, headers=place.bearer())
        ).status_code == 200


async def test_parallel_deliveries_of_a_job_call_the_provider_once(place: Cloud) -> None:
    place.server.queue.pause()
    place.provider.gate.clear()
    async with place.service(slots={"image": 60}) as live:
        job_id = await submit(live, NOOP)
        order = {"job_id": job_id, "dispatch": 1}
        posts = [asyncio.create_task(live.client.post(WORKER, json=order, headers=place.bearer())) for _ in range(50)]
        await eventually(lambda: sum(post.done() for post in posts) == 49)
        place.provider.gate.set()
        codes = sorted([(await post).status_code for post in posts])
        assert codes == [200] + [409] * 49
        assert place.provider.calls == 1
        assert (await live.client.post(WORKER, json=order, headers=place.bearer())).status_code == 200
        assert place.provider.calls == 1
        assert (await ended(live, job_id))["attempt"] == 1


async def test_a_run_outlives_a_request_that_is_cancelled(place: Cloud) -> None:
    place.server.queue.pause()
    place.provider.gate.clear()
    async with place.service() as live:
        order, around = worker.JobOrder(job_id=await submit(live, NOOP), dispatch=1), live.app.state.surroundings
        request = asyncio.create_task(worker._run(order, around, around.deliveries))
        await eventually(lambda: place.provider.calls == 1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        place.provider.gate.set()
        assert (await ended(live, order.job_id))["attempt"] == 1
        assert place.provider.calls == 1


async def test_no_more_runs_than_slots_and_the_rest_come_again(place: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 0.1)
    place.provider.gate.clear()
    async with place.service(slots={"image": 2}) as live:
        jobs = [await submit(live, NOOP) for _ in range(6)]
        await eventually(lambda: {code for _, code in place.server.queue.deliveries} == {429})
        answer = await live.client.post(WORKER, json={"job_id": jobs[-1], "dispatch": 1}, headers=place.bearer())
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert place.provider.calls == 2
        assert (await live.client.get("/metrics")).text.count("atelier_running_jobs 2.0") == 1
        place.provider.gate.set()
        for job_id in jobs:
            assert (await ended(live, job_id))["attempt"] == 1
        assert place.provider.calls == 6


async def test_a_post_takes_no_place_of_a_picture(place: Cloud) -> None:
    """Whether its delivery tells the kind, as ours do, or not, as earlier versions' did."""
    async with place.service(slots={"image": 1, "blog": 1}) as live:
        writing = await blogs.submit(live, {"topic": "Stones", "sandbox": {"scenario": "stall"}})
        await eventually(lambda: live.app.state.surroundings.engine.running == 1)
        waiting = await blogs.submit(live, blogs.TOMATOES)
        await eventually(lambda: 429 in {code for _, code in place.server.queue.deliveries})
        for told in ({}, {"kind": "blog"}, {"kind": "puppet"}):
            order = {"job_id": waiting, "dispatch": 1, **told}
            answer = await live.client.post(WORKER, json=order, headers=place.bearer())
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5"), told
        assert (await ended(live, await submit(live, NOOP)))["attempt"] == 1
        await live.client.post(f"{blogs.ROOT}/jobs/{writing}/cancel")
        assert (await blogs.ended(live, waiting))["attempt"] == 1


async def test_duplicates_lost_answers_and_disorder_cost_nothing(place: Cloud) -> None:
    faults = place.server.faults
    faults.duplicates, faults.lose_acks, faults.jitter_seconds, faults.creates_fail_after = 1, 5, 0.1, 3
    async with place.service() as live:
        jobs = await asyncio.gather(*(submit(live, NOOP) for _ in range(20)))
        for job_id in jobs:
            assert (await ended(live, job_id))["attempt"] == 1
        await eventually(lambda: all("-by-" in name for name in place.server.queue.held))
        assert {code for _, code in place.server.queue.deliveries} <= {200, 409}
        assert len(place.server.queue.deliveries) > 40
        assert place.provider.calls == 20


async def test_a_delivery_that_outlasts_its_deadline_is_not_run_twice(tmp_path: Path) -> None:
    async with cloud(tmp_path / "data", speed=1800) as place, place.service() as live:
        place.server.configure(min_backoff=300)
        place.provider.gate.clear()
        job_id = await submit(live, NOOP)
        await eventually(lambda: [code for _, code in place.server.queue.deliveries][:2] == [504, 409])
        place.provider.gate.set()
        assert (await ended(live, job_id))["attempt"] == 1
        await eventually(lambda: place.server.queue.deliveries[-1][1] == 200)
        assert place.provider.calls == 1


async def test_jobs_are_accepted_while_cloud_tasks_is_down_and_none_is_lost(
    place: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "QUEUE_PATIENCE", timedelta(seconds=0.2))
    monkeypatch.setattr(cloud_tasks, "REST_SECONDS", 0.3)
    async with place.service(sweep_seconds=0.1) as live:
        place.server.faults.unavailable = True
        began, jobs = time.monotonic(), list[str]()
        while time.monotonic() - began < 1.5:  # thirty of the queue's seconds
            jobs += await asyncio.gather(*(submit(live, NOOP) for _ in range(3)))
            await asyncio.sleep(0.1)
        assert place.provider.calls == 0
        place.server.faults.unavailable = False
        for job_id in jobs:
            assert (await ended(live, job_id))["status"] == "completed"
        assert place.provider.calls == len(jobs)


async def test_what_the_queue_drops_is_dispatched_under_the_next_number(
    place: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "QUEUE_PATIENCE", timedelta(seconds=0.2))
    place.server.configure(min_backoff=1, max_attempts=2)
    queue = place.server.queue
    async with place.service("web") as web:
        given_up = await submit(web, NOOP)
        await eventually(lambda: any(given_up in name for name in queue.given_up))  # nobody is there to take it
        queue.pause()
        purged = await submit(web, NOOP)
        queue.purge()
        queue.resume()
        async with place.service("worker", sweep_seconds=0.1) as worker:
            for job_id in (given_up, purged):
                assert (await ended(web, job_id))["status"] == "completed"
                assert (await stored(worker, job_id)).dispatch == 2
    assert place.provider.calls == 2


async def test_a_superseded_delivery_makes_sure_of_the_present_one(place: Cloud) -> None:
    place.server.queue.pause()
    async with place.service() as live:
        job_id = await submit(live, NOOP)
        place.server.queue.purge()  # the present one is lost; its name is remembered, and the sweeper waits a minute
        calls = len(place.server.calls)
        order = {"job_id": job_id, "dispatch": 7}
        assert (await live.client.post(WORKER, json=order, headers=place.bearer())).status_code == 200
        assert "CreateTask" in place.server.calls[calls:]
        assert place.provider.calls == 0


async def test_an_early_delivery_comes_again_or_is_made_anew(place: Cloud) -> None:
    place.server.queue.pause()
    async with place.service() as live:
        soon, late = [await submit(live, held(seconds)) for seconds in (30, 3600)]
        answer = await live.client.post(WORKER, json={"job_id": soon, "dispatch": 1}, headers=place.bearer())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        answer = await live.client.post(WORKER, json={"job_id": late, "dispatch": 1}, headers=place.bearer())
        assert answer.status_code == 200
        job = await stored(live, late)
        assert (job.dispatch, job.status) == (2, "queued")
        assert any(late in name and name.endswith("-2") for name in place.server.queue.held)


async def test_a_deadline_s_delivery_ends_the_job_without_any_sweep(place: Cloud) -> None:
    place.provider.gate.clear()
    async with place.service(sweep_seconds=3600, deadlines={"image_seconds": 5}, lease_seconds=3600) as live:
        lost = await submit(live, {"prompt": "x", "sandbox": {"scenario": "worker_lost"}})
        early = await live.client.post(WORKER, json={"job_id": lost, "dispatch": 0}, headers=place.bearer())
        assert (early.status_code, 1 <= int(early.headers["Retry-After"]) <= 5) == (409, True)
        await eventually(lambda: place.provider.calls == 1)
        place.provider.gate.set()
        job = await ended(live, lost)
        assert (job["status"], job["error_code"]) == ("failed", "deadline_exceeded")
        await eventually(lambda: not any("-by-" in name for name in place.server.queue.held))


async def test_a_cancelled_job_leaves_no_task(place: Cloud) -> None:
    async with place.service() as live:
        job_id = await submit(live, held(3600))
        assert len(place.server.queue.held) == 2
        assert (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).status_code == 200
        assert not place.server.queue.held


async def test_a_run_that_was_lost_is_taken_up_by_its_own_task(place: Cloud) -> None:
    async with place.service(sweep_seconds=3600, lease_seconds=0.5) as live:
        job_id = await submit(live, {"prompt": "x", "sandbox": {"scenario": "worker_lost"}})
        job = await ended(live, job_id)
        assert (job["status"], job["attempt"]) == ("completed", 2)


async def test_a_sweep_can_be_ordered_and_one_at_a_time(place: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "QUEUE_PATIENCE", timedelta())
    began = time.time()
    async with place.service(sweep_seconds=3600) as live:
        await eventually(lambda: metrics.LAST_SWEEP._value.get() >= began)
        place.server.queue.pause()
        job_id = await submit(live, NOOP)
        place.server.queue.purge()
        place.server.queue.resume()
        orders = [live.client.post(WORKER, json={"sweep": True}, headers=place.bearer()) for _ in range(5)]
        answers = [answer.json() for answer in await asyncio.gather(*orders)]
        assert sorted(answer["seen"] for answer in answers) == [0, 0, 0, 0, 1]
        assert (await ended(live, job_id))["status"] == "completed"


async def test_a_worker_that_stops_hands_its_jobs_back_and_takes_no_more(place: Cloud) -> None:
    place.provider.gate.clear()
    async with place.service("web") as web:
        async with place.service("worker") as working:
            job_id = await submit(web, NOOP)
            await eventually(lambda: place.provider.calls == 1)
            await working.app.state.surroundings.engine.drain(timedelta())
            order = {"job_id": job_id, "dispatch": 9}
            assert (await working.client.post(WORKER, json=order, headers=place.bearer())).status_code == 503
        job = await stored(web, job_id)
        assert (job.status, job.attempt, job.dispatch) == ("queued", 0, 2)
        assert any(job_id in name and name.endswith("-2") for name in place.server.queue.held)
        place.provider.gate.set()
        async with place.service("worker"):
            assert (await ended(web, job_id))["attempt"] == 1


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
async def test_whatever_goes_wrong_every_job_ends_and_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(sweeper, "QUEUE_PATIENCE", timedelta(seconds=0.3))
    monkeypatch.setattr(cloud_tasks, "REST_SECONDS", 0.2)
    chance = random.Random(seed)
    async with cloud(tmp_path / "data") as place, place.service(sweep_seconds=0.2, slots={"image": 8}) as live:
        faults, queue = place.server.faults, place.server.queue
        place.server.configure(min_backoff=0.5, max_attempts=3)
        faults.jitter_seconds, faults.random = 0.05, random.Random(seed)
        jobs = list[str]()
        for _ in range(40):
            faults.unavailable = chance.random() < 0.2
            faults.creates_fail_before, faults.creates_fail_after = chance.randrange(3), chance.randrange(3)
            faults.duplicates, faults.lose_acks = chance.randrange(2), chance.randrange(3)
            jobs += await asyncio.gather(*(submit(live, NOOP) for _ in range(5)))
            if chance.random() < 0.1:
                queue.purge()
        faults.unavailable, faults.creates_fail_before, faults.creates_fail_after = False, 0, 0
        for job_id in jobs:
            job = await ended(live, job_id, within=60)
            assert (job["status"], job["attempt"]) == ("completed", 1)
        assert place.provider.calls == len(jobs) == 200
