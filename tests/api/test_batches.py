"""Batches over real sockets: accepted, watched, cancelled, made again, with drafts on the way."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.images import NOOP, ROOT, STAGES, ended, events_of, states_of
from tests.live import Live, Serve

from atelier.errors import ProviderUnavailable, StorageError
from atelier.media import Content
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Stored, Terms
from atelier.providers.sandbox import Sandbox
from atelier.settings import Settings
from atelier.storage.disk import DiskStorage
from atelier.wiring import Adapters, build_adapters

STALL = {"prompt": "A hill", "sandbox": {"scenario": "stall"}}
REFUSED = {"prompt": "A hill", "sandbox": {"scenario": "refused"}}
SIX = {"image_id", "image_url", "width", "height", "format", "alt_text"}


class Painter:
    """A provider that takes half a dollar for each picture; fails, stalls or will not let go as it is told."""

    name = "sandbox"
    offer = Sandbox.offer
    terms = Terms(abort="provider_cannot_cancel", abort_billed="no", billed="yes", prices={"draft": 0.5})

    def __init__(self, *, fails: Sequence[int] = (), stalls: Sequence[int] = (), stubborn: float = 0) -> None:
        self._fails, self._stalls, self._stubborn = fails, stalls, stubborn
        self.requests: list[ImageRequest] = []
        self.called = asyncio.Event()
        """Set by a call that will not end by itself."""

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:  # noqa: ARG002
        self.requests.append(request)
        if len(self.requests) in self._fails:
            raise ProviderUnavailable("Down.")
        if self._stubborn or len(self.requests) in self._stalls:
            self.called.set()
            await self._stall()
        return GeneratedImage(data=picture(len(self.requests)), provider="sandbox", model="m", seed=7, cost=0.5)

    async def ping(self) -> None:
        """Nobody to reach."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _stall(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self._stubborn)


class Unsteady(DiskStorage):
    """Fails to save the first picture."""

    failed = False

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        if not self.failed:
            self.failed = True
            raise StorageError("Not now.")
        return await super().save(job_id, number, content, alt=alt, shared=shared)


def picture(shade: int) -> bytes:
    data = io.BytesIO()
    image = Image.new("RGB", (8, 8), (shade, 0, 0))
    image.paste((255, 255, 255), (0, 0, 4, 4))
    image.save(data, "PNG")
    return data.getvalue()


async def with_painter(data: Path, painter: Painter) -> Adapters:
    adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=data))
    return replace(adapters, image_providers={"sandbox": painter})


