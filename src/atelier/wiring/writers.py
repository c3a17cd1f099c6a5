"""The vendors who write: a row for each, which makes it from the settings and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.texts import GeneratedText, TextOffer, TextProvider, TextRequest
from atelier.providers import anthropic, calls, tokens
from atelier.providers.anthropic import Anthropic
from atelier.providers.houses import GEMINI, OPENAI
from atelier.providers.openai import OpenAI
from atelier.providers.sandbox_writer import SandboxWriter
from atelier.settings import PREFIX, Settings
from atelier.wiring.crafts import SANDBOX, Craft

OPENAI_URL = "https://api.openai.com/v1"


def _openai(settings: Settings, key: str, now: Clock) -> TextProvider:
    own, url = settings.providers.openai, _openai_url(settings)
    if not own.model and not _is_openais_own(url):
        raise StartRefused(f"{PREFIX}PROVIDERS__OPENAI__MODEL must name the model that writes at {url}.")
    model = own.model or OPENAI.model
    listed = tokens.FREE if tokens.is_here(url) else OPENAI.sheet.of(model)
    return OpenAI(
        key=key,
        base_url=url,
        model=model,
        timeout=timedelta(seconds=own.timeout_seconds),
        prices=tokens.chosen(listed, own.read_price, own.written_price),
        now=now,
    )


def _anthropic(settings: Settings, key: str, now: Clock) -> TextProvider:
    own = settings.providers.anthropic
    model = own.model or anthropic.MODEL
    return Anthropic(
        key=key,
        base_url=str(own.base_url),
        model=model,
        timeout=timedelta(seconds=own.timeout_seconds),
        prices=tokens.chosen(anthropic.SHEET.of(model), own.read_price, own.written_price),
        now=now,
    )


def _gemini(settings: Settings, key: str, now: Clock) -> TextProvider:
    """Make Gemini at its address for those who speak OpenAI's protocol."""
    own = settings.providers.gemini
    model = own.text_model or GEMINI.model
    return OpenAI(
        key=key,
        base_url=f"{calls.address(str(own.base_url), '/v1beta')}/openai",
        model=model,
        timeout=timedelta(seconds=own.timeout_seconds),
        prices=GEMINI.sheet.of(model),
        now=now,
        house=GEMINI,
    )


def _openai_url(settings: Settings) -> str:
    url = settings.providers.openai.base_url or settings.openai_base_url
    return str(url).rstrip("/") if url is not None else OPENAI_URL


def _is_openais_own(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")  # it has regions


def _nobodys(name: str, settings: Settings) -> str | None:
    """Return an empty key for a server of OpenAI's protocol that is not OpenAI's own: many want none."""
    return "" if name == OPENAI.name and not _is_openais_own(_openai_url(settings)) else None


WRITERS: Mapping[str, Callable[[Settings, str, Clock], TextProvider]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}

WRITING: Craft[TextRequest, GeneratedText, TextOffer] = Craft(
    setting="TEXT_PROVIDERS",
    prefix="text-",
    rows=WRITERS,
    nobodys=_nobodys,
    keyless={SANDBOX: lambda _: SandboxWriter()},
)
"""Whoever writes has a health and rests of its own beside those of the same name who draw: it may be well at one only."""
