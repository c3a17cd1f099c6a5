"""Limits and tickets over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.callers import bearer, routes_of
from tests.images import NOOP, ROOT, ended, events_of, submit
from tests.live import Live, Serve

from atelier.api.deps import Reader, stream_place
from atelier.api.routing import call_of

STALL = {"prompt": "A hill", "sandbox": {"scenario": "stall"}}
ONE, ANOTHER = "one secret", "another secret"
MODES = ["open", "keys", "anonymous"]


async def opened(live: Live, owner: str, count: int) -> None:
    """Wait until the server has so many streams of an owner open."""
    async with asyncio.timeout(60):
        while live.app.state.surroundings.streams.opened(owner) != count:
            await asyncio.sleep(0.01)


async def test_too_many_requests_are_429_and_polling_goes_on(serve: Serve) -> None:
    async with serve(limits={"rate_per_minute": 3}) as live:
        job_id = await submit(live, NOOP)
        answers = [await live.client.post(f"{ROOT}/generate", json=NOOP) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert refused.json()["retryable"] is True
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert (await live.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 200
        assert (await live.client.get(f"{ROOT}/jobs/{job_id}/stream")).status_code == 200
        assert (await live.client.get(f"{ROOT}/jobs/{job_id}")).status_code == 429, "sooner than a second later"
        assert (await live.client.get("/health")).status_code == 200
        assert len((await live.client.get(f"{ROOT}/jobs")).json()["jobs"]) == 3, "what was refused made nothing"


async def test_each_owner_has_a_rate_and_all_anonymous_callers_share_one(serve: Serve) -> None:
    limits = {"rate_per_minute": 2, "anonymous_rate_per_minute": 1}
    async with serve(auth="anonymous", limits=limits) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        also_ann = await bearer(live, "ann")
        codes = [
            (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)).status_code
            for headers in (ann, also_ann, ann, bob, {}, {})
        ]
    assert codes == [200, 200, 429, 200, 200, 429]


async def test_streams_are_limited_before_anything_is_made_and_counted_down_however_they_end(serve: Serve) -> None:
    async with serve(limits={"streams_per_owner": 2}) as live, contextlib.AsyncExitStack() as open_streams:
        job_id = await submit(live, STALL)
        watch = f"{ROOT}/jobs/{job_id}/stream"
        held = [await open_streams.enter_async_context(live.client.stream("GET", watch)) for _ in range(2)]
        assert [response.status_code for response in held] == [200, 200]
        for method, path in (("GET", watch), ("POST", f"{ROOT}/generate/stream")):
            refused = await live.client.request(method, path, json=NOOP)
            assert refused.status_code == 429
            assert refused.json()["code"] == "too_many_streams"
            assert refused.headers["retry-after"]
        assert len((await live.client.get(f"{ROOT}/jobs")).json()["jobs"]) == 1
        await held[0].aclose()
        await opened(live, "local", 1)
        assert events_of((await live.client.post(f"{ROOT}/generate/stream", json=NOOP)).text)[-1][1]["stage"] == (
            "completed"
        )
        await opened(live, "local", 1)
        for bad in ({"prompt": ""}, {"prompt": "x", "provider": "dalle"}):
            assert (await live.client.post(f"{ROOT}/generate/stream", json=bad)).status_code == 422
        assert (await live.client.get(f"{ROOT}/jobs/unknown/stream")).status_code == 404
        await opened(live, "local", 1)
        await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
        async for _ in held[1].aiter_bytes():
            pass
        await opened(live, "local", 0)
        assert (await live.client.get(f"{watch}?after=999")).status_code == 204
        await opened(live, "local", 0)


async def test_a_client_that_vanishes_gives_its_stream_back(serve: Serve) -> None:
    async with serve(limits={"streams_per_owner": 1}) as live:
        job_id = await submit(live, STALL)
        for _ in range(3):
            receiver, sender = await asyncio.open_connection("127.0.0.1", live.port)
            sender.write(f"GET {ROOT}/jobs/{job_id}/stream HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b"200" in await receiver.readline()
            await opened(live, "local", 1)
            sender.transport.abort()
            await opened(live, "local", 0)


async def test_every_route_that_streams_holds_a_place(live: Live) -> None:
    document = (await live.client.get("/openapi.json")).json()
    for method, path, route in routes_of(live.app):
        answers = document["paths"].get(path, {}).get(method.lower(), {}).get("responses", {})
        if "text/event-stream" in answers.get("200", {}).get("content", {}):
            assert stream_place in [found.call for found in route.dependant.dependencies], f"{method} {path}"


@pytest.fixture(params=MODES)
async def any_mode(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[tuple[Live, dict[str, str]]]:
    """A server in each mode, and what its caller sends."""
    async with serve(auth=request.param) as live:
        yield live, await bearer(live, "ann") if request.param == "keys" else {}


async def test_a_ticket_shows_its_job_and_does_nothing_else(any_mode: tuple[Live, dict[str, str]]) -> None:
    live, headers = any_mode
    made = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)).json()
    other = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)).json()["job_id"]
    job_id = made["job_id"]
    job = (await live.client.get(made["urls"]["self"], headers=headers)).json()
    given = await live.client.post(job["urls"]["ticket"], headers=headers)
    again = await live.client.post("/api/v1/tickets", json={"job_id": job_id}, headers=headers)
    assert given.status_code == again.status_code == 200
    assert given.json()["expires_at"] > job["must_finish_by"]
    for answer in (given, again):
        params = {"ticket": answer.json()["ticket"]}
        assert (await live.client.get(f"{ROOT}/jobs/{job_id}", params=params)).json()["job_id"] == job_id
        watched = await live.client.get(f"{ROOT}/jobs/{job_id}/stream", params=params)
        assert events_of(watched.text)[-1][1]["stage"] == "completed"
        for path in (f"{ROOT}/jobs/{other}", f"{ROOT}/jobs/{other}/stream", f"{ROOT}/jobs/{'0' * 32}"):
            refused = await live.client.get(path, params=params)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path


async def test_a_bad_ticket_is_401_in_every_mode(any_mode: tuple[Live, dict[str, str]]) -> None:
    live, headers = any_mode
    job_id = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)).json()["job_id"]
    for number, ticket in enumerate(["", "x", "a.b", "a.b.c", "é", "%00"] * 2):
        path = f"{ROOT}/jobs/{job_id}{'/stream' if number >= 6 else ''}"
        refused = await live.client.get(path, params={"ticket": ticket}, headers=headers)
        assert refused.status_code == 401, refused.text
        assert refused.json()["code"] == "unauthorized"


async def test_a_ticket_opens_no_other_route(serve: Serve) -> None:
    async with serve(auth="keys") as live:
        ann = await bearer(live, "ann")
        job_id = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=ann)).json()["job_id"]
        ticket = (await live.client.post(f"{ROOT}/jobs/{job_id}/ticket", headers=ann)).json()["ticket"]
        opened_by_it = set()
        for method, path, route in routes_of(live.app):
            if path.startswith("/api/") and "worker" not in path:
                assert call_of(route.dependant)
                address = re.sub(
                    r"{(\w+)(:\w+)?}", lambda found: job_id if found.group(1) == "job_id" else "none", path
                )
                answer = await live.client.request(method, address, params={"ticket": ticket}, json={"job_id": job_id})
                as_key = {"Authorization": f"Bearer {ticket}"}
                assert (await live.client.request(method, address, headers=as_key)).status_code == 401
                foreign = path.startswith("/api/v1/blog/") and call_of(route.dependant) is Reader
                assert answer.status_code in ({404} if foreign else {200, 401}), f"{method} {path}"
                if answer.status_code == 200:
                    opened_by_it.add((method, path))
                    assert call_of(route.dependant) is Reader
        assert opened_by_it == {("GET", f"{ROOT}/jobs/{{job_id}}"), ("GET", f"{ROOT}/jobs/{{job_id}}/stream")}


async def test_a_ticket_of_another_service_or_for_nothing_is_refused(serve: Serve) -> None:
    async with serve(auth="keys", secret_key=ONE) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        job_id = (await live.client.post(f"{ROOT}/generate", json=NOOP, headers=ann)).json()["job_id"]
        ticket = (await live.client.post(f"{ROOT}/jobs/{job_id}/ticket", headers=ann)).json()["ticket"]
        refused: list[httpx.Response] = [
            await live.client.post("/api/v1/tickets", json=body, headers=bob)
            for body in ({"job_id": job_id}, {"job_id": "0" * 32})
        ]
        assert [answer.status_code for answer in refused] == [404, 404]
        empty: list[Any] = [{}, {"job_id": ""}, {"job_id": 7}, []]
        for body in empty:
            assert (await live.client.post("/api/v1/tickets", json=body, headers=ann)).status_code == 422
    async with serve(auth="keys", secret_key=ANOTHER) as live:
        stale = await live.client.get(f"{ROOT}/jobs/{job_id}", params={"ticket": ticket})
        assert stale.status_code == 401


async def test_every_answer_about_a_job_names_the_address_of_its_tickets(live: Live) -> None:
    accepted = (await live.client.post(f"{ROOT}/generate", json=NOOP)).json()
    job = await ended(live, accepted["job_id"])
    listed = (await live.client.get(f"{ROOT}/jobs")).json()["jobs"][0]
    for answer in (accepted, job, listed):
        assert (await live.client.post(answer["urls"]["ticket"])).status_code == 200