async def post(live: Live, images: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    headers = fields.pop("headers", {})
    response = await live.client.post(f"{ROOT}/batch-generate", json={"images": images, **fields}, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def get(live: Live, batch_id: str) -> dict[str, Any]:
    response = await live.client.get(f"{ROOT}/batches/{batch_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def watch(live: Live, batch: dict[str, Any]) -> list[dict[str, Any]]:
    response = await live.client.get(batch["urls"]["stream"])
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers["location"], response.headers["x-job-id"]) == (batch["urls"]["self"], batch["batch_id"])
    return states_of(response.text)


@asynccontextmanager
async def watching(live: Live, batch: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    async with live.client.stream("GET", batch["urls"]["stream"]) as response:
        yield _states(response)


async def _states(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def test_a_hundred_pictures(live: Live) -> None:
    batch = await post(live, [{**NOOP, "prompt": f"Hill {n}"} for n in range(100)], blog_id="spring")
    assert (batch["total_images"], batch["status"], len(set(batch["job_ids"]))) == (100, "processing", 100)
    assert batch["message"] == "Batch of 100 images queued successfully"
    states = await watch(live, batch)
    last = {state["job_id"]: state for state in states}
    assert set(last) == set(batch["job_ids"])
    assert {state["stage"] for state in states} <= set(STAGES)
    for state in last.values():
        assert (state["stage"], state["status"], state["progress"]) == ("completed", "completed", 100)
        assert state["data"]["result"]["images"][0].keys() >= SIX
        assert state["data"]["blog_id"] == "spring"
    done = await get(live, batch["batch_id"])
    assert (done["status"], done["completed"], done["failed"], done["cancelled"]) == ("completed", 100, 0, 0)
    assert [job["job_id"] for job in done["jobs"]] == batch["job_ids"]
    assert [job["title"] for job in done["jobs"]] == [f"Hill {n}" for n in range(100)]
    listed = (await live.client.get(f"{ROOT}/jobs", params={"blog_id": "spring", "limit": 200})).json()["jobs"]
    assert {job["batch_id"] for job in listed} == {batch["batch_id"]}
    assert len(listed) == 100


async def test_every_member_is_a_job_like_any_other(live: Live) -> None:
    batch = await post(live, [{**NOOP, "blog_id": "own"}, {**NOOP, "style": "anime"}], blog_id="shared")
    first, second = [await ended(live, job_id) for job_id in batch["job_ids"]]
    assert (first["blog_id"], second["blog_id"]) == ("own", "shared")
    assert second["style"] == "anime"
    stream = await live.client.get(f"{ROOT}/jobs/{first['job_id']}/stream")
    assert [event["stage"] for _, event in events_of(stream.text)] == STAGES
    assert (await live.client.delete(f"{ROOT}/jobs/{first['job_id']}")).status_code == 204
    left = await get(live, batch["batch_id"])
    assert (left["total_images"], left["completed"], len(left["jobs"])) == (2, 1, 1)


async def test_one_bad_picture_does_not_stop_the_others(live: Live) -> None:
    batch = await post(live, [NOOP, REFUSED, NOOP])
    states = await watch(live, batch)
    last = {state["job_id"]: state for state in states}
    assert [last[job_id]["stage"] for job_id in batch["job_ids"]] == ["completed", "error", "completed"]
    assert last[batch["job_ids"][1]]["data"]["code"] == "provider_refused"
    done = await get(live, batch["batch_id"])
    assert (done["status"], done["completed"], done["failed"]) == ("completed", 2, 1)
    await live.client.post(f"{ROOT}/jobs/{batch['job_ids'][1]}/retry")
    assert {state["job_id"] for state in await watch(live, batch)} == set(batch["job_ids"])
    only_bad = await post(live, [REFUSED, REFUSED], headers={"Prefer": "wait=20"})
    assert (only_bad["status"], only_bad["failed"]) == ("failed", 2)


async def test_waiting_members_say_so(live: Live) -> None:
    batch = await post(live, [STALL] * 40)
    async with watching(live, batch) as states:
        seen = [await anext(states) for _ in range(40)]
    assert {state["stage"] for state in seen} <= {"queued", "processing", "generating"}
    waiting = (await live.client.get(f"{ROOT}/jobs/{batch['job_ids'][-1]}")).json()
    assert (waiting["status"], waiting["current_stage"]) == ("pending", "queued")
    assert waiting["state_reason"] == "waiting_for_slot"
    async with live.client.stream("GET", f"{ROOT}/jobs/{batch['job_ids'][-1]}/stream") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "id: 0"
        first = json.loads((await anext(lines)).removeprefix("data: "))
    assert (first["stage"], first["status"], first["job_id"]) == ("queued", "pending", batch["job_ids"][-1])


async def test_cancel_ends_all_of_it(live: Live) -> None:
    batch = await post(live, [STALL] * 30)
    cancelled = await live.client.post(batch["urls"]["cancel"])
    assert cancelled.status_code == 200
    assert (cancelled.json()["status"], cancelled.json()["cancelled"]) == ("cancelled", 30)
    outcomes = {job["cancellation"]["outcome"] for job in cancelled.json()["jobs"]}
    assert "dequeued" in outcomes
    states = await watch(live, batch)
    assert {(state["stage"], state["status"]) for state in states} == {("error", "cancelled")}
    again = await live.client.post(batch["urls"]["cancel"])
    assert (again.status_code, again.json()["code"]) == (409, "already_terminal")
    assert again.json()["batch"]["cancelled"] == 30


async def test_cancel_answers_202_without_all_receipts(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.jobs.groups.engine.CANCEL_WAIT", timedelta(seconds=0.1))
    async with serve(await with_painter(tmp_path / "data", painter := Painter(stubborn=1))) as live:
        batch = await post(live, [{"prompt": "A hill"}] * 3)
        await painter.called.wait()
        cancelled = await live.client.post(batch["urls"]["cancel"])
        assert (cancelled.status_code, cancelled.json()["status"]) == (202, "processing")
        assert {state["status"] for state in await watch(live, batch)} == {"processing", "cancelled"}
        assert (await get(live, batch["batch_id"]))["cancelled"] == 3


async def test_a_key_makes_one_batch(live: Live) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await post(live, [NOOP, NOOP], headers=headers)
    replays = await asyncio.gather(
        *(live.client.post(f"{ROOT}/batch-generate", json={"images": [NOOP, NOOP]}, headers=headers) for _ in range(10))
    )
    assert {response.headers["idempotency-replayed"] for response in replays} == {"true"}
    for response in replays:
        assert response.json()["job_ids"] == first["job_ids"]
    for job_id in first["job_ids"]:
        await ended(live, job_id)
    later = (await live.client.post(f"{ROOT}/batch-generate", json={"images": [NOOP, NOOP]}, headers=headers)).json()
    assert later["message"] == "Batch of 2 images completed: 2 completed, 0 failed, 0 cancelled"
    other = await live.client.post(f"{ROOT}/batch-generate", json={"images": [NOOP]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await live.client.get(f"{ROOT}/jobs")).json()["jobs"]) == 2


async def test_prefer_wait_answers_the_batch(live: Live) -> None:
    response = await live.client.post(
        f"{ROOT}/batch-generate", json={"images": [NOOP, NOOP]}, headers={"Prefer": "wait=20"}
    )
    assert response.headers["preference-applied"] == "wait=20"
    assert (response.json()["status"], response.json()["completed"]) == ("completed", 2)
    short = await post(live, [STALL], headers={"Prefer": "wait=0"})
    assert (short["status"], short["completed"]) == ("processing", 0)


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "images"),
    ({"images": []}, "images"),
    ({"images": [NOOP] * 101}, "images"),
    ({"images": {"prompt": "x"}}, "images"),
    ({"images": [NOOP, NOOP, NOOP, {"prompt": " "}]}, "images.3.prompt"),
    ({"images": [NOOP, {"prompt": "x", "style": "cubism"}]}, "images.1.style"),
    ({"images": [NOOP, "x"]}, "images.1"),
    ({"images": [NOOP, {**NOOP, "provider": "gemini"}]}, "images.1.sandbox"),
    ({"images": [NOOP], "workflow": "final_then_draft"}, "workflow"),
    ({"images": [NOOP], "blog_id": "a b"}, "blog_id"),
]


async def test_bad_values_name_their_field(live: Live) -> None:
    for body, field in BAD:
        response = await live.client.post(f"{ROOT}/batch-generate", json=body)
        assert response.status_code == 422, field
        problem = response.json()
        assert ".".join(str(part) for part in problem["errors"][0]["loc"]) == f"body.{field}"
        assert problem["detail"].startswith(f"{field}: ")
    assert (await live.client.get(f"{ROOT}/jobs")).json()["jobs"] == [], "all or nothing"


async def test_unknown_batches_are_not_found(live: Live) -> None:
    alone = (await live.client.post(f"{ROOT}/generate", json=NOOP)).json()["job_id"]
    for batch_id in ("0" * 32, alone, "%2e%2e", "x" * 300):
        for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel")):
            response = await live.client.request(method, f"{ROOT}/batches/{batch_id}{path}")
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (await live.client.get(f"{ROOT}/batches/{'0' * 32}")).json()["detail"] == "There is no such batch."


async def test_a_provider_that_is_not_configured_is_stood_in_for_once(live: Live) -> None:
    batch = await post(live, [{"prompt": "x", "provider": "gemini", "quality": "draft"}] * 3)
    assert batch["warnings"] == ["The provider gemini is not configured; the sandbox drew instead."]


async def test_a_draft_is_shown_before_the_picture(live: Live) -> None:
    batch = await post(live, [{"prompt": "A hill", "aspect_ratio": "16:9"}], workflow="draft_then_final")
    (job_id,) = batch["job_ids"]
    states = asyncio.create_task(watch(live, batch))
    events = [event for _, event in events_of((await live.client.get(f"{ROOT}/jobs/{job_id}/stream")).text)]
    stages = list(dict.fromkeys(event["stage"] for event in events))
    assert stages == STAGES
    drafts = [event["data"]["draft"] for event in events if "draft" in event["data"]]
    first = next(place for place, event in enumerate(events) if "draft" in event["data"])
    assert (events[first]["stage"], events[first]["message"]) == ("generating", "The draft is ready")
    assert len(drafts) == len(events) - first, "that event and all later ones show it"
    assert len({draft["image_url"] for draft in drafts}) == 1
    job = await ended(live, job_id)
    (picture,) = job["result"]["images"]
    assert (job["draft"]["quality"], picture["quality"], job["is_draft"]) == ("draft", "standard", False)
    assert job["draft"]["seed"] == picture["seed"]
    assert job["draft"]["image_url"] == drafts[0]["image_url"] != picture["image_url"]
    assert job["draft"]["width"] < picture["width"]
    for url in (job["draft"]["image_url"], picture["image_url"]):
        assert (await live.client.get(url)).status_code == 200
    (kept,) = [update["data"]["draft"] for update in job["progress_updates"] if "draft" in update["data"]]
    assert kept == job["draft"]
    shown = [state for state in await states if "draft" in state["data"]]
    assert shown[-1]["stage"] == "completed"


async def test_a_retry_does_not_draw_the_draft_again(serve: Serve, tmp_path: Path) -> None:
    painter = Painter(fails=[2])
    async with serve(await with_painter(tmp_path / "data", painter), retry_base_seconds=0.05) as live:
        batch = await post(live, [{"prompt": "A hill"}], workflow="draft_then_final")
        done = await ended(live, batch["job_ids"][0])
    assert [(request.quality, request.seed) for request in painter.requests] == [
        ("draft", None),
        ("standard", 7),
        ("standard", 7),
    ]
    assert (done["status"], done["attempt"], done["cost"], done["result"]["cost"]) == ("completed", 2, 1.0, 1.0)
    assert not list((tmp_path / "data" / "spool").iterdir()), "nothing is left behind"


async def test_a_spooled_draft_is_stored_without_being_drawn_again(serve: Serve, tmp_path: Path) -> None:
    painter = Painter()
    adapters = await with_painter(tmp_path / "data", painter)
    storage = Unsteady(tmp_path / "data" / "pictures", adapters.secret)
    async with serve(replace(adapters, storage=storage), retry_base_seconds=0.05) as live:
        batch = await post(live, [{"prompt": "A hill"}], workflow="draft_then_final")
        done = await ended(live, batch["job_ids"][0])
    assert (done["status"], done["attempt"]) == ("completed", 1)
    assert [request.quality for request in painter.requests] == ["draft", "standard"]


async def test_a_draft_that_was_paid_for_stands_in_the_receipt(serve: Serve, tmp_path: Path) -> None:
    painter = Painter(stalls=[2])
    async with serve(await with_painter(tmp_path / "data", painter)) as live:
        batch = await post(live, [{"prompt": "A hill"}], workflow="draft_then_final")
        await painter.called.wait()
        cancelled = (await live.client.post(batch["urls"]["cancel"])).json()["jobs"][0]
    assert cancelled["draft"]["quality"] == "draft"
    assert (cancelled["cancellation"]["outcome"], cancelled["cancellation"]["billed"]) == (
        "provider_cannot_cancel",
        "yes",
    )


async def test_a_batch_survives_its_deadline_setting(serve: Serve) -> None:
    async with serve(deadlines={"batch_seconds": 1}, sweep_seconds=0.2) as live:
        batch = await post(live, [STALL] * 6)
        states = await watch(live, batch)
        last = {state["job_id"]: state for state in states}
        assert {state["data"]["code"] for state in last.values()} == {"deadline_exceeded"}
        assert (await get(live, batch["batch_id"]))["status"] == "failed"


async def test_jobs_that_were_deleted_are_told_as_that(live: Live) -> None:
    batch = await post(live, [NOOP, NOOP])
    counts = {}
    for job_id in batch["job_ids"]:
        await ended(live, job_id)
    for gone, job_id in enumerate(batch["job_ids"], start=1):
        assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 204
        found = await get(live, batch["batch_id"])
        counts[gone] = [found[name] for name in ("status", "total_images", "completed", "cancelled", "deleted")]
        assert len(found["jobs"]) == 2 - gone
    assert counts == {1: ["completed", 2, 1, 1, 1], 2: ["cancelled", 2, 0, 2, 2]}


async def test_a_stream_says_goodbye_when_the_service_stops(live: Live) -> None:
    batch = await post(live, [STALL, NOOP])
    await ended(live, batch["job_ids"][1])
    watching_all = asyncio.create_task(live.client.get(batch["urls"]["stream"]))
    async with asyncio.timeout(60):
        while not live.app.state.surroundings.streams.opened("local"):
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    live.app.state.surroundings.engine.close()
    text = (await asyncio.wait_for(watching_all, 60)).text
    states, farewell = text.split(": come back for a fresh start\n")
    assert farewell == "retry: 1000\n\n"
    assert {state["stage"] for state in states_of(states)} <= {"completed", "processing", "generating"}


async def test_batches_are_documented(live: Live) -> None:
    paths = (await live.client.get("/openapi.json")).json()["paths"]
    operation = paths[f"{ROOT}/batch-generate"]["post"]
    assert set(operation["responses"]) >= {"200", "413", "422", "503"}
    assert {"/stream", "/cancel", ""} == {path.split("{batch_id}")[1] for path in paths if "{batch_id}" in path}
    assert set(paths[f"{ROOT}/batches/{{batch_id}}/cancel"]["post"]["responses"]) >= {"200", "202", "404", "409"}
