"""Front door C's request: it answers when the picture is done, and always whether it succeeded."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.images import NOOP, ROOT, ended
from tests.live import Live, Serve
from tests.sockets import GENERATE, generate

from atelier.api.media import routes

SCRIPT: dict[str, Any] = {"sandbox": NOOP["sandbox"]}
STALL: dict[str, Any] = {"sandbox": {"scenario": "stall"}}


async def test_it_answers_when_the_picture_is_done(live: Live) -> None:
    answer = await generate(live.client, "task-1", quality="draft", use_refinement=True)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["success"], body["message"]) == (True, "Image generated successfully")
    assert (body["task_id"], body["status"], body["code"], body["retryable"]) == ("task-1", "completed", None, None)
    assert body["image_url"] == body["image"]["image_url"]
    assert (await live.client.get(body["image_url"])).headers["content-type"] == "image/png"
    assert body["generation_time"] > 0
    assert body["warnings"] == []
    assert answer.headers["x-job-id"] == body["job_id"]
    job = (await live.client.get(answer.headers["location"])).json()
    assert (job["job_id"], job["quality"]) == (body["job_id"], "draft")
    assert job["result"]["images"][0]["image_url"] == body["image_url"]


async def test_high_quality_and_the_fields_of_the_other_front_door(live: Live) -> None:
    body = (await generate(live.client, None, high_quality=True, style="anime", aspect_ratio="16:9", **SCRIPT)).json()
    assert body["task_id"] is None
    job = (await live.client.get(body["urls"]["self"])).json()
    assert (job["quality"], job["style"], job["aspect_ratio"]) == ("high", "anime", "16:9")


async def test_without_a_name_every_request_is_a_new_job(live: Live) -> None:
    answers = [(await generate(live.client, None, **SCRIPT)).json() for _ in range(2)]
    assert len({answer["job_id"] for answer in answers}) == 2


async def test_the_same_name_and_body_are_the_same_job_and_another_body_is_409(live: Live) -> None:
    asked = [generate(live.client, "task-1", **SCRIPT) for _ in range(5)]
    answers = [answer.json() for answer in await asyncio.gather(*asked)]
    assert len({answer["job_id"] for answer in answers}) == 1
    again = await generate(live.client, "task-1", use_generation=True, high_quality=False, **SCRIPT)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == answers[0]
    for other in ({"seed": 1}, {"use_refinement": True}, {"high_quality": True}, {"prompt": "Another hill"}):
        refused = await generate(live.client, "task-1", **{**SCRIPT, **other})
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["success"]) == (409, "conflict", False), other
        assert "task_id" in problem["message"]


async def test_a_failed_job_is_the_same_job_too_and_a_retry_of_it_is_waited_for(live: Live) -> None:
    refused = {"sandbox": {"scenario": "refused"}}
    first = (await generate(live.client, "task-1", **refused)).json()
    assert (first["success"], first["image_url"], first["code"]) == (False, None, "provider_refused")
    assert first["message"] == "The sandbox refuses this request, as it was asked to."
    assert (await generate(live.client, "task-1", **refused)).json() == first
    await live.client.post(f"{ROOT}/jobs/{first['job_id']}/retry")
    second = (await generate(live.client, "task-1", **refused)).json()
    assert second == first
    assert (await ended(live, first["job_id"]))["run"] == 2


async def test_an_idempotency_key_is_no_task_and_no_task_is_one(live: Live) -> None:
    key = {"Idempotency-Key": "task-1"}
    named = (await generate(live.client, "task-1", **SCRIPT)).json()
    body = {"prompt": "A hill", **SCRIPT}
    keyed = await live.client.post(GENERATE, json=body, headers=key)
    assert keyed.json()["job_id"] != named["job_id"]
    replayed = await live.client.post(GENERATE, json=body, headers=key)
    assert replayed.json()["job_id"] == keyed.json()["job_id"]
    assert replayed.headers["idempotency-replayed"] == "true"
    other = await live.client.post(GENERATE, json={**body, "seed": 1}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    with_both = await live.client.post(GENERATE, json={**body, "task_id": "task-1"}, headers={"Idempotency-Key": "k"})
    assert with_both.json()["job_id"] == named["job_id"], "the task's name goes first"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"prompt": ""}, {"prompt": "x", "use_generation": False}, {"prompt": "x", "use_generation": "yes"},
        {"prompt": "x", "task_id": "a b"}, {"prompt": "x", "task_id": ""}, {"prompt": "x", "task_id": "x" * 129},
        {"prompt": "x", "task_id": 7}, {"prompt": "x", "quality": "best"}, {"prompt": "x", "high_quality": 1}, [], "x",
    ],
)  # fmt: skip
async def test_whatever_is_wrong_success_is_false_and_there_is_a_sentence(live: Live, body: Any) -> None:
    answer = await live.client.post(GENERATE, json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["success"], problem["code"]) == (False, "validation_error")
    assert problem["message"]


async def test_a_client_that_goes_away_changes_nothing(live: Live) -> None:
    asking = asyncio.create_task(generate(live.client, "task-1", sandbox={"scenario": "slow", "seconds": 1}))
    job: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while job.get("current_stage") != "generating":
            jobs = (await live.client.get(f"{ROOT}/jobs")).json()["jobs"]
            job = jobs[0] if jobs else {}
            await asyncio.sleep(0.05)
    asking.cancel()
    found = await ended(live, job["job_id"])
    assert (found["status"], found["attempt"]) == ("completed", 1)
    assert live.app.state.surroundings.streams.opened("local") == 0


async def test_while_it_is_made_a_space_is_sent_now_and_then(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "BREATH_SECONDS", 0.1)
    body = {"prompt": "A hill", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 1}}
    async with live.client.stream("POST", GENERATE, json=body) as answer:
        assert answer.headers["content-type"] == "application/json"
        pieces = [piece async for piece in answer.aiter_raw()]
    text = b"".join(pieces)
    assert text.startswith(b"     ")
    assert httpx.Response(200, content=text).json()["success"]


async def test_it_waits_no_longer_than_it_is_asked_to(live: Live) -> None:
    body = {"prompt": "A hill", "task_id": "task-1", **STALL}
    answer = await live.client.post(GENERATE, json=body, headers={"Prefer": "wait=0"})
    assert answer.headers["preference-applied"] == "wait=0"
    told = answer.json()
    assert (told["success"], told["code"], told["retryable"]) == (False, "timeout", True)
    assert told["status"] in {"queued", "processing"}
    await live.client.post(f"{ROOT}/jobs/{told['job_id']}/cancel")
    again = (await live.client.post(GENERATE, json=body)).json()
    assert (again["success"], again["message"], again["code"]) == (False, "Cancelled", "cancelled")


async def test_it_waits_as_long_as_the_job_may_take(serve: Serve) -> None:
    async with serve(deadlines={"image_seconds": 1}, sweep_seconds=0.1) as live:
        answer = (await generate(live.client, "task-1", **STALL)).json()
    assert (answer["success"], answer["code"], answer["status"]) == (False, "deadline_exceeded", "failed")


async def test_a_page_s_plain_fetch_is_understood_and_a_foreign_page_refused(live: Live) -> None:
    text = b'{"prompt": "A hill", "use_generation": true, "sandbox": {"scenario": "noop"}}'
    page = {"Origin": "http://localhost:3000", "Content-Type": "text/plain"}
    answer = await live.client.post(GENERATE, content=text, headers=page)
    assert answer.json()["success"]
    assert answer.headers["access-control-allow-origin"] == page["Origin"]
    foreign = await live.client.post(GENERATE, content=text, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["success"]) == (403, False)
