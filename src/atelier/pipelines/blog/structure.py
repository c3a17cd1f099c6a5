"""How a post is built: its tree of headings, the length of its sections and paragraphs, lists, links, images."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words
from atelier.pipelines.blog.document import Block, Document
from atelier.pipelines.blog.scores import Check, Score, scored

A_HEADING_EACH: Final = 300
"""Words that one heading may stand over."""

LONG_PARAGRAPH: Final = 150
"""Words from which on a paragraph is a wall."""

WITH_LISTS: Final = 600
"""Words from which on a text is easier with a list."""


@frozen
class Node:
    """A heading with those below it."""

    title: str
    level: int
    anchor: str
    children: tuple[Node, ...]


@frozen
class Structure:
    """What a text is built of; lengths in words."""

    score: Score
    tree: tuple[Node, ...]
    words: int
    sections: int
    paragraphs: tuple[int, ...]
    items: int
    links: int
    images: int


def tree(headings: tuple[Block, ...]) -> tuple[Node, ...]:
    """Return the headings nested by their levels; one without any above it stands at the top, whatever its level."""
    if not headings:
        return ()
    starts = _tops(headings)
    return tuple(_node(headings[start:end]) for start, end in pairwise([*starts, len(headings)]))


def _tops(headings: tuple[Block, ...]) -> list[int]:
    """Return where headings stand below no earlier one: each at most as deep as the one before it at the top."""
    starts = [0]
    for number, each in enumerate(headings):
        if number and each.level <= headings[starts[-1]].level:
            starts.append(number)
    return starts


def _node(headings: tuple[Block, ...]) -> Node:
    head = headings[0]
    return Node(title=head.text, level=head.level, anchor=head.anchor, children=tree(headings[1:]))


def structure(document: Document) -> Structure:
    """Return how a text is built, and a score for it.

    Weights: a heading for each 300 words 30, no level skipped and one top heading 20, paragraphs below 150 words 30, a
    list from 600 words on 10, alternative texts of images 10.
    """
    prose = [len(words.words(block.text)) for block in document.prose]
    paragraphs = tuple(len(words.words(block.text)) for block in document.blocks if block.kind == "paragraph")
    items = sum(block.kind == "item" for block in document.blocks)
    return Structure(
        score=scored(_checks(document, sum(prose), paragraphs, items)),
        tree=tree(document.headings),
        words=sum(prose),
        sections=len(document.headings),
        paragraphs=paragraphs,
        items=items,
        links=len(document.links),
        images=len(document.images),
    )


def _checks(document: Document, length: int, paragraphs: tuple[int, ...], items: int) -> Iterator[Check]:
    below = sum(block.level > 1 for block in document.headings)
    share = min(1.0, below * A_HEADING_EACH / length) if length > A_HEADING_EACH else float(length > 0)
    yield Check(
        name="headings", weight=30, share=share, evidence=f"{below} headings below the title over {length} words."
    )
    wrong = _misplaced(document.headings)
    share = 1 - wrong / max(len(document.headings), 1)
    yield Check(
        name="levels",
        weight=20,
        share=share,
        evidence=f"{wrong} of {len(document.headings)} headings skip a level or repeat the title's.",
    )
    walls = sum(each >= LONG_PARAGRAPH for each in paragraphs)
    share = 1 - walls / len(paragraphs) if paragraphs else 0.0
    yield Check(
        name="paragraphs",
        weight=30,
        share=share,
        evidence=f"{walls} of {len(paragraphs)} paragraphs have 150 words or more.",
    )
    if length >= WITH_LISTS:
        yield Check(name="lists", weight=10, share=float(items > 0), evidence=f"{items} items in lists.")
    if document.images:
        named = sum(bool(image.text) for image in document.images)
        share = named / len(document.images)
        yield Check(
            name="images",
            weight=10,
            share=share,
            evidence=f"{named} of {len(document.images)} images have an alternative text.",
        )


def _misplaced(headings: tuple[Block, ...]) -> int:
    """Return how many headings go down more than one level at once, or are a second title."""
    skipped = sum(lower.level > upper.level + 1 for upper, lower in pairwise(headings))
    return skipped + max(sum(block.level == 1 for block in headings) - 1, 0)
