"""How long posts take, and what they may take in tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from atelier.pipelines.blog.lengths import CALLS, WORDS, asked_words, sections
from atelier.pipelines.blog.models import KIND, BlogParams, Length
from atelier.pipelines.texts import Usage

EXPECTED_SECONDS: dict[Length, float] = {"short": 90.0, "medium": 150.0, "long": 240.0, "extended": 360.0}
"""How long a post takes where a model writes, until durations are measured; a table of experience."""

AT_ONCE = 3.0
"""How long it takes in the sandbox."""

READ, WRITTEN, A_WORD = 5000, 1500, 3
"""Tokens that are read for one text, those of one answer that is no part of the post, and those of a word, thoughts included."""

FORMS = 3
"""How often a section is written in the worst case: drafted, enhanced, and one of these again."""


def pace(params: BlogParams) -> str:
    """Return which posts take as long as this one."""
    scenario = params.script.scenario
    return "/".join([KIND, params.provider, params.length, *([scenario] if scenario != "ok" else [])])


def expected(params: BlogParams) -> timedelta:
    """Return how long one takes, until the like were measured."""
    return timedelta(seconds=AT_ONCE if params.provider == "sandbox" else EXPECTED_SECONDS[params.length])


def length_of(words: int | None) -> Length:
    """Return the length whose words come nearest; medium where none are named."""
    lengths: tuple[Length, ...] = get_args(Length)
    return min(lengths, key=lambda length: abs(WORDS[length] - (words or WORDS["medium"])))


def most_tokens(params: BlogParams) -> Usage:
    """Return what a post takes in tokens, rather more than less."""
    words = asked_words(params)
    texts = FORMS * sections(words) + CALLS
    return Usage(read=texts * READ, written=FORMS * words * A_WORD + CALLS * WRITTEN)
