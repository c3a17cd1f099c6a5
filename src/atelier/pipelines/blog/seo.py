"""Whether a post can be found and shown well: title, description, address, where its keyword stands, its own anchors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words
from atelier.pipelines.blog.coverage import OVERUSED, Density, count, coverage
from atelier.pipelines.blog.document import Document, slug
from atelier.pipelines.blog.scores import Check, Score, scored, within

TITLE: Final = (30, 60)
"""Characters: what Google shows of a title on a wide screen (about 600 pixels)."""

DESCRIPTION: Final = (70, 160)
"""Characters of a description that are shown."""

LEAD: Final = 100
"""Words within which the keyword should be named."""

RARE: Final = 0.3
"""Per cent of all words below which a text is hardly about its keyword."""

ENOUGH_WORDS: Final = 300


@frozen
class Post:
    """What is looked at: the post, what search engines are told of it, its keyword and the others it should have."""

    document: Document
    title: str
    meta_title: str
    meta_description: str
    keyword: str
    keywords: Sequence[str] = ()


def seo(post: Post) -> Score:
    """Return the score of a post: the weighted mean of what is looked at, each with its evidence."""
    return scored((*_shown(post), *_placed(post), *_linked(post.document)))


def _shown(post: Post) -> Iterator[Check]:
    for name, text, (low, high) in (
        ("title", post.meta_title, TITLE),
        ("description", post.meta_description, DESCRIPTION),
    ):
        seen = f"The {name} has {len(text)} characters; {low} to {high} are shown well."
        yield Check(name=f"{name} length", weight=10, share=within(len(text), low, high), evidence=seen)


def _placed(post: Post) -> Iterator[Check]:
    text = post.document.text
    below = " \n".join(block.text for block in post.document.headings if block.level > 1)
    lead = " ".join(words.words("\n\n".join(block.text for block in post.document.prose))[:LEAD])
    places = (
        ("title", 15, post.meta_title),
        ("description", 8, post.meta_description),
        ("address", 5, slug(post.title).replace("-", " ")),
        ("first 100 words", 10, lead),
        ("headings", 10, below),
    )
    for name, weight, where in places:
        found = count(where, post.keyword) > 0
        seen = f"The keyword is {'' if found else 'not '}in the {name}."
        yield Check(name=f"keyword in {name}", weight=weight, share=float(found), evidence=seen)
    (main,) = coverage(text, [post.keyword]).terms
    yield Check(
        name="density",
        weight=10,
        share=_density(main),
        evidence=f"The keyword is {main.per_cent:g} % of all words ({main.count} times).",
    )
    if post.keywords:
        others = coverage(text, post.keywords)
        seen = f"{len(others.terms) - len(others.missing)} of {len(others.terms)} further keywords are in the text."
        yield Check(name="keywords", weight=8, share=others.share, evidence=seen)


def _density(main: Density) -> float:
    if main.overused:
        return OVERUSED / main.per_cent
    return min(main.per_cent / RARE, 1.0)


def _linked(document: Document) -> Iterator[Check]:
    length = len(words.words(document.text))
    yield Check(
        name="length", weight=6, share=min(length / ENOUGH_WORDS, 1.0), evidence=f"The text has {length} words."
    )
    outside = sum(link.url.startswith(("http://", "https://")) for link in document.links)
    yield Check(name="links", weight=4, share=float(outside > 0), evidence=f"{outside} links lead to other pages.")
    inside, dead = anchors(document)
    if inside:
        seen = f"{len(dead)} of {inside} links within the post lead nowhere."
        yield Check(name="anchors", weight=4, share=1 - len(dead) / inside, evidence=seen)


def anchors(document: Document) -> tuple[int, tuple[str, ...]]:
    """Return how many links lead to a heading of the post itself, and those whose heading there is not."""
    known = {block.anchor for block in document.headings}
    inside = [link.url.removeprefix("#") for link in document.links if link.url.startswith("#")]
    return len(inside), tuple(anchor for anchor in inside if anchor not in known)
