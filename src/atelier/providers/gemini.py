"""Google Gemini: pictures by generateContent, one call each, with a picture as a style reference where there is one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from atelier.errors import MaybeCharged, ProviderRefused, ProviderUnavailable
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms
from atelier.providers import calls, replies
from atelier.providers.calls import Line
from atelier.providers.gemini_faults import OK, VENDOR, fault
from atelier.providers.likeness import RATIOS, STYLES, nearest, worded
from atelier.providers.replies import Object

MODEL = "gemini-nano-banana-2.1"
DRAW = ":generateContent"
SEEDS = 2**31
"""Its seeds have 31 bits; ours are taken modulo that."""

PER_MINUTE = 9
"""One less than the smallest quota, which is ten."""

LACKING: Final = ("9:21",)
QUALITIES: Final = ("draft", "standard", "high", "ultra")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A model's sizes by quality (None: it takes no size), and its prices in US dollars in the same order."""

    sizes: tuple[str | None, ...]
    prices: tuple[float, ...]


PRICES_AS_OF: Final = date(2026, 11, 20)
SHEETS: Final = {
    "gemini-nano-banana-2.1": Sheet(("1K", "1K", "2K", "4K"), (0.0336, 0.0336, 0.0504, 0.0756)),
    "gemini-3-pro-image": Sheet(("1K", "1K", "2K", "2K"), (0.134,) * 4),
    "gemini-3.1-flash-lite-image": Sheet(("1K",) * 4, (0.034,) * 4),
    "gemini-2.5-flash-image": Sheet((None,) * 4, (0.039,) * 4),
}
UNKNOWN: Final = Sheet((None,) * 4, (0.134,) * 4)
"""Any other model: it is not told a size, and counted as the dearest."""

FORBIDDEN: Final = re.compile(r"SAFETY|PROHIBITED|RECITATION|BLOCKLIST|SPII|MODEL_ARMOR|JAILBREAK|LANGUAGE|PUP_LIMITED")
"""Ways to end that stay the same however often one asks."""


class Gemini:
    """`pipelines.ports.ImageProvider` that is Google's Gemini API."""

    name = "gemini"

    def __init__(self, *, key: str, base_url: str, model: str, timeout: timedelta, now: Clock) -> None:
        self._key, self._now, self._model = key, now, model or MODEL
        self._url = f"{calls.address(base_url, '/v1beta')}/models/{self._model}{DRAW}"
        self._line = Line(VENDOR, timeout=timeout)
        self._sheet = SHEETS.get(self._model, UNKNOWN)
        self._prices = dict(zip(QUALITIES, self._sheet.prices, strict=True))
        self.terms = Terms(
            abort="provider_cannot_cancel",
            abort_billed="unknown",
            billed="yes",
            prices=self._prices,
            prices_as_of=PRICES_AS_OF,
        )
        self.offer = Offer(
            models=(self._model,),
            styles=tuple(STYLES),
            aspect_ratios=tuple(ratio for ratio in RATIOS if ratio not in LACKING),
            qualities=QUALITIES,
            formats=("png", "jpeg", "webp"),
            per_minute=PER_MINUTE,
            references=True,
        )

    async def ping(self) -> None:
        """Ask for the model's description."""
        url = self._url.removesuffix(DRAW)
        answer = await self._line.call("GET", url, headers={"x-goog-api-key": self._key}, paid=False)
        if answer.status != OK:
            raise fault(answer, replies.as_object(answer.json()), key=self._key, now=self._now())

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:  # noqa: ARG002 - it tells no steps
        """Draw, with the nearest ratio there is."""
        ratio, warnings = nearest(request.aspect_ratio, self.offer.aspect_ratios, VENDOR)
        seed = request.seed % SEEDS if request.seed is not None else None
        body = _body(replace(request, aspect_ratio=ratio, seed=seed), self._size(request.quality))
        answer = await self._line.call("POST", self._url, headers={"x-goog-api-key": self._key}, body=body, paid=True)
        reply = replies.as_object(answer.json())
        if answer.status != OK or "error" in reply:
            raise fault(answer, reply, key=self._key, now=self._now())
        return GeneratedImage(
            data=self._picture(reply, request.attempt),
            provider=self.name,
            model=self._model,
            seed=request.seed,
            cost=self._prices[request.quality],
            warnings=warnings,
        )

    def _size(self, quality: str) -> str | None:
        return self._sheet.sizes[QUALITIES.index(quality)]

    def _picture(self, reply: Object, attempt: int) -> bytes:
        """Return the last picture that is not a thought. Raises what its absence means."""
        pictures = [
            data for part in _parts(reply) if (data := replies.decoded(replies.member(part, "inlineData").get("data")))
        ]
        if pictures:
            return pictures[-1]
        reason = _reason(reply)
        if not reason:
            raise MaybeCharged(f"{VENDOR} answered, but nothing that can be read. The picture may be paid for.")
        if FORBIDDEN.search(reason) or _blocked(reply):
            raise ProviderRefused(f"{VENDOR} refused the request ({reason}).")
        if attempt > 1:
            raise ProviderRefused(f"{VENDOR} makes no picture of this ({reason}).")
        raise ProviderUnavailable(f"{VENDOR} answered without a picture ({reason}).")


def _body(request: ImageRequest, size: str | None) -> dict[str, Any]:
    text = worded(request.prompt, request.style)
    if request.negative_prompt:
        text += f"\n\nWithout: {request.negative_prompt}"
    parts: list[dict[str, Any]] = [{"text": text}]
    if request.reference is not None:
        data = base64.b64encode(request.reference.data).decode()
        parts.append({"inlineData": {"mimeType": request.reference.media_type, "data": data}})
    shape = {"aspectRatio": request.aspect_ratio, **({"imageSize": size} if size is not None else {})}
    wishes: dict[str, Any] = {"responseModalities": ["IMAGE"], "imageConfig": shape}
    if request.seed is not None:
        wishes["seed"] = request.seed
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": wishes}


def _parts(reply: Object) -> Iterator[Object]:
    """Walk the parts of every candidate, thoughts left out: models that think draw drafts on the way."""
    for candidate in replies.objects(reply, "candidates"):
        for part in replies.objects(replies.member(candidate, "content"), "parts"):
            if not part.get("thought"):
                yield part


def _reason(reply: Object) -> str:
    """Return why there is no picture, as the vendor names it; empty where it does not."""
    named = [replies.member(reply, "promptFeedback").get("blockReason")]
    named += [candidate.get("finishReason") for candidate in replies.objects(reply, "candidates")]
    found = [reason for reason in named if isinstance(reason, str) and re.fullmatch(r"[A-Z0-9_]{1,40}", reason)]
    if not found and reply.get("candidates"):
        return "OTHER"
    return found[0] if found else ""


def _blocked(reply: Object) -> bool:
    return bool(replies.member(reply, "promptFeedback").get("blockReason"))
