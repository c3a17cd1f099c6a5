"""Gemini: its body byte by byte, pictures among thoughts, and failures that hide in 200, in lists and in quotas."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.desks import Noted
from tests.providers.fakes import PNG, Fake, Reply, as_json, request
from tests.providers.subjects import KEY, gemini, gemini_answer, gemini_error, inline

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Reference

QUOTA = "type.googleapis.com/google.rpc.QuotaFailure"
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.2s"}
OTHER = b"another picture"


def quota(kind: str, value: str = "10") -> dict[str, object]:
    name = f"GenerateRequests{kind}PerProjectPerModel-FreeTier"
    return {"@type": QUOTA, "violations": [{"quotaMetric": "m", "quotaId": name, "quotaValue": value}]}


async def drawn(fake: Fake, asked: ImageRequest | None = None, **more: Any) -> GeneratedImage:
    provider = gemini(fake.base, **more)
    try:
        return await provider.generate(asked or request(), Noted())
    finally:
        await provider.close()


async def failure(fake: Fake, reply: Reply, asked: ImageRequest | None = None, **more: Any) -> ProviderError:
    fake.says(reply)
    with pytest.raises(ProviderError) as raised:
        await drawn(fake, asked, **more)
    return raised.value


async def test_the_body_byte_by_byte(fake: Fake) -> None:
    fake.says(gemini_answer(inline(PNG)))
    reference = Reference(data=b"\x89PNG and so on" * 20, media_type="image/png")
    await drawn(fake, request("a cat", aspect_ratio="16:9", seed=3, reference=reference))
    (seen,) = fake.seen
    assert (seen.method, seen.target) == ("POST", "/v1beta/models/gemini-nano-banana-2.1:generateContent")
    assert (seen.headers["x-goog-api-key"], seen.headers["content-type"]) == (KEY, "application/json")
    picture = {"mimeType": "image/png", "data": base64.b64encode(reference.data).decode()}
    expected = {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}, {"inlineData": picture}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
            "seed": 3,
        },
    }
    assert seen.body == json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode()
    assert b"\n" not in seen.body


async def test_what_it_has_no_fields_for_stands_in_the_text(fake: Fake) -> None:
    fake.says(gemini_answer(inline(PNG)))
    await drawn(fake, request("a cat", style="line-art", negative_prompt="dogs"))
    (part,) = fake.seen[0].json()["contents"][0]["parts"]
    assert part["text"] == "a cat, line art, clean black lines on white\n\nWithout: dogs"


@pytest.mark.parametrize(
    ("model", "quality", "size"),
    [("", "standard", "1K"), ("", "high", "2K"), ("", "ultra", "4K"), ("gemini-3.1-flash-lite-image", "ultra", "1K"),
     ("gemini-2.5-flash-image", "ultra", None), ("gemini-of-next-year", "high", None)],
)  # fmt: skip
async def test_a_size_is_asked_of_models_that_take_one(fake: Fake, model: str, quality: str, size: str | None) -> None:
    fake.says(gemini_answer(inline(PNG)))
    made = await drawn(fake, request(quality=quality), model=model)
    assert fake.seen[0].json()["generationConfig"]["imageConfig"].get("imageSize") == size
    assert fake.seen[0].target == f"/v1beta/models/{made.model}:generateContent"
    assert made.cost > 0


async def test_the_address_may_name_its_own_version(fake: Fake) -> None:
    fake.says(gemini_answer(inline(PNG)))
    provider = gemini(f"{fake.base}/v1/")
    await provider.generate(request(), Noted())
    await provider.close()
    assert fake.seen[0].target.startswith("/v1/models/")


async def test_the_narrowest_ratio_is_mapped_and_said(fake: Fake) -> None:
    fake.says(gemini_answer(inline(PNG)))
    made = await drawn(fake, request(aspect_ratio="9:21"))
    assert fake.seen[0].json()["generationConfig"]["imageConfig"]["aspectRatio"] == "9:16"
    assert made.warnings == ("Gemini has no aspect ratio 9:21; the picture is 9:16.",)


async def test_seeds_have_31_bits_there(fake: Fake) -> None:
    fake.says(gemini_answer(inline(PNG)))
    made = await drawn(fake, request(seed=4294967294))
    assert fake.seen[0].json()["generationConfig"]["seed"] == 4294967294 % 2**31
    assert made.seed == 4294967294


async def test_the_last_picture_that_is_no_thought(fake: Fake) -> None:
    thought = {**inline(OTHER), "thought": True}
    fake.says(gemini_answer({"text": "Here is…"}, inline(OTHER), thought, inline(PNG, "image/jpeg"), {"text": "."}, thought))  # fmt: skip
    assert (await drawn(fake)).data == PNG
    error = await failure(fake, gemini_answer(thought))
    assert type(error) is ProviderUnavailable


@pytest.mark.parametrize(
    "reason", ["SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII",
               "RECITATION", "IMAGE_RECITATION", "MODEL_ARMOR", "LANGUAGE"],
)  # fmt: skip
async def test_ways_to_end_that_are_for_good(fake: Fake, reason: str) -> None:
    for reply in (
        gemini_answer({"text": "I cannot."}, reason=reason),
        as_json({"candidates": [{"finishReason": reason}]}),
    ):
        error = await failure(fake, reply)
        assert (type(error), reason in error.message) == (ProviderRefused, True)


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "JAILBREAK", "IMAGE_SAFETY"])
async def test_a_blocked_prompt_has_no_candidates(fake: Fake, reason: str) -> None:
    blocked = as_json({"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 8}})
    assert type(await failure(fake, blocked)) is ProviderRefused


@pytest.mark.parametrize("reason", ["NO_IMAGE", "IMAGE_OTHER", "OTHER", "STOP", "MAX_TOKENS", "SOMETHING_OF_2027"])
async def test_no_picture_without_a_reason_is_tried_once_more(fake: Fake, reason: str) -> None:
    reply = gemini_answer({"text": "Hm."}, reason=reason)
    first = await failure(fake, reply)
    assert (type(first), first.retryable, reason in first.message) == (ProviderUnavailable, True, True)
    second = await failure(fake, reply, request(attempt=2))
    assert (type(second), second.retryable) == (ProviderRefused, False)


async def test_candidates_without_content_break_nothing(fake: Fake) -> None:
    nothings: list[object] = [{}, {"content": {}}, {"content": {"parts": None}}, {"finishReason": 7}]
    for candidate in nothings:
        assert type(await failure(fake, as_json({"candidates": [candidate]}))) is ProviderUnavailable
    assert type(await failure(fake, as_json({"usageMetadata": {}}))) is MaybeCharged


NOT_VALID = "API key not valid. Please pass a valid API key."


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (gemini_error(400, "INVALID_ARGUMENT", NOT_VALID, {"reason": "API_KEY_INVALID"}), ProviderBadKey),
        (gemini_error(400, "INVALID_ARGUMENT", NOT_VALID), ProviderBadKey),
        (gemini_error(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), ProviderBadKey),
        (gemini_error(400, "INVALID_ARGUMENT", "Unknown name.", {"fieldViolations": []}), ProviderInvalidRequest),
        (gemini_error(400, "FAILED_PRECONDITION", "User location is not supported."), ProviderInvalidRequest),
        (gemini_error(400, "FAILED_PRECONDITION", "Please enable billing."), ProviderNoCredit),
        (gemini_error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"), ProviderBadKey),
        (gemini_error(404, "NOT_FOUND", "models/x is not found"), ProviderInvalidRequest),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 10, model: g"), ProviderRateLimited),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0, model: g"), ProviderNoCredit),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "No.", quota("PerDay", "0")), ProviderNoCredit),
        (gemini_error(500, "INTERNAL", "An internal error has occurred."), ProviderUnavailable),
        (gemini_error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), ProviderUnavailable),
        (gemini_error(504, "DEADLINE_EXCEEDED", "Deadline expired."), ProviderUnavailable),
    ],
)
async def test_every_row_of_its_table(fake: Fake, reply: Reply, kind: type[ProviderError]) -> None:
    assert type(await failure(fake, reply)) is kind
    wrapped = as_json([json.loads(reply.body)], reply.status)
    assert type(await failure(fake, wrapped)) is kind, "the same in a list"
    hidden = as_json(json.loads(reply.body))
    assert type(await failure(fake, hidden)) is kind, "the same with status 200"


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (gemini_error(429, "RESOURCE_EXHAUSTED", "Please retry in 11.5s.", quota("PerMinute"), RETRY), 38.2),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "No.", {**RETRY, "retryDelay": "38s"}), 38),
        (
            gemini_error(429, "RESOURCE_EXHAUSTED", "Over.\nPlease retry in 11.161852119s.", quota("PerMinute")),
            11.161852,
        ),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "Please retry in 1m2s", {"retryDelay": 4}), 62),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "No.", retry_after="7"), 7),
        (gemini_error(429, "RESOURCE_EXHAUSTED", "No."), None),
    ],
)
async def test_every_way_it_says_how_long(fake: Fake, reply: Reply, seconds: float | None) -> None:
    error = await failure(fake, reply)
    assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))
    assert isinstance(error, ProviderRateLimited)
    assert not error.daily


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (datetime(2026, 11, 20, 7, 59, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2027, 3, 14, 9, tzinfo=UTC), datetime(2027, 3, 15, 7, tzinfo=UTC)),
        (datetime(2026, 11, 1, 8, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
async def test_a_day_s_quota_lasts_until_midnight_in_california(fake: Fake, now: datetime, reset: datetime) -> None:
    error = await failure(fake, gemini_error(429, "RESOURCE_EXHAUSTED", "No.", quota("PerDay"), RETRY), now=now)
    assert isinstance(error, ProviderRateLimited)
    assert (error.daily, error.retry_after) == (True, reset - now)
