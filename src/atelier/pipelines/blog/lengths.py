"""How long a post is, and how its words are spread. Pure."""

from __future__ import annotations

from typing import Final

from atelier.pipelines.blog.models import BlogParams
from atelier.pipelines.blog.state import LengthPlan, Rivals

WORDS: Final = {"short": 600, "medium": 1200, "long": 2200, "extended": 3500}
"""What the lengths by name mean, in words."""

PULL: Final = 0.1
"""A length that was only named moves towards the competitors' by this share at most; a number that was given never."""

A_SECTION: Final = 300
"""Words of a section, about."""

SECTIONS: Final = (4, 12)
"""Fewest and most sections, introduction and conclusion among them."""

EDGE: Final = 0.6
"""Introduction and conclusion have this share of another section's words."""

CALLS: Final = 8
"""Texts asked for beside two for each section."""


def asked_words(params: BlogParams) -> int:
    """Return the words that were asked for."""
    return params.words if params.words is not None else WORDS[params.length]


def plan(params: BlogParams, rivals: Rivals | None) -> LengthPlan:
    """Return how long the post shall be: as asked, drawn a little towards what ranks where that left room."""
    asked = asked_words(params)
    if params.words is not None:
        return LengthPlan(words=asked, sections=sections(asked), reason=f"{asked} words were asked for.")
    if rivals is None or not rivals.median_words:
        return LengthPlan(words=asked, sections=sections(asked), reason=f"“{params.length}” means {asked} words.")
    low, high = asked * (1 - PULL), asked * (1 + PULL)
    words = round(min(max(rivals.median_words, low), high))
    reason = (
        f"“{params.length}” means {asked} words; the pages that are found have {rivals.median_words} in the middle."
    )
    return LengthPlan(words=words, sections=sections(words), reason=reason)


def sections(words: int) -> int:
    """Return how many sections so many words are spread over."""
    fewest, most = SECTIONS
    return min(max(round(words / A_SECTION) + 2, fewest), most)


def spread(words: int, count: int) -> tuple[int, ...]:
    """Return the words of each section; the first and the last are shorter."""
    whole = words / (max(count - 2, 0) + 2 * EDGE)
    return tuple(round(whole * (EDGE if number in {0, count - 1} else 1)) for number in range(count))


def share(params: BlogParams) -> float:
    """Return which part of a post one text is, for providers that are asked to take their time."""
    return 1 / (2 * sections(asked_words(params)) + CALLS)
