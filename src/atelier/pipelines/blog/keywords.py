"""Keywords: candidates in texts, variants of a term, long phrases around it, and how hard it is to be found with it.

YAKE would bring networkx and five others, 13 MB, and ranks one text by itself; here several texts on one subject are
compared, which the C-value does with an addition and a logarithm.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import median
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words
from atelier.pipelines.blog.coverage import key, occurrences
from atelier.pipelines.blog.stopwords import STOP_WORDS

LONGEST: Final = 3
"""Words of the longest candidate."""

LONG_TAIL: Final = range(3, 7)
"""Words of a long phrase."""

LENGTH: Final = 2000
"""Words from which on a competitor is hard to beat by length."""

_ASKS: Final = frozenset(
    ["how", "what", "why", "when", "where", "which", "who", "can", "should", "is", "are", "does", "do"]
)
_CLAUSE = re.compile(r"[.!?;:,()\[\]{}\"“”„«»…|/\n\r\t。！？、，；：（）「」]+|\s[-–—]\s")  # noqa: RUF001 - full-width stops, dashes
_NUMBER = re.compile(r"[\d.,:]+")
Gram = tuple[str, ...]


@frozen
class Keyword:
    """A term as it stands most often, its score, how often it stands in all texts, and in how many of them."""

    term: str
    score: float
    count: int
    documents: int


@frozen
class Rival:
    """A page that is found for a term. `words` 0: it was not read."""

    title: str
    headings: tuple[str, ...] = ()
    words: int = 0


@frozen
class Difficulty:
    """0 (nobody aims at the term) to 100 (all do, at length), and what that was seen from."""

    score: float
    evidence: str


def candidates(texts: Sequence[str], *, most: int = 30, least: int = 2) -> tuple[Keyword, ...]:
    """Return terms of up to three words that stand there at least so often, the best first.

    C-value (Frantzi, Ananiadou and Mima 2000), with one more in the logarithm so that single words count, times the
    share of the texts that have the term: log2(words + 1) · (count - mean count of the longer terms it stands in) ·
    documents/texts.
    """
    counts, documents, written = _counted(texts)
    kept = {gram: found for gram, found in counts.items() if found >= least}
    longer: dict[Gram, list[int]] = defaultdict(list)
    for gram, found in kept.items():
        for part in _parts(gram):
            longer[part].append(found)
    scores = {gram: _value(gram, found, longer[gram], documents[gram] / len(texts)) for gram, found in kept.items()}
    best = sorted((gram for gram in kept if scores[gram] > 0), key=lambda gram: (-scores[gram], gram))[:most]
    return tuple(
        Keyword(term=_usual(written[gram]), score=scores[gram], count=kept[gram], documents=documents[gram])
        for gram in best
    )


def _value(gram: Gram, found: int, longer: Sequence[int], share: float) -> float:
    nested = sum(longer) / len(longer) if longer else 0.0
    return round(math.log2(len(gram) + 1) * (found - nested) * share, 3)


def _counted(texts: Sequence[str]) -> tuple[Counter[Gram], Counter[Gram], dict[Gram, Counter[str]]]:
    counts: Counter[Gram] = Counter()
    documents: Counter[Gram] = Counter()
    written: dict[Gram, Counter[str]] = defaultdict(Counter)
    for text in texts:
        here: set[Gram] = set()
        for run in _runs(text):
            for gram in _grams(run, range(1, LONGEST + 1)):
                name = tuple(words.singular(word) for word in gram)
                counts[name] += 1
                written[name][" ".join(gram)] += 1
                here.add(name)
        documents.update(here)
    return counts, documents, written


def _runs(text: str) -> Iterator[list[str]]:
    """Yield words in a row without a function word, a number alone or a stop between them."""
    for clause in _CLAUSE.split(text):
        run: list[str] = []
        for word in words.folded(clause):
            if word in STOP_WORDS or _NUMBER.fullmatch(word) or len(word) == 1:
                yield run
                run = []
            else:
                run.append(word)
        yield run


def _grams(row: Sequence[str], sizes: range) -> Iterator[Gram]:
    return (tuple(row[start : start + size]) for size in sizes for start in range(len(row) - size + 1))


def _parts(gram: Gram) -> set[Gram]:
    return set(_grams(gram, range(1, len(gram))))


def _usual(forms: Counter[str]) -> str:
    return min(forms, key=lambda form: (-forms[form], form))


def variants(term: str) -> tuple[str, ...]:
    """Return other forms of a term, in small letters: its last word in the plural and singular, its words turned round.

    `shade for gardens` and `gardens shade` turn into each other; the term itself is not among them.
    """
    own = words.folded(term)
    if not own:
        return ()
    *head, last = own
    numbers = [(*head, words.singular(last)), (*head, plural(words.singular(last)))]
    joint = next((at for at, word in enumerate(own[1:-1], 1) if word in {"for", "of", "in"}), 0)
    turned = (*own[joint + 1 :], *own[:joint]) if joint else (own[1], "for", own[0]) if len(own) == len("ab") else own
    return tuple(dict.fromkeys(" ".join(each) for each in (*numbers, turned) if each != own))


def plural(word: str) -> str:
    """Return a noun's regular plural."""
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(?:s|x|z|ch|sh)$", word) else "s")


