"""Markdown read once: its blocks, headings with anchors, links and images, and its plain text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from atelier.frozen import frozen

Kind = Literal["heading", "paragraph", "item", "quote", "cell", "code"]
LONGEST_SLUG: Final = 75
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_OPENED: Final[dict[str, Kind]] = {"list_item_open": "item", "blockquote_open": "quote"}
_CLOSED: Final = {"list_item_close", "blockquote_close"}
_CELLS: Final = {"th_open", "td_open"}
_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@frozen
class Block:
    """A piece of text by itself. `level` is a heading's, from 1, and `anchor` its name in addresses; else 0 and empty."""

    kind: Kind
    text: str
    level: int = 0
    anchor: str = ""


@frozen
class Link:
    """A link, or an image with its alternative text."""

    text: str
    url: str


@frozen
class Section:
    """A heading and what stands below it up to the next heading of any level. Before the first one: level 0."""

    level: int
    title: str
    anchor: str
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """Its plain text without the heading."""
        return plain(self.blocks)


@frozen
class Document:
    """A Markdown text: its blocks, links and images, each in order."""

    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    images: tuple[Link, ...]

    @property
    def headings(self) -> tuple[Block, ...]:
        """The headings, in order."""
        return tuple(block for block in self.blocks if block.kind == "heading")

    @property
    def prose(self) -> tuple[Block, ...]:
        """What is read as text, in order: all but headings, code and the cells of tables."""
        return tuple(block for block in self.blocks if block.kind in {"paragraph", "item", "quote"})

    @property
    def text(self) -> str:
        """The plain text without code, headings included; blocks are apart by an empty line."""
        return plain(block for block in self.blocks if block.kind != "code")

    @property
    def sections(self) -> tuple[Section, ...]:
        """The text by headings, in order; the part before the first one only where there is something."""
        starts = [number for number, block in enumerate(self.blocks) if block.kind == "heading"]
        lead = self.blocks[: starts[0]] if starts else self.blocks
        first = (Section(level=0, title="", anchor="", blocks=lead),) if lead else ()
        return (*first, *(self._section(start, end) for start, end in pairwise([*starts, len(self.blocks)])))

    def _section(self, start: int, end: int) -> Section:
        head = self.blocks[start]
        return Section(level=head.level, title=head.text, anchor=head.anchor, blocks=self.blocks[start + 1 : end])


def plain(blocks: Iterable[Block]) -> str:
    """Return the blocks' text, apart by empty lines."""
    return "\n\n".join(block.text for block in blocks if block.text)


def slug(text: str, *, most: int = LONGEST_SLUG) -> str:
    """Return a name for addresses: small letters and digits of any script and hyphens, cut between words; may be empty."""
    flat = unicodedata.normalize("NFKD", text.casefold())
    letters = _ACCENTS.sub("", flat).replace("'", "").replace("\u2019", "")
    parts = "".join(each if each.isalnum() else " " for each in unicodedata.normalize("NFC", letters)).split()
    name = ""
    for part in parts:
        longer = f"{name}-{part}" if name else part
        if len(longer) > most:
            break
        name = longer
    return name or "".join(parts)[:most]


def _tokens(markdown: str) -> list[Token]:
    """Return the Markdown parsed, every heading with an `id` of its own."""
    found = _parser.parse(markdown.encode("utf-8", "replace").decode())
    taken: Counter[str] = Counter()
    for head, inline in pairwise(found):
        if head.type == "heading_open":
            name = slug(_text(inline)) or "section"
            taken[name] += 1
            head.attrSet("id", name if taken[name] == 1 else f"{name}-{taken[name]}")
    return found


def rendered(markdown: str) -> str:
    """Return Markdown as HTML, its headings with their anchors as ids; not yet sanitised."""
    return str(_parser.renderer.render(_tokens(markdown), _parser.options, {}))


def read(markdown: str) -> Document:
    """Return what a Markdown text consists of. Raw HTML is text. Takes about a second for a megabyte of prose."""
    parsed = _tokens(markdown)
    children = [child for token in parsed for child in token.children or ()]
    return Document(blocks=tuple(_blocks(parsed)), links=tuple(_links(children)), images=tuple(_images(children)))


def _blocks(parsed: Sequence[Token]) -> Iterable[Block]:
    within: list[Kind] = []
    before = Token("", "", 0)
    for token in parsed:
        if kind := _OPENED.get(token.type):
            within.append(kind)
        elif token.type in _CLOSED:
            within.pop()
        elif token.type == "inline":
            yield _block(token, before, within[-1] if within else "paragraph")
        elif token.type in {"fence", "code_block"}:
            yield Block(kind="code", text=token.content.rstrip())
        before = token


def _block(inline: Token, opening: Token, kind: Kind) -> Block:
    text = _text(inline)
    if opening.type == "heading_open":
        return Block(kind="heading", text=text, level=int(opening.tag[1:]), anchor=str(opening.attrGet("id")))
    return Block(kind="cell" if opening.type in _CELLS else kind, text=text)


def _text(inline: Token) -> str:
    parts = [" " if child.type in {"softbreak", "hardbreak"} else _shown(child) for child in inline.children or ()]
    return " ".join("".join(parts).split())


def _shown(child: Token) -> str:
    return child.content if child.type in {"text", "code_inline", "text_special"} else ""


def _links(children: Sequence[Token]) -> Iterable[Link]:
    opened: Token | None = None
    said: list[str] = []
    for child in children:
        if child.type == "link_open":
            opened, said = child, []
        elif child.type == "link_close" and opened is not None:
            yield Link(text="".join(said).strip(), url=str(opened.attrGet("href") or ""))
            opened = None
        elif opened is not None:
            said.append(child.content)


def _images(children: Sequence[Token]) -> Iterable[Link]:
    for child in children:
        if child.type == "image":
            yield Link(text=child.content.strip(), url=str(child.attrGet("src") or ""))
