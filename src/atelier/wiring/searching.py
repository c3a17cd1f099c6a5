"""Who searches the web and who reads its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.sources import Reader, SearchProvider
from atelier.providers.pages import Pages
from atelier.providers.sandbox_search import SandboxSearch
from atelier.providers.search_order import SearchOrder
from atelier.providers.searxng import SearXNG
from atelier.providers.tavily import Tavily
from atelier.settings import PREFIX, Settings

SETTING = f"{PREFIX}SEARCH_PROVIDERS"


def _tavily(settings: Settings, now: Clock) -> SearchProvider:
    own, key = settings.providers.tavily, settings.key_of(Tavily.name)
    if key is None:
        raise StartRefused(
            f"{SETTING} names tavily, but its key is missing; set {PREFIX}PROVIDERS__TAVILY__API_KEY (or TAVILY_API_KEY"
            " without the prefix)."
        )
    patience = timedelta(seconds=own.timeout_seconds)
    return Tavily(key=key.get_secret_value(), base_url=str(own.base_url), timeout=patience, now=now)


def _searxng(settings: Settings, now: Clock) -> SearchProvider:
    own = settings.providers.searxng
    if own.base_url is None:
        raise StartRefused(f"{SETTING} names searxng; {PREFIX}PROVIDERS__SEARXNG__BASE_URL must say where it is.")
    return SearXNG(base_url=str(own.base_url), timeout=timedelta(seconds=own.timeout_seconds), now=now)


def _sandbox(settings: Settings, now: Clock) -> SearchProvider:  # noqa: ARG001 - a row like the others
    if not settings.sandbox_on:
        raise StartRefused(
            f"{SETTING} names the sandbox, but {PREFIX}SANDBOX is off, as it is in production unless it is set to on."
        )
    return SandboxSearch()


SEARCHERS: Mapping[str, Callable[[Settings, Clock], SearchProvider]] = {
    Tavily.name: _tavily,
    SearXNG.name: _searxng,
    SandboxSearch.name: _sandbox,
}


def build_search(settings: Settings, now: Clock) -> SearchProvider | None:
    """Make whoever searches, in their order; None where nobody does. Raises StartRefused."""
    for name in settings.searchers:
        if name not in SEARCHERS:
            known = ", ".join(SEARCHERS)
            raise StartRefused(f"{SETTING}: {name!r} is not a search provider; known are {known}, or none alone.")
    providers = [SEARCHERS[name](settings, now) for name in dict.fromkeys(settings.searchers)]
    if not providers:
        return None
    return SearchOrder(providers) if len(providers) > 1 else providers[0]


def build_reader(settings: Settings, now: Clock) -> Reader:
    """Make what reads pages, which names the service's own address to those it asks."""
    contact = str(settings.public_url) if settings.public_url is not None else ""
    return Pages(contact=contact, allow_private=settings.fetch.allow_private, now=now)
