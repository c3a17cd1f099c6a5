"""How easily a text is read: Flesch's reading ease and the school grade of Flesch and Kincaid."""

from __future__ import annotations

from atelier.frozen import frozen
from atelier.pipelines.blog import words

_LEVELS = (
    (90, "very easy"),
    (80, "easy"),
    (70, "fairly easy"),
    (60, "plain English"),
    (50, "fairly difficult"),
    (30, "difficult"),
)
"""Flesch, The Art of Readable Writing (1949): from this score up."""


@frozen
class Readability:
    """`score` is Flesch's reading ease, cut to 0 … 100 (higher is easier); `grade` a school year of the US, at least 0."""

    score: float
    grade: float
    sentences: int
    words: int
    syllables: int

    @property
    def evidence(self) -> str:
        """What the score was made from."""
        if not self.words:
            return "There is no text to judge."
        level = next((name for least, name in _LEVELS if self.score >= least), "very difficult")
        return (
            f"Flesch {self.score:g}: {level}, school grade {self.grade:g}; {self.words / self.sentences:.1f} words a sentence, "
            f"{self.syllables / self.words:.2f} syllables a word."
        )


def readability(text: str) -> Readability:
    """Return how easily plain English text is read; 0 for none.

    Ease: 206.835 - 1.015 words/sentences - 84.6 syllables/words (Flesch 1948). Grade: 0.39 words/sentences + 11.8
    syllables/words - 15.59 (Kincaid and others 1975). Both are made for English.
    """
    count = len(found := words.words(text))
    said = sum(1 for sentence in words.sentences(text) if words.words(sentence))
    spoken = sum(map(words.syllables, found))
    if not count:
        return Readability(score=0.0, grade=0.0, sentences=0, words=0, syllables=0)
    length, weight = count / said, spoken / count
    return Readability(
        score=round(min(max(206.835 - 1.015 * length - 84.6 * weight, 0.0), 100.0), 1),
        grade=round(max(0.39 * length + 11.8 * weight - 15.59, 0.0), 1),
        sentences=said,
        words=count,
        syllables=spoken,
    )
