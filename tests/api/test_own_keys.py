"""Owners' own provider keys from end to end: written and never read, used before the service's, for every kind of job."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.test_vendors import noise
from tests.callers import bearer
from tests.canaries import WATCH, canary
from tests.images import ROOT, ended
from tests.live import Live, Serve
from tests.providers.fakes import Fake, Seen, as_json, fake, image, impatience
from tests.providers.subjects import WAITING, horde_error, horde_service
from tests.providers.test_stable_horde import STATUS, calls, scripted

__all__ = ["fake", "impatience"]

PATH = "/api/settings/image-keys"
NOBODY = "No image generation providers configured. Please add your Stable Horde API Key or Hugging Face API Token in Settings."
ANNS, BOBS, SERVICES = (
    canary((whose, "key of the horde")).rstrip("=") for whose in ("ann's", "bob's", "the service's")
)
TOKEN = "hf_" + hashlib.sha256(b"ann's token").hexdigest()
OPENAIS = "sk-" + hashlib.sha256(b"ann's key of openai").hexdigest()
for secret in (ANNS, BOBS, SERVICES, TOKEN, OPENAIS):
    WATCH.know(secret, "an owner's own key")
HORDE = {"stable_horde_api_key": ANNS}
UNSET = {"stable_horde_api_key": False, "hugging_face_api_token": False}


def asked_with(fake: Fake) -> list[str]:
    """Return the key of every order."""
    return [
        seen.headers.get("apikey") or seen.headers.get("authorization", "")
        for seen in fake.seen
        if seen.method == "POST"
    ]


@pytest.fixture
async def picture() -> bytes:
    return await asyncio.to_thread(noise, 256, 256)


def at(fake: Fake, **more: Any) -> dict[str, Any]:
    """Return the settings of a service whose vendors are the fake; of the Horde it has a key itself."""
    providers = {
        "stable_horde": {"base_url": fake.base, "api_key": SERVICES},
        "hugging_face": {"base_url": fake.base, "api_key": None},
    }
    usual = {"image_providers": ("stable_horde",), "providers": providers, "fetch": {"allow_private": True}}
    return {**usual, "hf_token": None, **more}


async def put(live: Live, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return await live.client.put(PATH, json=body, headers=headers)


async def drawn(live: Live, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Have a picture made and return its job."""
    wanted = {"prompt": "A hill", **more}
    made = await live.client.post(f"{ROOT}/generate", json=wanted, headers={"Prefer": "wait=20", **(headers or {})})
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


async def test_keys_are_written_and_never_read(serve: Serve, fake: Fake) -> None:
    async with serve(**at(fake)) as live:
        assert (await live.client.get(PATH)).json() == UNSET
        answer = await put(live, {"stable_horde_api_key": f" {ANNS}\n", "hugging_face_api_token": "  "})
        assert (answer.status_code, answer.json()) == (200, {**UNSET, "stable_horde_api_key": True})
        assert answer.headers["cache-control"] == "no-store"
        for body in ({}, {"stable_horde_api_key": ""}, {"unknown": "x"}):
            assert (await put(live, body)).json() == {**UNSET, "stable_horde_api_key": True}, "unchanged"
        assert (await put(live, {"hugging_face_api_token": TOKEN})).json() == dict.fromkeys(UNSET, True)
        assert (await put(live, {"stable_horde_api_key": None})).json() == {**UNSET, "hugging_face_api_token": True}
        for path in (PATH, f"{PATH}/"):
            assert (await live.client.get(path)).json()["hugging_face_api_token"] is True
            assert (await live.client.put(path, json=HORDE)).json() == dict.fromkeys(UNSET, True)
        assert (await live.client.delete(f"{PATH}/")).status_code == 204
        assert (await live.client.get(PATH)).json() == UNSET
        assert (await live.client.delete(PATH)).status_code == 204


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("stable_horde_api_key", "short", "is 10 to 64 letters"),
        ("stable_horde_api_key", "with two words in it", "is 10 to 64 letters"),
        ("stable_horde_api_key", "x" * 65, "is 10 to 64 letters"),
        ("hugging_face_api_token", ANNS, "is hf_ and"),
        ("hugging_face_api_token", TOKEN + "ü", "is hf_ and"),
        ("openai_api_key", "sk-ant-" + "x" * 30, "is sk- and"),
        ("anthropic_api_key", "sk-" + "x" * 30, "is sk-ant- and"),
        ("stability_ai_api_key", "x" * 40, "is sk- and"),
        ("gemini_api_key", "x" * 29, "is 30 to 200"),
        ("gemini_api_key", "AIza" + "x" * 35, "This key is of no use here; taken are: stable_horde_api_key, hugging_face"),
        ("stable_horde_api_key", 4711, "Input should be a valid string"),
        ("stable_horde_api_key", [ANNS], "Input should be a valid string"),
        ("stable_horde_api_key", ANNS + "\x00", "is 10 to 64 letters"),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_key_is_refused_unsaid(
    serve: Serve, fake: Fake, field: str, value: object, said: str
) -> None:
    async with serve(**at(fake)) as live:
        refused = await put(live, {"stable_horde_api_key": ANNS, field: value})
        assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
        assert said in refused.json()["detail"]
        assert [error["loc"][-1] for error in refused.json()["errors"]] == [field]
        assert str(value) not in refused.text
        assert "Value error" not in refused.text, "a sentence, and no name of an exception"
        assert (await live.client.get(PATH)).json() == UNSET, "all or nothing"


