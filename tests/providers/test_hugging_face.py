"""Hugging Face: its body byte by byte, errors in every shape, and pictures that are none."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.desks import Noted
from tests.providers.fakes import PNG, Fake, Reply, as_json, image, request
from tests.providers.subjects import KEY, hf_error, hugging_face

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderUnavailable,
)
from atelier.pipelines.ports import GeneratedImage, ImageRequest


async def drawn(fake: Fake, asked: ImageRequest | None = None, *, model: str = "") -> GeneratedImage:
    provider = hugging_face(fake.base, model=model)
    try:
        return await provider.generate(asked or request(), Noted())
    finally:
        await provider.close()


async def failure(fake: Fake, reply: Reply) -> ProviderError:
    fake.says(reply)
    with pytest.raises(ProviderError) as raised:
        await drawn(fake)
    return raised.value


async def test_the_body_byte_by_byte(fake: Fake) -> None:
    fake.says(image())
    await drawn(fake, request("a cat", negative_prompt="blurry", seed=42, aspect_ratio="16:9"))
    (seen,) = fake.seen
    assert (seen.method, seen.target) == ("POST", "/hf-inference/models/stabilityai/stable-diffusion-xl-base-1.0")
    assert (seen.headers["authorization"], seen.headers["accept"]) == (f"Bearer {KEY}", "image/png")
    expected = {
        "inputs": "a cat",
        "parameters": {
            "negative_prompt": "blurry", "width": 1344, "height": 768, "num_inference_steps": 30, "guidance_scale": 7.0,
            "seed": 42,
        },
    }  # fmt: skip
    assert seen.body == json.dumps(expected, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("ratio", "size"),
    [("1:1", (1024, 1024)), ("16:9", (1344, 768)), ("9:16", (768, 1344)), ("21:9", (1536, 640)), ("9:21", (640, 1536)),
     ("2:3", (832, 1216)), ("3:2", (1216, 832)), ("4:5", (896, 1088)), ("5:4", (1088, 896))],
)  # fmt: skip
async def test_ratios_are_sizes_of_a_megapixel(fake: Fake, ratio: str, size: tuple[int, int]) -> None:
    fake.says(image())
    await drawn(fake, request(aspect_ratio=ratio))
    parameters = fake.seen[0].json()["parameters"]
    assert (parameters["width"], parameters["height"]) == size


async def test_the_bytes_come_in_whatever_format_it_likes(fake: Fake) -> None:
    for media_type in ("image/jpeg", "image/png", "IMAGE/JPEG; q=1"):
        fake.says(image(media_type=media_type))
        assert (await drawn(fake)).data == PNG


async def test_without_a_seed_one_is_drawn_by_lot_and_told(fake: Fake) -> None:
    fake.says(image())
    seeds = [(await drawn(fake)).seed for _ in range(3)]
    assert seeds == [seen.json()["parameters"]["seed"] for seen in fake.seen]
    assert len(set(seeds)) == 3, "the same words again must not be answered from a cache"


async def test_flux_takes_no_negative_prompt(fake: Fake) -> None:
    fake.says(image())
    made = await drawn(fake, request(negative_prompt="blurry"), model="black-forest-labs/FLUX.1-dev")
    assert "negative_prompt" not in fake.seen[0].json()["parameters"]
    assert len(made.warnings) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (hf_error(400, "Model x/y is not supported by provider hf-inference"), ProviderInvalidRequest),
        (hf_error(401, "Invalid username or password."), ProviderBadKey),
        (hf_error(401, "Invalid credentials in Authorization header"), ProviderBadKey),
        (hf_error(402, "You have exceeded your monthly included credits for Inference Providers."), ProviderNoCredit),
        (hf_error(403, "This model is gated."), ProviderBadKey),
        (hf_error(404, "Model x/y does not exist"), ProviderInvalidRequest),
        (hf_error(410, "https://api-inference.huggingface.co is no longer supported."), ProviderInvalidRequest),
        (hf_error(422, ["parameters.width: too small"]), ProviderInvalidRequest),
        (hf_error(429, "Too many requests"), ProviderRateLimited),
        (hf_error(503, "Model too busy"), ProviderUnavailable),
        (hf_error(504, "Gateway timeout"), ProviderUnavailable),
        (hf_error(200, "Model x/y is currently loading"), ProviderUnavailable),
        (hf_error(200, "You have exceeded your monthly included credits."), ProviderNoCredit),
        (hf_error(200, {"message": "Something of a partner"}), ProviderUnavailable),
        (as_json({"images": []}), MaybeCharged),
    ],
)
async def test_every_row_of_its_table(fake: Fake, reply: Reply, kind: type[ProviderError]) -> None:
    assert type(await failure(fake, reply)) is kind


@pytest.mark.parametrize("error", ["width is 7", ["width is 7", 3], {"message": "width is 7"}])
async def test_an_error_is_a_text_a_list_or_an_object(fake: Fake, error: object) -> None:
    assert (await failure(fake, hf_error(400, error))).message.endswith("It says: width is 7")


@pytest.mark.parametrize(("estimated", "seconds"), [(42.3, 42.3), (5, 5), (9999.0, 120), (-3, 0)])
async def test_a_model_that_is_loading_says_how_long(fake: Fake, estimated: float, seconds: float) -> None:
    error = await failure(fake, hf_error(503, "Model x/y is currently loading", estimated_time=estimated))
    assert (type(error), error.retry_after) == (ProviderUnavailable, timedelta(seconds=seconds))


@pytest.mark.parametrize("estimated", [float("nan"), True, "soon", None])
async def test_what_is_no_time_is_not_waited_for(fake: Fake, estimated: object) -> None:
    error = await failure(fake, hf_error(503, "Model x/y is currently loading", estimated_time=estimated))
    assert (type(error), error.retry_after) == (ProviderUnavailable, None)


@pytest.mark.parametrize("status", [402, 410, 429, 500])
async def test_a_ping_tells_what_stands_in_the_way_whatever_is_asked_for(fake: Fake, status: int) -> None:
    provider = hugging_face(fake.base)
    fake.says(hf_error(status, "No."), hf_error(404, "There is nothing to read here."))
    with pytest.raises(ProviderError):
        await provider.ping()
    await provider.ping()
    await provider.close()


async def test_an_old_address_is_said_to_be_one(fake: Fake) -> None:
    assert "old address" in (await failure(fake, hf_error(410, "gone"))).message
