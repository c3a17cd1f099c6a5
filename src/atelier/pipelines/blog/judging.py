"""How good a post is: five dimensions, each measured, with its evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from atelier.pipelines.blog import coverage, document, originality, readability, structure
from atelier.pipelines.blog.document import Document
from atelier.pipelines.blog.models import Dimension
from atelier.pipelines.blog.scores import within
from atelier.pipelines.blog.state import Quality

WEIGHTS: Final = {"readability": 25, "structure": 20, "coverage": 25, "originality": 20, "keyword_use": 10}
READABLE: Final = (50.0, 100.0)
"""Flesch's reading ease that counts as full readability: fairly difficult texts are still readable."""

DENSITY: Final = (0.3, 3.0)
"""Per cent of all words that the keyword should be."""


def judged(
    markdown: str, *, subtopics: Sequence[str], terms: Sequence[str], keyword: str, sources: Mapping[str, str]
) -> Quality:
    """Return the post's quality: the weighted mean of its dimensions. `sources`: texts by their names."""
    post = document.read(markdown)
    dimensions = (
        _readability(post),
        _structure(post),
        _coverage(post, subtopics, terms),
        _originality(post, sources),
        _keyword_use(post, keyword),
    )
    total = sum(WEIGHTS[each.name] * each.score for each in dimensions) / sum(WEIGHTS.values())
    return Quality(score=round(total, 1), dimensions=dimensions)


def _readability(post: Document) -> Dimension:
    found = readability.readability(prose(post))
    return Dimension(name="readability", score=round(100 * within(found.score, *READABLE), 1), evidence=found.evidence)


def _structure(post: Document) -> Dimension:
    found = structure.structure(post).score
    return Dimension(name="structure", score=found.value, evidence=" ".join(found.evidence))


def _coverage(post: Document, subtopics: Sequence[str], terms: Sequence[str]) -> Dimension:
    dealt, has = coverage.subtopics(post.text, subtopics), coverage.coverage(post.text, terms)
    covered = sum(each.covered for each in dealt)
    shares = [*([covered / len(dealt)] if dealt else []), *([has.share] if terms else [])]
    score = round(100 * sum(shares) / len(shares), 1) if shares else 100.0
    seen = f"{covered} of {len(dealt)} subtopics are dealt with, {len(terms) - len(has.missing)} of {len(terms)} terms are named."
    return Dimension(name="coverage", score=score, evidence=seen)


def _originality(post: Document, sources: Mapping[str, str]) -> Dimension:
    found = originality.originality(post.text, sources)
    seen = found.evidence if sources else "There are no sources to compare it with."
    return Dimension(name="originality", score=found.score, evidence=seen)


def _keyword_use(post: Document, keyword: str) -> Dimension:
    (used,) = coverage.coverage(post.text, [keyword]).terms
    seen = f"“{keyword}” stands there {used.count} times, {used.per_cent:g} % of all words; {DENSITY[0]:g} to {DENSITY[1]:g} % are natural."
    return Dimension(name="keyword_use", score=round(100 * within(used.per_cent, *DENSITY), 1), evidence=seen)


def prose(post: Document) -> str:
    """Return what is read as running text."""
    return document.plain(post.prose)
