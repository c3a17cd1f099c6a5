"""Who can draw, what it costs, and how it has been lately."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.callers import bearer
from tests.images import NOOP, ROOT, ended, submit
from tests.live import Live, Serve

from atelier.api.images.schemas import GenerateRequest


async def sandbox(live: Live) -> dict[str, Any]:
    response = await live.client.get(f"{ROOT}/providers")
    assert response.status_code == 200
    (found,) = response.json()["providers"]
    assert isinstance(found, dict)
    return found


async def test_everything_a_provider_offers_can_be_asked_for(live: Live) -> None:
    found = await sandbox(live)
    assert (found["name"], found["default"], found["limits"]) == (
        "sandbox",
        True,
        {"requests_per_minute": None, "concurrent": 4},
    )
    assert len(found["styles"]) == 17
    assert len(found["aspect_ratios"]) == 9
    assert found["prices"] == dict.fromkeys(found["qualities"], 0.0)
    for field, values in (
        ("style", found["styles"]),
        ("aspect_ratio", found["aspect_ratios"]),
        ("quality", found["qualities"]),
        ("output_format", found["output_formats"]),
    ):
        for value in values:
            GenerateRequest.model_validate({"prompt": "x", field: value})


async def test_a_provider_s_health_is_how_its_calls_went(serve: Serve) -> None:
    async with serve(retry_base_seconds=0.05, max_attempts=1) as live:
        assert (await sandbox(live))["health"] == {
            "state": "idle",
            "succeeded_at": None,
            "failed_at": None,
            "failure": None,
        }
        for scenario, state, failure in (
            ("provider_down_then_ok", "failing", "provider_unavailable"),
            ("rate_limited_then_ok", "rate_limited", "provider_rate_limited"),
            ("refused", "ok", "provider_rate_limited"),
        ):
            await ended(live, await submit(live, {"prompt": "x", "sandbox": {"scenario": scenario}}))
            health = (await sandbox(live))["health"]
            assert (health["state"], health["failure"]) == (state, failure)
        await ended(live, await submit(live, NOOP))
        health = (await sandbox(live))["health"]
        assert health["state"] == "ok"
        assert health["succeeded_at"] > health["failed_at"]


async def test_a_waiting_job_says_why_and_how_long(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        first = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
        waiting = [await submit(live, NOOP) for _ in range(3)]
        reads = [await live.client.get(f"{ROOT}/jobs/{job_id}") for job_id in waiting]
        for place, read in enumerate(reads):
            job = read.json()
            assert (job["status"], job["state_reason"]) == ("queued", "waiting_for_slot")
            assert job["queue"] == {"position": place + 1, "ahead": place, "provider_position": None}
            assert job["eta"]["basis"] == "table"
        etas = [read.json()["eta"]["p50"] for read in reads]
        assert etas == sorted(etas)
        assert len(set(etas)) == 3, "who waits behind more waits longer"
        tags = {read.headers["etag"] for read in reads}
        assert len(tags) == 3, "the place belongs to what is tagged"
        await live.client.post(f"{ROOT}/jobs/{first}/cancel")
        for job_id in waiting:
            job = await ended(live, job_id)
            assert (job["queue"], job["eta"], job["estimated_time_remaining"]) == (None, None, None)
        for _ in range(3):
            await ended(live, await submit(live, NOOP))
        accepted = (await live.client.post(f"{ROOT}/generate", json=NOOP)).json()
        assert accepted["estimated_completion_time"] < 1, "measured now"


async def test_nobody_fills_the_queue_alone(serve: Serve) -> None:
    """Jobs that are held for years count as well: their owner's part of the queue is taken, nobody else's."""
    held = {**NOOP, "sandbox": {"scenario": "noop", "hold_until": 4_102_444_800}}
    async with serve(auth="anonymous", limits={"queue": 12}) as live:
        bob = await bearer(live, "bob")
        batch = {"images": [held] * 2}
        answers = [await live.client.post(f"{ROOT}/batch-generate", json=batch) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 503]
        refusal = answers[-1].json()
        assert (refusal["code"], "an owner may have 3" in refusal["detail"]) == ("queue_full", True)
        assert int(answers[-1].headers["retry-after"]) >= 1
        mine = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=bob)).json()["job_id"]
        async with asyncio.timeout(60):
            while (await live.client.get(f"{ROOT}/jobs/{mine}", headers=bob)).json()["status"] != "completed":
                await asyncio.sleep(0.05)


async def test_a_full_queue_answers_503_and_loses_nothing(serve: Serve) -> None:
    async with serve(slots={"image": 1}, limits={"queue": 2}) as live:
        first = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
        accepted, key = [], {"Idempotency-Key": "mine"}
        for number in range(6):
            response = await live.client.post(f"{ROOT}/generate", json=NOOP, headers=key if number == 0 else None)
            if response.status_code == 200:
                accepted.append(response.json()["job_id"])
            else:
                assert (response.status_code, response.json()["code"]) == (503, "queue_full")
                assert int(response.headers["retry-after"]) >= 1
        assert 1 <= len(accepted) <= 3
        again = await live.client.post(f"{ROOT}/generate", json=NOOP, headers=key)
        assert (again.status_code, again.json()["job_id"]) == (200, accepted[0]), "what is in is not refused"
        await live.client.post(f"{ROOT}/jobs/{first}/cancel")
        for job_id in accepted:
            assert (await ended(live, job_id))["status"] == "completed"
