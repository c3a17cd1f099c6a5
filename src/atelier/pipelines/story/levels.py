"""Levels of language: how long scenes and sentences may be for whom. Pure."""

from __future__ import annotations

import re
from typing import Final

from atelier.frozen import frozen


@frozen
class Reading:
    """How a text is written for a level: words of a scene, most words of a sentence, and the rule in a sentence."""

    scene: int
    sentence: int
    rule: str


EASY: Final = Reading(
    scene=50,
    sentence=10,
    rule="Use only very common words, the present or simple past tense, and short main clauses; repeat words rather than vary them.",
)
MIDDLE: Final = Reading(
    scene=90,
    sentence=16,
    rule="Use everyday words and clear sentences with at most one subordinate clause; explain a rare word by its context.",
)
RICH: Final = Reading(
    scene=140, sentence=28, rule="Use a rich vocabulary, varied sentences and figures of speech where they fit."
)

_MARKS: Final = (
    (r"\ba[012]\b|beginner|elementary|easy|simple|child|kid|preschool|kindergarten|grade [1-3]\b|starter", EASY),
    (r"\bc[12]\b|advanced|proficien|native|expert|adult|university", RICH),
)


def reading_of(level: str) -> Reading:
    """Return how to write for a level, which callers name in words of their own: CEFR (`A2`), an age, a school year."""
    named = " ".join(level.casefold().split())
    return next((reading for marks, reading in _MARKS if re.search(marks, named)), MIDDLE)
