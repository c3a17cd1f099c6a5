"""A vendor's words are shown without anything that may be of a key."""

from __future__ import annotations

import pytest

from atelier.providers import faults

KEY = "q7Zk-w0Pv_tR31x"


@pytest.mark.parametrize("start", range(len(KEY) - 5))
def test_no_six_characters_of_a_key_are_shown_wherever_they_stand_in_it(start: int) -> None:
    part = KEY[start : start + 6]
    assert faults.told(f"The key ...{part} is unknown.", KEY) == "The key [redacted] is unknown."


@pytest.mark.parametrize("said", ["five: q7Zk- only", "nothing of it"])
def test_what_is_of_no_key_is_shown(said: str) -> None:
    assert faults.told(said, KEY) == said
    assert faults.told(said, "") == said
