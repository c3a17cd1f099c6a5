"""The vendors as one suite knows them: how each is made, what it says when it draws, and how it says what is wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.canaries import canary
from tests.providers.fakes import PNG, Answers, Reply, Seen, as_json, image

from atelier.pipelines.ports import ImageProvider
from atelier.providers.gemini import Gemini
from atelier.providers.hugging_face import HuggingFace
from atelier.providers.stability_ai import Stability
from atelier.providers.stable_horde import StableHorde

KEY = canary(("a vendor's key",)).rstrip("=")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def stability(base: str, *, seconds: float = 10, model: str = "", now: datetime = NOW) -> Stability:
    timeout = timedelta(seconds=seconds)
    return Stability(key=KEY, base_url=base, model=model, timeout=timeout, now=lambda: now)


def gemini(base: str, *, seconds: float = 10, model: str = "", now: datetime = NOW) -> Gemini:
    return Gemini(key=KEY, base_url=base, model=model, timeout=timedelta(seconds=seconds), now=lambda: now)


def horde(
    base: str, *, seconds: float = 10, model: str = "", key: str = KEY, allow_private: bool = True
) -> StableHorde:
    timeout, contact = timedelta(seconds=seconds), "https://atelier.example.org/"
    return StableHorde(
        key=key, base_url=base, model=model, timeout=timeout, contact=contact, allow_private=allow_private, now=lambda: NOW
    )  # fmt: skip


def hugging_face(base: str, *, seconds: float = 10, model: str = "") -> HuggingFace:
    timeout = timedelta(seconds=seconds)
    return HuggingFace(key=KEY, base_url=base, model=model, timeout=timeout, price=0.01, now=lambda: NOW)


STABILITY_PICTURE = {"finish_reason": "SUCCESS", "seed": "343940597", "x_request_id": "r1"}


def stability_picture(data: bytes = PNG) -> Reply:
    return image(data, **STABILITY_PICTURE)


def stability_error(status: int, name: str, said: str) -> Reply:
    return as_json({"id": "5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f", "name": name, "errors": [said]}, status)


def inline(data: bytes, media_type: str = "image/png") -> dict[str, object]:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def gemini_answer(*parts: dict[str, object], reason: str = "STOP") -> Reply:
    content = {"role": "model", "parts": list(parts)}
    return as_json({"candidates": [{"content": content, "finishReason": reason, "index": 0}], "responseId": "r"})


def gemini_error(status: int, name: str, message: str, *details: Mapping[str, object], **headers: str) -> Reply:
    return as_json({"error": {"code": status, "message": message, "status": name, "details": list(details)}}, status, **headers)  # fmt: skip


def hf_error(status: int, error: object, **more: object) -> Reply:
    return as_json({"error": error, **more}, status)


def horde_error(status: int, rc: str, message: str = "No.", **headers: str) -> Reply:
    return as_json({"message": message, "rc": rc}, status, **headers)


PLACED = {"id": "00000000-0000-4000-8000-000000000001", "kudos": 12.4}
WAITING = {
    "finished": 0, "processing": 0, "restarted": 0, "waiting": 1, "done": False, "faulted": False, "wait_time": 24,
    "queue_position": 3, "kudos": 12.4, "is_possible": True,
}  # fmt: skip
DONE = {**WAITING, "finished": 1, "waiting": 0, "done": True, "wait_time": 0, "queue_position": 0}


def finished(img: str, **more: object) -> dict[str, object]:
    made = {"img": img, "seed": "12345", "id": "g", "censored": False, "model": "AlbedoBase XL (SDXL)", "state": "ok"}
    return {**DONE, "generations": [{**made, "gen_metadata": [], **more}], "shared": False}


def horde_service(*, placing: Reply | None = None, data: bytes = PNG) -> Answers:
    """Return what a Horde answers that takes the order, lets it wait once, and has the picture at its own address."""
    waits = [as_json(WAITING)]

    def answer(seen: Seen) -> Reply:
        if seen.method == "POST":
            return placing or as_json(PLACED, 202)
        if "/check/" in seen.target:
            return waits.pop() if waits else as_json(DONE)
        if "/status/" in seen.target:
            return as_json(finished(f"http://{seen.headers['host']}/r2/picture.webp?X-Amz-Signature=a%2Fb"))
        return image(data, "image/webp")

    return answer


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A vendor: how it is made, and its answers. `first` answers the call that orders, the others are as they should be."""

    name: str
    make: Callable[..., ImageProvider]
    draws: Callable[[bytes], Answers]
    first: Callable[[Reply], Answers]
    paid: bool
    model: str
    cost: float
    refusal: Reply | None
    bad_key: Reply
    no_credit: Reply
    rate_limit: Reply
    echo: Callable[[str], Reply]
    """An error that says what is given."""


def _always(reply: Reply) -> Answers:
    return lambda _: reply


RATE = "You have exceeded the rate limit of 150 requests within a 10 second period, and have been timed out for 60 seconds."
SUBJECTS = (
    Subject(
        name="stability_ai", make=stability, draws=lambda data: _always(stability_picture(data)), first=_always,
        paid=True, model="core", cost=0.03,
        refusal=stability_error(403, "content_moderation", "Your request was flagged by our content moderation system, as a result your request was denied and you were not charged."),
        bad_key=stability_error(401, "unauthorized", "authorization: invalid or missing header value"),
        no_credit=stability_error(402, "payment_required", "You lack sufficient credits to make this request."),
        rate_limit=as_json({"id": "rate_limit_exceeded", "name": "rate_limit_exceeded", "errors": [RATE]}, 429, retry_after="20"),
        echo=lambda said: stability_error(400, "bad_request", said),
    ),
    Subject(
        name="gemini", make=gemini, draws=lambda data: _always(gemini_answer(inline(data))), first=_always,
        paid=True, model="gemini-nano-banana-2.1", cost=0.0336,
        refusal=as_json({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}}),
        bad_key=gemini_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}),
        no_credit=gemini_error(400, "FAILED_PRECONDITION", "Please enable billing on this project."),
        rate_limit=gemini_error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.", retry_after="20"),
        echo=lambda said: gemini_error(400, "INVALID_ARGUMENT", said),
    ),
    Subject(
        name="stable_horde", make=horde, draws=lambda data: horde_service(data=data), first=lambda reply: horde_service(placing=reply),
        paid=False, model="AlbedoBase XL (SDXL)", cost=0.0,
        refusal=horde_error(400, "CorruptPrompt"),
        bad_key=horde_error(401, "InvalidAPIKey", "No user matching sent API Key. Have you remembered to register at https://stablehorde.net/register ?"),
        no_credit=horde_error(403, "KudosUpfront"),
        rate_limit=horde_error(429, "TooManyPrompts", retry_after="20"),
        echo=lambda said: horde_error(400, "InvalidSize", said),
    ),
    Subject(
        name="hugging_face", make=hugging_face, draws=lambda data: _always(image(data, "image/jpeg")), first=_always,
        paid=True, model="stabilityai/stable-diffusion-xl-base-1.0", cost=0.01,
        refusal=None,
        bad_key=hf_error(401, "Invalid username or password."),
        no_credit=hf_error(402, "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits."),
        rate_limit=as_json({"error": "Too many requests"}, 429, retry_after="20"),
        echo=lambda said: hf_error(400, said),
    ),
)  # fmt: skip
