"""Front door B over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from tests import images
from tests.blogs import ROOT, STAGES, TOMATOES, ended, entered, read, submit
from tests.callers import bearer
from tests.images import events_of
from tests.live import Live, Serve

from atelier.api.streams import LIMIT

ASK = f"{ROOT}/generate-enhanced"
NUMBERS = {**{stage: number for number, stage in enumerate(STAGES)}, "completed": 13}
RESULT = {
    "blog_id", "title", "content", "meta_title", "meta_description", "readability_score", "seo_score", "quality_score",
    "quality_dimensions", "semantic_keywords", "citations", "seo_metadata", "structured_data", "content_metadata",
    "stage_results", "total_tokens", "total_cost", "generation_time", "warnings", "success", "progress_updates", "status",
}  # fmt: skip
UPDATE = {
    "stage", "stage_number", "total_stages", "progress_percentage", "status", "details", "metadata", "timestamp", "seq",
}  # fmt: skip
STALL = {"topic": "Stones", "sandbox": {"scenario": "stall"}}


async def test_a_post_is_queued_unless_somebody_waits_for_it(live: Live) -> None:
    for body, query in (
        (TOMATOES, ""),
        ({**TOMATOES, "async_mode": True}, ""),
        ({**TOMATOES, "async_mode": False}, "?async_mode=true"),
    ):
        answer = await live.client.post(f"{ASK}{query}", json=body)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["message"]) == ("queued", "Blog generation job queued successfully")
        assert isinstance(found["estimated_completion_time"], float)
        assert found["urls"]["self"] == f"{live.base}{ROOT}/jobs/{found['job_id']}"
        assert found["blog_id"]


async def test_every_stage_is_on_the_stream_in_order_and_short(live: Live) -> None:
    response = await live.client.post(f"{ASK}/stream", json={**TOMATOES, "blog_id": "b-1"})
    assert all(len(f"{event}\n\n".encode()) <= LIMIT for event in response.text.split("\n\n"))
    assert '"markdown"' not in response.text
    events = events_of(response.text)
    assert entered(events) == STAGES
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    progress = [event["progress"] for _, event in events]
    assert progress == sorted(progress)
    assert all(event["stage_number"] == NUMBERS[event["stage"]] for _, event in events)
    assert {event["total_stages"] for _, event in events} == {13}
    sections = [event["data"]["section"] for _, event in events if "section" in event["data"]]
    assert [section["number"] for section in sections] == list(range(1, len(sections) + 1))
    assert len(sections) >= 3
    assert all(section.keys() == {"number", "title", "words"} for section in sections)
    last = events[-1][1]
    assert (last["status"], last["progress"], last["data"]["blog_id"]) == ("completed", 100, "b-1")
    result = last["data"]["result"]
    assert result["title"]
    assert "content" not in result
    assert {"readability_score", "seo_score", "quality_score", "words", "reading_time", "total_tokens"} <= result.keys()
    assert last["urls"]["self"].endswith(response.headers["x-job-id"])


async def test_the_job_has_the_post_and_its_whole_log(live: Live) -> None:
    job_id = await submit(live, {**TOMATOES, "blog_id": "b:2", "tone": "friendly"})
    job = await ended(live, job_id)
    assert (job["status"], job["current_stage"], job["progress_percentage"]) == ("completed", "completed", 100)
    assert (job["topic"], job["tone"], job["length"], job["provider"]) == (
        TOMATOES["topic"],
        "friendly",
        "short",
        "sandbox",
    )
    assert (job["blog_id"], job["target_length"], job["error_message"]) == ("b:2", None, None)
    result, updates = job["result"], job["progress_updates"]
    assert result.keys() >= RESULT
    assert (result["status"], result["success"], result["blog_id"], result["job_id"]) == (
        "completed",
        True,
        "b:2",
        job_id,
    )
    assert result["progress_updates"] == updates
    assert [each["stage"] for each in result["stage_results"]] == STAGES[1:-1]
    assert result["total_tokens"] == sum(each["tokens"] for each in result["stage_results"]) > 0
    assert all(update.keys() >= UPDATE for update in updates)
    assert [update["seq"] for update in updates] == list(range(1, job["seq"] + 1))
    assert [update["stage_number"] for update in updates] == [NUMBERS[update["stage"]] for update in updates]
    written = [update for update in updates if "section" in update["metadata"]]
    assert all(update["metadata"]["section"]["markdown"] for update in written)
    assert all("markdown" not in update["data"]["section"] for update in written)
    assert all(update["details"] == update["message"] for update in updates)
    later = await read(live, job_id, after=job["seq"] - 2)
    assert [update["seq"] for update in later["progress_updates"]] == [job["seq"] - 1, job["seq"]]


@pytest.mark.parametrize(
    ("topic", "word"), [("Balconies", "term {}"), ("t" * 500, "{} " + "o" * 97)], ids=["short", "long"]
)
async def test_as_many_keywords_as_a_request_may_have_are_worked_with(live: Live, topic: str, word: str) -> None:
    given = [word.format(number) for number in range(10, 60)]
    job = await ended(live, await submit(live, {**TOMATOES, "topic": topic, "keywords": given}))
    assert (job["status"], job["error_message"]) == ("completed", None)
    assert job["result"]["seo_metadata"]["keyword"] == given[0]
    assert job["result"]["seo_metadata"]["keywords"][:3] == given[:3]
    refused = await live.client.post(ASK, json={**TOMATOES, "keywords": [*given, "one more"]})
    assert refused.status_code == 422


@pytest.mark.parametrize(("query", "mode"), [("?async_mode=false", None), ("", False), ("?async_mode=0", True)])
async def test_who_waits_gets_the_post_itself(live: Live, query: str, mode: bool | None) -> None:  # noqa: FBT001
    answer = await live.client.post(f"{ASK}{query}", json={**TOMATOES, "async_mode": mode})
    assert answer.status_code == 200, answer.text
    job = await read(live, answer.headers["x-job-id"])
    assert answer.json() == job["result"]
    assert answer.headers["location"] == job["urls"]["self"]


async def test_who_waits_for_a_post_that_fails_is_told_why(live: Live) -> None:
    answer = await live.client.post(f"{ASK}?async_mode=false", json={"topic": "x", "sandbox": {"scenario": "refused"}})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (502, "provider_refused", False)
    assert answer.headers["content-type"] == "application/problem+json"
    job = await read(live, problem["job_id"])
    assert (job["status"], job["current_stage"]) == ("failed", "error")
    assert problem["detail"] == problem["message"] == job["error_message"]
    last = job["progress_updates"][-1]
    assert (last["stage"], last["status"]) == ("error", "failed")
    assert 1 <= last["stage_number"] == job["stage_number"] <= 13


async def test_who_waits_for_a_post_that_is_cancelled_is_told_so(live: Live) -> None:
    waiting = asyncio.create_task(live.client.post(f"{ASK}?async_mode=false", json=STALL))
    async with asyncio.timeout(60):
        while not (jobs := (await live.client.get(f"{ROOT}/jobs")).json()["jobs"]):
            await asyncio.sleep(0.05)
    await live.client.post(f"{ROOT}/jobs/{jobs[0]['job_id']}/cancel")
    answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (502, "cancelled")
    assert answer.json()["job_id"] == jobs[0]["job_id"]


async def test_a_wait_that_is_too_long_ends_and_the_job_goes_on(serve: Serve) -> None:
    async with serve(blog={"sync_wait_seconds": 0.2}) as live:
        body = {"topic": "x", "length": "short", "sandbox": {"scenario": "slow", "seconds": 4}}
        key = {"Idempotency-Key": "k"}
        answer = await live.client.post(f"{ASK}?async_mode=false", json=body, headers=key)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["retryable"]) == (504, "timeout", True)
        again = await live.client.post(f"{ASK}?async_mode=false", json=body, headers=key)
        assert (again.status_code, again.json()["job_id"]) == (504, problem["job_id"])
        assert again.headers["idempotency-replayed"] == "true"
        assert (await read(live, problem["job_id"]))["status"] in {"queued", "processing"}
        assert (await ended(live, problem["job_id"]))["status"] == "completed"


async def test_a_post_that_will_be_tried_again_has_not_failed(serve: Serve) -> None:
    async with serve(blog={"sync_wait_seconds": 0.5}, retry_base_seconds=600) as live:
        body = {"topic": "x", "sandbox": {"scenario": "provider_down_then_ok"}}
        answer = await live.client.post(f"{ASK}?async_mode=false", json=body)
        assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
        async with asyncio.timeout(60):
            while (await read(live, answer.json()["job_id"]))["state_reason"] != "retrying":
                await asyncio.sleep(0.05)


async def test_who_waits_when_the_service_stops_is_told_that_the_job_goes_on(live: Live) -> None:
    waiting = asyncio.create_task(live.client.post(f"{ASK}?async_mode=false", json=STALL))
    async with asyncio.timeout(60):
        while live.app.state.surroundings.engine.followed == 0:
            await asyncio.sleep(0.05)
    live.app.state.surroundings.engine.close()
    answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert (await read(live, answer.json()["job_id"]))["status"] in {"queued", "processing"}


async def test_who_waits_and_goes_away_changes_nothing(live: Live) -> None:
    body = {"topic": "x", "length": "short", "sandbox": {"scenario": "slow", "seconds": 3}}
    headers, impatient = {"Idempotency-Key": "once"}, httpx.Timeout(60, read=1)
    with pytest.raises(httpx.ReadTimeout):
        await live.client.post(f"{ASK}?async_mode=false", json=body, headers=headers, timeout=impatient)
    again = await live.client.post(f"{ASK}?async_mode=false", json=body, headers=headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (await read(live, again.json()["job_id"]))["attempt"] == 1


async def test_the_same_request_is_the_same_job_however_the_answer_comes(live: Live) -> None:
    headers = {"Idempotency-Key": "order-1"}
    job_id = await submit(live, TOMATOES, **headers)
    written_out = {
        **TOMATOES, "keywords": [" tomatoes", "balcony  garden ", "TOMATOES"], "tone": "professional", "use_citations": True,
        "sources": [], "unknown": 1,
    }  # fmt: skip
    waited = await live.client.post(f"{ASK}?async_mode=false", json=written_out, headers=headers)
    assert (waited.status_code, waited.json()["job_id"]) == (200, job_id)
    later = (await live.client.post(ASK, json=TOMATOES, headers=headers)).json()
    assert (later["status"], later["message"], later["estimated_completion_time"]) == ("completed", "Completed", 0.0)
    attached = await live.client.post(f"{ASK}/stream", json=TOMATOES, headers=headers)
    assert attached.headers["x-job-id"] == job_id
    assert events_of(attached.text)[-1][1]["stage"] == "completed"
    others: list[dict[str, Any]] = [{"tone": "casual"}, {"use_citations": False}, {"blog_id": "b"}, {"keywords": []}]
    for other in others:
        answer = await live.client.post(ASK, json={**TOMATOES, **other}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch"), other


async def test_preferring_to_wait_answers_the_job(live: Live) -> None:
    answer = await live.client.post(ASK, json=TOMATOES, headers={"Prefer": "wait=20"})
    assert answer.headers["preference-applied"] == "wait=20"
    job = answer.json()
    assert (job["status"], job["result"]["status"]) == ("completed", "completed")
    unchanged = {"If-None-Match": answer.headers["etag"]}
    assert (await live.client.get(f"{ROOT}/jobs/{job['job_id']}", headers=unchanged)).status_code == 304


BAD = [
    ({}, "topic"),
    ({"topic": ""}, "topic"),
    ({"topic": " \n"}, "topic"),
    ({"topic": "x" * 501}, "topic"),
    ({"topic": "a\x00b"}, "topic"),
    ({"topic": 7}, "topic"),
    ({"topic": "x", "keywords": "a, b"}, "keywords"),
    ({"topic": "x", "keywords": ["k"] * 51}, "keywords"),
    ({"topic": "x", "keywords": ["a", "k" * 101]}, "keywords.1"),
    ({"topic": "x", "keywords": [" "]}, "keywords.0"),
    ({"topic": "x", "keywords": ["a\x1b[31m"]}, "keywords.0"),
    ({"topic": "x", "keywords": [7]}, "keywords.0"),
    ({"topic": "x", "tone": "angry"}, "tone"),
    ({"topic": "x", "length": "huge"}, "length"),
    ({"topic": "x", "length": 500}, "length"),
    ({"topic": "x", "target_length": 199}, "target_length"),
    ({"topic": "x", "target_length": 6001}, "target_length"),
    ({"topic": "x", "target_length": "500"}, "target_length"),
    ({"topic": "x", "length": "short", "target_length": 500}, "target_length"),
    ({"topic": "x", "target_audience": "a" * 201}, "target_audience"),
    ({"topic": "x", "custom_instructions": "a" * 2001}, "custom_instructions"),
    ({"topic": "x", "custom_instructions": "a\x07"}, "custom_instructions"),
    ({"topic": "x", "template_type": "../etc"}, "template_type"),
    ({"topic": "x", "template_type": "a" * 65}, "template_type"),
    ({"topic": "x", "blog_id": "a b"}, "blog_id"),
    ({"topic": "x", "sources": ["https://a.example"] * 21}, "sources"),
    ({"topic": "x", "sources": ["ftp://a.example/x"]}, "sources.0"),
    ({"topic": "x", "sources": ["file:///etc/passwd"]}, "sources.0"),
    ({"topic": "x", "sources": ["https://ann:pw@a.example"]}, "sources.0"),
    ({"topic": "x", "sources": ["no address"]}, "sources.0"),
    ({"topic": "x", "use_citations": "no"}, "use_citations"),
    ({"topic": "x", "use_google_search": 1}, "use_google_search"),
    ({"topic": "x", "async_mode": "false"}, "async_mode"),
    ({"topic": "x", "provider": "gpt"}, "provider"),
    ({"topic": "x", "provider": "openai", "sandbox": {"scenario": "ok"}}, "sandbox"),
    ({"topic": "x", "sandbox": {"scenario": "explode"}}, "sandbox.scenario"),
]


async def test_bad_values_name_their_field_and_nothing_is_made(live: Live) -> None:
    for body, field in BAD:
        for path in (ASK, f"{ASK}/stream", f"{ASK}?async_mode=false"):
            response = await live.client.post(path, content=json.dumps(body))
            assert response.status_code == 422, (body, response.text)
            problem = response.json()
            assert ".".join(str(part) for part in problem["errors"][0]["loc"][1:]) == field, body
            assert problem["detail"].startswith(f"{field}: ")
    assert (await live.client.post(f"{ASK}?async_mode=perhaps", json=TOMATOES)).status_code == 422
    assert (await live.client.get(f"{ROOT}/jobs")).json()["jobs"] == []


async def test_what_is_asked_for_is_understood(live: Live) -> None:
    body = {
        "topic": " Growing\n tomatoes ", "keywords": ["Tomatoes ", "tomatoes", "Balcony"], "target_length": 700,
        "target_audience": "Beginners", "custom_instructions": "Short sentences.\nNo jokes.", "template_type": "how-to",
        "use_quality_scoring": False, "provider": "sandbox", "sources": ["https://sandbox.example/1"],
    }  # fmt: skip
    job = await ended(live, await submit(live, body))
    assert job["status"] == "completed", job["error_message"]
    assert (job["topic"], job["length"], job["target_length"]) == ("Growing tomatoes", "short", 700)
    assert job["result"]["quality_score"] is None
    assert job["result"]["content_metadata"]["words"] == pytest.approx(700, rel=0.2)
    skipped = {update["stage"] for update in job["progress_updates"] if update["status"] == "skipped"}
    assert "quality_scoring" in skipped
    (update,) = [u for u in job["progress_updates"] if u["status"] == "skipped" and u["stage"] == "quality_scoring"]
    assert update["metadata"]["skipped"] in update["details"]


async def test_a_known_writer_that_is_not_configured_is_stood_in_for(live: Live) -> None:
    job = await ended(live, await submit(live, {**TOMATOES, "provider": "anthropic"}))
    assert job["provider"] == "sandbox"
    assert job["warnings"][0] == "The provider anthropic is not configured; the sandbox wrote instead."


async def test_texts_of_any_script_and_length_fit_into_events(live: Live) -> None:
    topics = ["番茄" * 250, "🍅" * 500, "بندورة " * 70, "\"'\\<b>&" * 60, "a" * 500, "\u2028\u2029" + "x"]
    for topic in topics:
        response = await live.client.post(f"{ASK}/stream", json={"topic": topic, "length": "short"})
        assert all(len(f"{event}\n\n".encode()) <= LIMIT for event in response.text.split("\n\n")), topic
        events = events_of(response.text)
        assert entered(events) == STAGES, events[-1]
        assert events[-1][1]["data"]["result"]["title"]


async def test_a_cursor_goes_on_on_every_transport(live: Live) -> None:
    job_id = await submit(live, TOMATOES)
    whole = events_of((await live.client.get(f"{ROOT}/jobs/{job_id}/stream")).text)
    numbers = [number for number, _ in whole]
    for cut in (1, 7, len(whole) - 1):
        rest = numbers[cut:]
        address = f"{ROOT}/jobs/{job_id}/stream"
        by_header = await live.client.get(address, headers={"Last-Event-ID": str(cut)})
        by_query = await live.client.get(address, params={"after": cut})
        assert [n for n, _ in events_of(by_header.text)] == [n for n, _ in events_of(by_query.text)] == rest
        polled = await read(live, job_id, after=cut, wait=5)
        assert [update["seq"] for update in polled["progress_updates"]] == rest
    done = await live.client.get(f"{ROOT}/jobs/{job_id}/stream", params={"after": numbers[-1]})
    assert done.status_code == 204


async def test_the_long_poll_walks_through_a_job_without_a_gap(live: Live) -> None:
    job_id = await submit(live, {**TOMATOES, "sandbox": {"scenario": "slow", "seconds": 1}})
    seen: list[int] = []
    async with asyncio.timeout(60):
        while True:
            job = await read(live, job_id, after=seen[-1] if seen else 0, wait=10)
            seen += [update["seq"] for update in job["progress_updates"]]
            if job["status"] == "completed":
                break
    assert seen == list(range(1, job["seq"] + 1))


async def test_a_running_post_is_cancelled_and_goes_on_as_the_next_run(live: Live) -> None:
    job_id = await submit(live, STALL)
    async with asyncio.timeout(60):
        while (await read(live, job_id))["current_stage"] != "keyword_analysis":
            await asyncio.sleep(0.05)
    answer = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert answer.status_code == 200
    job = answer.json()
    assert (job["status"], job["error_code"], job["cancellation"]["billed"]) == ("cancelled", "cancelled", "no")
    twice = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert (twice.status_code, twice.json()["job"]["job_id"]) == (409, job_id)
    again = await live.client.post(f"{ROOT}/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["run"], again.json()["status"]) == (200, 2, "queued")
    assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 409
    await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    events = events_of((await live.client.get(f"{ROOT}/jobs/{job_id}/stream")).text)
    assert (events[0][1]["stage"], events[-1][1]["status"]) == ("queued", "cancelled")
    assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 204
    assert (await live.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 404


async def test_trouble_that_passes_is_tried_again(serve: Serve) -> None:
    async with serve(retry_base_seconds=0.05) as live:
        for scenario in ("rate_limited_then_ok", "provider_down_then_ok"):
            job = await ended(live, await submit(live, {**TOMATOES, "sandbox": {"scenario": scenario}}))
            assert (job["status"], job["attempt"]) == ("completed", 2)


async def test_a_post_may_not_start_before_its_time(live: Live) -> None:
    job_id = await submit(live, {**TOMATOES, "sandbox": {"hold_until": int(time.time()) + 3600}})
    job = await read(live, job_id)
    assert (job["status"], job["state_reason"]) == ("queued", "waiting_until")


async def test_lists_are_short_filtered_and_paged(live: Live) -> None:
    ids = [await submit(live, {**TOMATOES, "blog_id": f"b{n % 2}"}) for n in range(5)]
    await images.submit(live, images.NOOP)
    for job_id in ids:
        await ended(live, job_id)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await live.client.get(f"{ROOT}/jobs", params=params)).json()
        assert all(job["result"] is None and job["progress_updates"] == [] for job in page["jobs"])
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    odd = (await live.client.get(f"{ROOT}/jobs", params={"blog_id": "b1", "status": "completed"})).json()["jobs"]
    assert [job["job_id"] for job in odd] == ids[1::2][::-1]
    assert len((await live.client.get(f"{images.ROOT}/jobs")).json()["jobs"]) == 1


async def test_a_job_of_the_other_kind_is_no_job(live: Live) -> None:
    stalled = {"prompt": "x", "sandbox": {"scenario": "stall"}}
    picture, post = await images.submit(live, stalled), await submit(live, STALL)
    unknown = (await live.client.get(f"{ROOT}/jobs/{'0' * 32}")).json()
    for root, job_id in ((ROOT, picture), (images.ROOT, post)):
        own = f"{root}/jobs/{job_id}"
        asked = [("GET", own), ("GET", f"{own}?after=9999&wait=60"), ("GET", f"{own}/stream"), ("DELETE", own)]
        asked += [("POST", f"{own}/{name}") for name in ("cancel", "retry", "ticket")]
        for method, address in asked:
            answer = await live.client.request(method, address)
            assert answer.status_code == 404, (method, address)
            assert {**answer.json(), "request_id": ""} == {**unknown, "request_id": ""}
    for root, job_id in ((images.ROOT, picture), (ROOT, post)):
        assert (await live.client.get(f"{root}/jobs/{job_id}")).json()["status"] in {"queued", "processing"}
        assert (await live.client.post("/api/v1/tickets", json={"job_id": job_id})).status_code == 200
        assert (await live.client.post(f"{root}/jobs/{job_id}/cancel")).status_code == 200


async def test_posts_and_pictures_have_places_of_their_own(serve: Serve) -> None:
    async with serve(slots={"blog": 1, "image": 1}) as live:
        first, second = await submit(live, STALL), await submit(live, TOMATOES)
        assert (await images.ended(live, await images.submit(live, images.NOOP)))["status"] == "completed"
        waiting = await read(live, second)
        assert (waiting["status"], waiting["state_reason"]) == ("queued", "waiting_for_slot")
        await live.client.post(f"{ROOT}/jobs/{first}/cancel")
        assert (await ended(live, second))["status"] == "completed"


async def test_a_ticket_shows_one_post(serve: Serve) -> None:
    async with serve(auth="keys") as live:
        ann = await bearer(live, "ann")
        made = (await live.client.post(ASK, json=TOMATOES, headers=ann)).json()
        ticket = (await live.client.post(made["urls"]["ticket"], headers=ann)).json()["ticket"]
        shown = await live.client.get(made["urls"]["stream"], params={"ticket": ticket})
        assert entered(events_of(shown.text)) == STAGES
        assert (await live.client.get(made["urls"]["self"], params={"ticket": ticket})).status_code == 200
        assert (await live.client.get(f"{ROOT}/jobs", params={"ticket": ticket})).status_code == 401
        assert (await live.client.post(made["urls"]["cancel"], params={"ticket": ticket})).status_code == 401


async def test_the_document_names_the_stages(live: Live) -> None:
    schemas = (await live.client.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["BlogGenerationStage"]["enum"] == [*STAGES, "error"]
    assert schemas["ImageGenerationStage"]["enum"] == [*images.STAGES, "error"]
