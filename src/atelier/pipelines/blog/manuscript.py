"""The post as it is so far: sections in their latest form, put together. Pure, from what is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from atelier.frozen import frozen
from atelier.pipelines.blog import document, figures, render, words
from atelier.pipelines.blog.researching import known
from atelier.pipelines.blog.state import BlogRun
from atelier.pipelines.writing import Written

SHORTEST, LONGEST = 0.6, 1.7
"""A new form of a text has no less and no more than this share of its words."""

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(\s*<?([^)\s>]*)>?[^)\n]*\)")
_LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(\s*<?([^)\s>]*)>?[^)\n]*\)")
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^>\s]*)>", re.IGNORECASE)
_REFERENCE = re.compile(r"^[ ]{0,3}\[[^\]\n]+\]:[ \t]*\S+.*$\n?", re.MULTILINE)
_FENCE = re.compile(r"\A```(?:markdown|md)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SUBHEADING: Final = 3


@frozen
class Piece:
    """A section of the post: its number from 1, its heading (empty: the introduction has none), and its Markdown."""

    number: int
    heading: str
    markdown: str

    @property
    def text(self) -> str:
        """Its plain text."""
        return document.read(self.markdown).text


@frozen
class Manuscript:
    """The post: its title, its sections in order, and whether a table of contents stands behind the introduction."""

    title: str
    pieces: tuple[Piece, ...]
    contents: bool = False

    @property
    def body(self) -> str:
        """The post in Markdown without its table of contents, the title the only heading of the first level."""
        first, *rest = (
            f"## {piece.heading}\n\n{piece.markdown}" if piece.heading else piece.markdown for piece in self.pieces
        )
        return "\n\n".join((f"# {self.title}", first, *rest)) + "\n"

    def whole(self, form: Callable[[Piece], str]) -> str:
        """Return the post as it is published, with each section's Markdown in another form."""
        first, *rest = self.pieces
        sections = [f"## {piece.heading}\n\n{form(piece)}" for piece in rest]
        listed = render.contents(document.read("\n\n".join(sections))) if self.contents else ""
        return "\n\n".join(part for part in (f"# {self.title}", form(first), listed, *sections) if part) + "\n"


def manuscript(run: BlogRun) -> Manuscript:
    """Return the post as the stages so far have left it."""
    state = run.state
    headings = [section.heading for section in state.outline.sections]
    if state.polish is not None and state.polish.headings:
        headings = [headings[0], *state.polish.headings]
    pieces = []
    for number, heading in enumerate(headings, 1):
        text = drafted(run, number)
        if number in state.enhanced:
            text = tidied(_written(run, f"enhance/{number}"), heading, known(run))[0]
        for edit in state.edits:
            if edit.section == number:
                text = text.replace(edit.before, edit.after, 1)
        pieces.append(Piece(number=number, heading=heading if number > 1 else "", markdown=text))
    title = state.polish.title if state.polish is not None else state.outline.title
    return Manuscript(title=title, pieces=tuple(pieces), contents=state.polish is not None and state.polish.contents)


def drafted(run: BlogRun, number: int) -> str:
    """Return a section's first form."""
    heading = run.state.outline.sections[number - 1].heading
    return tidied(_written(run, f"section/{number}"), heading, known(run))[0]


def _written(run: BlogRun, key: str) -> str:
    kept = run.kept(key)
    assert kept is not None, "a section is written before it is read"  # noqa: S101 - narrows the type
    return Written.model_validate(kept).text


def tidied(text: str, heading: str, addresses: frozenset[str]) -> tuple[str, int]:
    """Return a section as it may stand in the post, and how many links it lost: those to pages that nobody has read.

    Its own heading is not repeated, others are of the third level at least; images are left out, for nobody has seen them.
    """
    fenced = _FENCE.match(text.strip())
    text = _HEADING.sub(_lowered, fenced.group(1) if fenced else text)
    first, _, rest = text.strip().partition("\n")
    if _same(first.lstrip("# "), heading):
        text = rest
    lost = len(_AUTOLINK.findall(text)) + len(_REFERENCE.findall(text)) + len(_IMAGE.findall(text))
    text = _IMAGE.sub("", _AUTOLINK.sub("", _REFERENCE.sub("", text)))
    lost += sum(not _allowed(link.group(2), addresses) for link in _LINK.finditer(text))
    text = _LINK.sub(lambda link: link.group() if _allowed(link.group(2), addresses) else link.group(1), text)
    return re.sub(r"\n{3,}", "\n\n", text).strip(), lost


def _lowered(heading: re.Match[str]) -> str:
    return "#" * max(len(heading.group(1)), _SUBHEADING) + f" {heading.group(2)}"


def _same(line: str, heading: str) -> bool:
    return words.folded(line) == words.folded(heading)


def _allowed(url: str, addresses: frozenset[str]) -> bool:
    return url in addresses


def worse(before: str, after: str, figures_known: frozenset[str]) -> str:
    """Return why a new form of a Markdown text is not taken; empty where it is."""
    old, new = document.read(before), document.read(after)
    length, was = len(words.words(new.text)), len(words.words(old.text))
    if length < SHORTEST * was:
        return f"it has only {length} of {was} words"
    if length > LONGEST * was:
        return f"it has {length} words instead of {was}"
    if len(new.headings) < len(old.headings):
        return "headings are missing in it"
    if invented := figures.numbers(new.text) - figures.numbers(old.text) - figures_known:
        return f"no source has its figures ({', '.join(sorted(invented)[:3])})"
    return ""
