"""Front door A over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from PIL import Image
from tests.images import NOOP, ROOT, STAGES, ended, events_of, reached, stream, submit
from tests.live import Live, Serve

from atelier.api.images.orders import to_order
from atelier.api.images.schemas import GenerateRequest, Style
from atelier.api.openapi import SENT
from atelier.jobs.engine import NewJob


async def test_generate_answers_as_documented(live: Live) -> None:
    for path in ("generate", "generate-async"):
        answer = (await live.client.post(f"{ROOT}/{path}", json={**NOOP, "quality": "draft"})).json()
        assert answer["status"] == "queued"
        assert answer["message"] == "Image generation job queued successfully"
        assert answer["is_draft"] is True
        assert isinstance(answer["estimated_completion_time"], float)


async def test_stream_shows_every_stage_and_the_picture(live: Live) -> None:
    events = await stream(live, {**NOOP, "blog_id": "b-1", "quality": "draft"})
    assert [number for number, _ in events] == [1, 2, 3, 4, 5]
    assert [event["stage"] for _, event in events] == STAGES
    progress = [event["progress"] for _, event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    last = events[-1][1]
    assert last["status"] == "completed"
    assert last["data"]["is_draft"] is True
    assert last["data"]["blog_id"] == "b-1"
    picture = last["data"]["result"]["images"][0]
    assert {"image_id", "image_url", "width", "height", "format", "alt_text"} <= picture.keys()
    fetched = await live.client.get(picture["image_url"])
    assert fetched.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(fetched.content)).size == (picture["width"], picture["height"])


async def test_stream_headers(live: Live) -> None:
    headers = {"Origin": "http://localhost:3000"}
    async with live.client.stream("POST", f"{ROOT}/generate/stream", json=NOOP, headers=headers) as response:
        sent = response.headers
        first = await anext(response.aiter_lines())
    assert sent["content-type"].startswith("text/event-stream")
    assert sent["cache-control"] == "no-cache, no-transform"
    assert sent["x-accel-buffering"] == "no"
    assert sent["access-control-allow-origin"] == "http://localhost:3000"
    assert sent["location"].endswith(f"/jobs/{sent['x-job-id']}")
    assert first == "id: 1"


async def test_drawing_shows_steps_and_previews(live: Live) -> None:
    body = {"prompt": "Hills", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 2.5}}
    events = await stream(live, body)
    steps = [event for _, event in events if "step" in event]
    assert steps, "a slow picture shows its steps"
    assert all(event["stage"] == "generating" and event["total_steps"] == 8 for event in steps)
    numbers = [number for number, _ in events]
    assert numbers == sorted(numbers), "a step never comes after a later stage"
    assert sorted(set(numbers)) == [1, 2, 3, 4, 5]
    result = events[-1][1]["data"]["result"]
    assert result["provider"] == "sandbox"


async def test_two_models_taking_turns_are_told(live: Live) -> None:
    """No request of this front door asks for a refined picture; its jobs are read and watched here all the same."""
    body = {"prompt": "Hills", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 2.5}}
    order = to_order(GenerateRequest.model_validate(body), ("sandbox",))
    wanted = NewJob(
        kind="image",
        owner="local",
        params=order.params.model_copy(update={"refine": True}),
        title=order.title,
        details=order.details,
        pace=order.pace,
        expected=order.expected,
    )
    engine = live.app.state.surroundings.engine
    job = f"{ROOT}/jobs/{(await engine.submit(wanted)).snapshot.job.id}"
    events = events_of((await live.client.get(f"{job}/stream")).text)
    told = [event["part"] for _, event in events if "part" in event]
    assert set(told) == {"base_model", "refiner_model"}
    assert told == sorted(told), "first the one, then the other"
    assert (await live.client.get(job)).json()["part"] is None, "it has ended"


@pytest.mark.parametrize("ratio", ["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"])
async def test_every_ratio(live: Live, ratio: str) -> None:
    events = await stream(live, {"prompt": "A river", "aspect_ratio": ratio, "quality": "draft"})
    picture = events[-1][1]["data"]["result"]["images"][0]
    width, height = (int(part) for part in ratio.split(":"))
    assert picture["width"] / picture["height"] == pytest.approx(width / height, rel=0.02)


async def test_every_style_streams_to_its_own_picture(live: Live) -> None:
    styles = (None, *get_args(Style))
    body = {"prompt": "A river", "quality": "draft", "seed": 5}
    streams = await asyncio.gather(*(stream(live, {**body, "style": style}) for style in styles))
    assert [events[-1][1]["stage"] for events in streams] == ["completed"] * 18
    pictures = [events[-1][1]["data"]["result"]["images"][0] for events in streams]
    assert [picture.get("style") for picture in pictures] == list(styles)
    jobs = [(await live.client.get(f"{ROOT}/jobs/{events[0][1]['job_id']}")).json() for events in streams]
    assert len({job["result"]["images"][0]["content_hash"] for job in jobs}) == 18


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_every_format(live: Live, kind: str) -> None:
    events = await stream(live, {"prompt": "A river", "output_format": kind, "quality": "draft"})
    picture = events[-1][1]["data"]["result"]["images"][0]
    assert picture["format"] == kind
    fetched = await live.client.get(picture["image_url"])
    assert fetched.headers["content-type"] == f"image/{kind}"
    assert Image.open(io.BytesIO(fetched.content)).format == kind.upper()


async def test_the_same_request_gives_the_same_bytes(live: Live) -> None:
    body = {"prompt": "A quiet bay", "quality": "draft", "seed": 7, "style": "anime"}
    hashes = {(await ended(live, await submit(live, body)))["result"]["images"][0]["content_hash"] for _ in range(2)}
    assert len(hashes) == 1


async def test_body_is_json_whatever_its_type_says(live: Live) -> None:
    for content_type in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None):
        headers = {"Content-Type": content_type} if content_type else {}
        response = await live.client.post(f"{ROOT}/generate", content=json.dumps(NOOP), headers=headers)
        assert response.status_code == 200, content_type


async def test_foreign_pages_are_refused_before_anything_is_created(live: Live) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://[", "http://a]b", ""):
        refused = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Origin": origin})
        assert refused.status_code == 403
        assert refused.json()["code"] == "origin_refused"
    rebound = {"Origin": "http://evil.example:8000", "Host": "evil.example:8000"}
    assert (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=rebound)).status_code == 403
    assert (await live.client.get(f"{ROOT}/jobs")).json()["jobs"] == []


async def test_public_names_are_those_that_are_configured_where_no_key_is_asked_for(serve: Serve) -> None:
    async def status(live: Live, host: str) -> int:
        return (await live.client.get(f"{ROOT}/jobs", headers={"Host": host})).status_code

    asked = ("a.example", "b.example:8443", "c.example", "localhost:1", "studio")
    async with serve(public_url="https://a.example/below", cors_origins=("https://b.example",)) as live:
        assert [await status(live, host) for host in asked] == [200, 200, 403, 200, 200]
    async with serve(auth="keys") as live:
        assert [await status(live, host) for host in asked] == [401] * 5, "what is read takes a key"


async def test_own_and_configured_pages_are_served(serve: Serve) -> None:
    async with serve(cors_origins=("https://app.example",)) as live:
        own = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Origin": live.base})
        configured = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Origin": "https://app.example"})
        local = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Origin": "http://localhost:3000"})
        nobody = await live.client.post(f"{ROOT}/generate", json=NOOP)
    assert {one.headers["vary"] for one in (own, configured, nobody)} == {"Origin"}
    assert "access-control-allow-origin" not in nobody.headers
    assert (own.status_code, configured.status_code, local.status_code) == (200, 200, 403)
    assert configured.headers["access-control-allow-origin"] == "https://app.example"


async def test_preflight(live: Live) -> None:
    response = await live.client.options(
        f"{ROOT}/generate/stream",
        headers={
            "Origin": "http://127.0.0.1:5173",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,authorization,last-event-id,idempotency-key",
        },
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "http://127.0.0.1:5173"


@pytest.mark.parametrize(("method", "field"), [("POST", "x-requested-with"), ("PATCH", "content-type")])
async def test_a_preflight_for_what_pages_may_not_send_says_what_they_may(live: Live, method: str, field: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": field}
    ours = await live.client.options(f"{ROOT}/generate", headers={"Origin": "http://localhost:5173", **asked})
    assert (ours.status_code, ours.json()["code"]) == (400, "validation_error")
    assert "POST" in ours.json()["detail"]
    assert "Idempotency-Key" in ours.json()["detail"]
    strange = await live.client.options(f"{ROOT}/generate", headers={"Origin": "https://evil.example", **asked})
    assert (strange.status_code, strange.json()["code"]) == (400, "origin_refused")


async def test_pages_can_read_the_headers_they_are_told_of(live: Live) -> None:
    page = {"Origin": "http://localhost:5173", "Prefer": "wait=10"}
    response = await live.client.post(f"{ROOT}/generate", json=NOOP, headers=page)
    exposed = {name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")}
    told = {name.lower() for name in SENT} | {"x-request-id"}
    assert exposed == told


BAD = [
    ({}, "prompt"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": "   "}, "prompt"),
    ({"prompt": "x" * 10_001}, "prompt"),
    ({"prompt": "a\x00b"}, "prompt"),
    ({"prompt": "a\x1b[31m"}, "prompt"),
    ({"prompt": 7}, "prompt"),
    ({"prompt": ["x"]}, "prompt"),
    ({"prompt": "x", "style": "cubism"}, "style"),
    ({"prompt": "x", "aspect_ratio": "7:3"}, "aspect_ratio"),
    ({"prompt": "x", "quality": "best"}, "quality"),
    ({"prompt": "x", "seed": -1}, "seed"),
    ({"prompt": "x", "seed": 4294967295}, "seed"),
    ({"prompt": "x", "seed": 10**400}, "seed"),
    ({"prompt": "x", "seed": "7"}, "seed"),
    ({"prompt": "x", "seed": 1.5}, "seed"),
    ({"prompt": "x", "blog_id": "a b"}, "blog_id"),
    ({"prompt": "x", "blog_id": "a\n"}, "blog_id"),
    ({"prompt": "x", "output_format": "gif"}, "output_format"),
    ({"prompt": "x", "provider": "dalle"}, "provider"),
    ({"prompt": "x", "provider": "gemini", "sandbox": {"scenario": "ok"}}, "sandbox"),
    ({"prompt": "x", "sandbox": {"scenario": "explode"}}, "sandbox.scenario"),
    ({"prompt": "x", "sandbox": {"seconds": -1}}, "sandbox.seconds"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_bad_values_name_their_field(live: Live, body: dict[str, Any], field: str) -> None:
    response = await live.client.post(f"{ROOT}/generate", content=json.dumps(body))
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert ".".join(str(part) for part in problem["errors"][0]["loc"][1:]) == field
    assert problem["detail"].startswith(f"{field}: ")
    assert problem["message"] == problem["detail"]
    assert problem["success"] is False
    assert "status" not in problem
    assert problem["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'{"prompt": NaN}',
        b'{"prompt": "x", "sandbox": {"seconds": Infinity}}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "\xff"}',
        b'{"prompt": "x", "z": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
)
async def test_bodies_that_are_no_proper_json(live: Live, body: bytes) -> None:
    response = await live.client.post(f"{ROOT}/generate", content=body)
    assert response.status_code == 422, response.text
    assert response.json()["code"] == "validation_error"


@pytest.mark.parametrize(
    ("path", "headers", "body", "sentence"),
    [
        (f"{ROOT}/generate", {"Idempotency-Key": "a b"}, NOOP, "1 to 255 visible ASCII characters"),
        (f"{ROOT}/generate", {}, {**NOOP, "blog_id": "a b"}, "1 to 128 letters, digits"),
        (f"{ROOT}/generate", {}, [], "should be a JSON object"),
        (f"{ROOT}/generate", {}, {**NOOP, "sandbox": 1}, "should be a JSON object"),
        (f"{ROOT}/generate", {}, {**NOOP, "negative_prompt": "x" * 10_001}, "should have at most 10000 characters"),
        (f"{ROOT}/generate", {}, {**NOOP, "blog_topic": "x" * 501}, "should have at most 500 characters"),
        ("/api/v1/blog/generate-enhanced", {}, {"topic": "x", "target_audience": "x" * 201}, "at most 200 characters"),
        (f"{ROOT}/batch-generate", {}, {"images": []}, "at least 1 item"),
        ("/api/v1/blog/generate-enhanced", {}, {"topic": "x", "template_type": "-"}, "1 to 64 letters, digits"),
        (
            "/api/generate-images",
            {},
            {"projectPath": "p", "promptsByStyle": {}},
            "should have one style at least",
        ),
        ("/api/generate-images", {}, {"projectPath": "p", "promptsByStyle": []}, "an object that has lists"),
        (f"{ROOT}/jobs?created_after=yesterday", {}, None, "should be a moment like 2026-01-31T12:00:00Z"),
        (f"{ROOT}/jobs?created_after=2026-01-31T25", {}, None, "should be a moment like"),
        (f"{ROOT}/jobs?limit=many", {}, None, "should be a whole number"),
        ("/api/v1/tickets", {}, {"job_id": "x", "group": "y"}, "Name one thing"),
    ],
)
async def test_what_is_wrong_is_said_in_words_of_http_and_json(
    live: Live, path: str, headers: dict[str, str], body: Any, sentence: str
) -> None:
    method = "GET" if body is None else "POST"
    refused = await live.client.request(method, path, headers=headers, json=body)
    assert refused.status_code == 422, refused.text
    said = [error["msg"] for error in refused.json()["errors"]]
    assert any(sentence in one for one in said), said
    assert not any("validation" in one or "parse" in one for one in said)


async def test_a_problem_never_echoes_the_input(live: Live) -> None:
    secret = "sk-canary-4711"
    response = await live.client.post(f"{ROOT}/generate", json={"prompt": {"key": secret}, "style": secret})
    assert response.status_code == 422
    assert secret not in response.text


async def test_unknown_fields_and_nulls_are_ignored(live: Live) -> None:
    body = {**NOOP, "style": None, "seed": None, "surprise": {"deep": [1, 2]}}
    assert (await live.client.post(f"{ROOT}/generate", json=body)).status_code == 200


async def test_a_script_s_nulls_are_left_out_and_the_same_request(live: Live) -> None:
    once = {"Idempotency-Key": "nulls"}
    nulls = dict.fromkeys(("scenario", "seconds", "hold_until"))
    first = await live.client.post(f"{ROOT}/generate", json={**NOOP, "sandbox": {}}, headers=once)
    again = await live.client.post(f"{ROOT}/generate", json={**NOOP, "sandbox": nulls}, headers=once)
    assert (again.status_code, again.json().get("job_id")) == (200, first.json()["job_id"]), again.text
    assert (await ended(live, first.json()["job_id"]))["status"] == "completed"


async def test_too_large_a_body(live: Live) -> None:
    async def in_chunks() -> AsyncIterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(11):
            yield b"x" * 100_000
        yield b'"}'

    for content in (b'{"prompt": "' + b"x" * 1_100_000 + b'"}', in_chunks()):
        response = await live.client.post(f"{ROOT}/generate", content=content)
        assert response.status_code == 413
        assert response.json()["code"] == "body_too_large"
        assert "1,000,000 bytes" in response.json()["detail"], "what would be taken"


async def test_a_known_provider_that_is_not_configured_is_stood_in_for(live: Live) -> None:
    accepted = await live.client.post(
        f"{ROOT}/generate", json={"prompt": "x", "quality": "draft", "provider": "gemini"}
    )
    job = await ended(live, accepted.json()["job_id"])
    assert job["status"] == "completed"
    assert "gemini" in job["warnings"][0]
    assert job["result"]["provider"] == "sandbox"


async def test_unknown_jobs_and_routes_are_problems(live: Live) -> None:
    for method, path in [
        ("GET", f"{ROOT}/jobs/nope"),
        ("GET", f"{ROOT}/jobs/nope/stream"),
        ("POST", f"{ROOT}/jobs/nope/cancel"),
        ("POST", f"{ROOT}/jobs/nope/retry"),
    ]:
        response = await live.client.request(method, path)
        assert response.status_code == 404
        assert response.json()["detail"] == "There is no such job."
    nowhere = await live.client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert (await live.client.delete(f"{ROOT}/generate")).status_code == 405


async def test_the_job_tells_everything(live: Live) -> None:
    job = await ended(live, await submit(live, {**NOOP, "blog_job_id": "j:1"}))
    assert job["progress_percentage"] == 100
    assert job["current_stage"] == "completed"
    assert job["error_message"] is None
    assert job["blog_job_id"] == "j:1"
    assert job["attempt"] == 1
    assert job["seq"] == 5
    assert job["run"] == 1
    assert [update["stage"] for update in job["progress_updates"]] == STAGES
    assert [update["seq"] for update in job["progress_updates"]] == [1, 2, 3, 4, 5]
    assert job["created_at"].endswith("Z")
    assert job["created_at"] <= job["started_at"] <= job["completed_at"]
    later = (await live.client.get(f"{ROOT}/jobs/{job['job_id']}", params={"after": 3})).json()
    assert [update["seq"] for update in later["progress_updates"]] == [4, 5]


async def test_while_it_runs_the_job_says_when_to_ask_again(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
    response = await live.client.get(f"{ROOT}/jobs/{job_id}")
    assert response.headers["retry-after"] == "1"
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.json()["estimated_time_remaining"] > 0


async def test_list_filters_and_pages(live: Live) -> None:
    ids = [await submit(live, {**NOOP, "blog_id": f"b{n % 2}"}) for n in range(7)]
    for job_id in ids:
        await ended(live, job_id)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await live.client.get(f"{ROOT}/jobs", params=params)).json()
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    odd = (await live.client.get(f"{ROOT}/jobs", params={"blog_id": "b1"})).json()["jobs"]
    assert [job["job_id"] for job in odd] == ids[1::2][::-1]
    assert (await live.client.get(f"{ROOT}/jobs", params={"status": "failed"})).json()["jobs"] == []
    for wrong in (
        "limit=0",
        "limit=201",
        "status=odd",
        "cursor=???",
        "cursor=YWJj",
        "cursor=MDAwMS0wMS0wMVQwMDowMDowMHx4",
    ):
        assert (await live.client.get(f"{ROOT}/jobs?{wrong}")).status_code == 422, wrong


async def test_an_idempotency_key_makes_one_job(live: Live) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)
    assert "idempotency-replayed" not in first.headers
    job_id = first.json()["job_id"]
    await ended(live, job_id)
    again = await live.client.post(f"{ROOT}/generate", json={**NOOP, "unknown": 1}, headers=headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (again.json()["job_id"], again.json()["status"]) == (job_id, "completed")
    assert (again.json()["message"], again.json()["estimated_completion_time"]) == ("Completed", 0.0)
    attached = await live.client.post(f"{ROOT}/generate/stream", json=NOOP, headers=headers)
    assert attached.headers["idempotency-replayed"] == "true"
    assert [event["stage"] for _, event in events_of(attached.text)] == STAGES
    for change in ({"prompt": "Another"}, {"blog_id": "b"}, {"blog_topic": "t"}, {"provider": "sandbox"}):
        other = await live.client.post(f"{ROOT}/generate", json={**NOOP, **change}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch"), change
    assert len((await live.client.get(f"{ROOT}/jobs")).json()["jobs"]) == 1
    for bad in ("", "x" * 256, "a b"):
        refused = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Idempotency-Key": bad})
        assert refused.status_code == 422, bad


async def test_prefer_wait_answers_the_ended_job(live: Live) -> None:
    done = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Prefer": "respond-async, WAIT=10"})
    assert (done.status_code, done.headers["preference-applied"]) == (200, "wait=10")
    assert done.json()["status"] == "completed"
    assert done.json()["result"]["images"]
    body = {"prompt": "x", "sandbox": {"scenario": "refused"}}
    failed = await live.client.post(f"{ROOT}/generate", json=body, headers={"Prefer": "wait=10"})
    assert (failed.status_code, failed.json()["error_code"]) == (200, "provider_refused")
    body = {"prompt": "x", "sandbox": {"scenario": "stall"}}
    began = time.monotonic()
    running = await live.client.post(f"{ROOT}/generate", json=body, headers={"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - began < 15, "and not as long as the job lives"
    assert running.json()["status"] == "processing"
    ignored = await live.client.post(f"{ROOT}/generate", json=NOOP, headers={"Prefer": "handling=strict"})
    assert ignored.json()["message"] == "Image generation job queued successfully"


async def test_the_long_poll_answers_with_the_next_record(live: Live) -> None:
    body = {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 1}}
    job_id = await submit(live, body)
    seen: list[int] = []
    while True:
        params = {"after": len(seen), "wait": 10}
        job = (await live.client.get(f"{ROOT}/jobs/{job_id}", params=params)).json()
        assert job["progress_updates"], "an answer before its time brings news"
        seen += [update["seq"] for update in job["progress_updates"]]
        if job["status"] == "completed":
            break
    assert seen == [1, 2, 3, 4, 5]
    at_the_end = await live.client.get(f"{ROOT}/jobs/{job_id}", params={"after": 5, "wait": 10})
    assert at_the_end.elapsed.total_seconds() < 9, "it does not wait for what cannot come"
    stalled = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
    await reached(live, stalled, "generating")
    nothing = await live.client.get(f"{ROOT}/jobs/{stalled}", params={"after": 3, "wait": 1})
    assert (nothing.json()["progress_updates"], nothing.elapsed.total_seconds() >= 1) == ([], True)
    assert (await live.client.get(f"{ROOT}/jobs/nope", params={"after": 0, "wait": 9})).status_code == 404
    assert (await live.client.get(f"{ROOT}/jobs/{job_id}", params={"after": 0, "wait": 61})).status_code == 422


async def test_an_unchanged_job_is_not_sent_again(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
    await reached(live, job_id, "generating")
    first = await live.client.get(f"{ROOT}/jobs/{job_id}")
    tag = first.headers["etag"]
    same = await live.client.get(f"{ROOT}/jobs/{job_id}", headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    for named in ("*", tag.removeprefix("W/"), f'"other", {tag}', f'W/"a","b",{tag.removeprefix("W/")}'):
        known = await live.client.get(f"{ROOT}/jobs/{job_id}", headers={"If-None-Match": named})
        assert known.status_code == 304, named
    for named in ('"other"', f'"x{tag[3:]}', tag.replace('"', ""), ""):
        unknown = await live.client.get(f"{ROOT}/jobs/{job_id}", headers={"If-None-Match": named})
        assert unknown.status_code == 200, named
    await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    changed = await live.client.get(f"{ROOT}/jobs/{job_id}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["status"]) == (200, "cancelled")


async def test_a_job_made_again_is_not_the_one_that_was_deleted(live: Live) -> None:
    headers = {"Idempotency-Key": "the-same"}
    tags: list[str] = []
    for _ in range(2):
        accepted = await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)
        own = f"{ROOT}/jobs/{accepted.json()['job_id']}"
        await ended(live, accepted.json()["job_id"])
        known = {"If-None-Match": ", ".join(tags)} if tags else {}
        found = await live.client.get(own, headers=known)
        assert found.status_code == 200, "another job of the same id and version"
        tags.append(found.headers["etag"])
        assert (await live.client.delete(own)).status_code == 204


async def test_an_ended_job_can_be_deleted_with_its_pictures(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "quality": "draft"})
    assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 409
    picture = (await ended(live, job_id))["result"]["images"][0]
    assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 204
    for url in (
        picture["image_url"],
        picture["thumbnail_url"],
        f"{ROOT}/jobs/{job_id}",
        f"{ROOT}/jobs/{job_id}/stream",
    ):
        assert (await live.client.get(url)).status_code == 404, url
    assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 404


async def test_resume_by_cursor_repeats_and_misses_nothing(live: Live) -> None:
    job_id = await submit(live, NOOP)
    await ended(live, job_id)
    whole = events_of((await live.client.get(f"{ROOT}/jobs/{job_id}/stream")).text)
    assert [number for number, _ in whole] == [1, 2, 3, 4, 5]
    for cursor in range(5):
        by_query = await live.client.get(f"{ROOT}/jobs/{job_id}/stream", params={"after": cursor})
        by_header = await live.client.get(f"{ROOT}/jobs/{job_id}/stream", headers={"Last-Event-ID": str(cursor)})
        assert events_of(by_query.text) == events_of(by_header.text) == whole[cursor:]
    for cursor in (5, 6, 10**9):
        assert (await live.client.get(f"{ROOT}/jobs/{job_id}/stream", params={"after": cursor})).status_code == 204
    garbage = await live.client.get(f"{ROOT}/jobs/{job_id}/stream", headers={"Last-Event-ID": "garbage"})
    assert events_of(garbage.text) == whole


async def test_many_watchers_see_the_same(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 1}})
    streams = await asyncio.gather(*(live.client.get(f"{ROOT}/jobs/{job_id}/stream") for _ in range(20)))
    numbers = [[number for number, event in events_of(one.text) if "step" not in event] for one in streams]
    assert numbers == [[1, 2, 3, 4, 5]] * 20


async def test_a_client_that_goes_away_changes_nothing(live: Live) -> None:
    body = {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 0.5}}
    async with live.client.stream("POST", f"{ROOT}/generate/stream", json=body) as response:
        job_id = response.headers["x-job-id"]
        await anext(response.aiter_lines())
    assert (await ended(live, job_id))["status"] == "completed"


async def test_refused_fails_for_good(live: Live) -> None:
    events = await stream(live, {"prompt": "x", "sandbox": {"scenario": "refused"}})
    last = events[-1][1]
    assert (last["stage"], last["status"]) == ("error", "failed")
    assert last["data"]["error"]
    assert last["data"]["code"] == "provider_refused"
    assert last["data"]["retryable"] is False
    job = (await live.client.get(f"{ROOT}/jobs/{last['job_id']}")).json()
    assert job["error_message"] == last["data"]["error"]
    assert job["current_stage"] == "error"
    assert job["attempt"] == 1


async def test_garbage_is_an_invalid_image(live: Live) -> None:
    events = await stream(live, {"prompt": "x", "sandbox": {"scenario": "garbage"}})
    assert events[-1][1]["data"]["code"] == "invalid_image"


@pytest.mark.parametrize(
    ("scenario", "reason"), [("rate_limited_then_ok", "rate_limited"), ("provider_down_then_ok", "retrying")]
)
async def test_passing_trouble_is_retried_and_said(serve: Serve, scenario: str, reason: str) -> None:
    async with serve(retry_base_seconds=0.5) as live:
        events = await stream(live, {"prompt": "x", "quality": "draft", "sandbox": {"scenario": scenario}})
        said = [event["state_reason"] for _, event in events if "state_reason" in event]
        assert reason in said
        assert [event["stage"] for _, event in events][-1] == "completed"
        job = (await live.client.get(f"{ROOT}/jobs/{events[0][1]['job_id']}")).json()
        assert job["attempt"] == 2
        progress = [event["progress"] for _, event in events]
        assert progress == sorted(progress), "a retry holds the bar"


async def test_a_lost_worker_is_replaced(serve: Serve) -> None:
    async with serve(lease_seconds=0.6, sweep_seconds=0.2) as live:
        job_id = await submit(live, {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "worker_lost"}})
        job = await ended(live, job_id)
        assert job["status"] == "completed"
        assert job["attempt"] == 2


async def test_hold_until_waits_without_a_slot(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        held = await submit(live, {"prompt": "x", "sandbox": {"scenario": "noop", "hold_until": time.time() + 4}})
        job = (await live.client.get(f"{ROOT}/jobs/{held}")).json()
        assert (job["status"], job["state_reason"]) == ("queued", "waiting_until")
        assert job["message"] == f"Waiting until {job['resume_at']}"
        other = await ended(live, await submit(live, NOOP))
        assert other["status"] == "completed"
        assert (await live.client.get(f"{ROOT}/jobs/{held}")).json()["status"] == "queued"
        assert (await ended(live, held))["status"] == "completed"


async def test_cancel_of_a_waiting_job_is_at_once(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        running = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
        await reached(live, running, "generating")
        waiting = await submit(live, NOOP)
        job = (await live.client.get(f"{ROOT}/jobs/{waiting}")).json()
        assert job["state_reason"] == "waiting_for_slot"
        response = await live.client.post(f"{ROOT}/jobs/{waiting}/cancel")
        assert response.status_code == 200
        assert response.json()["status"] == "cancelled"
        assert response.json()["cancellation"]["outcome"] == "dequeued"
        assert response.json()["cancellation"]["billed"] == "no"


async def test_cancel_of_a_running_job_aborts_the_call(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
    await reached(live, job_id, "generating")
    watching = asyncio.create_task(live.client.get(f"{ROOT}/jobs/{job_id}/stream"))
    response = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert response.status_code == 200
    job = response.json()
    assert job["status"] == "cancelled"
    assert job["cancellation"]["outcome"] == "confirmed_by_provider"
    assert job["cancellation"]["billed"] == "no"
    assert job["error_message"] == "Cancelled"
    last = events_of((await watching).text)[-1][1]
    assert (last["stage"], last["status"]) == ("error", "cancelled")
    again = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert again.status_code == 409
    assert again.json()["code"] == "already_terminal"
    assert again.json()["job"]["status"] == "cancelled"


async def test_retry_opens_the_next_run_of_the_same_job(live: Live) -> None:
    job_id = await submit(live, {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "refused"}})
    first = await ended(live, job_id)
    assert first["status"] == "failed"
    again = (await live.client.post(f"{ROOT}/jobs/{job_id}/retry")).json()
    assert (again["job_id"], again["run"], again["status"]) == (job_id, 2, "queued")
    second = await ended(live, job_id)
    assert second["run"] == 2
    whole = events_of((await live.client.get(f"{ROOT}/jobs/{job_id}/stream", params={"after": 1})).text)
    assert whole[0][0] == first["seq"] + 1, "a cursor of an earlier run goes on at the latest run's first record"
    done = await submit(live, NOOP)
    await ended(live, done)
    assert (await live.client.post(f"{ROOT}/jobs/{done}/retry")).status_code == 409


async def test_worker_routes_refuse_everybody(live: Live) -> None:
    for path in ("/api/v1/worker", "/api/v1/images/worker", "/api/v1/blog/worker"):
        for headers in ({}, {"Authorization": "Bearer x"}, {"X-CloudTasks-QueueName": "q"}):
            response = await live.client.post(path, content=b"not json", headers=headers)
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert not [path for path in (await live.client.get("/openapi.json")).json()["paths"] if "worker" in path]


async def test_health_and_readiness(live: Live) -> None:
    health = (await live.client.get("/health")).json()
    assert health["status"] == "healthy"
    ready = await live.client.get("/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "checks": {"store": "ok", "storage": "ok", "spool": "ok", "queue": "ok"}},
    )


async def test_pictures_are_cached_for_good_and_nothing_else_is_served(live: Live) -> None:
    job = await ended(live, await submit(live, NOOP))
    picture = job["result"]["images"][0]
    for url in (picture["image_url"], picture["thumbnail_url"]):
        response = await live.client.get(url, headers={"Origin": "https://elsewhere.example"})
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["x-content-type-options"] == "nosniff"
        tag, changed = response.headers["etag"], response.headers["last-modified"]
        for has in ({"If-None-Match": f'"x", W/{tag}'}, {"If-None-Match": "*"}, {"If-Modified-Since": changed}):
            again = await live.client.get(url, headers={"Origin": "https://elsewhere.example", **has})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), has
            assert again.headers["access-control-allow-origin"] == "*"
        for lacks in (
            {"If-None-Match": '"x"', "If-Modified-Since": changed},
            {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
            {"If-Modified-Since": "yesterday"},
        ):
            assert (await live.client.get(url, headers=lacks)).status_code == 200, lacks
    for path in (
        "/pictures/shared/..%2f..%2fsecret.key",
        "/pictures/..%2fsecret.key/x.png",
        "/pictures/shared/",
        "/pictures/shared/%00.png",
        "/pictures/shared/secret.key",
    ):
        assert (await live.client.get(path)).status_code == 404, path


async def test_previews_are_whole_or_not_there(live: Live) -> None:
    body = {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 4}}
    job_id = await submit(live, body)
    async with asyncio.timeout(60):
        while (url := (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()["preview_url"]) is None:
            await asyncio.sleep(0.05)
    there = await live.client.get(url)
    assert (there.status_code, there.headers["cache-control"]) == (200, "no-store")
    assert Image.open(io.BytesIO(there.content)).format == "JPEG"
    await ended(live, job_id)
    async with asyncio.timeout(60):
        while (await live.client.get(url)).status_code != 404:
            await asyncio.sleep(0.05)


async def test_a_full_store_is_waited_out(serve: Serve, tmp_path: Path) -> None:
    """A disk that is full for a while costs time, but neither the job nor a hot loop of tries."""
    async with serve(lease_seconds=1.5, max_attempts=1, slots={"image": 1}) as live:
        job_id = await submit(live, {"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 2}})
        await reached(live, job_id, "generating")
        writer = live.app.state.surroundings.engine._store._writer
        pages = await writer.do(lambda on: on.connection.execute("PRAGMA page_count").fetchone()[0])
        await writer.do(lambda on: on.connection.execute(f"PRAGMA max_page_count = {pages}"))
        refused = await live.client.post(f"{ROOT}/generate", json={"prompt": "x" * 9000})
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_full")
        await asyncio.sleep(0.7)
        await writer.do(lambda on: on.connection.execute("PRAGMA max_page_count = 1000000"))
        assert (await ended(live, job_id))["status"] == "completed"
    assert tmp_path.exists()


async def test_public_url_stands_in_every_address(serve: Serve) -> None:
    async with serve(public_url="https://atelier.example/") as live:
        job = await ended(live, await submit(live, NOOP))
        assert job["urls"]["self"].startswith("https://atelier.example/api/")
        assert job["result"]["images"][0]["image_url"].startswith("https://atelier.example/pictures/")


async def test_deadline_ends_a_stalled_job(serve: Serve) -> None:
    async with serve(deadlines={"image_seconds": 4}, sweep_seconds=0.3) as live:
        job = await ended(live, await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}}))
        assert (job["status"], job["error_code"]) == ("failed", "deadline_exceeded")


async def test_a_web_process_leaves_jobs_to_a_worker_process(serve: Serve) -> None:
    async with serve(role="web") as web:
        job_id = await submit(web, NOOP)
        await asyncio.sleep(0.4)
        assert (await web.client.get(f"{ROOT}/jobs/{job_id}")).json()["status"] == "queued"
        watching = asyncio.create_task(web.client.get(f"{ROOT}/jobs/{job_id}/stream"))
        async with serve(role="worker") as worker:
            assert (await worker.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 404, "no front door here"
            events = events_of((await watching).text)
    assert [event["stage"] for _, event in events] == STAGES


async def test_the_openapi_document_is_made_once(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await live.client.get("/openapi.json")
    monkeypatch.setattr(live.app, "openapi", dict)
    again = await live.client.get("/openapi.json")
    assert (again.content, again.headers["content-type"]) == (first.content, "application/json")


async def test_the_openapi_document_has_examples_and_problems(live: Live) -> None:
    document = (await live.client.get("/openapi.json")).json()
    assert document["components"]["schemas"]["GenerateRequest"]["examples"]
    generate = document["paths"][f"{ROOT}/generate"]["post"]["responses"]
    assert list(generate["422"]["content"]) == ["application/problem+json"]
    assert generate["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    stream_answer = document["paths"][f"{ROOT}/generate/stream"]["post"]["responses"]["200"]["content"]
    assert "text/event-stream" in stream_answer


async def test_the_openapi_document_tells_headers_streams_and_what_a_refusal_shows(live: Live) -> None:
    first, document = [(await live.client.get("/openapi.json")).json() for _ in range(2)]
    assert first == document, "it is completed once"
    told = {
        path: operation["responses"] for path, methods in document["paths"].items() for operation in methods.values()
    }
    job = document["paths"][f"{ROOT}/jobs/{{job_id}}"]["get"]["responses"]
    assert (set(job["200"]["headers"]), set(job["304"]["headers"])) == (
        {"ETag", "Retry-After"},
        {"ETag", "Retry-After"},
    )
    assert {"Preference-Applied", "Idempotency-Replayed"} <= told[f"{ROOT}/generate"]["200"]["headers"].keys()
    stream = told[f"{ROOT}/generate/stream"]["200"]
    assert (set(stream["content"]), {"Location", "X-Job-Id"} <= stream["headers"].keys()) == (
        {"text/event-stream"},
        True,
    )
    for path, responses in told.items():
        if path.rstrip("/").endswith("/cancel"):
            schema = responses["409"]["content"]["application/problem+json"]["schema"]["allOf"][1]
            assert next(iter(schema["properties"])) in {"job", "batch", "story", "storyboard"}, path
    for status in ("502", "504"):
        content = told["/api/v1/blog/generate-enhanced"][status]["content"]
        assert content["application/problem+json"]["schema"]["$ref"].endswith("/PostProblem")


async def test_an_unexpected_fault_is_a_problem_with_cors(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(live.app.state.surroundings.engine, "find", broken)
    transport = httpx.AsyncHTTPTransport()
    async with httpx.AsyncClient(base_url=live.base, transport=transport) as client:
        response = await client.get(f"{ROOT}/jobs", headers={"Origin": "http://localhost:3000"})
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert response.headers["x-request-id"] == response.json()["request_id"]


async def test_an_ended_job_reads_the_same_until_it_is_another(live: Live) -> None:
    """Answers about ended jobs are remembered: by version and address, and no longer than that."""
    job_id = await submit(live, {"prompt": "x", "sandbox": {"scenario": "refused"}})
    first = await ended(live, job_id)
    again = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
    assert again == first
    elsewhere = (await live.client.get(f"{ROOT}/jobs/{job_id}", headers={"Host": "atelier.internal"})).json()
    assert elsewhere["urls"]["self"] == f"http://atelier.internal{ROOT}/jobs/{job_id}"
    assert (await live.client.get(f"{ROOT}/jobs/{job_id}", params={"after": 2})).json()["progress_updates"][0][
        "seq"
    ] == 3
    await live.client.post(f"{ROOT}/jobs/{job_id}/retry")
    second = await ended(live, job_id)
    assert (first["run"], second["run"]) == (1, 2)
    await live.client.delete(f"{ROOT}/jobs/{job_id}")
    assert (await live.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 404


async def test_a_key_stands_for_what_is_meant_not_for_how_it_is_written(live: Live) -> None:
    first = await live.client.post(f"{ROOT}/generate", json={"prompt": "i"}, headers={"Idempotency-Key": "k"})
    written_out = {"prompt": "i", "quality": "standard", "aspect_ratio": "1:1", "output_format": "png"}
    again = await live.client.post(f"{ROOT}/generate", json=written_out, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["job_id"]) == (200, first.json()["job_id"])
    other = await live.client.post(
        f"{ROOT}/generate", json={**written_out, "quality": "high"}, headers={"Idempotency-Key": "k"}
    )
    assert other.json()["code"] == "idempotency_mismatch"


async def test_a_wait_answers_as_a_read_does(live: Live) -> None:
    body = {"prompt": "x", "sandbox": {"scenario": "stall"}}
    waited = await live.client.post(f"{ROOT}/generate", json=body, headers={"Prefer": "wait=1"})
    read = await live.client.get(f"{ROOT}/jobs/{waited.json()['job_id']}")
    for name in ("cache-control", "retry-after"):
        assert waited.headers[name] == read.headers[name]
    assert waited.headers["etag"].startswith('W/"')
