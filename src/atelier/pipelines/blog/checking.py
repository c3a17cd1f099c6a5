"""What the sources say of what the post says: sentences that can be checked, and quotes that are really there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import figures, support, words
from atelier.pipelines.blog.coverage import stems
from atelier.pipelines.blog.researching import Source

RELATED: Final = 0.25
"""Share of a sentence's content words that a quote in other words has at least."""

SHORTEST_QUOTE: Final = 4
"""Words of a quote; fewer stand anywhere."""


@frozen
class Found:
    """A sentence, and the source that says so, None where none does. `reason`: why not; `nearest`: the passage next to it."""

    claim: str
    source: int | None
    reason: str = ""
    nearest: int | None = None


class Checker:
    """Knows what all sources say."""

    def __init__(self, sources: Sequence[Source], own: Iterable[str]) -> None:
        """`own` are the post's topic and keywords: to name them is no claim."""
        self._numbers = {source.url: source.number for source in sources}
        self._texts = {source.number: words.folded(source.text) for source in sources}
        self._library = support.Library(
            passage for each in sources for passage in support.passages(each.url, each.text, title=each.title)
        )
        names = "|".join(sorted({re.escape(word) for term in own for word in words.words(term)}, key=len, reverse=True))
        self._own = re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE) if names else None

    def claims(self, text: str) -> tuple[str, ...]:
        """Return the sentences of plain text that assert what could be looked up, as they stand there."""
        return tuple(sentence for sentence in words.sentences(text) if self._asserts(sentence))

    def _asserts(self, sentence: str) -> bool:
        plain = self._own.sub(lambda name: name.group().lower(), sentence) if self._own is not None else sentence
        return bool(support.claims(plain))

    def looked_up(self, claim: str) -> Found:
        """Return which source says so in words like these."""
        known = self._library.support(claim)
        nearest = self._numbers[known.passage.source] if known.passage is not None else None
        return Found(claim=claim, source=nearest if known.supported else None, reason=known.reason, nearest=nearest)

    def confirms(self, claim: str, number: int | None, quote: str) -> bool:
        """Whether a source really has the quote, word for word, and the quote says no other figures than the claim."""
        own = words.folded(quote)
        if number not in self._texts or len(own) < SHORTEST_QUOTE or not _within(own, self._texts[number]):
            return False
        wanted = stems(claim)
        shared = len(wanted & stems(quote)) / len(wanted) if wanted else 0.0
        return shared >= RELATED and not figures.numbers(claim) - figures.numbers(quote)


def _within(row: Sequence[str], text: Sequence[str]) -> bool:
    size, wanted = len(row), tuple(row)
    return any(tuple(text[at : at + size]) == wanted for at in range(len(text) - size + 1) if text[at] == wanted[0])
