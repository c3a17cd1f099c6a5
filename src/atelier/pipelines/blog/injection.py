"""Sentences in other people's texts that read like instructions to a model, and characters that nobody sees."""

from __future__ import annotations

import re
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import words
from atelier.pipelines.blog.orders import reads_like_orders

MOST: Final = 20
LONGEST: Final = 300
"""Of what was taken out, so many pieces are kept to be shown, each of so many characters."""

_TAGS = range(0xE0000, 0xE0080)
"""Unicode's tag characters: ASCII that is not shown."""

_UNSEEN = {
    ord(each): None
    for each in "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
} | dict.fromkeys(_TAGS)
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t\x85"}
_TAGGED = re.compile("[\U000e0020-\U000e007e]{4,}")


@frozen
class Cleaned:
    """A text without what reads like orders, and that, in order, cut short; see `MOST` and `LONGEST`."""

    text: str
    suspicious: tuple[str, ...]


def cleaned(text: str) -> Cleaned:
    """Return a text, plain or Markdown, without sentences that read like instructions to a model, and without unseen characters.

    Lines without such sentences stay as they are. A filter, no proof: what is left is still data, never an instruction.
    """
    found = ["".join(chr(ord(each) - _TAGS.start) for each in tagged) for tagged in _TAGGED.findall(text)]
    seen = text.replace("\r\n", "\n").translate(_UNSEEN).translate(_CONTROLS)
    paragraphs = [_paragraph(part, found) for part in seen.split("\n\n")]
    return Cleaned(text="\n\n".join(part for part in paragraphs if part.strip()).strip(), suspicious=_told(found))


def _paragraph(part: str, found: list[str]) -> str:
    kept = [line for line in (_line(each, found) for each in part.split("\n")) if line is not None]
    for at in range(len(kept) - 1):
        pair = f"{kept[at]} {kept[at + 1]}".strip()
        if reads_like_orders(pair):
            found.append(pair)
            kept[at] = kept[at + 1] = ""
    left = "\n".join(line for line in kept if line)
    if reads_like_orders(" ".join(left.split())):
        found.append(" ".join(left.split()))
        return ""
    return left


def _line(line: str, found: list[str]) -> str | None:
    """Return a line without suspicious sentences; None where nothing of it is left."""
    if not reads_like_orders(line):
        return line
    return " ".join(_kept(line, found)) or None


def _kept(text: str, found: list[str]) -> list[str]:
    """Return the sentences that are harmless; where only all together are not, none is."""
    kept: list[str] = []
    for sentence in words.sentences(text):
        (found if reads_like_orders(sentence) else kept).append(sentence)
    if reads_like_orders(" ".join(kept)):
        found.append(" ".join(kept))
        return []
    return kept


def _told(found: list[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(each if len(each) <= LONGEST else each[: LONGEST - 1] + "…" for each in found)
    return tuple(unique)[:MOST]
