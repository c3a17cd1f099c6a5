"""Stability AI: pictures of the v2beta API, one call each; core, ultra and sd3.5 by quality."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
)
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms
from atelier.providers import calls, faults, replies
from atelier.providers.calls import Answer, Line
from atelier.providers.faults import Rule
from atelier.providers.likeness import RATIOS, STYLES
from atelier.providers.waits import retry_after

VENDOR = "Stability AI"
PICTURES = "/stable-image/generate"
OK, TOO_MANY = 200, 429
TIMED_OUT = timedelta(seconds=60)
"""How long an account is shut out after a 429, where the answer does not say."""

PER_MINUTE = 900
"""150 requests in ten seconds."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What draws: the last part of its address, the `model` field where that part has several, and its price in credits."""

    path: str
    model: str | None
    credits: float


DOLLARS_A_CREDIT: Final = 0.01
PRICES_AS_OF: Final = date(2026, 11, 20)
ENGINES: Final = {
    "core": Engine("core", None, 3),
    "ultra": Engine("ultra", None, 8),
    "sd3.5-large": Engine("sd3", "sd3.5-large", 6.5),
    "sd3.5-large-turbo": Engine("sd3", "sd3.5-large-turbo", 4),
    "sd3.5-medium": Engine("sd3", "sd3.5-medium", 3.5),
    "sd3.5-flash": Engine("sd3", "sd3.5-flash", 2.5),
}
BY_QUALITY: Final = {"draft": "sd3.5-flash", "standard": "core", "high": "sd3.5-large", "ultra": "ultra"}
STAND_IN: Final = "core"
"""Draws where the engine of a draft is not taken: it has come and gone before."""

RULES: Final = (
    Rule(None, "content_moderation", ProviderRefused, "refused the prompt: its moderation flagged it. Nothing was charged."),
    Rule(None, "public_figure", ProviderRefused, "refused the prompt: it names a public figure."),
    Rule(None, "invalid_language", ProviderInvalidRequest, "understands prompts in English only."),
    Rule(401, "", ProviderBadKey, "does not know the key."),
    Rule(402, "", ProviderNoCredit, "has no credits left for this key."),
    Rule(403, "unauthorized", ProviderBadKey, "does not let this key draw."),
    Rule(403, "forbidden", ProviderBadKey, "does not let this key draw."),
    Rule(404, "", ProviderInvalidRequest, "has nothing at this address; check its address and model."),
    Rule(413, "", ProviderInvalidRequest, "takes no requests of this size."),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(None, "rate_limit_exceeded", ProviderRateLimited, "takes no more requests for now."),
)  # fmt: skip


