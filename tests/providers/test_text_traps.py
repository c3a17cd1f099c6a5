"""Traps of those who write: servers that take less of OpenAI's protocol than OpenAI, and ways of saying the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.desks import Noted
from tests.providers.fakes import Fake, Reply, Seen, as_json
from tests.providers.text_subjects import (
    SHAPE,
    claude,
    claude_error,
    claudes,
    completion,
    gemini,
    gemini_error,
    openai,
    openai_error,
    text_request,
)

from atelier.errors import ProviderError, ProviderInvalidRequest, ProviderRateLimited, ProviderUnavailable
from atelier.pipelines.texts import GeneratedText, TextProvider, Usage
from atelier.providers.openai import OpenAI

ANSWER = '{"title": "Hills", "points": []}'


async def asked(provider: TextProvider, *requests: Mapping[str, Any]) -> list[GeneratedText]:
    try:
        return [await provider.generate(text_request(**request), Noted()) for request in requests]
    finally:
        await provider.close()


async def failure(provider: TextProvider) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await asked(provider, {})
    return raised.value


def limits(fake: Fake) -> list[str]:
    return [next(name for name in seen.json() if name.startswith("max_")) for seen in fake.seen]


OBJECTIONS = (
    openai_error(400, "Unsupported parameter: 'max_completion_tokens' is not supported with this model.", "unsupported_parameter", param="max_completion_tokens"),
    openai_error(400, "Unrecognized request argument supplied: max_completion_tokens"),
    gemini_error(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "max_completion_tokens": Cannot find field.'),
    as_json({"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted", "input": 500}]}}, 422),
    as_json({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted"}]}, 422),
)  # fmt: skip


@pytest.mark.parametrize("objection", OBJECTIONS, ids=lambda reply: reply.body[:60].decode())
async def test_the_older_name_of_the_limit_is_used_where_the_newer_is_not_known(fake: Fake, objection: Reply) -> None:
    fake.answer = lambda seen: objection if "max_completion_tokens" in seen.json() else completion("The hills.")
    first, second = await asked(openai(fake.base), {}, {})
    assert first.text == second.text == "The hills."
    assert limits(fake) == ["max_completion_tokens", "max_tokens", "max_tokens"]


async def test_a_limit_that_was_ignored_gets_its_older_name(fake: Fake) -> None:
    """Some servers overlook what they do not know."""
    fake.says(completion("The hills.", usage=(10, 900)))
    await asked(openai(fake.base, model="local"), {}, {})
    assert limits(fake) == ["max_completion_tokens", "max_tokens"]


async def test_a_limit_that_is_too_high_keeps_its_name(fake: Fake) -> None:
    said = "max_completion_tokens is too large: 500. This model supports at most 400 completion tokens."
    fake.says(openai_error(400, said, "invalid_value", param="max_completion_tokens"))
    assert type(await failure(openai(fake.base))) is ProviderInvalidRequest
    assert limits(fake) == ["max_completion_tokens"]


def shaping(seen: Seen) -> str:
    return str(seen.json().get("response_format", {}).get("type", "words"))


@pytest.mark.parametrize("taken", ["json_object", "words"])
@pytest.mark.parametrize("status", [400, 404, 422, 501])
async def test_shapes_are_asked_for_as_the_server_takes_them(fake: Fake, taken: str, status: int) -> None:
    def answer(seen: Seen) -> Reply:
        if shaping(seen) in {taken, "words"}:
            return completion(f"Here you are: {ANSWER} I hope this helps {{so}}.")
        return openai_error(status, "No endpoints found that support structured outputs")

    fake.answer = answer
    texts = await asked(openai(fake.base), *([{"shape": SHAPE}] * 2), {})
    assert [text.value for text in texts] == [{"title": "Hills", "points": []}] * 2 + [None]
    tried = ["json_schema", "json_object", "words"][: 2 if taken == "json_object" else 3]
    assert [shaping(seen) for seen in fake.seen] == [*tried, taken, "words"]
    assert "JSON schema is" in fake.seen[-2].json()["messages"][0]["content"]


async def test_a_shape_that_is_not_taken_says_nothing_of_others(fake: Fake) -> None:
    refusal = openai_error(400, "Invalid schema for response_format 'section': 'points' is not permitted.")
    fake.says(refusal, completion(ANSWER))
    await asked(openai(fake.base), *([{"shape": SHAPE}] * 2))
    assert [shaping(seen) for seen in fake.seen] == ["json_schema", "json_object", "json_schema"]


async def test_a_shape_that_was_ignored_is_told_in_words(fake: Fake) -> None:
    fake.says(completion("Gladly!"), completion(ANSWER))
    first, second = await asked(openai(fake.base), *([{"shape": SHAPE}] * 2))
    assert (first.value, second.value) == (None, {"title": "Hills", "points": []})
    assert [shaping(seen) for seen in fake.seen] == ["json_schema", "words"]


@pytest.mark.parametrize(
    ("shape", "asked_for"),
    [
        ({"type": "array", "items": {"type": "string"}}, "words"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "json_object"),
    ],
)
async def test_a_shape_that_cannot_be_strict_is_asked_for_otherwise(
    fake: Fake, shape: dict[str, Any], asked_for: str
) -> None:
    fake.says(completion('{"a": "b"}' if asked_for == "json_object" else '["a"]'))
    first, _ = await asked(openai(fake.base), {"shape": shape}, {"shape": SHAPE})
    assert first.value in ({"a": "b"}, ["a"])
    assert [shaping(seen) for seen in fake.seen] == [asked_for, "json_schema"]


async def test_the_shape_s_name_is_one_they_take(fake: Fake) -> None:
    fake.says(completion(ANSWER))
    await asked(openai(fake.base), {"shape": SHAPE, "task": "stage two: é" + "x" * 80})
    name = fake.seen[0].json()["response_format"]["json_schema"]["name"]
    assert name.startswith("stage_two_")
    assert len(name) == 64


async def test_thoughts_are_no_text_and_get_room(fake: Fake) -> None:
    thinking = {
        "prompt_tokens": 10,
        "completion_tokens": 400,
        "total_tokens": 410,
        "completion_tokens_details": {"reasoning_tokens": 300},
    }
    fake.says(completion("<think>Hm, hills.\n</think>\n\nThe hills.", usage=thinking))
    first, _ = await asked(openai(fake.base, model="local"), {}, {})
    assert (first.text.strip(), first.usage.written) == ("The hills.", 400)
    assert [seen.json()["max_completion_tokens"] for seen in fake.seen] == [500, 500 + 600]


async def test_thoughts_that_are_in_the_sum_only_are_counted(fake: Fake) -> None:
    counted = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 130}
    fake.says(completion("The hills.", usage=counted))
    (text,) = await asked(gemini(fake.base), {})
    assert text.usage == Usage(read=10, written=120)


async def test_a_text_in_parts_is_one_text(fake: Fake) -> None:
    fake.says(completion([{"type": "text", "text": "The "}, {"type": "image"}, {"type": "text", "text": "hills."}]))
    (text,) = await asked(openai(fake.base), {})
    assert text.text == "The hills."


async def test_an_error_that_comes_with_200_is_one(fake: Fake) -> None:
    fake.says(as_json({"error": {"code": 429, "message": "Rate limited upstream"}}))
    assert type(await failure(openai(fake.base))) is ProviderRateLimited
    fake.says(as_json({"error": {"message": "Upstream is down"}}))
    assert type(await failure(openai(fake.base))) is ProviderUnavailable


async def test_without_a_key_none_is_sent(fake: Fake) -> None:
    fake.says(completion("The hills."))
    provider = openai(fake.base)
    provider._key = ""
    await asked(provider, {})
    assert "authorization" not in fake.seen[0].headers


NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider", "reply", "seconds"),
    [
        (openai, openai_error(429, "Slow.", retry_after="7"), 7),
        (openai, openai_error(429, "Rate limit reached. Please try again in 6m30s. Visit us."), 390),
        (openai, openai_error(429, "Please try again in 17ms."), 0.017),
        (openai, openai_error(429, "Slow.", x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="6m30s", x_ratelimit_remaining_tokens="9", x_ratelimit_reset_tokens="2h"), 390),
        (openai, openai_error(429, "Slow."), None),
        (openai, openai_error(503, "Overloaded.", retry_after="3"), 3),
        (gemini, gemini_error(429, "RESOURCE_EXHAUSTED", "Please retry in 38.2s."), 38.2),
        (claude, claude_error(429, "rate_limit_error", "Slow.", anthropic_ratelimit_requests_remaining="0", anthropic_ratelimit_requests_reset="2026-11-20T12:00:09Z"), 9),
        (claude, claude_error(429, "rate_limit_error", "This would exceed your monthly spend limit."), None),
        (claude, claude_error(529, "overloaded_error", "Overloaded", retry_after="4"), 4),
    ],
)  # fmt: skip
async def test_every_way_of_saying_when_to_come_back(
    fake: Fake, provider: Any, reply: Reply, seconds: float | None
) -> None:
    fake.says(reply)
    error = await failure(provider(fake.base))
    assert error.retry_after == (timedelta(seconds=seconds) if seconds is not None else None)


async def test_gemini_s_daily_quota_lasts_until_midnight_in_california(fake: Fake) -> None:
    violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}
    detail = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
    fake.says(gemini_error(429, "RESOURCE_EXHAUSTED", "Quota.", detail))
    error = await failure(gemini(fake.base))
    assert isinstance(error, ProviderRateLimited)
    assert (error.daily, error.retry_after) == (True, timedelta(hours=20))


async def test_anthropic_is_told_its_version_and_counts_its_cache(fake: Fake) -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 7,
    }
    fake.says(claudes("The hills.", usage=usage))
    (text,) = await asked(claude(fake.base), {})
    assert text.usage == Usage(read=20, written=5)
    assert fake.seen[0].headers["anthropic-version"] == "2023-06-01"


async def test_anthropic_s_refusal_of_one_shape_says_nothing_of_others(fake: Fake) -> None:
    said = "output_config.format.schema: For 'array' type, property 'maxItems' is too complex"
    fake.says(claude_error(400, "invalid_request_error", said), claudes(ANSWER))
    await asked(claude(fake.base), *([{"shape": SHAPE}] * 2))
    assert ["output_config" in seen.json() for seen in fake.seen] == [True, False, True]


async def test_a_window_that_is_full_ends_a_text(fake: Fake) -> None:
    fake.says(claudes("The hills", "model_context_window_exceeded"))
    (text,) = await asked(claude(fake.base), {})
    assert text.ending == "length"


def test_a_base_address_may_be_one_of_many(fake: Fake) -> None:
    for base, address in (
        ("https://router.example/api/v1/", "https://router.example/api/v1"),
        ("http://localhost:11434", "http://localhost:11434/v1"),
    ):
        provider = openai(fake.base)
        made = OpenAI(key="", base_url=base, model="m", timeout=timedelta(1), prices=provider._prices, now=lambda: NOW)
        assert made._base == address
