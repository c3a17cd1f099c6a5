"""Who may do what: every route in every auth mode, and owners who never see each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from tests import blogs, stories
from tests.addresses import operations
from tests.callers import bearer, keys_of, routes_of
from tests.images import NOOP, ROOT, ended, events_of
from tests.live import Live, Serve

from atelier import wiring
from atelier.api.deps import Keyed, Reader
from atelier.api.routing import JsonRoute, call_of
from atelier.errors import StoreFull, StoreUnavailable
from atelier.pipelines.blog.models import BlogParams
from atelier.pipelines.blog.pace import most_tokens
from atelier.providers.sandbox import Sandbox
from atelier.providers.sandbox_writer import SandboxWriter
from atelier.settings import Settings

PUBLIC = {
    "/", "/studio", "/health", "/health/stream", "/ready", "/metrics", "/docs", "/openapi.json",
    "/pictures/{folder}/{name}",
}  # fmt: skip
"""What anybody may read."""

WORKER = {"/api/v1/worker", "/api/v1/images/worker", "/api/v1/blog/worker"}
"""What only the queue may call, with a token of its own kind."""

BY_NAME = {"/api/generation-status/{project_path:path}"}
"""What is asked for by a name that each owner gives: there is nothing to guess, and nobody's is never an error."""

STALL = {"prompt": "A hill", "sandbox": {"scenario": "stall"}}
ENDS = {"completed", "failed", "cancelled"}
SETTINGS, ANNS_KEY = "/api/settings/image-keys", "anns-canary-of-the-horde"
GARBAGE = "Bearer atelier_0123456789abcdef_" + "A" * 43
BAD_HEADERS = [
    "", "Bearer", "Bearer x", "Basic YW5uOnB3", "Bearer a b", GARBAGE, GARBAGE.replace("Bearer ", ""),
    "Token " + GARBAGE.removeprefix("Bearer "), GARBAGE + "A", "Bearer ünïcode",
]  # fmt: skip


@pytest.fixture
async def guarded(serve: Serve) -> AsyncIterator[Live]:
    async with serve(auth="keys") as running:
        yield running


@pytest.fixture
async def public(serve: Serve) -> AsyncIterator[Live]:
    async with serve(auth="anonymous") as running:
        yield running


def api(live: Live) -> list[tuple[str, str, Any]]:
    """Return the routes that want to know who asks."""
    return [(m, path, route) for m, path, route in routes_of(live.app) if path not in PUBLIC | WORKER]


def filled(path: str, **names: str) -> str:
    """Return an address: every parameter of the path has to be known here, so that a new one is thought of."""
    usual = {"project_path": "films/hill", "style": "clear", "beat": "1.1"}
    usual["event_number"] = "1"
    same = {"storyboard_id": "batch_id", "story_id": "job_id"}
    others = {name: names[other] for name, other in same.items() if other in names}
    return path.replace(":path}", "}").format(**usual, **others, **names)


async def order(live: Live, headers: dict[str, str], body: dict[str, Any] = NOOP) -> str:
    response = await live.client.post(f"{ROOT}/generate", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["job_id"])


