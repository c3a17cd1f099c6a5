"""Front door E over real sockets with the sandbox: asked for, read, watched, mended, cancelled, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.callers import bearer
from tests.images import states_of
from tests.live import Live, Serve
from tests.stories import ALIAS, DRAWN, FOX, NOOP, REFUSED, ROOT, STALLED, order, read, text_is_there, until

from atelier.pipelines.keyring import NO_KEY_WRITES, NOBODY_DRAWS, NOBODY_WRITES

KEYLESS: dict[str, Any] = {
    "story_providers": ("stable_horde", "hugging_face"),
    "providers": {"stable_horde": {"api_key": None}, "hugging_face": {"api_key": None}},
    "stable_horde_api_key": None,
    "hf_token": None,
}
"""The usual order, and nobody in it has a key."""


async def test_a_story_from_the_request_to_its_pictures(live: Live) -> None:
    response = await live.client.post(f"{ROOT}/", json=DRAWN)
    accepted = response.json()
    assert accepted["id"] == accepted["job_id"]
    assert accepted["status"] in {"pending", "processing"}
    assert accepted["warnings"] == []
    story = await until(live, accepted["id"], "completed")
    assert (story["topic"], story["level"], story["content_type"]) == (DRAWN["topic"], "A2", "story")
    assert story["text"] == "\n\n".join(scene["text"] for scene in story["scenes"])
    assert [one["event_number"] for one in story["images"]] == [1, 2]
    for one in story["images"]:
        assert (one["status"], one["provider"], one["attempts"], one["error"]) == ("completed", "sandbox", 1, None)
        assert one["alt_text"] == story["scenes"][one["event_number"] - 1]["alt_text"]
        assert (await live.client.get(one["image_url"])).status_code == 200
    status = await read(live, accepted["id"], "images/status/")
    assert status["images"] == story["images"]
    assert {name: status[name] for name in ("status", "total", "completed", "failed", "message", "current_provider")} == {
        "status": "completed", "total": 2, "completed": 2, "failed": 0, "message": "All 2 images are ready.",
        "current_provider": None,
    }  # fmt: skip
    assert status["estimated_time_remaining"] is None
    for url in accepted["urls"].values():
        assert (
            await live.client.request(
                "OPTIONS", url, headers={"Origin": "http://localhost:1", "Access-Control-Request-Method": "GET"}
            )
        ).status_code == 200


async def test_in_open_mode_the_sandbox_stands_in_for_nobody_and_says_so(serve: Serve) -> None:
    async with serve(**KEYLESS) as live:
        response = await live.client.post(f"{ROOT}/", json=DRAWN)
        told = ["No image generation provider is configured; the sandbox draws the pictures."]
        assert response.json()["warnings"] == told
        story = await until(live, response.json()["id"], "completed")
        assert story["warnings"] == told
        assert {one["provider"] for one in story["images"]} == {"sandbox"}


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", ALIAS, f"{ALIAS}/"])
async def test_every_address_is_there_with_and_without_a_slash(live: Live, path: str) -> None:
    response = await live.client.post(path, json=FOX)
    assert response.status_code == 200
    story_id = response.json()["id"]
    await until(live, story_id, "completed")
    for part in ("", "/images/status", "/images/stream"):
        for slash in ("", "/"):
            found = await live.client.get(f"{ROOT}/{story_id}{part}{slash}", follow_redirects=False)
            assert found.status_code == 200, part
    for slash in ("", "/"):
        assert (await live.client.get(f"{ROOT}{slash}")).status_code == 200
        assert (await live.client.post(f"{ROOT}/{story_id}/ticket{slash}")).status_code == 200
        for part in ("cancel", "retry"):
            assert (await live.client.post(f"{ROOT}/{story_id}/{part}{slash}")).status_code == 409
        assert (await live.client.post(f"{ROOT}/{story_id}/images/1/retry{slash}")).status_code == 404
    assert (await live.client.delete(f"{ROOT}/{story_id}{path.removeprefix(ROOT)[:1]}")).status_code in {204, 404}


async def test_without_pictures_there_are_none(live: Live) -> None:
    story_id = await order(live, FOX)
    story = await until(live, story_id, "completed")
    assert (len(story["scenes"]), story["images"], story["illustrated"], story["warnings"]) == (8, [], False, [])
    status = await read(live, story_id, "images/status/")
    assert (status["status"], status["total"], status["images"]) == ("completed", 0, [])


async def test_the_text_can_be_read_while_the_pictures_are_drawn(live: Live) -> None:
    story_id = await order(live, STALLED)
    story = await text_is_there(live, story_id)
    assert story["status"] == "processing"
    async with asyncio.timeout(60):
        while not (status := await read(live, story_id, "images/status/"))["current_provider"]:
            await asyncio.sleep(0.05)
    assert (status["status"], status["message"], status["current_provider"]) == (
        "processing", "Generating image 1/2...", "sandbox",
    )  # fmt: skip
    assert {one["status"] for one in status["images"]} <= {"pending", "generating"}
    assert status["estimated_time_remaining"] > 0
    assert (await live.client.delete(f"{ROOT}/{story_id}/")).status_code == 409
    cancelled = await live.client.post(f"{ROOT}/{story_id}/cancel/")
    assert (cancelled.status_code, cancelled.json()["status"], cancelled.json()["text"]) == (
        200,
        "cancelled",
        story["text"],
    )
    status = await read(live, story_id, "images/status/")
    assert status["status"] == "failed"
    assert status["cancellation"] == cancelled.json()["cancellation"]
    assert status["cancellation"] in [one["cancellation"] for one in status["images"]] != [None, None]
    assert (await live.client.post(f"{ROOT}/{story_id}/cancel/")).status_code == 409


async def test_a_text_that_is_cancelled_has_its_receipt(live: Live) -> None:
    story_id = await order(live, {**FOX, "sandbox": {"scenario": "stall"}})
    await until(live, story_id, "processing")
    assert (await read(live, story_id))["cancellation"] is None
    cancelled = (await live.client.post(f"{ROOT}/{story_id}/cancel/")).json()
    assert cancelled["cancellation"].keys() == {"requested_at", "outcome", "billed"}
    assert (await read(live, story_id))["cancellation"] == cancelled["cancellation"]
    assert (await read(live, story_id, "images/status/"))["cancellation"] == cancelled["cancellation"]


async def test_a_text_that_fails_fails_the_story_and_may_be_tried_again(live: Live) -> None:
    story_id = await order(live, {**DRAWN, "sandbox": {"scenario": "refused"}})
    story = await until(live, story_id, "failed")
    assert (story["error_code"], story["text"]) == ("provider_refused", None)
    status = await read(live, story_id, "images/status/")
    assert (status["status"], status["message"], status["failed"]) == ("failed", story["error_message"], 2)
    assert {one["error"] for one in status["images"]} == {story["error_message"]}
    refused = await live.client.post(f"{ROOT}/{story_id}/images/2/retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict"), "it failed with its story"
    assert f"{ROOT}/{story_id}/retry/" in refused.json()["detail"], "where to go instead"
    assert (await live.client.post(f"{ROOT}/{story_id}/images/3/retry/")).status_code == 404
    again = await live.client.post(f"{ROOT}/{story_id}/retry/")
    assert again.json()["status"] in {"pending", "processing", "failed"}
    await until(live, story_id, "failed")


async def test_pictures_that_failed_are_drawn_again_one_at_a_time(live: Live) -> None:
    story_id = await order(live, REFUSED)
    story = await until(live, story_id, "failed")
    assert story["text"]
    assert story["error_message"] is None, "the text is well"
    assert {one["code"] for one in story["images"]} == {"provider_refused"}
    before = story["must_finish_by"]
    refused = await live.client.post(f"{ROOT}/{story_id}/retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "images/{event_number}/retry/" in refused.json()["detail"], "where to go instead"
    again = (await live.client.post(f"{ROOT}/{story_id}/images/2/retry/")).json()
    assert again["status"] == "processing"
    await until(live, story_id, "failed")
    assert (await live.client.post(f"{ROOT}/{story_id}/images/3/retry/")).status_code == 404
    assert (await live.client.post(f"{ROOT}/{story_id}/images/21/retry/")).status_code == 422
    job = (await live.client.get(f"/api/v1/images/jobs/{again['images'][1]['job_id']}")).json()
    assert (job["run"], job["must_finish_by"] > before) == (2, True)
    assert (await live.client.post(f"{ROOT}/{await _done(live)}/images/1/retry/")).status_code == 409


async def test_a_picture_that_is_not_ordered_yet_or_was_deleted_is_not_drawn_again(live: Live) -> None:
    early = await order(live, {**DRAWN, "sandbox": {"scenario": "stall"}})
    refused = await live.client.post(f"{ROOT}/{early}/images/1/retry/")
    assert (refused.status_code, "as soon as the text is there" in refused.json()["detail"]) == (409, True)
    story = await until(live, await _done(live), "completed")
    assert (await live.client.delete(f"/api/v1/images/jobs/{story['images'][0]['job_id']}")).status_code == 204
    status = await read(live, story["id"], "images/status/")
    assert (status["message"], status["images"][0]["error"]) == (
        "1 of 2 images are ready; the other was deleted.",
        "The image was deleted.",
    )
    gone = await live.client.post(f"{ROOT}/{story['id']}/images/1/retry/")
    assert (gone.status_code, "deleted" in gone.json()["detail"]) == (409, True)


async def _done(live: Live) -> str:
    story_id = await order(live, NOOP)
    await until(live, story_id, "completed")
    return story_id


async def test_the_stream_tells_of_text_and_pictures_and_how_it_ended(live: Live) -> None:
    story_id = await order(live, NOOP)
    states = states_of((await live.client.get(f"{ROOT}/{story_id}/images/stream/")).text)
    kinds = [state["type"] for state in states]
    assert kinds == sorted(kinds, key=["text", "image", "complete"].index)
    assert {state["event_number"] for state in states if state["type"] == "image"} == {1, 2}
    assert states[-1] == {
        "type": "complete",
        "status": "completed",
        "total": 2,
        "completed": 2,
        "failed": 0,
        "message": "All 2 images are ready.",
    }
    afresh = states_of((await live.client.get(f"{ROOT}/{story_id}/images/stream/")).text)
    assert [state["type"] for state in afresh] == ["image", "image", "complete"]


async def test_the_stream_of_a_text_that_failed_ends_so(live: Live) -> None:
    story_id = await order(live, {**DRAWN, "sandbox": {"scenario": "refused"}})
    states = states_of((await live.client.get(f"{ROOT}/{story_id}/images/stream/")).text)
    assert (states[-1]["type"], states[-1]["status"], states[-1]["failed"]) == ("complete", "failed", 2)


async def test_lists_show_stories_and_no_pictures_of_theirs(live: Live) -> None:
    plain, drawn = await order(live, FOX), await _done(live)
    await until(live, plain, "completed")
    results = (await live.client.get(f"{ROOT}/")).json()["results"]
    assert [one["id"] for one in results] == [drawn, plain]
    assert results[0]["text"] is None
    assert [one["status"] for one in results[0]["images"]] == ["completed"] * 2
    for query, found in (
        ({"illustrated": "true"}, [drawn]), ({"illustrated": "false"}, [plain]), ({"status": "completed"}, [drawn, plain]),
        ({"status": "failed"}, []), ({"content_type": "story"}, [drawn, plain]),
        ({"created_after": results[1]["created_at"]}, [drawn]),
    ):  # fmt: skip
        listed = (await live.client.get(f"{ROOT}/", params=query)).json()["results"]
        assert [one["id"] for one in listed] == found, query
    first = (await live.client.get(f"{ROOT}/", params={"limit": 1})).json()
    rest = (await live.client.get(f"{ROOT}/", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for page in (first, rest) for one in page["results"]] == [drawn, plain]
    assert (await live.client.get("/api/v1/images/jobs")).json()["jobs"] == []


async def test_deleted_it_is_gone_with_its_pictures(live: Live) -> None:
    story_id = await order(live, DRAWN)
    story = await until(live, story_id, "completed")
    urls = [one[name] for one in story["images"] for name in ("image_url", "thumbnail_url")]
    assert (await live.client.delete(f"{ROOT}/{story_id}/")).status_code == 204
    for url in (*urls, f"{ROOT}/{story_id}/", f"{ROOT}/{story_id}/images/status/"):
        assert (await live.client.get(url)).status_code == 404
    for one in story["images"]:
        assert (await live.client.get(f"/api/v1/images/jobs/{one['job_id']}")).status_code == 404
    assert (await live.client.delete(f"{ROOT}/{story_id}/")).status_code == 404


async def test_what_has_not_changed_is_not_sent_again(live: Live) -> None:
    story_id = await _done(live)
    for part in ("", "images/status/"):
        first = await live.client.get(f"{ROOT}/{story_id}/{part}")
        assert first.headers["cache-control"] == "private, no-cache"
        again = await live.client.get(f"{ROOT}/{story_id}/{part}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_the_same_key_is_the_same_story(live: Live) -> None:
    once = {"Idempotency-Key": "story-1"}
    first = await live.client.post(f"{ROOT}/", json=NOOP, headers=once)
    again = await live.client.post(f"{ALIAS}/", json={**NOOP, "topic": f" {NOOP['topic']} "}, headers=once)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await live.client.post(f"{ROOT}/", json=DRAWN, headers=once)).status_code == 422
    story = await until(live, first.json()["id"], "completed")
    later = (await live.client.post(f"{ROOT}/", json=NOOP, headers=once)).json()
    assert (later["status"], later["message"]) == (story["status"], story["message"])
    assert later["estimated_completion_time"] == 0.0


async def test_who_prefers_to_wait_gets_the_whole_story(live: Live) -> None:
    response = await live.client.post(f"{ROOT}/", json=NOOP, headers={"Prefer": "wait=30"})
    assert (response.json()["status"], response.headers["Preference-Applied"]) == ("completed", "wait=30")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"topic": ""}, "topic"), ({"topic": " \n"}, "topic"), ({"topic": "x" * 501}, "topic"), ({"topic": "a\x00b"}, "topic"),
        ({"level": ""}, "level"), ({"level": "x" * 65}, "level"), ({"level": 3}, "level"), ({"content_type": "poem"}, "content_type"),
        ({"image_count": 0}, "image_count"), ({"image_count": 21}, "image_count"), ({"illustrated": "yes"}, "illustrated"),
    ],
)  # fmt: skip
async def test_what_cannot_be_written_is_refused_by_its_name(live: Live, change: dict[str, Any], field: str) -> None:
    response = await live.client.post(f"{ROOT}/", json={**DRAWN, **change})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", field]


async def test_with_keys_and_nobody_to_draw_an_illustrated_story_is_refused(serve: Serve) -> None:
    async with serve(auth="keys", **KEYLESS) as live:
        ann = await bearer(live, "ann")
        refused = await live.client.post(f"{ROOT}/", json=DRAWN, headers=ann)
        assert (refused.status_code, refused.json()["detail"]) == (422, NOBODY_DRAWS)
        assert refused.json()["code"] == "provider_not_configured"
        assert (await live.client.get(f"{ROOT}/", headers=ann)).json()["results"] == []
        assert (await live.client.post(f"{ROOT}/", json=FOX, headers=ann)).status_code == 200


async def test_without_the_sandbox_open_mode_refuses_too(serve: Serve) -> None:
    more = {"sandbox": "off", "image_providers": ("stability_ai",), "text_providers": ("openai",)}
    async with serve(**more, **KEYLESS) as live:
        refused = await live.client.post(f"{ROOT}/", json=DRAWN)
        assert (refused.status_code, refused.json()["detail"]) == (422, NOBODY_DRAWS)


@pytest.mark.parametrize(
    ("own_keys", "sentence"),
    [(("openai",), NO_KEY_WRITES), (("stable_horde",), NOBODY_WRITES), (("none",), NOBODY_WRITES)],
)
async def test_who_finds_nobody_is_advised_what_can_be_followed(
    serve: Serve, own_keys: tuple[str, ...], sentence: str
) -> None:
    nobody = {"sandbox": "off", "image_providers": ("stability_ai",)}
    async with serve(**nobody, **KEYLESS, own_keys=own_keys, auth="keys") as live:
        ann = await bearer(live, "ann")
        for body, said in ((DRAWN, NOBODY_DRAWS), (FOX, sentence)):
            refused = await live.client.post(f"{ROOT}/", json=body, headers=ann)
            assert (refused.status_code, refused.json()["detail"]) == (422, said)
        post = await live.client.post("/api/v1/blog/generate-enhanced", json={"topic": "x"}, headers=ann)
        assert (post.status_code, post.json()["detail"]) == (422, sentence)


async def test_a_ticket_shows_its_story_and_nothing_else(serve: Serve) -> None:
    async with serve(auth="keys") as live:
        ann = await bearer(live, "ann")
        story_id, other = [await order(live, {**FOX, "topic": topic}, **ann) for topic in ("Bees", "Ants")]
        ticket = (await live.client.post(f"{ROOT}/{story_id}/ticket/", headers=ann)).json()["ticket"]

        async def shown(story: str, part: str, method: str = "GET") -> int:
            response: httpx.Response = await live.client.request(
                method, f"{ROOT}/{story}/{part}", params={"ticket": ticket}
            )
            return response.status_code

        assert [await shown(story_id, part) for part in ("", "images/status/", "images/stream/")] == [200] * 3
        assert [await shown(other, part) for part in ("", "images/status/", "images/stream/")] == [401] * 3
        assert await shown(story_id, "cancel/", "POST") == 401