async def test_the_owner_s_key_first_then_the_service_s_then_nobody(serve: Serve, fake: Fake, picture: bytes) -> None:
    fake.answer = horde_service(data=picture)
    async with serve(**at(fake, auth="keys")) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        assert (await put(live, HORDE, ann)).status_code == 200
        for headers in (ann, bob):
            assert (await drawn(live, headers))["status"] == "completed"
        assert (await live.client.get(PATH, headers=bob)).json() == UNSET, "ann's is ann's"
        assert (await live.client.delete(PATH, headers=ann)).status_code == 204
        await drawn(live, ann)
    assert asked_with(fake) == [ANNS, SERVICES, SERVICES]
    async with serve(**at(fake, image_providers=("none",))) as live:
        for body in ({"prompt": "A hill"}, {"prompt": "A hill", "provider": "stable_horde"}):
            refused = await live.client.post(f"{ROOT}/generate", json=body)
            assert (refused.status_code, refused.json()["code"]) == (422, "provider_not_configured")
            assert refused.json()["detail"] == NOBODY
        assert (await live.client.get(f"{ROOT}/providers")).json() == {"providers": []}
        await put(live, {"stable_horde_api_key": BOBS})
        assert (await drawn(live))["status"] == "completed"
        await live.client.delete(PATH)
        assert (await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill"})).json()["detail"] == NOBODY
    assert asked_with(fake)[3:] == [BOBS]


async def test_a_batch_is_drawn_with_the_own_key_too(serve: Serve, fake: Fake, picture: bytes) -> None:
    fake.answer = horde_service(data=picture)
    async with serve(**at(fake)) as live:
        await put(live, HORDE)
        wanted = {"images": [{"prompt": "A hill"}, {"prompt": "A lake"}], "workflow": "draft_then_final"}
        made = await live.client.post(f"{ROOT}/batch-generate", json=wanted, headers={"Prefer": "wait=20"})
        assert made.json()["status"] == "completed", made.text
    assert asked_with(fake) == [ANNS] * 4


async def test_storyboards_are_drawn_with_the_own_key_too(serve: Serve, fake: Fake, picture: bytes) -> None:
    fake.answer = horde_service(data=picture)
    beat = {"shot_number": 1, "beat_number": 1, "transition_type": "C", "ai_prompt": "A hill", "aspect_ratio": "1:1"}
    pool = {"ink": {"provider": "stable_horde", "keys": [{"alias": "i1", "key": SERVICES}]}}
    async with serve(**at(fake, pools=pool)) as live:
        await put(live, HORDE)
        for project in ("one", "two"):
            wanted = {"projectPath": project, "promptsByStyle": {"ink": [beat], "oil": [beat]}}
            sent = await live.client.post("/api/generate-images", json=wanted)
            assert '"success":true' in sent.text.replace(" ", ""), sent.text
            await live.client.delete(PATH)
    assert asked_with(fake) == [ANNS, ANNS, SERVICES, SERVICES]


async def test_front_door_c_draws_with_the_own_key_too(serve: Serve, fake: Fake, picture: bytes) -> None:
    fake.says(image(picture))
    async with serve(**at(fake)) as live:
        await put(live, {"hugging_face_api_token": TOKEN})
        made = await live.client.post("/api/media/generate", json={"prompt": "A hill"})
        assert (made.json()["success"], made.json()["image"]["provider"]) == (True, "hugging_face"), made.text
    assert asked_with(fake) == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("writers", [("sandbox",), ("openai",)])
async def test_posts_are_written_with_the_own_key_too(serve: Serve, fake: Fake, writers: tuple[str, ...]) -> None:
    """A post whose writer refuses it comes to its end at the first text: whose key was asked with is all there is to see."""
    fake.says(as_json({"error": {"message": f"No, {OPENAIS}.", "code": "content_policy_violation"}}, 400))
    own = {"base_url": f"{fake.base}/v1", "model": "m", "api_key": "sk-the-service-s-own-key-of-openai"}
    usual = {"providers": {"openai": own}, "image_providers": ("sandbox",), "text_providers": writers}
    async with serve(**usual, own_keys=("openai",), auth="keys", max_attempts=1) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        assert (await put(live, {"openai_api_key": OPENAIS}, ann)).json() == {"openai_api_key": True}
        for headers in (ann, bob):
            wanted = {"topic": "Hills", "length": "short"}
            made = await live.client.post(
                "/api/v1/blog/generate-enhanced", json=wanted, headers={"Prefer": "wait=20", **headers}
            )
            assert made.status_code == 200, made.text
            done = made.json()["status"]
            assert done == ("completed" if (headers, writers) == (bob, ("sandbox",)) else "failed")
    asked = set(asked_with(fake))
    assert f"Bearer {OPENAIS}" in asked
    assert len(asked) == (1 if writers == ("sandbox",) else 2)


async def test_a_refused_own_key_makes_way_for_the_service_s_and_the_job_says_so(
    serve: Serve, fake: Fake, picture: bytes
) -> None:
    draws = horde_service(data=picture)
    bad = horde_error(401, "InvalidAPIKey")
    fake.answer = lambda seen: bad if seen.headers.get("apikey") == ANNS else draws(seen)
    async with serve(**at(fake)) as live:
        await put(live, HORDE)
        job = await drawn(live)
        assert job["status"] == "completed"
        assert any(said.startswith("Your own key of stable_horde was not used: ") for said in job["warnings"])
        await drawn(live)
        assert asked_with(fake) == [ANNS, SERVICES, SERVICES], "it is not asked with again"
        (listed,) = (await live.client.get(f"{ROOT}/providers")).json()["providers"]
        assert [(key["alias"], key["state"]) for key in listed["keys"]] == [("key", "ok")]
        assert (listed["health"]["state"], listed["health"]["failed_at"]) == ("ok", None)
        await put(live, {"stable_horde_api_key": BOBS})
        await drawn(live)
        assert asked_with(fake)[-1] == BOBS


async def test_a_refused_own_key_fails_the_job_where_there_is_no_other(serve: Serve, fake: Fake) -> None:
    fake.answer = horde_service(placing=horde_error(401, "InvalidAPIKey"))
    async with serve(**at(fake, image_providers=("none",))) as live:
        await put(live, HORDE)
        job = await drawn(live)
        assert (job["status"], job["error_code"]) == ("failed", "provider_bad_key")
        assert job["error_message"].startswith("Your own key of stable_horde was not used: ")


async def test_who_draws_with_own_keys_only_is_there_for_those_who_have_one(
    serve: Serve, fake: Fake, picture: bytes
) -> None:
    horde = horde_service(data=picture)

    def answer(seen: Seen) -> Any:
        return image(picture) if TOKEN in seen.headers.get("authorization", "") else horde(seen)

    fake.answer = answer
    async with serve(**at(fake, auth="keys")) as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        await put(live, {"hugging_face_api_token": TOKEN}, ann)
        named = {"provider": "hugging_face"}
        assert (await drawn(live, ann, **named))["result"]["provider"] == "hugging_face"
        assert (await drawn(live, ann))["result"]["provider"] == "hugging_face", "what is the owner's own goes first"
        assert (await drawn(live, bob))["result"]["provider"] == "stable_horde"
        refused = await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill", **named}, headers=bob)
        assert (refused.status_code, refused.json()["code"]) == (422, "provider_not_configured")
        assert refused.json()["detail"] == "The provider hugging_face is not configured; configured are: stable_horde."
        listed = (await live.client.get(f"{ROOT}/providers", headers=ann)).json()["providers"]
        assert [one["name"] for one in listed] == ["stable_horde"]


async def test_where_all_pictures_are_useless_that_is_what_failed(serve: Serve, fake: Fake) -> None:
    """Who could only draw with a key that the owner has not is no other provider to turn to."""
    fake.says(image(b"This is not a picture."))
    providers = {"stability_ai": {"base_url": fake.base}, "hugging_face": {"base_url": fake.base}}
    async with serve(image_providers=tuple(providers), providers=providers, max_attempts=1) as live:
        job = await drawn(live)
        assert (job["status"], job["error_code"]) == ("failed", "invalid_image"), job["error_message"]


async def test_an_own_key_that_is_removed_while_a_job_waits_leaves_it_with_the_sentence(
    serve: Serve, fake: Fake
) -> None:
    async with serve(**at(fake, image_providers=("none",), max_attempts=1)) as live:
        await put(live, HORDE)
        fake.answer = horde_service(placing=horde_error(429, "TooManyPrompts", retry_after="1"))
        made = await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill"})
        job_id = made.json()["job_id"]
        async with asyncio.timeout(60):
            while not fake.seen:
                await asyncio.sleep(0.01)
        await live.client.delete(PATH)
        job = await ended(live, job_id)
        assert (job["error_code"], job["error_message"]) == ("provider_not_configured", NOBODY)


async def test_an_order_that_was_placed_with_an_own_key_is_waited_for_again(serve: Serve, fake: Fake) -> None:
    fake.answer = scripted(WAITING)
    settings = at(fake)
    async with serve(**settings, grace_seconds=0) as live:
        await put(live, HORDE)
        job_id = (await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill"})).json()["job_id"]
        async with asyncio.timeout(60):
            while not any("/check/" in call for call in calls(fake)):
                await asyncio.sleep(0.01)
    before = len(fake.seen)
    async with serve(**settings) as live:
        async with asyncio.timeout(60):
            while not any("/check/" in call for call in calls(fake)[before:]):
                await asyncio.sleep(0.01)
        await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert f"DELETE {STATUS}" in calls(fake)
    assert asked_with(fake) == [ANNS], "ordered once"
    assert {seen.headers["apikey"] for seen in fake.seen if "apikey" in seen.headers} == {ANNS}


@pytest.mark.parametrize("mode", ["keys", "anonymous"])
async def test_nobody_without_a_key_of_the_service_brings_any(serve: Serve, fake: Fake, mode: str) -> None:
    async with serve(**at(fake, auth=mode)) as live:
        for method in ("GET", "PUT", "DELETE"):
            for path in (PATH, f"{PATH}/"):
                answer = await live.client.request(method, path, json=HORDE)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    "settings",
    [
        {"own_keys": ("none",)},
        {"environment": "production", "encryption_keys": (), "story_providers": ("stable_horde",)},
    ],
)
async def test_where_keys_cannot_be_kept_the_routes_say_so_and_keep_nothing(
    serve: Serve, fake: Fake, tmp_path: Path, settings: dict[str, Any]
) -> None:
    safe = {
        "secret_key": "s3cret-" * 6,
        "public_url": "https://a.example.org",
        "cors_origins": ("https://a.example.org",),
    }
    usual = at(fake, auth="keys", **safe, fetch={}, **settings)
    async with serve(**usual) as live:
        ann = await bearer(live, "ann")
        for answer in (await live.client.get(PATH, headers=ann), await put(live, HORDE, ann)):
            assert (answer.status_code, answer.json()["code"]) == (501, "own_keys_off")
            assert "keeps no provider keys" in answer.json()["detail"]
        assert (await live.client.delete(PATH, headers=ann)).status_code == 204, "what was brought once can go"
    data = (tmp_path / "data" / "atelier.db").read_bytes()
    assert b"owner_keys" not in data


async def test_many_kinds_of_trouble_show_the_key_nowhere(serve: Serve, fake: Fake, tmp_path: Path) -> None:
    """Answers, logs, database and files are searched for the keys as they come and when everything has ended."""
    said = f"key {ANNS} of yours"
    troubles = [
        horde_error(400, "InvalidSize", said),
        horde_error(401, "InvalidAPIKey", said),
        horde_error(403, "KudosUpfront", said),
        horde_error(429, "TooManyPrompts", said, retry_after="20"),
        as_json({"message": said}, 500),
    ]
    async with serve(**at(fake, image_providers=("none",), max_attempts=1, deadlines={"image_seconds": 3})) as live:
        searched = WATCH.searched
        for trouble in troubles:
            fake.answer = horde_service(placing=trouble)
            await put(live, {**HORDE, "hugging_face_api_token": TOKEN})
            for vendor in ("stable_horde", "hugging_face"):
                job = await drawn(live, provider=vendor)
                assert job["status"] in {"failed", "processing", "queued", "cancelled"}
                await live.client.get(f"{ROOT}/jobs/{job['job_id']}/stream")
        for path in (PATH, f"{ROOT}/jobs", f"{ROOT}/providers", "/metrics", "/openapi.json", "/ready"):
            await live.client.get(path)
        assert WATCH.searched > searched
    WATCH.search_files(tmp_path)
    assert not [leak for leak in WATCH.seen if "an owner's own key" in leak]
