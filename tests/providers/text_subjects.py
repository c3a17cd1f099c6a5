"""The vendors who write as one suite knows them: how each is made, what it says when it writes, and how it says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.providers.fakes import Reply, Seen, as_json
from tests.providers.subjects import KEY, NOW

from atelier.pipelines.ports import Script
from atelier.pipelines.texts import TextProvider, TextRequest
from atelier.providers import anthropic
from atelier.providers.anthropic import Anthropic
from atelier.providers.houses import GEMINI, OPENAI, House
from atelier.providers.openai import OpenAI
from atelier.providers.tokens import Prices

SHAPE = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}, "maxItems": 8},
        "note": {"type": "string", "default": ""},
    },
    "required": ["title", "points"],
    "$defs": {"Point": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
}
PROMPT = "Write of the hills between the two rivers é."


def text_request(prompt: str = PROMPT, **more: Any) -> TextRequest:
    """Return a request for a text; what a test does not say is as pipelines ask."""
    usual: dict[str, Any] = {"script": Script(), "attempt": 1, "task": "section", "most_tokens": 500}
    return TextRequest(**{**usual, "prompt": prompt, "instructions": "You write plainly.", **more})


def protocol(house: House, base: str, *, seconds: float = 10, model: str = "", prices: Prices | None = None) -> OpenAI:
    name = model or house.model
    return OpenAI(
        key=KEY,
        base_url=f"{base}/v1",
        model=name,
        timeout=timedelta(seconds=seconds),
        prices=prices or house.sheet.of(name),
        now=lambda: NOW,
        house=house,
    )


def openai(base: str, **more: Any) -> OpenAI:
    return protocol(OPENAI, base, **more)


def gemini(base: str, **more: Any) -> OpenAI:
    return protocol(GEMINI, base, **more)


def claude(base: str, *, seconds: float = 10, model: str = "", prices: Prices | None = None) -> Anthropic:
    name = model or anthropic.MODEL
    return Anthropic(
        key=KEY,
        base_url=base,
        model=name,
        timeout=timedelta(seconds=seconds),
        prices=prices or anthropic.SHEET.of(name),
        now=lambda: NOW,
    )


def completion(content: object, finish: str = "stop", usage: object = (1000, 200), **message: object) -> Reply:
    """Return a completion of OpenAI's protocol."""
    told = {"role": "assistant", "content": content, "refusal": None, **message}
    counted = usage
    if isinstance(usage, tuple):
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, "message": told}
    return as_json(
        {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": counted}
    )


def claudes(text: str, stop: str = "end_turn", usage: object = (1000, 200), **more: object) -> Reply:
    """Return a message of Anthropic's."""
    counted = {"input_tokens": usage[0], "output_tokens": usage[1]} if isinstance(usage, tuple) else usage
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    found = {"type": "a_kind_of_tomorrow", "text": "Not of the text."}
    blocks = [thought, found, {"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}]
    return as_json({"id": "msg_1", "type": "message", "content": blocks, "stop_reason": stop, "usage": counted, **more})


def openai_error(status: int, message: str, code: str | None = None, kind: str = "invalid_request_error", param: str | None = None, **headers: str) -> Reply:  # fmt: skip
    return as_json({"error": {"message": message, "type": kind, "param": param, "code": code}}, status, **headers)


def gemini_error(status: int, name: str, message: str, *details: Mapping[str, object], **headers: str) -> Reply:
    """Return an error as Gemini's compatible address has them: in a list."""
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return as_json([{"error": error}], status, **headers)


def claude_error(status: int, kind: str, message: str, **headers: str) -> Reply:
    return as_json({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}, status, **headers)


Writes = Callable[..., Reply]


@dataclass(frozen=True, kw_only=True)
class TextSubject:
    """A vendor: how it is made, what it answers, and the parts of its requests and errors."""

    name: str
    make: Callable[..., TextProvider]
    writes: Callable[[str], Reply]
    cut_off: Reply
    uncounted: Reply
    cost: float
    path: str
    refusals: tuple[Reply, ...]
    bad_keys: tuple[Reply, ...]
    no_credits: tuple[Reply, ...]
    rate_limit: Reply
    wrong: tuple[Reply, ...]
    """What will be wrong however often it is asked."""

    echo: Callable[[str], Reply]
    refuses_shapes: Callable[[Seen], Reply | None]
    """How a server answers that takes no JSON schema; None: there was none in the request."""


def _no_schema(seen: Seen) -> Reply | None:
    asked = seen.json().get("response_format", {}).get("type")
    if asked is None:
        return None
    return openai_error(400, f"Invalid parameter: 'response_format' of type '{asked}' is not supported with this model.", param="response_format")  # fmt: skip


def _no_output_config(seen: Seen) -> Reply | None:
    said = "output_config: Extra inputs are not permitted"
    return claude_error(400, "invalid_request_error", said) if "output_config" in seen.json() else None


FLAGGED = 'Your chosen model requires moderation and your input was flagged for "violence".'
QUOTA = "You exceeded your current quota, please check your plan and billing details."
NOT_VALID = "API key not valid. Please pass a valid API key."
LOW = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
LONG = "This model's maximum context length is 128000 tokens."

TEXT_SUBJECTS = (
    TextSubject(
        name="openai", make=openai, writes=completion, cost=0.00165, path="/v1/chat/completions",
        cut_off=completion("The hills are", "length"), uncounted=completion("The hills are high.", usage=None),
        refusals=(
            completion(None, refusal="I can't help with that."), completion("The hi", "content_filter"),
            openai_error(400, "The response was filtered.", "content_filter"), openai_error(403, FLAGGED),
            openai_error(400, "Invalid prompt: it was flagged.", "invalid_prompt"),
        ),
        bad_keys=(
            openai_error(401, "Incorrect API key provided.", "invalid_api_key"), openai_error(401, "No.", None),
            openai_error(403, "Country, region, or territory not supported", "unsupported_country_region_territory"),
        ),
        no_credits=(
            openai_error(429, QUOTA, "insufficient_quota", "insufficient_quota"), openai_error(402, "Insufficient credits"),
            openai_error(400, "Billing hard limit has been reached", "billing_hard_limit_reached"),
        ),
        rate_limit=openai_error(429, "Rate limit reached for requests", "rate_limit_exceeded", "requests", retry_after_ms="20000", retry_after="21"),
        wrong=(
            openai_error(404, "The model `x` does not exist", "model_not_found"), openai_error(400, LONG, "context_length_exceeded"),
            openai_error(400, "No.", None), openai_error(422, "No."), openai_error(413, "No."), as_json({"detail": "Not Found"}, 404),
        ),
        echo=lambda said: openai_error(400, said), refuses_shapes=_no_schema,
    ),
    TextSubject(
        name="gemini", make=gemini, writes=completion, cost=0.0015, path="/v1/chat/completions",
        cut_off=completion("The hills are", "length"), uncounted=completion("The hills are high.", usage=None),
        refusals=(completion(None, "content_filter"),),
        bad_keys=(
            gemini_error(400, "INVALID_ARGUMENT", NOT_VALID, INFO), gemini_error(403, "PERMISSION_DENIED", "No."),
            gemini_error(401, "UNAUTHENTICATED", "No."),
        ),
        no_credits=(gemini_error(400, "FAILED_PRECONDITION", "Please enable billing on this project."),),
        rate_limit=gemini_error(429, "RESOURCE_EXHAUSTED", "Quota.", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}),
        wrong=(gemini_error(404, "NOT_FOUND", "No model."), gemini_error(400, "INVALID_ARGUMENT", "No.")),
        echo=lambda said: gemini_error(400, "INVALID_ARGUMENT", said), refuses_shapes=_no_schema,
    ),
    TextSubject(
        name="anthropic", make=claude, writes=claudes, cost=0.0002, path="/v1/messages",
        cut_off=claudes("The hills are", "max_tokens"), uncounted=claudes("The hills are high.", usage=None),
        refusals=(claudes("", "refusal"),),
        bad_keys=(claude_error(401, "authentication_error", "invalid x-api-key"), claude_error(403, "permission_error", "No.")),
        no_credits=(claude_error(400, "invalid_request_error", LOW), claude_error(402, "billing_error", "No.")),
        rate_limit=claude_error(429, "rate_limit_error", "Slow down.", retry_after="20"),
        wrong=(
            claude_error(404, "not_found_error", "model: x"), claude_error(413, "request_too_large", "No."),
            claude_error(400, "invalid_request_error", "max_tokens: 9 > 8"),
        ),
        echo=lambda said: claude_error(400, "invalid_request_error", said), refuses_shapes=_no_output_config,
    ),
)  # fmt: skip