def without_id(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert body.pop("request_id")
    return body


def size(response: httpx.Response) -> int:
    """Return the length of an answer without that of its request id, which counts."""
    return int(response.headers["content-length"]) - len(response.json()["request_id"])


async def test_every_route_is_public_the_worker_s_or_guarded_before_its_body(guarded: Live) -> None:
    routes = api(guarded)
    assert len(routes) >= 11
    for method, path, route in routes:
        assert call_of(route.dependant), f"{method} {path} does not ask who calls"
        assert isinstance(route.original_route, JsonRoute), f"{method} {path} reads bodies of strangers"


async def test_without_a_key_every_route_answers_401_before_it_reads_the_body(guarded: Live) -> None:
    for method, path, _ in api(guarded):
        address = filled(path, job_id="0" * 32, batch_id="0" * 32)
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            response = await guarded.client.request(method, address, content=b'{"broken', headers=headers)
            assert response.status_code == 401, f"{method} {path}: {response.text}"
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["code"] == "unauthorized"


async def test_a_body_that_never_ends_is_not_waited_for(guarded: Live) -> None:
    opened, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(f"POST {ROOT}/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{{".encode())
    assert b"401" in await asyncio.wait_for(opened.readline(), 60)
    writer.close()


@pytest.mark.parametrize("mode", ["keys", "anonymous"])
async def test_bad_keys_are_401_in_every_mode_that_knows_keys(serve: Serve, mode: str) -> None:
    sentence = "This needs a valid API key in the header Authorization: Bearer <key>."
    async with serve(auth=mode) as live:
        for header in BAD_HEADERS:
            response = await live.client.get(f"{ROOT}/jobs", headers={b"Authorization": header.encode()})
            assert response.status_code == 401, header
            assert without_id(response)["detail"] == sentence


async def test_open_mode_ignores_the_header_and_everybody_is_one_owner(live: Live) -> None:
    job_id = await order(live, {"Authorization": "Bearer of-another-app"})
    assert (await live.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 200
    assert len((await live.client.get(f"{ROOT}/jobs", headers={"Authorization": GARBAGE})).json()["jobs"]) == 1


async def test_a_key_lets_its_owner_in_and_is_never_taken_from_the_address(guarded: Live) -> None:
    headers = await bearer(guarded, "ann")
    key = headers["Authorization"].removeprefix("Bearer ")
    assert (await guarded.client.get(f"{ROOT}/jobs", headers=headers)).status_code == 200
    lower = {"authorization": f"bearer  {key}"}
    assert (await guarded.client.get(f"{ROOT}/jobs", headers=lower)).status_code == 200
    for name in ("key", "api_key", "access_token", "token", "ticket", "authorization"):
        assert (await guarded.client.get(f"{ROOT}/jobs", params={name: key})).status_code == 401
        job = f"{ROOT}/jobs/{'0' * 32}"
        assert (await guarded.client.get(job, params={name: key})).status_code == 401


async def test_401_carries_the_cors_header_and_the_preflight_needs_no_key(guarded: Live) -> None:
    page = {"Origin": "http://localhost:3000"}
    refused = await guarded.client.post(f"{ROOT}/generate", json=NOOP, headers=page)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == page["Origin"]
    asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    assert (await guarded.client.options(f"{ROOT}/generate", headers=asked)).status_code == 200


async def test_somebody_else_s_job_looks_as_if_there_were_none_on_every_route(guarded: Live) -> None:
    ann, bob = await bearer(guarded, "ann"), await bearer(guarded, "bob")
    job_id, unknown = await order(guarded, ann, STALL), "f" * 32
    batch = await guarded.client.post(f"{ROOT}/batch-generate", json={"images": [STALL]}, headers=ann)
    post = await blogs.submit(guarded, {"topic": "Stones", "sandbox": {"scenario": "stall"}}, **ann)
    story = await stories.order(guarded, stories.STALLED, **ann)
    await stories.text_is_there(guarded, story, **ann)
    tried = 0
    for method, path, _ in api(guarded):
        if ("{" not in path and path != "/api/v1/tickets") or path in BY_NAME:
            continue
        roots = {blogs.ROOT: post, stories.ROOT: story}
        known = next((known for root, known in roots.items() if path.startswith(root)), job_id)
        foreign, none = [
            await guarded.client.request(
                method, filled(path, job_id=job, batch_id=group), json={"job_id": job}, headers=bob
            )
            for job, group in ((known, batch.json()["batch_id"]), (unknown, unknown))
        ]
        assert foreign.status_code == none.status_code == 404, f"{method} {path}: {foreign.text}"
        assert without_id(foreign) == without_id(none)
        assert size(foreign) == size(none)
        tried += 1
    assert tried >= 16
    for own in (f"{ROOT}/jobs/{job_id}", f"{blogs.ROOT}/jobs/{post}"):
        found = (await guarded.client.get(own, headers=ann)).json()
        assert found["status"] in {"queued", "processing"}, "nothing of that has touched it"
        assert (await guarded.client.post(f"{own}/cancel", headers=ann)).status_code == 200
    assert (await stories.read(guarded, story, **ann))["status"] == "processing"
    assert (await guarded.client.get(f"{stories.ROOT}/", headers=bob)).json()["results"] == []
    assert (await guarded.client.post(f"{stories.ROOT}/{story}/cancel/", headers=ann)).status_code == 200


async def test_what_bob_does_at_every_address_without_an_id_leaves_ann_s_alone_and_shows_him_nothing(
    guarded: Live,
) -> None:
    """Lists, settings, creations: his are his. An address that shows everybody the same shows nothing of hers."""
    ann, bob = await bearer(guarded, "ann"), await bearer(guarded, "bob")
    story = await stories.order(guarded, {**stories.STALLED, "topic": "Ann's canary"}, **ann)
    hers = await stories.text_is_there(guarded, story, **ann)
    await guarded.client.put(SETTINGS, json={"stable_horde_api_key": ANNS_KEY}, headers=ann)
    await order(guarded, {**ann, "Idempotency-Key": "once"}, {**STALL, "prompt": "Ann's canary"})
    post = {"topic": "Ann's canary", "sandbox": {"scenario": "stall"}}
    await blogs.submit(guarded, post, **ann)
    secrets = [story, ANNS_KEY, "Ann's canary", *(one["job_id"] for one in hers["images"])]
    before = await _everything(guarded, ann, story)
    tried = set()
    for operation in operations(guarded.app):
        if "{" in operation.path or operation.path in PUBLIC | WORKER:
            continue
        body = operation.body if operation.body is not None else {}
        same = {**bob, "Idempotency-Key": "once", "Prefer": "wait=0"}
        async with guarded.client.stream(operation.method, operation.path, json=body, headers=same) as answer:
            endless = answer.headers.get("content-type", "").startswith("text/event-stream")
            told = await anext(answer.aiter_text()) if endless else (await answer.aread()).decode()
        assert answer.status_code < 500, (operation.name, told)
        assert not [secret for secret in secrets if secret in told], operation.name
        tried.add((operation.method, operation.path))
    assert tried >= {(m, p) for m, p, _ in api(guarded) if "{" not in p}, "each of them"
    assert {(method, f"{SETTINGS}{slash}") for method in ("GET", "PUT", "DELETE") for slash in ("", "/")} <= tried
    assert await _everything(guarded, ann, story) == before
    assert before[0] == {"stable_horde_api_key": True, "hugging_face_api_token": False}


async def _everything(live: Live, headers: dict[str, str], story: str) -> list[Any]:
    """Return what an owner has: keys, stories, jobs, pictures, and whether they have ended."""
    found = (await live.client.get(SETTINGS, headers=headers)).json()
    listed = (await live.client.get(f"{stories.ROOT}/", headers=headers)).json()["results"]
    jobs = [(await live.client.get(f"{root}/jobs", headers=headers)).json()["jobs"] for root in (ROOT, blogs.ROOT)]
    pictures = await stories.read(live, story, "images/status/", **headers)
    things = [(one["job_id"], one["status"] in ENDS) for one in (*listed, *jobs[0], *jobs[1], *pictures["images"])]
    key = await live.app.state.surroundings.own.keyring.key("ann", "stable_horde")
    return [found, key, things]


async def test_a_story_s_pictures_are_its_owner_s_at_every_door(guarded: Live) -> None:
    """They are jobs and a group: whatever takes the id of one says to others that there is none."""
    ann, bob = await bearer(guarded, "ann"), await bearer(guarded, "bob")
    story = await stories.order(guarded, stories.STALLED, **ann)
    picture = (await stories.text_is_there(guarded, story, **ann))["images"][0]["job_id"]
    (entry,) = await guarded.app.state.surroundings.engine.groups.register.at_work(after="", limit=9)
    group = entry.name
    tried = 0
    for method, path, _ in api(guarded):
        if ("{" not in path and path != "/api/v1/tickets") or path in BY_NAME:
            continue
        for known in (picture, group):
            foreign, none = [
                await guarded.client.request(
                    method, filled(path, job_id=one, batch_id=one), json={"job_id": one}, headers=bob
                )
                for one in (known, "f" * 32)
            ]
            assert foreign.status_code == none.status_code == 404, f"{method} {path}: {foreign.text}"
            assert without_id(foreign) == without_id(none)
            tried += 1
    assert tried >= 32
    ticket = {"group": group}
    assert (await guarded.client.post("/api/v1/tickets", json=ticket, headers=bob)).status_code == 404
    status = await stories.read(guarded, story, "images/status/", **ann)
    assert (status["status"], {one["attempts"] for one in status["images"]} <= {0, 1}) == ("processing", True)
    assert (await guarded.client.post(f"{stories.ROOT}/{story}/cancel/", headers=ann)).status_code == 200


async def test_lists_and_idempotency_keys_are_each_owner_s_own(guarded: Live) -> None:
    ann, bob = await bearer(guarded, "ann"), await bearer(guarded, "bob")
    once = {"Idempotency-Key": "order-1"}
    anns = await order(guarded, {**ann, **once})
    bobs = await order(guarded, {**bob, **once}, {**NOOP, "prompt": "Another hill"})
    assert anns != bobs
    assert await order(guarded, {**ann, **once}) == anns
    for headers, job_id in ((ann, anns), (bob, bobs)):
        listed = (await guarded.client.get(f"{ROOT}/jobs", headers=headers)).json()["jobs"]
        assert [job["job_id"] for job in listed] == [job_id]
    second = await bearer(guarded, "ann")
    assert (await guarded.client.get(f"{ROOT}/jobs/{anns}", headers=second)).status_code == 200, "one owner, two keys"


async def test_streams_and_pictures_with_a_key(guarded: Live) -> None:
    ann = await bearer(guarded, "ann")
    sent = await guarded.client.post(f"{ROOT}/generate/stream", json=NOOP, headers=ann)
    events = events_of(sent.text)
    assert events[-1][1]["stage"] == "completed"
    picture = events[-1][1]["data"]["result"]["images"][0]["image_url"]
    assert (await guarded.client.get(picture)).status_code == 200, "pictures need no key"


async def test_a_revoked_key_is_refused_here_at_once(guarded: Live) -> None:
    headers = await bearer(guarded, "ann")
    assert (await guarded.client.get(f"{ROOT}/jobs", headers=headers)).status_code == 200
    keys = keys_of(guarded)
    (made,) = [key async for key in keys.listed()]
    assert await keys.revoke(made.id)
    response = await guarded.client.get(f"{ROOT}/jobs", headers=headers)
    assert without_id(response) == without_id(await guarded.client.get(f"{ROOT}/jobs"))


async def test_anonymous_jobs_can_be_made_read_watched_and_cancelled_but_not_listed(public: Live) -> None:
    sent = await public.client.post(f"{ROOT}/generate/stream", json=NOOP)
    assert events_of(sent.text)[-1][1]["stage"] == "completed"
    job_id = sent.headers["x-job-id"]
    assert (await ended(public, job_id))["status"] == "completed"
    assert (await public.client.get(f"{ROOT}/jobs/{job_id}/stream")).status_code == 200
    post = await public.client.post(f"{blogs.ROOT}/generate-enhanced?async_mode=false", json=blogs.TOMATOES)
    assert (await blogs.read(public, post.headers["x-job-id"]))["result"] == post.json()
    for root in (ROOT, blogs.ROOT):
        listed = await public.client.get(f"{root}/jobs")
        assert (listed.status_code, listed.json()) == (200, {"jobs": [], "next_cursor": None})
    stalled = await order(public, {}, STALL)
    assert (await public.client.post(f"{ROOT}/jobs/{stalled}/cancel")).json()["status"] == "cancelled"


async def test_what_outlasts_an_anonymous_visit_needs_a_key(public: Live) -> None:
    job_id = await order(public, {}, {"prompt": "A hill", "sandbox": {"scenario": "refused"}})
    await ended(public, job_id)
    needing = {
        (method, path) for method, path, route in api(public) if issubclass(call_of(route.dependant) or Reader, Keyed)
    }
    assert needing >= {("DELETE", f"{ROOT}/jobs/{{job_id}}"), ("POST", f"{ROOT}/jobs/{{job_id}}/retry")}
    for method, path in needing:
        refused = await public.client.request(method, filled(path, job_id=job_id, batch_id=job_id))
        assert refused.status_code == 401, path
    assert (await ended(public, job_id))["run"] == 1
    ann = await bearer(public, "ann")
    assert (await public.client.get(f"{ROOT}/jobs/{job_id}", headers=ann)).status_code == 404
    anns = await order(public, ann)
    assert (await public.client.get(f"{ROOT}/jobs/{anns}")).status_code == 404
    assert len((await public.client.get(f"{ROOT}/jobs", headers=ann)).json()["jobs"]) == 1


async def test_the_document_tells_who_needs_what(guarded: Live) -> None:
    document = (await guarded.client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for method, path, route in api(guarded):
        operation = document["paths"][path.replace(":path}", "}")][method.lower()]
        ways: list[dict[str, list[str]]] = (
            [{"key": []}, {"ticket": []}] if issubclass(call_of(route.dependant) or Keyed, Reader) else [{"key": []}]
        )
        assert operation["security"] == ways, path
        for code in ("401", "429"):
            assert "application/problem+json" in operation["responses"][code]["content"], path
    assert "security" not in document["paths"]["/health"]["get"]


async def test_without_a_key_is_documented_as_a_way_where_it_is_one(public: Live) -> None:
    paths = (await public.client.get("/openapi.json")).json()["paths"]
    assert paths[f"{ROOT}/generate"]["post"]["security"] == [{}, {"key": []}]
    assert paths[f"{ROOT}/jobs/{{job_id}}/retry"]["post"]["security"] == [{"key": []}]


class Priced(Sandbox):
    """The sandbox, as if it cost money."""

    terms = replace(Sandbox.terms, prices={"draft": 0.04, "standard": 0.1})


class PricedWriter(SandboxWriter):
    """The same of texts: a short post costs about 0.04."""

    offer = replace(SandboxWriter.offer, read_price=0.3, written_price=0.6)


@pytest.fixture
async def priced(serve: Serve, tmp_path: Path) -> AsyncIterator[Live]:
    settings: dict[str, Any] = {
        "data_dir": tmp_path / "data",
        "auth": "anonymous",
        "limits": {"anonymous_daily_cost": 0.1},
    }
    adapters = await asyncio.to_thread(wiring.build_adapters, Settings(**settings))
    dear = replace(adapters, image_providers={"sandbox": Priced()}, text_providers={"sandbox": PricedWriter()})
    async with serve(**settings, adapters=dear) as running:
        yield running


async def test_the_daily_cap_counts_what_is_accepted_and_nothing_twice(priced: Live) -> None:
    draft, key = {**NOOP, "quality": "draft"}, {"Idempotency-Key": "k"}
    first = await order(priced, key, draft)
    for _ in range(5):
        assert await order(priced, key, draft) == first
    assert (await priced.client.post(f"{ROOT}/generate", json=NOOP, headers=key)).status_code == 422
    bad = await priced.client.post(f"{ROOT}/generate", json={"prompt": ""})
    assert bad.status_code == 422
    await order(priced, {}, draft)
    refused = await priced.client.post(f"{ROOT}/generate/stream", json=draft)
    assert refused.status_code == 429, "0.04 + 0.04 + 0.04 is more than 0.10"
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    assert await order(priced, key, draft) == first, "a replay is answered when the day is used up, too"
    assert await order(priced, await bearer(priced, "ann"), draft), "keys have no cap"


@pytest.mark.parametrize("accepted", [2, 0], ids=["nothing was written", "nobody knows"])
async def test_what_was_certainly_not_accepted_costs_nothing(
    priced: Live, monkeypatch: pytest.MonkeyPatch, accepted: int
) -> None:
    draft = {**NOOP, "quality": "draft"}
    told = StoreFull("The disk is full; nothing was written.") if accepted else StoreUnavailable("No answer.")
    with monkeypatch.context() as broken:
        broken.setattr(priced.app.state.surroundings.engine, "submit", AsyncMock(side_effect=told))
        for _ in range(2):
            assert (await priced.client.post(f"{ROOT}/generate", json=draft)).status_code == 503
    statuses = [(await priced.client.post(f"{ROOT}/generate", json=draft)).status_code for _ in range(3)]
    assert statuses == [200] * accepted + [429] * (3 - accepted)


async def test_a_batch_costs_what_its_pictures_and_their_drafts_do(priced: Live) -> None:
    draft, key = {**NOOP, "quality": "draft"}, {"Idempotency-Key": "k"}

    async def batch(count: int, headers: dict[str, str], **more: str) -> int:
        body = {"images": [draft] * count, **more}
        return (await priced.client.post(f"{ROOT}/batch-generate", json=body, headers=headers)).status_code

    assert await batch(3, {}) == 429, "3 x 0.04 is more than 0.10"
    assert await batch(2, {}, workflow="draft_then_final") == 429
    assert await batch(1, key, workflow="draft_then_final") == 200
    assert await batch(1, {}) == 429, "0.08 of 0.10 are spent"
    assert await batch(1, key, workflow="draft_then_final") == 200, "a replay costs nothing"


async def test_a_batch_s_ticket_shows_the_batch_and_nothing_else(guarded: Live) -> None:
    ann = await bearer(guarded, "ann")
    made = [
        (await guarded.client.post(f"{ROOT}/batch-generate", json={"images": [NOOP]}, headers=ann)).json()
        for _ in range(2)
    ]
    ticket = (await guarded.client.post("/api/v1/tickets", json={"group": made[0]["batch_id"]}, headers=ann)).json()
    shown = {"ticket": ticket["ticket"]}
    own, other = (batch["urls"] for batch in made)
    assert (await guarded.client.get(own["self"], params=shown)).status_code == 200
    assert '"completed"' in (await guarded.client.get(own["stream"], params=shown)).text
    assert (await guarded.client.post(own["cancel"], params=shown)).status_code == 401
    for address in (other["self"], f"{ROOT}/jobs/{made[0]['job_ids'][0]}"):
        assert (await guarded.client.get(address, params=shown)).status_code == 401
    for body in ({}, {"job_id": "x", "group": "y"}):
        assert (await guarded.client.post("/api/v1/tickets", json=body, headers=ann)).status_code == 422


async def test_the_same_request_at_once_is_charged_once(priced: Live) -> None:
    draft, key = {**NOOP, "quality": "draft"}, {"Idempotency-Key": "k"}
    jobs = await asyncio.gather(*(priced.client.post(f"{ROOT}/generate", json=draft, headers=key) for _ in range(2)))
    assert len({response.json()["job_id"] for response in jobs}) == 1
    await order(priced, {}, draft)


async def test_a_quality_without_a_price_costs_as_much_as_the_dearest(priced: Live) -> None:
    await order(priced, {}, {**NOOP, "quality": "ultra"})
    refused = await priced.client.post(f"{ROOT}/generate", json={**NOOP, "quality": "draft"})
    assert refused.status_code == 429


async def test_a_post_costs_what_its_length_may_take(priced: Live) -> None:
    tokens = most_tokens(BlogParams(blog_id="b", topic="x", provider="sandbox", length="short"))
    cost = (tokens.read * 0.3 + tokens.written * 0.6) / 1e6
    assert 0.1 / 3 < cost < 0.1 / 2, "two fit into a day, three do not"
    ask, key = f"{blogs.ROOT}/generate-enhanced", {"Idempotency-Key": "k"}
    assert (await priced.client.post(ask, json={"topic": "x", "target_length": 6000})).status_code == 429
    first = await blogs.submit(priced, blogs.TOMATOES, **key)
    assert await blogs.submit(priced, blogs.TOMATOES, **key) == first
    await blogs.submit(priced, blogs.TOMATOES)
    for path in (ask, f"{ask}/stream", f"{ask}?async_mode=false"):
        refused = await priced.client.post(path, json=blogs.TOMATOES)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert await blogs.submit(priced, blogs.TOMATOES, **key) == first
    await blogs.submit(priced, blogs.TOMATOES, **await bearer(priced, "ann"))
