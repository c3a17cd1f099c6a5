"""Who draws a story: Stable Horde, else Hugging Face, on loopback; each with its share of the time, none for ever."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api.test_vendors import noise
from tests.callers import bearer
from tests.images import states_of
from tests.live import Live, Serve
from tests.providers.fakes import Answers, Fake, Reply, Seen, as_json, fake, faking, image, impatience
from tests.providers.subjects import PLACED, WAITING, horde_error, horde_service
from tests.stories import DRAWN, ROOT, order, read, text_is_there, until

from atelier.api.stories.translate import COUNTS
from atelier.pipelines.keyring import NOBODY_DRAWS

__all__ = ["fake", "impatience"]

HORDE_KEY, FACE_KEY = "horde-key-4711", "hf_facekey4711"


@pytest.fixture
async def face() -> AsyncIterator[Fake]:
    async with faking() as server:
        yield server


def both(horde: Fake, face: Fake, **more: Any) -> dict[str, Any]:
    """Return settings in which both have a key of the service."""
    return {
        "story_providers": ("stable_horde", "hugging_face"),
        "providers": {
            "stable_horde": {"base_url": horde.base, "api_key": HORDE_KEY},
            "hugging_face": {"base_url": face.base, "api_key": FACE_KEY},
        },
        "fetch": {"allow_private": True},
        **more,
    }


def placed(horde: Fake) -> list[Any]:
    return [seen for seen in horde.seen if seen.method == "POST"]


def stalling(seen: Any) -> Reply:
    """Take orders, and never draw."""
    return as_json(PLACED, 202) if seen.method == "POST" else as_json(WAITING)


async def picture() -> bytes:
    return await asyncio.to_thread(noise, 256, 256)


async def test_the_first_with_a_key_draws_and_is_named(serve: Serve, fake: Fake, face: Fake) -> None:
    fake.answer = horde_service(data=await picture())
    async with serve(**both(fake, face)) as live:
        story = await until(live, await order(live, DRAWN), "completed")
    assert {one["provider"] for one in story["images"]} == {"stable_horde"}
    assert {seen.headers["apikey"] for seen in placed(fake)} == {HORDE_KEY}
    assert {seen.json()["params"]["seed"] for seen in placed(fake)} == {placed(fake)[0].json()["params"]["seed"]}
    assert face.seen == []


async def test_a_key_of_the_second_alone_is_enough(serve: Serve, fake: Fake, face: Fake) -> None:
    face.answer = lambda _: image(drawn, "image/png")
    drawn = await picture()
    settings = both(fake, face, stable_horde_api_key=None)
    settings["providers"]["stable_horde"]["api_key"] = None
    async with serve(**settings) as live:
        story = await until(live, await order(live, DRAWN), "completed")
    assert {one["provider"] for one in story["images"]} == {"hugging_face"}
    assert {seen.headers["authorization"] for seen in face.seen} == {f"Bearer {FACE_KEY}"}
    assert fake.seen == []


async def test_in_the_middle_of_a_story_the_second_takes_over(serve: Serve, fake: Fake, face: Fake) -> None:
    """The horde draws one picture and takes no more orders after that."""
    drawn = await picture()
    serving, face.answer = horde_service(data=drawn), lambda _: image(drawn, "image/png")

    def once(seen: Any) -> Reply:
        return serving(seen) if seen.method != "POST" or len(placed(fake)) == 1 else horde_error(503, "MaintenanceMode")

    fake.answer = once
    async with serve(**both(fake, face), slots={"image": 1}) as live:
        story = await until(live, await order(live, {**DRAWN, "image_count": 3}), "completed")
    assert [one["provider"] for one in story["images"]] == ["stable_horde", "hugging_face", "hugging_face"]
    assert any("stable_horde was passed over" in warning for warning in story["images"][1]["warnings"])


async def test_who_stalls_loses_its_share_of_the_time_only(serve: Serve, fake: Fake, face: Fake) -> None:
    """Half of what is left; then the order is withdrawn and the next one draws, long before the deadline."""
    drawn = await picture()
    fake.answer, face.answer = stalling, lambda _: image(drawn, "image/png")
    async with serve(**both(fake, face), deadlines={"story_seconds": 12}) as live:
        story_id = await order(live, {**DRAWN, "image_count": 1})
        await text_is_there(live, story_id)
        async with asyncio.timeout(60):
            while (await read(live, story_id, "images/status/"))["current_provider"] != "stable_horde":
                await asyncio.sleep(0.05)
        story = await until(live, story_id, "completed", "failed")
    (one,) = story["images"]
    assert (one["status"], one["provider"], one["attempts"]) == ("completed", "hugging_face", 1)
    assert "share of the time" in one["warnings"][0]
    assert [seen.method for seen in fake.seen].count("DELETE") == 1, "the order is withdrawn"


async def test_what_may_be_charged_is_told_of_whom_it_was_ordered_with(serve: Serve, fake: Fake, face: Fake) -> None:
    """The first one's order is withdrawn; the second one's is in the books before it is placed, under its own name."""
    fake.answer, face.answer = stalling, lambda _: Reply(cut=True)
    async with serve(**both(fake, face), deadlines={"story_seconds": 6}, sweep_seconds=0.2) as live:
        story = await until(live, await order(live, {**DRAWN, "image_count": 1}), "failed")
    told = [warning for warning in story["images"][0]["warnings"] if "charged" in warning]
    assert told[0] == "An order with hugging_face in attempt 1 brought no picture; it may have been charged."


async def test_an_order_that_was_placed_is_waited_for_by_the_next_process(serve: Serve, fake: Fake, face: Fake) -> None:
    """With the key it was placed with, which nobody has under the vendor's own name: that draws with owners' keys."""
    fake.answer = stalling
    async with serve(**both(fake, face), grace_seconds=0.1) as live:
        story_id = await order(live, {**DRAWN, "image_count": 1})
        async with asyncio.timeout(60):
            while not any("/check/" in seen.target for seen in fake.seen):
                await asyncio.sleep(0.05)
    fake.answer = horde_service(data=await picture())
    async with serve(**both(fake, face)) as live:
        story = await until(live, story_id, "completed", "failed")
    assert (story["images"][0]["status"], story["images"][0]["warnings"]) == ("completed", [])
    assert len(placed(fake)) == 1, "nothing was ordered again"


DEAD: dict[str, tuple[Answers, Answers]] = {
    "stalling and silent": (stalling, lambda _: Reply(silent=True)),
    "down": (lambda _: horde_error(503, "MaintenanceMode"), lambda _: Reply(status=503, body=b"{}")),
    "cut off": (lambda _: Reply(cut=True), lambda _: Reply(status=502, body=b"<html>")),
    "without a valid key": (lambda _: horde_error(401, "InvalidAPIKey"), lambda _: as_json({"error": "No."}, 401)),
    "without a picture in it": (horde_service(data=b"no picture"), lambda _: image(b"none either")),
}
"""In how many ways both can be dead."""


@pytest.mark.parametrize("how", DEAD)
async def test_when_nobody_draws_all_pictures_have_failed_by_the_deadline(
    serve: Serve, fake: Fake, face: Fake, how: str
) -> None:
    """Each says why, in words; the text stays, and what tells of the pictures agrees."""
    fake.answer, face.answer = DEAD[how]
    async with serve(**both(fake, face), deadlines={"story_seconds": 6}, sweep_seconds=0.2) as live:
        story_id = await order(live, {**DRAWN, "image_count": 4})
        due = (await read(live, story_id))["must_finish_by"]
        stream = (await live.client.get(f"{ROOT}/{story_id}/images/stream/")).text
        story, status = await read(live, story_id), await read(live, story_id, "images/status/")
        jobs = [(await live.client.get(f"/api/v1/images/jobs/{one['job_id']}")).json() for one in story["images"]]
    assert face.seen, "the second was asked, too"
    assert (story["status"], bool(story["text"])) == ("failed", True)
    assert (status["status"], status["failed"], status["total"]) == ("failed", 4, 4)
    assert [one["status"] for one in status["images"]] == ["failed"] * 4
    for one in status["images"]:
        assert one["error"][-1] == ".", one["error"]
        assert not [secret for secret in (HORDE_KEY, FACE_KEY, fake.base, face.base) if secret in one["error"]]
    assert status["message"] in {one["error"] for one in status["images"]}
    assert states_of(stream)[-1] == {name: status.get(name, "complete") for name in ("type", *COUNTS)}
    late = [moment(job["completed_at"]) - moment(due) for job in jobs]
    assert max(late) <= timedelta(seconds=10), "the sweep that comes after the deadline is the last"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("times", [200, pytest.param(1000, marks=pytest.mark.soak)])
async def test_asking_again_and_again_orders_nothing_and_writes_nothing(
    serve: Serve, fake: Fake, face: Fake, tmp_path: Path, times: int
) -> None:
    """While two pictures are drawn and when they have failed: the vendor sees nothing of it, nor does the file."""
    face.answer = lambda _: Reply(silent=True)
    settings = both(fake, face, story_providers=("hugging_face",))
    async with serve(**settings, lease_seconds=600) as live:  # signs of life are writes, too
        story_id = await order(live, DRAWN)
        async with asyncio.timeout(60):
            while len(face.seen) < 2:
                await asyncio.sleep(0.05)
        with closing(sqlite3.connect(tmp_path / "data" / "atelier.db", check_same_thread=False)) as file:
            await _asked(live, story_id, times // 2, file)
            assert len(face.seen) == 2
            await live.client.post(f"{ROOT}/{story_id}/cancel/")
            await _asked(live, story_id, times // 2, file)
    assert (len(face.seen), fake.seen) == (2, [])


async def _asked(live: Live, story_id: str, times: int, file: sqlite3.Connection) -> None:
    """Ask how the pictures are getting on, twenty at once; the service's own chores commit now and then, asking never does."""
    await asyncio.sleep(1.2)  # the last step is written
    before, quiet = await read(live, story_id, "images/status/"), 0
    for _ in range(times // 20):
        path, commits = f"{ROOT}/{story_id}/images/status/", await asyncio.to_thread(_commits, file)
        answers = await asyncio.gather(*(live.client.get(path) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        quiet += await asyncio.to_thread(_commits, file) == commits
    after = await read(live, story_id, "images/status/")
    assert quiet > times // 20 / 2
    assert after["images"] == before["images"]


def _commits(file: sqlite3.Connection) -> int:
    """Return a number that is another one after each commit of anybody else."""
    number: int = file.execute("PRAGMA data_version").fetchone()[0]
    return number


async def test_the_own_key_then_the_service_s_then_the_next_provider_s(serve: Serve, fake: Fake, face: Fake) -> None:
    """Each with what it was given: four keys, of which the last one draws."""
    drawn = await picture()
    refused = {ANNS_KEY: horde_error(401, "InvalidAPIKey"), HORDE_KEY: horde_error(503, "MaintenanceMode")}
    fake.answer = lambda seen: refused[seen.headers["apikey"]]

    def answer(seen: Seen) -> Reply:
        return as_json({"error": "No."}, 401) if ANNS_TOKEN in seen.headers["authorization"] else image(drawn)

    face.answer = answer
    async with serve(**both(fake, face), auth="keys") as live:
        ann = await bearer(live, "ann")
        keys = {"stable_horde_api_key": ANNS_KEY, "hugging_face_api_token": ANNS_TOKEN}
        assert (await live.client.put(KEYS, json=keys, headers=ann)).status_code == 200
        story = await until(live, await order(live, {**DRAWN, "image_count": 1}, **ann), "completed", "failed", **ann)
    asked = [seen.headers["apikey"] for seen in placed(fake)]
    asked += [seen.headers["authorization"].removeprefix("Bearer ") for seen in placed(face)]
    assert asked == [ANNS_KEY, HORDE_KEY, ANNS_TOKEN, FACE_KEY]
    (one,) = story["images"]
    assert (one["status"], one["provider"]) == ("completed", "hugging_face")
    told = " ".join(one["warnings"])
    assert "stable_horde was passed over" in told
    assert "Your own key of stable_horde was not used" in told
    assert "Your own key of hugging_face was not used" in told
    assert not [key for key in asked if key in told]


async def test_a_useless_picture_is_asked_for_again_and_then_of_the_next(serve: Serve, fake: Fake, face: Fake) -> None:
    drawn = await picture()
    fake.answer, face.answer = horde_service(data=b"no picture"), lambda _: image(drawn, "image/png")
    async with serve(**both(fake, face)) as live:
        story = await until(live, await order(live, {**DRAWN, "image_count": 1}), "completed", "failed")
    assert (story["images"][0]["status"], story["images"][0]["provider"]) == ("completed", "hugging_face")
    assert len(placed(fake)) == 2


ANNS_KEY, ANNS_TOKEN = "anns-key-of-the-horde-4711", "hf_" + "a1" * 16
KEYS = "/api/settings/image-keys"


async def test_an_owner_s_own_key_goes_before_the_service_s(serve: Serve, fake: Fake, face: Fake) -> None:
    fake.answer = horde_service(data=await picture())
    async with serve(**both(fake, face), auth="keys") as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        assert (await live.client.put(KEYS, json={"stable_horde_api_key": ANNS_KEY}, headers=ann)).status_code == 200
        for headers, key in ((ann, ANNS_KEY), (bob, HORDE_KEY)):
            fake.seen.clear()
            story_id = await order(live, DRAWN, **headers)
            await until(live, story_id, "completed", **headers)
            assert {seen.headers["apikey"] for seen in placed(fake)} == {key}


async def test_where_the_service_has_no_key_only_owners_with_one_are_drawn_for(
    serve: Serve, fake: Fake, face: Fake
) -> None:
    """Without one it is the seed's sentence, before anything is written; keys that go later fail pictures with the same."""
    drawn = await picture()
    face.answer = lambda _: image(drawn, "image/png")
    settings = keyless(fake, face)
    async with serve(**settings, auth="keys", slots={"image": 1}) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        assert (
            await live.client.put(KEYS, json={"hugging_face_api_token": ANNS_TOKEN}, headers=ann)
        ).status_code == 200
        story_id = await order(live, DRAWN, **ann)
        story = await until(live, story_id, "completed", **ann)
        assert {one["provider"] for one in story["images"]} == {"hugging_face"}
        assert {seen.headers["authorization"] for seen in face.seen} == {f"Bearer {ANNS_TOKEN}"}
        refused = await live.client.post(f"{ROOT}/", json=DRAWN, headers=bob)
        assert (refused.status_code, refused.json()["detail"]) == (422, NOBODY_DRAWS)

        face.answer = lambda _: Reply(status=503, body=b"{}")
        later = await order(live, DRAWN, **ann)
        await text_is_there(live, later, **ann)
        assert (await live.client.delete(KEYS, headers=ann)).status_code == 204
        status = await until(live, later, "failed", part="images/status/", **ann)
        assert {one["error"] for one in status["images"]} == {NOBODY_DRAWS}
        assert (await read(live, later, **ann))["text"]


def keyless(horde: Fake, face: Fake) -> dict[str, Any]:
    """Return settings in which the service has no key of either."""
    settings = both(horde, face, stable_horde_api_key=None, hf_token=None)
    for own in settings["providers"].values():
        own["api_key"] = None
    return settings
