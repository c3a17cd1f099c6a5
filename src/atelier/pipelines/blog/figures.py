"""What of a sentence can be checked against another one: numbers, names, negations, and whether things go up or down."""

from __future__ import annotations

import re
from typing import Final

from atelier.pipelines.blog import words
from atelier.pipelines.blog.stopwords import STOP_WORDS

_SCALES: Final = {
    "": 1.0,
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "million": 1e6,
    "bn": 1e9,
    "b": 1e9,
    "billion": 1e9,
    "trillion": 1e12,
}
_SPELT: Final = {
    name: str(value)
    for value, name in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=2
    )
}
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<currency>[$€£¥]\s?)?(?P<digits>\d+(?:[.,]\d+)*)"
    r"(?:\s?(?P<scale>thousand|million|billion|trillion|bn|[kKmMbB])\b)?"
    r"(?P<share>\s?(?:%|percent\b|per\scent\b))?",
    re.IGNORECASE,
)
_SPELT_OUT = re.compile(rf"\b({'|'.join(_SPELT)})\b", re.IGNORECASE)
_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|cannot|without|hardly)\b|n['\u2019]t\b", re.IGNORECASE
)

_UP: Final = frozenset(
    words.stem(word)
    for word in [
        "increase",
        "rise",
        "rose",
        "risen",
        "grow",
        "grew",
        "grown",
        "gain",
        "raise",
        "climb",
        "double",
        "triple",
        "more",
        "higher",
        "improve",
        "expand",
        "surge",
        "faster",
        "better",
        "above",
    ]
)
_DOWN: Final = frozenset(
    words.stem(word)
    for word in [
        "decrease",
        "fall",
        "fell",
        "fallen",
        "drop",
        "decline",
        "reduce",
        "reduction",
        "shrink",
        "shrank",
        "lose",
        "lost",
        "loss",
        "less",
        "fewer",
        "lower",
        "worsen",
        "cut",
        "halve",
        "slower",
        "worse",
        "below",
    ]
)

DIRECTIONS: Final = _UP | _DOWN
"""The stems of words by which something goes up or down."""


def numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text in one form: `1,000` and `1 thousand` are `1000`, `5 per cent` is `5%`, `six` is `6`.

    `one` is none: it mostly counts nothing.
    """
    spelt = _SPELT_OUT.sub(lambda found: _SPELT[found.group().lower()], text)
    return frozenset(_value(found) for found in _NUMBER.finditer(spelt))


def _value(found: re.Match[str]) -> str:
    digits = found["digits"]
    if _GROUPS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif digits.count(",") == 1 and "." not in digits:
        digits = digits.replace(",", ".")
    try:
        value = float(digits) * _SCALES[(found["scale"] or "").lower()]
    except ValueError:
        return digits  # 1.2.3 and the like: compared as it is written
    return f"{value:.12g}" + ("%" if found["share"] else "")


def names(sentence: str) -> frozenset[str]:
    """Return the words of a sentence that are names by their capitals, in small letters; the first only with two of them."""
    first, *rest = words.words(sentence) or ("",)
    marked = [word for word in rest if word[:1].isupper()]
    if sum(letter.isupper() for letter in first) > 1:
        marked.append(first)
    return frozenset(name for word in marked for name in words.folded(word) if name not in STOP_WORDS)


def negated(sentence: str) -> bool:
    """Whether a sentence denies: an odd number of words that do."""
    return len(_NEGATION.findall(sentence)) % 2 == 1


def direction(sentence: str) -> int:
    """Return 1 where things go up, -1 where they go down, 0 where neither is said, or both."""
    stems = {words.stem(word) for word in words.folded(sentence)}
    return bool(stems & _UP) - bool(stems & _DOWN)
