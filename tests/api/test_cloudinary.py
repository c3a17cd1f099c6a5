"""The whole service with its pictures at Cloudinary, in good days and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.boards import beats_of, board, grid, post
from tests.canaries import WATCH
from tests.images import NOOP, ROOT, ended, reached, states_of, stream, submit
from tests.live import Live, serving
from tests.loopback_cloudinary import CLOUD, SECRET, Cloudinary

from atelier.pipelines import storing
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest
from atelier.providers.sandbox import Sandbox
from atelier.settings import Settings
from atelier.wiring import build_adapters

HILL = {"prompt": "A hill = 1 | 2", "quality": "draft"}
ADDRESS = f"https://res.cloudinary.com/{CLOUD}/image/upload/v"


class Counting(Sandbox):
    """The sandbox, which counts its pictures."""

    calls = 0

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        self.calls += 1
        return await super().generate(request, desk)


class Studio:
    """A running service, its Cloudinary and its painter."""

    def __init__(self, live: Live, server: Cloudinary, painter: Counting) -> None:
        self.live, self.server, self.painter = live, server, painter


@contextlib.asynccontextmanager
async def running(folder: Path, server: Cloudinary, **settings: Any) -> AsyncIterator[Studio]:
    WATCH.know(SECRET, "Cloudinary's secret")
    storage = {"kind": "cloudinary", "url": server.url, "upload_prefix": server.base}
    chosen = {"data_dir": folder / "data", "storage": storage, "retry_base_seconds": 0.1, **settings}
    painter = Counting()
    adapters = await asyncio.to_thread(lambda: build_adapters(Settings(**chosen)))
    adapters = replace(adapters, image_providers={"sandbox": painter})
    async with serving(chosen.pop("data_dir"), adapters, **chosen) as live:
        yield Studio(live, server, painter)


@pytest.fixture(autouse=True)
def stored_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "SHORTEST", timedelta(seconds=0.2))


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    async with Cloudinary().serving() as server, running(tmp_path, server) as studio:
        yield studio


def only_picture(job: dict[str, Any]) -> dict[str, Any]:
    assert job["status"] == "completed", job["error_message"]
    (picture,) = job["result"]["images"]
    return dict(picture)


async def test_addresses_are_told_as_cloudinary_gave_them(studio: Studio) -> None:
    events = await stream(studio.live, HILL)
    job = await ended(studio.live, events[0][1]["job_id"])
    picture = only_picture(job)
    (name,) = studio.server.assets
    assert picture["image_url"] == f"{ADDRESS}1700000000/{name}.png"
    assert picture["thumbnail_url"].startswith("https://res.cloudinary.com/")
    assert events[-1][1]["data"]["result"]["images"][0]["image_url"] == picture["image_url"]
    assert any(event.get("step") for _, event in events)
    assert not any(event.get("preview_url") for _, event in events)
    assert studio.server.assets[name].fields["context"] == "alt=A hill \\= 1 \\| 2"
    assert picture["alt_text"] == HILL["prompt"]
    assert (await studio.live.client.get("/ready")).json() == {
        "ready": True, "checks": {"store": "ok", "storage": "ok", "spool": "ok", "queue": "ok"},
    }  # fmt: skip


async def test_drafts_and_batches_have_their_addresses(studio: Studio) -> None:
    body = {"images": [HILL, NOOP], "workflow": "draft_then_final"}
    batch = (await studio.live.client.post(f"{ROOT}/batch-generate", json=body)).json()
    states = states_of((await studio.live.client.get(batch["urls"]["stream"])).text)
    drafts = {state["data"]["draft"]["image_url"] for state in states if "draft" in state["data"]}
    assert drafts
    assert all(address.startswith(ADDRESS) for address in drafts)
    for job_id in batch["job_ids"]:
        assert only_picture(await ended(studio.live, job_id))["image_url"].startswith(ADDRESS)


@pytest.mark.parametrize("trouble", ["broken", "limit", "html", "drop", "drop_after"])
async def test_an_upload_is_repeated_and_the_picture_is_not(studio: Studio, trouble: str) -> None:
    studio.server.troubles.extend([trouble, trouble])
    job = await ended(studio.live, await submit(studio.live, HILL))
    only_picture(job)
    assert studio.painter.calls == 1
    assert (len(studio.server.assets), job["attempt"]) == (1, 1), "waiting for the storage uses no attempt up"


async def test_jobs_wait_for_a_cloudinary_that_is_down(tmp_path: Path) -> None:
    async with Cloudinary().serving() as server, running(tmp_path, server, max_attempts=1) as studio:
        server.always = "drop"
        jobs = [await submit(studio.live, {**HILL, "prompt": f"Hill {n}"}) for n in range(3)]
        async with asyncio.timeout(60):
            while len(server.asked) < 9:
                await asyncio.sleep(0.05)
        waiting = [(await studio.live.client.get(f"{ROOT}/jobs/{job}")).json() for job in jobs]
        assert {job["status"] for job in waiting} <= {"queued", "processing"}
        assert {job["state_reason"] for job in waiting} <= {"storing", None}
        server.always = ""
        for job in jobs:
            only_picture(await ended(studio.live, job))
        assert studio.painter.calls == 3
        assert len(server.assets) == 3


async def test_a_wrong_secret_fails_in_words_and_what_was_drawn_is_kept(studio: Studio) -> None:
    studio.server.secret = "another-secret-altogether"
    job = await ended(studio.live, await submit(studio.live, HILL))
    assert (job["status"], job["attempt"]) == ("failed", 1)
    assert "ATELIER_STORAGE__URL" in job["error_message"]
    assert "sign" not in job["error_message"].lower()
    ready = await studio.live.client.get("/ready")
    assert (ready.status_code, "ATELIER_STORAGE__URL" in ready.json()["checks"]["storage"]) == (503, True)
    studio.server.secret = SECRET
    await studio.live.client.post(f"{ROOT}/jobs/{job['job_id']}/retry")
    only_picture(await ended(studio.live, job["job_id"]))
    assert studio.painter.calls == 1


async def test_a_deleted_job_leaves_nothing_at_cloudinary(studio: Studio) -> None:
    job_id = await submit(studio.live, HILL)
    await ended(studio.live, job_id)
    kept = await submit(studio.live, {**HILL, "prompt": "Another"})
    await ended(studio.live, kept)
    studio.server.troubles.append("limit")
    assert (await studio.live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 503
    assert (await studio.live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 204
    assert len(studio.server.assets) == 1


async def test_a_hung_upload_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async with Cloudinary().serving() as server:
        server.always = "hang"
        async with running(tmp_path, server, grace_seconds=0.2) as studio:
            await reached(studio.live, await submit(studio.live, HILL), "uploading")
            began = time.monotonic()
        assert time.monotonic() - began < 30, "the upload takes a minute"


async def test_a_storyboard_s_pictures_lie_under_its_paths(studio: Studio, tmp_path: Path) -> None:
    body = board(("clear",), 3)
    board_id = (await post(studio.live, body))[0]["storyboard_id"]
    names = [f"films/hill/generated_images/clear/Shot_1/Beat_1.{number}" for number in (1, 2, 3)]
    assert [name for name in sorted(studio.server.assets) if name.startswith("films/")] == names
    assert studio.server.uploads.count(names[0]) <= 2, "told and settled"
    assert not (tmp_path / "data" / "projects").exists(), "no progress file, no folder"
    before = len(studio.server.uploads)
    await post(studio.live, body)
    assert len(studio.server.uploads) == before, "what is known to be there is not sent again"
    studio.live.app.state.surroundings.projects._seen.clear()
    del studio.server.assets[names[1]]
    await post(studio.live, body)
    assert studio.server.uploads[before:] == [names[1]], "what a crash kept away is copied when somebody looks"
    first = studio.server.assets[names[0]].version
    again = {**body, "redraw": "all", "sandbox": {"scenario": "ok"}}
    for style in again["promptsByStyle"].values():
        style[:] = [{**one, "quality": "draft"} for one in style]
    await post(studio.live, again)
    found = await grid(studio.live.client, board_id)
    assert {one["drawing"] for one in beats_of(found, "clear").values()} == {2}
    assert studio.server.assets[names[0]].version != first, "drawn again, it replaces the earlier one"


async def test_a_storyboard_says_when_its_copies_cannot_be_made(studio: Studio) -> None:
    body = board(("clear",), 1)
    board_id = (await post(studio.live, body))[0]["storyboard_id"]
    studio.server.always = "broken"
    found = await grid(studio.live.client, board_id)
    async with asyncio.timeout(60):
        while not found["files"]["error"]:  # the run's own copy may be under way yet, and known as soon as it is there
            studio.live.app.state.surroundings.projects._seen.clear()
            await post(studio.live, body)
            found = await grid(studio.live.client, board_id)
    assert found["status"] == "completed"
    studio.server.always = ""
