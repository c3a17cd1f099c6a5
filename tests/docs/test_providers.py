"""The page about vendors says what their files say: who there is, prices, the day of the prices, every code."""

from __future__ import annotations

import re

import pytest
from tests.live import ROOT

from atelier.errors import AtelierError, ProviderError
from atelier.providers import anthropic, gemini, hugging_face, stability_ai, stable_horde, tavily
from atelier.providers.houses import GEMINI, OPENAI
from atelier.providers.tokens import Prices
from atelier.wiring.searching import SEARCHERS
from atelier.wiring.vendors import VENDORS
from atelier.wiring.writers import WRITERS

PAGE = (ROOT / "docs" / "providers.md").read_text()


def rows(name: str) -> dict[str, list[str]]:
    """Return the first table of a section: its rows by their first cell, marks left out."""
    section = PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {re.sub(r" \(.*|`", "", first): rest for first, *rest in cells}


def test_every_vendor_is_on_the_page() -> None:
    assert re.findall(r"^\| `(\w+)` \| \[", PAGE, re.MULTILINE) == [*VENDORS, "diffusers", *WRITERS]


HOUSES = {
    "OpenAI and whoever speaks its protocol": (OPENAI.model, OPENAI.sheet, OPENAI.prices_as_of),
    "Anthropic": (anthropic.MODEL, anthropic.SHEET, anthropic.PRICES_AS_OF),
    "Gemini for texts": (GEMINI.model, GEMINI.sheet, GEMINI.prices_as_of),
}


@pytest.mark.parametrize("section", HOUSES)
def test_prices_of_texts_and_their_day_are_those_of_the_files(section: str) -> None:
    model, sheet, day = HOUSES[section]
    told = {name: Prices(*map(float, cells)) for name, cells in rows(section).items()}
    others = [prices for name, prices in told.items() if "any other" in name]
    assert {name.split(",")[0]: prices for name, prices in told.items() if name != "any other"} == sheet.models
    assert others == [sheet.other]
    assert f"Prices as they were on {day.isoformat()}" in PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    read, written = re.findall(rf"`{re.escape(model)}` \| ([\d.]+), ([\d.]+) \|", PAGE)[0]
    assert Prices(float(read), float(written)) == sheet.of(model)


def test_what_a_search_costs_is_told() -> None:
    told = rows("Who searches, and how pages are read")
    assert list(told)[: len(SEARCHERS)] == list(SEARCHERS)
    assert f"${tavily.DOLLARS_A_CREDIT}" in told["tavily"][2]
    assert f"({tavily.PRICES_AS_OF.isoformat()})" in told["tavily"][2]
    assert f"cut to {tavily.LONGEST_QUERY} characters" in PAGE


def test_prices_and_their_day_are_those_of_the_files() -> None:
    for quality, (engine, credits_) in rows("Stability AI").items():
        named = stability_ai.BY_QUALITY[quality]
        assert engine.startswith(named)
        assert float(credits_.split()[0]) == stability_ai.ENGINES[named].credits
    for model, cells in rows("Google Gemini").items():
        sheet = gemini.SHEETS[model]
        told = [float(re.findall(r"\$([\d.]+)", cell)[0]) for cell in cells]
        assert told == [sheet.prices[0], sheet.prices[2], sheet.prices[3]], model
        assert sheet.prices[0] == sheet.prices[1]
    assert set(rows("Google Gemini")) == set(gemini.SHEETS)
    days = {stability_ai.PRICES_AS_OF, gemini.PRICES_AS_OF, hugging_face.PRICES_AS_OF}
    assert [day.isoformat() for day in days] == re.findall(r"\*\*(\d{4}-\d\d-\d\d)\*\*", PAGE)


def test_models_by_default_are_named() -> None:
    for model in (gemini.MODEL, stable_horde.MODEL, hugging_face.MODEL):
        assert f"`{model}`" in PAGE


def test_every_code_of_a_provider_has_its_row() -> None:
    def below(kind: type[AtelierError]) -> set[str]:
        return {str(kind.code)}.union(*(below(child) for child in kind.__subclasses__()))

    told = set(rows("What happens when it fails"))
    assert told == {*below(ProviderError) - {"provider_not_configured"}, "invalid_image"}
