"""Stability AI: its form byte by byte, and every answer of it that does not mean what its status says."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from tests.desks import Noted
from tests.providers.fakes import PNG, Fake, Reply, as_json, image, request
from tests.providers.subjects import KEY, stability, stability_error, stability_picture

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
from atelier.pipelines.ports import GeneratedImage, ImageRequest

CORE = "/v2beta/stable-image/generate/core"


async def drawn(fake: Fake, asked: ImageRequest | None = None, *, model: str = "") -> GeneratedImage:
    provider = stability(fake.base, model=model)
    try:
        return await provider.generate(asked or request(), Noted())
    finally:
        await provider.close()


async def failure(fake: Fake, *replies: Reply) -> ProviderError:
    fake.says(*replies)
    with pytest.raises(ProviderError) as raised:
        await drawn(fake)
    return raised.value


async def test_the_form_byte_by_byte(fake: Fake) -> None:
    fake.says(stability_picture())
    asked = request(negative_prompt="blurry", style="digital-art", aspect_ratio="16:9", seed=343940597, output_format="webp")  # fmt: skip
    await drawn(fake, asked)
    (seen,) = fake.seen
    assert (seen.method, seen.target) == ("POST", CORE)
    assert (seen.headers["authorization"], seen.headers["accept"]) == (f"Bearer {KEY}", "image/*")
    kind, boundary = seen.headers["content-type"].split("; boundary=")
    assert kind == "multipart/form-data"
    fields = [
        ("prompt", "a cat é"), ("negative_prompt", "blurry"), ("aspect_ratio", "16:9"), ("seed", "343940597"),
        ("output_format", "webp"), ("style_preset", "digital-art"),
    ]  # fmt: skip
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    assert seen.body == f"{parts}--{boundary}--\r\n".encode()


async def test_what_is_not_asked_for_is_not_sent(fake: Fake) -> None:
    fake.says(stability_picture())
    await drawn(fake)
    for name in ("negative_prompt", "seed", "style_preset", "model", "quality", "mode"):
        assert f'name="{name}"'.encode() not in fake.seen[0].body


@pytest.mark.parametrize(
    ("quality", "path", "model", "cost"),
    [("draft", "sd3", "sd3.5-flash", 0.025), ("standard", "core", "", 0.03), ("high", "sd3", "sd3.5-large", 0.065),
     ("ultra", "ultra", "", 0.08)],
)  # fmt: skip
async def test_the_quality_chooses_the_engine(fake: Fake, quality: str, path: str, model: str, cost: float) -> None:
    fake.says(stability_picture())
    made = await drawn(fake, request(quality=quality))
    assert fake.seen[0].target.endswith(f"/generate/{path}")
    assert (f'name="model"\r\n\r\n{model}\r\n'.encode() in fake.seen[0].body) == bool(model)
    assert (made.cost, made.model) == (cost, model or path)


async def test_a_configured_engine_draws_everything(fake: Fake) -> None:
    fake.says(stability_picture())
    made = await drawn(fake, request(quality="ultra"), model="sd3.5-medium")
    assert (made.model, made.cost, fake.seen[0].target) == ("sd3.5-medium", 0.035, CORE.replace("core", "sd3"))


async def test_the_seed_that_comes_back_is_the_one_that_counts(fake: Fake) -> None:
    fake.says(stability_picture())
    assert (await drawn(fake, request(seed=0))).seed == 343940597
    fake.says(image())
    assert (await drawn(fake, request(seed=5))).seed == 5
    fake.says(image(seed="²"))
    assert (await drawn(fake)).seed is None


async def test_json_spells_its_members_otherwise(fake: Fake) -> None:
    answer = {"image": base64.b64encode(PNG).decode(), "finish_reason": "SUCCESS", "seed": 7}
    fake.says(as_json(answer, content_type="application/json; type=image/png"))
    made = await drawn(fake)
    assert (made.data, made.seed) == (PNG, 7)


async def test_a_blurred_picture_comes_with_200(fake: Fake) -> None:
    as_header = image(finish_reason="CONTENT_FILTERED", seed="1")
    as_member = as_json({"image": base64.b64encode(PNG).decode(), "finish_reason": "CONTENT_FILTERED", "seed": 1})
    for reply in (as_header, as_member):
        error = await failure(fake, reply)
        assert (type(error), error.retryable) == (ProviderRefused, False)


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "bad_request", ProviderInvalidRequest),
        (401, "unauthorized", ProviderBadKey),
        (402, "payment_required", ProviderNoCredit),
        (403, "content_moderation", ProviderRefused),
        (403, "unauthorized", ProviderBadKey),
        (403, "something_new", ProviderInvalidRequest),
        (404, "not_found", ProviderInvalidRequest),
        (413, "payload_too_large", ProviderInvalidRequest),
        (422, "invalid_language", ProviderInvalidRequest),
        (422, "public_figure", ProviderRefused),
        (429, "rate_limit_exceeded", ProviderRateLimited),
        (500, "internal_error", ProviderUnavailable),
    ],
)
async def test_every_row_of_its_table(fake: Fake, status: int, name: str, kind: type[ProviderError]) -> None:
    assert type(await failure(fake, stability_error(status, name, "Some words."))) is kind


async def test_moderation_with_403_is_no_matter_of_the_key(fake: Fake) -> None:
    error = await failure(fake, stability_error(403, "content_moderation", "Your request was flagged."))
    assert "Nothing was charged" in error.message


async def test_a_bad_request_s_own_words_help(fake: Fake) -> None:
    error = await failure(fake, stability_error(400, "bad_request", "style_preset: must be one of 3d-model, anime"))
    assert error.message.endswith("It says: style_preset: must be one of 3d-model, anime")


async def test_the_older_envelope_is_understood_and_shows_no_key(fake: Fake) -> None:
    said = f"Incorrect API key provided: {KEY[:8]}****{KEY[-4:]}"
    provider = stability(fake.base)
    fake.says(as_json({"id": "unauthorized", "name": "unauthorized", "message": said}, 401))
    with pytest.raises(ProviderBadKey) as raised:
        await provider.ping()
    assert KEY[:8] not in raised.value.message
    fake.says(as_json({"credits": 0}))
    with pytest.raises(ProviderNoCredit):
        await provider.ping()
    await provider.close()
    assert [seen.target for seen in fake.seen] == ["/v1/user/balance"] * 2


async def test_without_a_word_about_it_a_429_lasts_a_minute(fake: Fake) -> None:
    error = await failure(fake, stability_error(429, "rate_limit_exceeded", "You have exceeded the rate limit."))
    assert error.retry_after == timedelta(seconds=60)
    assert (await failure(fake, stability_error(500, "internal_error", "Oops."))).retry_after is None


async def test_a_draft_that_is_refused_without_a_word_of_the_model_is_not_drawn_by_another(fake: Fake) -> None:
    fake.says(as_json({"name": "bad_request"}, 400), stability_picture())
    with pytest.raises(ProviderInvalidRequest):
        await drawn(fake, request(quality="draft"))
    assert len(fake.seen) == 1


async def test_a_draft_s_engine_that_is_gone_is_stood_in_for(fake: Fake) -> None:
    gone = stability_error(400, "bad_request", "model: must be one of sd3.5-large, sd3.5-medium")
    fake.says(gone, stability_picture())
    made = await drawn(fake, request(quality="draft"))
    assert (made.model, made.cost, len(made.warnings)) == ("core", 0.03, 1)
    assert [seen.target.rsplit("/", 1)[1] for seen in fake.seen] == ["sd3", "core"]
    fake.says(gone)
    with pytest.raises(ProviderInvalidRequest):
        await drawn(fake, request(quality="high"))
    assert len(fake.seen) == 3, "who asked for more does not get less"
    fake.says(stability_error(400, "bad_request", "prompt: is required"), stability_picture())
    with pytest.raises(ProviderInvalidRequest):
        await drawn(fake, request(quality="draft"))


async def test_an_empty_picture_may_have_cost(fake: Fake) -> None:
    for reply in (image(b""), as_json({"image": "", "finish_reason": "SUCCESS"}), as_json({"image": "?"})):
        assert type(await failure(fake, reply)) is MaybeCharged
