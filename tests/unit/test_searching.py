"""Who searches the web, by the settings; and what a start is refused for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from atelier.errors import StartRefused
from atelier.providers.pages import Pages
from atelier.settings import Settings
from atelier.wiring.searching import build_reader, build_search

KEYED: dict[str, Any] = {"tavily_api_key": "tvly-0123456789abcdef0123"}
PLACED: dict[str, Any] = {"providers": {"searxng": {"base_url": "http://127.0.0.1:8888"}}}


def now() -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ("sandbox",)),
        ({"sandbox": "off"}, ()),
        ({"environment": "production"}, ()),
        ({"text_providers": ("openai",)}, ()),
        ({"text_providers": ("openai", "sandbox")}, ()),
        (KEYED, ("tavily",)),
        ({"providers": {"tavily": {"api_key": "tvly-0123456789abcdef0123"}}}, ("tavily",)),
        (PLACED, ("searxng",)),
        ({**KEYED, **PLACED}, ("tavily", "searxng")),
        ({**KEYED, **PLACED, "search_providers": "searxng, sandbox"}, ("searxng", "sandbox")),
        ({**KEYED, "search_providers": "none"}, ()),
        ({"search_providers": "sandbox", "text_providers": ("openai",)}, ("sandbox",)),
    ],
)
def test_who_searches(given: dict[str, Any], names: tuple[str, ...]) -> None:
    settings = Settings(**given)
    assert settings.searchers == names
    made = build_search(settings, now)
    assert (made is None) == (names == ())
    if made is not None:
        assert made.name == names[0]
        assert [each.name for each in getattr(made, "_providers", [made])] == list(names)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"search_providers": "tavily"}, "ATELIER_PROVIDERS__TAVILY__API_KEY"),
        ({"search_providers": "searxng"}, "ATELIER_PROVIDERS__SEARXNG__BASE_URL"),
        ({"search_providers": "sandbox", "sandbox": "off"}, "ATELIER_SANDBOX is off"),
        ({"search_providers": "brave"}, "'brave' is not a search provider; known are tavily, searxng, sandbox"),
        ({"search_providers": "none,sandbox"}, "none alone"),
    ],
)
def test_what_a_start_is_refused_for(given: dict[str, Any], words: str) -> None:
    with pytest.raises(StartRefused) as caught:
        build_search(Settings(**given), now)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("url", "named"), [(None, "atelier/0.1"), ("https://atelier.example", "atelier/0.1 (+https://atelier.example/)")]
)
def test_pages_are_asked_for_in_the_service_s_name(url: str | None, named: str) -> None:
    made = build_reader(Settings(public_url=url, fetch={"allow_private": True}), now)
    assert isinstance(made, Pages)
    assert (made._named["user-agent"], made._allow_private) == (named, True)
    usual = build_reader(Settings(), now)
    assert isinstance(usual, Pages)
    assert not usual._allow_private