class Stability:
    """`pipelines.ports.ImageProvider` that is Stability AI. `model` names the engine of every quality; empty: one for each."""

    name = "stability_ai"

    def __init__(self, *, key: str, base_url: str, model: str, timeout: timedelta, now: Clock) -> None:
        self._key, self._now = key, now
        self._base = calls.address(base_url, "/v2beta") + PICTURES
        self._engines = dict.fromkeys(BY_QUALITY, model) if model else BY_QUALITY
        self._line = Line(VENDOR, timeout=timeout)
        prices = {quality: _price(ENGINES[engine]) for quality, engine in self._engines.items()}
        self.terms = Terms(
            abort="provider_cannot_cancel",
            abort_billed="unknown",
            billed="yes",
            prices=prices,
            prices_as_of=PRICES_AS_OF,
        )
        self.offer = Offer(
            models=tuple(dict.fromkeys(self._engines.values())),
            styles=tuple(STYLES),
            aspect_ratios=RATIOS,
            qualities=tuple(self._engines),
            formats=("png", "jpeg", "webp"),
            per_minute=PER_MINUTE,
        )

    async def ping(self) -> None:
        """Ask for the account's balance, at the older address that alone tells it."""
        url = self._base.removesuffix(PICTURES).removesuffix("/v2beta") + "/v1/user/balance"
        answer = await self._line.call("GET", url, headers={"authorization": f"Bearer {self._key}"}, paid=False)
        if answer.status != OK:
            raise self._fault(answer)
        left = replies.as_object(answer.json()).get("credits")
        if not isinstance(left, int | float) or left <= 0:
            raise ProviderNoCredit(f"{VENDOR} has no credits left for this key.")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:  # noqa: ARG002 - it tells no steps
        """Draw with the quality's engine; where a draft's is not taken, nothing was charged and another one draws."""
        wanted = self._engines[request.quality]
        answer = await self._ask(ENGINES[wanted], request)
        if wanted == BY_QUALITY["draft"] and _knows_no_model(answer):
            warning = f"{VENDOR} did not take {wanted}; {STAND_IN} drew instead."
            return self._image(await self._ask(ENGINES[STAND_IN], request), STAND_IN, request, (warning,))
        return self._image(answer, wanted, request, ())

    async def _ask(self, engine: Engine, request: ImageRequest) -> Answer:
        headers = {"authorization": f"Bearer {self._key}", "accept": "image/*"}
        url = f"{self._base}/{engine.path}"
        return await self._line.call("POST", url, headers=headers, parts=_form(engine, request), paid=True)

    def _image(self, answer: Answer, engine: str, request: ImageRequest, warnings: tuple[str, ...]) -> GeneratedImage:
        if answer.status != OK:
            raise self._fault(answer)
        data, reason, seed = _picture(answer)
        if reason == "CONTENT_FILTERED":
            raise ProviderRefused(
                f"{VENDOR} blurred the picture: its moderation flagged it. Whether it is charged, it does not say."
            )
        if not data:
            raise MaybeCharged(f"{VENDOR} answered, but without a picture. It may be paid for.")
        return GeneratedImage(
            data=data,
            provider=self.name,
            model=engine,
            seed=seed if seed is not None else request.seed,
            cost=_price(ENGINES[engine]),
            warnings=warnings,
        )

    def _fault(self, answer: Answer) -> ProviderError:
        body = replies.as_object(answer.json())
        said = next(iter(replies.texts(body, "errors")), "")
        wait = retry_after(answer.headers, self._now())
        if answer.status == TOO_MANY and wait is None:
            wait = TIMED_OUT
        return faults.judged(
            RULES,
            vendor=VENDOR,
            status=answer.status,
            mark=replies.text(body, "name"),
            said=faults.told(said, self._key),
            wait=wait,
        )


def _form(engine: Engine, request: ImageRequest) -> calls.Parts:
    """Return the form's fields: each is plain, without a file's name, or the vendor takes none of them."""
    fields = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,
        "aspect_ratio": request.aspect_ratio,
        "seed": request.seed,
        "output_format": request.output_format,
        "style_preset": request.style,
        "model": engine.model,
    }
    return {name: (None, str(value)) for name, value in fields.items() if value is not None}


def _picture(answer: Answer) -> tuple[bytes, str, int | None]:
    """Return the picture's bytes (none: there is no picture), how it ended and its seed.

    As bytes these stand in headers, as JSON in members that are spelt otherwise: both ways come.
    """
    if answer.is_picture:
        return answer.body, answer.headers.get("finish-reason", "").upper(), replies.seed(answer.headers.get("seed"))
    body = replies.as_object(answer.json())
    return (
        replies.decoded(body.get("image")),
        replies.text(body, "finish_reason").upper(),
        replies.seed(body.get("seed")),
    )


def _knows_no_model(answer: Answer) -> bool:
    """Whether the vendor took exception to the model, and to nothing else."""
    said = replies.texts(replies.as_object(answer.json()), "errors")
    return answer.status == 400 and bool(said) and all(text.startswith("model") for text in said)  # noqa: PLR2004


def _price(engine: Engine) -> float:
    return round(engine.credits * DOLLARS_A_CREDIT, 4)
