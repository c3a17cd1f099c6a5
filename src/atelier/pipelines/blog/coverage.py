"""What a text says of its subject: terms with their density, subtopics that are dealt with, words that are overused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words

OVERUSED: Final = 3.0
"""Per cent of all words from which on a term is stuffing, where it stands there at least `OFTEN` times."""

OFTEN: Final = 5
DEALT_WITH: Final = 0.6
"""The share of a subtopic's words that one paragraph has to have."""


@frozen
class Density:
    """How often a term stands in a text, in the singular or plural, and the per cent of all words that are its own."""

    term: str
    count: int
    per_cent: float

    @property
    def overused(self) -> bool:
        """Whether that reads as stuffing."""
        return self.count >= OFTEN and self.per_cent > OVERUSED


@frozen
class Coverage:
    """The terms as they were given, each with its density."""

    terms: tuple[Density, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Terms that are not in the text."""
        return tuple(each.term for each in self.terms if not each.count)

    @property
    def overused(self) -> tuple[str, ...]:
        """Terms that stand there too often."""
        return tuple(each.term for each in self.terms if each.overused)

    @property
    def share(self) -> float:
        """The share of the terms that are in the text, 0 to 1; 1 where there are none to look for."""
        return 1 - len(self.missing) / len(self.terms) if self.terms else 1.0


@frozen
class Subtopic:
    """A subtopic, the share of its words in the paragraph that has most of them, and whether that deals with it."""

    title: str
    share: float

    @property
    def covered(self) -> bool:
        """Whether the text deals with it."""
        return self.share >= DEALT_WITH


def key(term: str) -> tuple[str, ...]:
    """Return a term's words as they are compared: small letters, singular."""
    return tuple(words.singular(word) for part in words.folded(term) for word in part.split("-") if word)


def count(text: str, term: str) -> int:
    """Return how often a term stands in plain text, occurrences apart; a plural is its singular, a hyphen a space."""
    return occurrences(key(text), key(term))


def occurrences(of: Sequence[str], wanted: Sequence[str]) -> int:
    """Return how often the words stand in a row, by `key`; overlapping ones count once. No words: 0."""
    length, start, found = len(wanted), 0, 0
    if not length:
        return 0
    row = tuple(wanted)
    while start + length <= len(of):
        if of[start] == row[0] and tuple(of[start : start + length]) == row:
            found += 1
            start += length
        else:
            start += 1
    return found


def coverage(text: str, terms: Iterable[str]) -> Coverage:
    """Return how often each term stands in plain text."""
    own = key(text)
    return Coverage(terms=tuple(_density(own, term) for term in terms))


def _density(own: Sequence[str], term: str) -> Density:
    wanted = key(term)
    found = occurrences(own, wanted)
    return Density(term=term, count=found, per_cent=round(100 * found * len(wanted) / len(own), 2) if own else 0.0)


def subtopics(text: str, titles: Iterable[str]) -> tuple[Subtopic, ...]:
    """Return how far plain text deals with each subtopic: its content words, by their stems, found within one paragraph."""
    parts = [stems(part) for part in words.paragraphs(text)]
    return tuple(Subtopic(title=title, share=_best(stems(title), parts)) for title in titles)


def stems(text: str) -> frozenset[str]:
    """Return the stems of the words that carry the topic."""
    return frozenset(words.stem(word) for word in words.content(text))


def _best(wanted: frozenset[str], parts: Iterable[frozenset[str]]) -> float:
    if not wanted:
        return 0.0
    return round(max((len(wanted & part) for part in parts), default=0) / len(wanted), 3)
