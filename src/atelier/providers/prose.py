"""Sentences, paragraphs and sections of the sandbox: the same words in give the same text out."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence

from atelier.frozen import frozen
from atelier.providers import phrases

PARAGRAPH = (4, 6)
"""Sentences of a paragraph, at least and at most."""

HALF = 7
"""Words of half a sentence: a text ends as near to its length as whole sentences allow."""

LIST_FROM = 150
"""Words from which on a section has a list."""

A_POINT = 60
"""Words that a section has for each of its points, at least; points for which there is no room are left out."""

LONGEST_NAME = 60
ASKING = (
    "how ",
    "what ",
    "why ",
    "when ",
    "where ",
    "who ",
    "which ",
    "is ",
    "are ",
    "can ",
    "do ",
    "does ",
    "should ",
)


@frozen
class Theme:
    """What is written about: the topic as it can stand in a sentence, and the keywords that shall come up."""

    topic: str
    keywords: tuple[str, ...]

    def title(self, number: int) -> str:
        """Return one of the titles."""
        return _upper(phrases.TITLES[number % len(phrases.TITLES)].format(topic=self.topic))


def theme(topic: str, keywords: Sequence[str]) -> Theme:
    """Return the theme; a topic that is a question or very long is named instead of being built into sentences."""
    plain = " ".join(topic.split()).rstrip(".?!").replace("{", "(").replace("}", ")")
    words = tuple(each.replace("{", "(").replace("}", ")") for each in keywords if each.strip())
    if len(plain) > LONGEST_NAME:
        plain = next((word for word in words if len(word) <= LONGEST_NAME), "this subject")
    elif plain.lower().startswith(ASKING):
        plain = f"“{plain}”"
    return Theme(topic=plain, keywords=words or (plain,))


def chance(*seeds: object) -> random.Random:
    """Return chance that is the same for the same seeds."""
    digest = hashlib.sha256("\x1f".join(str(seed) for seed in seeds).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - example texts keep no secret


def sentences(about: Theme, dice: random.Random) -> Iterator[str]:
    """Yield sentences without end; their parts come again only when all others have come."""

    def turns(of: Sequence[str]) -> Iterator[str]:
        return itertools.cycle(dice.sample(of, len(of)))

    openers, endings, things, names = map(turns, (phrases.OPENERS, phrases.ENDINGS, phrases.THINGS, about.keywords))
    people, helps = turns(phrases.PEOPLE), turns(phrases.HELPS)
    people_do, helps_do = turns(phrases.PEOPLE_DO), turns(phrases.HELPS_DO)
    for number in itertools.count(1):
        who, does = (helps, helps_do) if number % 3 == 0 else (people, people_do)
        form = f"{next(openers)}{next(who)} {next(does)}{next(endings)}"
        yield _upper(form.format(topic=about.topic, keyword=next(names), thing=next(things), other=next(things)))


def section(about: Theme, dice: random.Random, *, words: int, points: Sequence[str], facts: Sequence[str]) -> str:
    """Return paragraphs of about so many words, with the points, the facts and a keyword in them, as Markdown."""
    source = sentences(about, dice)
    given = [*_given(about, dice, source, points[: max(words // A_POINT, 1)], facts)]
    listed = _list(dice) if words >= LIST_FROM else ""
    left = words - len(listed.split())
    parts: list[str] = []
    while left > HALF or given:
        paragraph: list[str] = [given.pop(0)] if given else []
        size = dice.randint(*PARAGRAPH)
        while len(paragraph) < size and left - _length(paragraph) - _length(given) > HALF:
            paragraph.append(next(source))
        left -= _length(paragraph)
        parts.append(" ".join(paragraph))
    if listed:
        parts.insert(max(len(parts) - 1, 1), listed)
    return "\n\n".join(parts)


def _given(
    about: Theme, dice: random.Random, source: Iterator[str], points: Sequence[str], facts: Sequence[str]
) -> Iterator[str]:
    """Yield what has to be said, a paragraph's beginning each."""
    keyword = dice.choice(phrases.KEYWORDS).format(keyword=dice.choice(about.keywords))
    for number, point in enumerate(points):
        begun = dice.choice(phrases.POINTS).format(point=point, sentence=next(source))
        fact = dice.choice(phrases.FACTS).format(fact=facts[number]) if number < len(facts) else ""
        yield " ".join(filter(None, (begun, fact, keyword if number == 0 else "")))
    for fact in facts[len(points) :]:
        yield dice.choice(phrases.FACTS).format(fact=fact)


def _list(dice: random.Random) -> str:
    return "\n".join(f"- **{name}**: {what}." for name, what in dice.sample(phrases.LISTS, 3))


def _length(parts: Sequence[str]) -> int:
    return sum(len(part.split()) for part in parts)


def _upper(text: str) -> str:
    """Return the text with a capital first letter, wherever quotation marks stand."""
    for number, letter in enumerate(text):
        if letter.isalpha():
            return text[:number] + letter.upper() + text[number + 1 :]
    return text
