"""Levels of language, as callers name them."""

from __future__ import annotations

import pytest

from atelier.pipelines.story.levels import EASY, MIDDLE, RICH, Reading, reading_of


@pytest.mark.parametrize(
    ("level", "reading"),
    [
        ("A1", EASY), ("a2", EASY), ("Beginner", EASY), ("children of 6", EASY), ("grade 2", EASY), ("CEFR  A2+", EASY),
        ("B1", MIDDLE), ("intermediate", MIDDLE), ("pirate", MIDDLE), ("日本語", MIDDLE),
        ("C1", RICH), ("Advanced", RICH), ("native speaker", RICH),
    ],
)  # fmt: skip
def test_levels(level: str, reading: Reading) -> None:
    assert reading_of(level) == reading
