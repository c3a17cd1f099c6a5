"""The vendors who draw: a row for each, which makes it from the settings and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import ImageProvider
from atelier.providers.gemini import Gemini
from atelier.providers.hugging_face import HuggingFace
from atelier.providers.sandbox import Sandbox
from atelier.providers.stability_ai import Stability
from atelier.providers.stable_horde import ANONYMOUS, StableHorde
from atelier.settings import PREFIX, Settings


def _stability(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.stability_ai
    return Stability(
        key=key, base_url=str(own.base_url), model=own.model, timeout=_seconds(own.timeout_seconds), now=now
    )


def _gemini(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.gemini
    return Gemini(key=key, base_url=str(own.base_url), model=own.model, timeout=_seconds(own.timeout_seconds), now=now)


def _stable_horde(settings: Settings, key: str, now: Clock) -> ImageProvider:
    own = settings.providers.stable_horde
    return StableHorde(
        key=key,
        base_url=str(own.base_url),
        model=own.model,
        timeout=_seconds(own.timeout_seconds),
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
        timeout=_seconds(own.timeout_seconds),
        price=own.price,
        now=now,
    )


VENDORS: Mapping[str, Callable[[Settings, str, Clock], ImageProvider]] = {
    "stability_ai": _stability,
    "gemini": _gemini,
    "stable_horde": _stable_horde,
    "hugging_face": _hugging_face,
}

WITHOUT_KEY = {"stable_horde": ANONYMOUS}
"""Who draws for nobody in particular, and what nobody's key is."""

FOREIGN_NAMES = {
    "stability_ai": "STABILITY_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "hugging_face": "HF_TOKEN",
}


def check_name(name: str) -> None:
    """Raise StartRefused where there is no such provider."""
    if name not in VENDORS and name != Sandbox.name:
        known = ", ".join((*VENDORS, Sandbox.name))
        raise StartRefused(f"{PREFIX}IMAGE_PROVIDERS: {name!r} is not a provider; known are {known}.")


def key_of(name: str, settings: Settings) -> str:
    """Return a vendor's single key, or nobody's where it draws for nobody. Raises StartRefused where it is missing."""
    found = settings.key_of(name)
    key = found.get_secret_value() if found is not None else WITHOUT_KEY.get(name)
    if key is None:
        raise StartRefused(
            f"{PREFIX}IMAGE_PROVIDERS names {name}, but its key is missing; set {PREFIX}PROVIDERS__{name.upper()}__API_KEY"
            f" (or {FOREIGN_NAMES[name]} without the prefix), or make a pool of keys with {PREFIX}POOLS."
        )
    return key


def sandbox(settings: Settings) -> ImageProvider:
    """Make the sandbox. Raises StartRefused where it must not be used."""
    if not settings.sandbox_on:
        raise StartRefused(
            f"{PREFIX}IMAGE_PROVIDERS names the sandbox, but {PREFIX}SANDBOX is off, as it is in production unless it is"
            " set to on."
        )
    return Sandbox()


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