def long_tail(term: str, texts: Sequence[str], *, most: int = 20) -> tuple[str, ...]:
    """Return phrases of three to six words around a term, those that stand in most texts first.

    They end with a word that carries something, and begin with one, or at the start of a clause with one that asks. A part of a phrase that
    stands there just as often is left out.
    """
    wanted = key(term)
    counts: Counter[Gram] = Counter()
    documents: Counter[Gram] = Counter()
    for text in texts:
        here = [gram for clause in _CLAUSE.split(text) for gram in _phrases(clause, wanted)]
        counts.update(here)
        documents.update(set(here))
    ranked = sorted(counts, key=lambda gram: (-documents[gram], -counts[gram], -len(gram), gram))
    covered = {part: counts[gram] for gram in sorted(counts, key=counts.__getitem__) for part in _parts(gram)}
    return tuple(" ".join(gram) for gram in ranked if covered.get(gram, 0) < counts[gram])[:most]


def _phrases(clause: str, wanted: Gram) -> list[Gram]:
    row = words.folded(clause)
    if not wanted or not occurrences(key(clause), wanted):
        return []
    keys = [key(word) for word in row]
    return [
        tuple(row[start : start + size])
        for size in LONG_TAIL
        for start in range(len(row) - size + 1)
        if row[start + size - 1] not in STOP_WORDS
        and (row[start] not in STOP_WORDS or (start == 0 and row[0] in _ASKS))
        and occurrences(tuple(chain.from_iterable(keys[start : start + size])), wanted)
    ]


def difficulty(term: str, rivals: Iterable[Rival]) -> Difficulty:
    """Return how hard a term is, from the pages that are found for it; without any 0.

    50 · share with it in the title + 20 · share with it in a heading + 30 · min(1, median words/2000), over those that
    were read. A proxy: it knows nothing of links and visits.
    """
    found, wanted = tuple(rivals), key(term)
    if not found or not wanted:
        return Difficulty(score=0.0, evidence="There are no search results to judge by.")
    titles = sum(occurrences(key(rival.title), wanted) > 0 for rival in found)
    headings = sum(any(occurrences(key(each), wanted) for each in rival.headings) for rival in found)
    length = median([rival.words for rival in found if rival.words] or [0])
    score = (50 * titles + 20 * headings) / len(found) + 30 * min(length / LENGTH, 1)
    return Difficulty(
        score=round(score, 1),
        evidence=f"{titles} of {len(found)} results have it in their title, {headings} in a heading; their median length is {length:.0f} words.",
    )
