"""What texts cost, and where nobody sends a bill."""

from __future__ import annotations

import pytest

from atelier.pipelines.texts import Usage
from atelier.providers import anthropic
from atelier.providers.houses import OPENAI
from atelier.providers.tokens import Prices, chosen, is_here


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("gpt-5.4-mini", Prices(0.75, 4.5)),
        ("gpt-5.4-mini-2026-03-17", Prices(0.75, 4.5)),
        ("openai/gpt-5.4-nano", Prices(0.2, 1.25)),
        ("gpt-5.4-pro", Prices(5.0, 30.0)),
        ("llama-9", Prices(5.0, 30.0)),
    ],
)
def test_a_model_has_its_price_or_counts_as_a_dear_one(model: str, prices: Prices) -> None:
    assert OPENAI.sheet.of(model) == prices


def test_a_date_behind_a_name_changes_no_price() -> None:
    assert anthropic.SHEET.of("claude-haiku-4-5-20251001") == Prices(1.0, 5.0)


def test_settings_go_before_lists() -> None:
    assert chosen(Prices(1, 2), 0.0, None) == Prices(0.0, 2)
    assert chosen(Prices(1, 2), None, 7.0) == Prices(1, 7.0)


def test_what_a_call_costs_is_reckoned_by_the_million() -> None:
    assert Prices(2, 10).cost(Usage(read=500_000, written=100_000)) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://192.168.1.4/v1", True),
        ("http://ollama:11434", True),
        ("http://gpu.lan/v1", True),
        ("http://host.docker.internal:1234/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://local.example.org", False),
    ],
)
def test_nobody_sends_a_bill_from_one_s_own_network(url: str, here: bool) -> None:  # noqa: FBT001 - a table
    assert is_here(url) == here
