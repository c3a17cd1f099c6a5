"""Whether a source says what a sentence says: its words, all its numbers and names, and in the same sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import figures, words
from atelier.pipelines.blog.coverage import stems
from atelier.pipelines.blog.stopwords import STOP_WORDS

ENOUGH: Final = 0.75
"""The share of a claim's content words that a passage has to have. Paraphrases of a source lie above it, other
sentences on the same subject, two new words among six, below: both are shown in the tests."""

FEWEST: Final = 3
"""A claim has at least so many content words; less says too little to be looked up."""

_REPORTING: Final = frozenset(
    map(
        words.stem,
        [
            "study",
            "research",
            "researcher",
            "report",
            "find",
            "found",
            "show",
            "shown",
            "accord",
            "survey",
            "evidence",
            "expert",
            "scientist",
            "estimate",
        ],
    )
)

_ASSERTS = re.compile(
    r"\b(?:according to|study|studies|research(?:ers)?|survey|report(?:ed|s)?|found that|shows? that|showed|evidence|data|"
    r"proven|scientists?|experts?|statistics?|estimated?|first|largest|smallest|oldest|fastest|highest|lowest)\b",
    re.IGNORECASE,
)


@frozen
class Passage:
    """One or two sentences of a source, with what is compared. `source` names it, an address say."""

    source: str
    title: str
    text: str
    stems: frozenset[str]
    numbers: frozenset[str]
    words: frozenset[str]
    negated: bool
    direction: int


@frozen
class Support:
    """How well a claim stands in its best passage, None where there is none. `reason` says why it does not."""

    claim: str
    passage: Passage | None
    reason: str = ""

    @property
    def supported(self) -> bool:
        """Whether the passage says so."""
        return self.passage is not None and not self.reason


def claims(text: str) -> tuple[str, ...]:
    """Return the sentences of plain text that assert what could be looked up: with a number, a name, or a word of proof.

    Questions are none, nor is what has fewer than three content words.
    """
    return tuple(sentence for sentence in words.sentences(text) if _asserts(sentence))


def _asserts(sentence: str) -> bool:
    if sentence.endswith("?") or len(_content(sentence)) < FEWEST:
        return False
    return bool(figures.numbers(sentence) or figures.names(sentence) or _ASSERTS.search(sentence))


def _content(claim: str) -> frozenset[str]:
    """Return the stems of what a claim is about; what is checked otherwise, or only says who says so, is left out."""
    about = stems(claim) - _REPORTING - figures.DIRECTIONS
    return frozenset(stem for stem in about if not stem[0].isdigit())


def passages(source: str, text: str, *, title: str = "") -> tuple[Passage, ...]:
    """Return a source's plain text in passages: each sentence, and each with the next one of its paragraph."""
    found: list[Passage] = []
    for paragraph in words.paragraphs(text):
        said = words.sentences(paragraph)
        pairs = [" ".join(pair) for pair in pairwise(said)]
        found.extend(_passage(source, title, piece) for piece in (*said, *pairs))
    return tuple(found)


def _passage(source: str, title: str, text: str) -> Passage:
    return Passage(
        source=source,
        title=title,
        text=text,
        stems=stems(text),
        numbers=figures.numbers(text),
        words=frozenset(words.folded(text)),
        negated=figures.negated(text),
        direction=figures.direction(text),
    )


class Library:
    """Passages of all sources, to look claims up in."""

    def __init__(self, found: Iterable[Passage]) -> None:
        self._passages = tuple(found)
        written = {word for each in self._passages for word in words.words(each.text)}
        self._ordinary = _REPORTING | {words.stem(word) for word in written if word.islower()}

    def support(self, claim: str) -> Support:
        """Return the passage that says what the claim says; else the nearest one, and why it does not.

        It does where it has three quarters of the claim's content words by their stems, all its numbers, years and names,
        denies where the claim denies, and does not say that something falls where the claim says that it rises. Numbers
        and words of rising, falling and reporting are not among the content words.
        """
        wanted = _content(claim)
        if len(wanted) < FEWEST:
            return Support(claim=claim, passage=None, reason="It says too little to be looked up.")
        ranked = sorted(self._shares(wanted), key=lambda each: -each[0])
        near = [(share, self._passages[at]) for share, at in ranked if share >= ENOUGH]
        if not near:
            share, at = ranked[0] if ranked else (0.0, -1)
            return _unsaid(claim, self._passages[at] if share else None, share)
        asked = _Asked(claim, self._names(claim))
        judged = [(share, passage, asked.missing_in(passage)) for share, passage in near]
        share, passage, reason = next((each for each in judged if not each[2]), judged[0])
        return Support(claim=claim, passage=passage, reason=reason)

    def _shares(self, wanted: frozenset[str]) -> Iterable[tuple[float, int]]:
        return ((round(len(wanted & each.stems) / len(wanted), 3), at) for at, each in enumerate(self._passages))

    def _names(self, claim: str) -> frozenset[str]:
        """Return the claim's names; its first word is one where no source has it in small letters."""
        first = words.words(claim)[:1]
        opens = frozenset(word.casefold() for word in first if word[0].isupper() and not self._usual(word.casefold()))
        return figures.names(claim) | opens

    def _usual(self, word: str) -> bool:
        return word in STOP_WORDS or words.stem(word) in self._ordinary


def _unsaid(claim: str, nearest: Passage | None, share: float) -> Support:
    near = f"; the nearest passage has {share:.0%} of its words" if nearest is not None else ""
    return Support(claim=claim, passage=nearest, reason=f"No source says this{near}.")


class _Asked:
    """What a claim wants of a passage beside its words."""

    def __init__(self, claim: str, names: frozenset[str]) -> None:
        self._numbers, self._names = figures.numbers(claim), names
        self._negated, self._direction = figures.negated(claim), figures.direction(claim)

    def missing_in(self, passage: Passage) -> str:
        """Return why a passage does not say what is claimed; empty where it does."""
        if strange := self._numbers - passage.numbers:
            return f"The source has not the number {_listed(strange)}."
        if unknown := self._names - passage.words - frozenset(words.folded(passage.title)):
            return f"The source does not name {_listed(unknown)}."
        if self._negated != passage.negated:
            return "One of the two denies what the other says."
        if self._direction * passage.direction < 0:
            return "The source says that it goes the other way."
        return ""


def _listed(values: Iterable[str]) -> str:
    shown: Sequence[str] = sorted(values)[:3]
    return ", ".join(shown)
