"""The vendors who draw: a row for each, which makes it from the settings and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from atelier.jobs.ports import Clock
from atelier.pipelines.ports import GeneratedImage, ImageProvider, ImageRequest, Offer
from atelier.providers.gemini import Gemini
from atelier.providers.hugging_face import HuggingFace
from atelier.providers.sandbox import Sandbox
from atelier.providers.stability_ai import Stability
from atelier.providers.stable_horde import ANONYMOUS, StableHorde
from atelier.settings import Settings
from atelier.wiring.crafts import SANDBOX, Craft
from atelier.wiring.local import diffusers


def _stability(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.stability_ai
    return Stability(
        key=key, base_url=str(own.base_url), model=own.model, timeout=timedelta(seconds=own.timeout_seconds), now=now
    )


def _gemini(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.gemini
    return Gemini(
        key=key, base_url=str(own.base_url), model=own.model, timeout=timedelta(seconds=own.timeout_seconds), now=now
    )


def _stable_horde(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.stable_horde
    return StableHorde(
        key=key,
        base_url=str(own.base_url),
        model=own.model,
        timeout=timedelta(seconds=own.timeout_seconds),
        contact=str(settings.public_url) if settings.public_url is not None else "unknown",
        allow_private=settings.fetch.allow_private,
        now=now,
    )


def _hugging_face(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.hugging_face
    return HuggingFace(
        key=key,
        base_url=str(own.base_url),
        model=own.model,
        timeout=timedelta(seconds=own.timeout_seconds),
        price=own.price,
        now=now,
    )


VENDORS: Mapping[str, Callable[[Settings, str, Clock], ImageProvider]] = {
    "stability_ai": _stability,
    "gemini": _gemini,
    "stable_horde": _stable_horde,
    "hugging_face": _hugging_face,
}

DRAWING: Craft[ImageRequest, GeneratedImage, Offer] = Craft(
    setting="IMAGE_PROVIDERS",
    prefix="",
    rows=VENDORS,
    nobodys=lambda name, _: ANONYMOUS if name == StableHorde.name else None,
    keyless={"diffusers": diffusers, SANDBOX: lambda _: Sandbox()},
)
