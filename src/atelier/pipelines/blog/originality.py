"""How much of a text stands word for word in its sources: runs of eight words that both have (w-shingles)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words

RUN: Final = 8
"""Words in a row that are hardly the same by chance (shingles: Broder 1997)."""


@frozen
class Originality:
    """`score` is 100 less the per cent of the text's eight-word runs that stand in a source.

    `longest` is the longest stretch of words all of whose eight-word runs stand in one source, 0 where there is none;
    `passage` is that stretch and `source` whose it is.
    """

    score: float
    copied: int
    runs: int
    longest: int
    passage: str = ""
    source: str = ""

    @property
    def evidence(self) -> str:
        """What was found."""
        if not self.copied:
            return "No eight words in a row stand in a source."
        return f"{self.copied} of {self.runs} runs of eight words stand in a source; the longest stretch has {self.longest} words."


def originality(text: str, sources: Mapping[str, str]) -> Originality:
    """Compare plain text with sources (their names and texts). A text of fewer than eight words is original."""
    own = words.folded(text)
    runs = _runs(own)
    copied: set[int] = set()
    longest, end, whose = 0, 0, ""
    for name, source in sources.items():
        theirs = set(_runs(words.folded(source)))
        found = [number for number, run in enumerate(runs) if run in theirs]
        copied.update(found)
        length, last = _stretch(found)
        if length > longest:
            longest, end, whose = length, last, name
    return Originality(
        score=round(100 * (1 - len(copied) / len(runs)), 1) if runs else 100.0,
        copied=len(copied),
        runs=len(runs),
        longest=longest,
        passage=" ".join(own[end - longest : end]),
        source=whose,
    )


def _runs(of: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(of[start : start + RUN]) for start in range(len(of) - RUN + 1)]


def _stretch(found: Sequence[int]) -> tuple[int, int]:
    """Return the words of the longest row of runs that follow each other, and where it ends."""
    longest, end, length = 0, 0, 0
    before = -2
    for number in found:
        length = length + 1 if number == before + 1 else 1
        if length > longest:
            longest, end = length, number + RUN
        before = number
    return (longest + RUN - 1, end) if longest else (0, 0)
