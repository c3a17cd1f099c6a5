"""Hugging Face: pictures of its own inference through the router, one call each, with the model that is configured."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Any, Final

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderUnavailable,
)
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms
from atelier.providers import calls, faults, replies
from atelier.providers.calls import Answer, Line
from atelier.providers.faults import Rule
from atelier.providers.likeness import MEGAPIXEL, RATIOS, STYLES, worded
from atelier.providers.waits import retry_after

VENDOR = "Hugging Face"
MODEL = "stabilityai/stable-diffusion-xl-base-1.0"
OK = 200
TELLING = {401, 402, 403, 410, 429}
"""Statuses that say something of the token whatever one asks for."""

LARGEST_SEED = 4294967294
LONGEST_LOADING = timedelta(minutes=2)
GUIDANCE = 7.0
STEPS: Final = {"draft": 15, "standard": 30, "high": 40, "ultra": 50}
PRICES_AS_OF: Final = date(2026, 11, 20)
"""When it was last looked whether there are prices: there are none, only seconds of machines that are not told."""

RULES: Final = (
    Rule(401, "", ProviderBadKey, "does not know the token."),
    Rule(None, "Invalid username or password", ProviderBadKey, "does not know the token."),
    Rule(None, "Invalid credentials", ProviderBadKey, "does not know the token."),
    Rule(402, "", ProviderNoCredit, "has no credits left for this token this month."),
    Rule(None, "monthly included credits", ProviderNoCredit, "has no credits left for this token this month."),
    Rule(403, "", ProviderBadKey, "does not let this token use the model: it is gated, or inference is not allowed."),
    Rule(410, "", ProviderInvalidRequest, "does not answer at this old address any more; correct its address."),
    Rule(404, "", ProviderInvalidRequest, "has no such model."),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(422, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(429, "", ProviderRateLimited, "takes no more requests for now."),
    Rule(None, "currently loading", ProviderUnavailable, "is still loading the model."),
)


class HuggingFace:
    """`pipelines.ports.ImageProvider` that is Hugging Face's router. `price` is what a picture is counted as, in dollars."""

    name = "hugging_face"

    def __init__(self, *, key: str, base_url: str, model: str, timeout: timedelta, price: float, now: Clock) -> None:
        self._key, self._price, self._now = key, price, now
        self._model = model or MODEL
        self._url = f"{calls.address(base_url, '/hf-inference')}/models/{self._model}"
        self._line = Line(VENDOR, timeout=timeout)
        self.terms = Terms(
            abort="provider_cannot_cancel",
            abort_billed="unknown",
            billed="yes",
            prices=dict.fromkeys(STEPS, price),
            prices_as_of=PRICES_AS_OF,
        )
        self.offer = Offer(
            models=(self._model,),
            styles=tuple(STYLES),
            aspect_ratios=RATIOS,
            qualities=tuple(STEPS),
            formats=("png", "jpeg"),
        )

    async def ping(self) -> None:
        """Knock at the model's address: there is nothing to ask there for free, but a bad token is told."""
        headers = {"authorization": f"Bearer {self._key}"}
        answer = await self._line.call("GET", self._url, headers=headers, paid=False)
        if answer.status in TELLING or answer.status >= 500:  # noqa: PLR2004 - the server's own errors
            raise self._fault(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:  # noqa: ARG002 - it tells no steps
        """Draw from the request's seed, or from one drawn by lot: the answer does not tell it, and must not be a cached one."""
        seed = request.seed if request.seed is not None else secrets.randbelow(LARGEST_SEED + 1)
        body, warnings = self._body(request, seed)
        headers = {"authorization": f"Bearer {self._key}", "accept": "image/png"}
        answer = await self._line.call("POST", self._url, headers=headers, body=body, paid=True)
        if answer.status == OK and answer.is_picture:
            return GeneratedImage(
                data=answer.body,
                provider=self.name,
                model=self._model,
                seed=seed,
                cost=self._price,
                warnings=warnings,
            )
        raise self._fault(answer)

    def _body(self, request: ImageRequest, seed: int) -> tuple[dict[str, Any], tuple[str, ...]]:
        width, height = MEGAPIXEL[request.aspect_ratio]
        parameters: dict[str, Any] = {
            "width": width,
            "height": height,
            "num_inference_steps": STEPS[request.quality],
            "guidance_scale": GUIDANCE,
            "seed": seed,
        }
        warnings: tuple[str, ...] = ()
        if request.negative_prompt and "flux" in self._model.lower():
            warnings = (f"{self._model} takes no negative prompt; it was left out.",)
        elif request.negative_prompt:
            parameters = {"negative_prompt": request.negative_prompt, **parameters}
        return {"inputs": worded(request.prompt, request.style), "parameters": parameters}, warnings

    def _fault(self, answer: Answer) -> ProviderError:
        """Return what an answer that is no picture means; one with status 200 may be an error, too."""
        body = answer.json()
        said = _said(body)
        if answer.status == OK and not said:
            return MaybeCharged(f"{VENDOR} answered, but without a picture. It may be paid for.")
        wait = retry_after(answer.headers, self._now())
        if isinstance(body, dict) and _is_number(body.get("estimated_time")):
            wait = timedelta(seconds=min(max(body["estimated_time"], 0.0), LONGEST_LOADING.total_seconds()))
        return faults.judged(
            RULES,
            vendor=VENDOR,
            status=answer.status,
            mark=said,
            said=faults.told(said, self._key),
            wait=wait,
        )


def _said(body: object) -> str:
    """Return an error's text: it is a text, a list of them, or an object with a message, as whoever draws likes it."""
    reply = replies.as_object(body)
    found = [
        replies.text(reply, "error"),
        *replies.texts(reply, "error"),
        replies.text(replies.member(reply, "error"), "message"),
    ]
    return " ".join(filter(None, found))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN
