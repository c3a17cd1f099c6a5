"""The text of one web page, in a process of its own: `python -m atelier.providers.page_text TYPE CHARSET`, bytes in, JSON out.

HTML is other people's, and parsers can be brought to take minutes and gigabytes for two megabytes of it: the kernel ends
this process where it takes more seconds or more memory than a page needs.
"""

from __future__ import annotations

import codecs
import json
import re
import resource
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from atelier.pipelines.blog import injection, words
from atelier.pipelines.blog.orders import reads_like_orders

CPU_SECONDS: Final = 5
MEMORY_BYTES: Final = 1024**3
LONGEST: Final = 200_000
"""Characters of a page's text; what comes behind is left out."""

MOST_HEADINGS: Final = 200
LONGEST_TITLE: Final = 300
LINKED: Final = 0.5
"""The share of a block's characters in links from which on it is a menu."""

MAIN: Final = 0.3
"""The share of the page's text that its main part has, where it names one."""

_SKIPPED = frozenset(
    ["script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video", "nav", "aside",
     "footer", "form", "button", "select", "option", "textarea", "dialog", "menu", "head"]
)  # fmt: skip
_ROLES = frozenset(["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alert", "menu"])
_BLOCKS = frozenset(
    ["p", "div", "section", "article", "main", "li", "dd", "dt", "blockquote", "pre", "td", "th", "caption", "figcaption",
     "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "tr", "header", "figure", "body", "br", "hr", "address", "center", "details", "summary"]
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|opacity:0(?:\.0+)?(?:;|$)|font-size:0(?:\.0+)?(?:px|pt|em|rem|%)?(?:;|$)"
    r"|(?:left|top|text-indent):-\d{3,}|clip(?:-path)?:|transform:scale\(0\)|(?<!-)(?:width|height):[01]px"
)
_COLOURS = re.compile(r"(?:^|;)(color|background(?:-color)?):([^;]+)")
_CONTROLS = {code: " " for code in (*range(32), 127) if chr(code) not in "\n\t"}
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_CHARSETS = frozenset(
    ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
     "cp1258", "cp874", "cp866", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-10",
     "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "koi8-r", "koi8-u", "mac-roman", "gbk", "gb2312", "gb18030", "big5", "euc_jp",
     "shift_jis", "cp932", "iso2022_jp", "euc_kr", "cp949"]
)  # fmt: skip
"""Those that pages are written in, by Python's names; some of Python's others are no charsets, or take very long."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Around:
    """What is true of everything within an element. `level` is a heading's; 0 for anything else."""

    hidden: bool = False
    main: bool = False
    linked: bool = False
    level: int = 0


@dataclass(slots=True)
class Block:
    """A piece of text that stands by itself, while it is collected."""

    around: Around
    parts: list[str] = field(default_factory=list)
    linked: int = 0

    @property
    def text(self) -> str:
        """Its text in one line."""
        return " ".join("".join(self.parts).split())


class Blocks:
    """The blocks of a page that are seen, and those that are hidden, each in order.

    Walks without recursion: pages may be nested as deep as they like.
    """

    def __init__(self, root: Any) -> None:  # noqa: ANN401 - an element of lxml
        self.seen, self.hidden = [Block(Around())], [Block(Around(hidden=True))]
        self._stack: list[tuple[Any, Around, bool]] = [(root, Around(), False)]
        while self._stack:
            element, around, left = self._stack.pop()
            if left:
                self._leave(element, around)
            elif isinstance(element.tag, str) and not _skipped(element):
                self._enter(element, around)
            else:
                self._say(element.tail, around)

    def _enter(self, element: Any, around: Around) -> None:  # noqa: ANN401 - an element of lxml
        inside = _inside(element, around)
        if element.tag in _BLOCKS:
            self._of(inside).append(Block(inside))
        self._stack.append((element, around, True))
        self._stack.extend((child, inside, False) for child in reversed(element))
        self._say(element.text, inside)

    def _leave(self, element: Any, around: Around) -> None:  # noqa: ANN401 - an element of lxml
        if element.tag in _BLOCKS:
            self._of(around).append(Block(around))
        self._say(element.tail, around)

    def _say(self, text: str | None, around: Around) -> None:
        if text:
            block = self._of(around)[-1]
            block.parts.append(text)
            block.linked += len(text.strip()) if around.linked else 0

    def _of(self, around: Around) -> list[Block]:
        return self.hidden if around.hidden else self.seen


def decoded(data: bytes, charset: str) -> str:
    """Return the bytes as text: by its mark, by what was said of it, by what it says, as UTF-8, else as Western European."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    declared = found[1].decode("ascii", "replace") if (found := _DECLARED.search(data[:4096])) else ""
    for name in (_known(charset, data), _known(declared, data), "utf-8"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    named = _known(charset, data)
    return data.decode("cp1252" if named == "utf-8" else named, "replace")


def _known(name: str, data: bytes) -> str:
    """Return a charset by Python's name, UTF-8 for one that is not known; 16 bits a letter only where there are such bytes."""
    try:
        found = codecs.lookup(name.strip("\"' ")).name if name else "utf-8"
    except (LookupError, ValueError):
        return "utf-8"
    if found in {"iso8859-1", "ascii"}:
        return "cp1252"  # what is meant by them on the web
    if found.startswith("utf-16") and b"\0" not in data[:200]:
        return "utf-8"
    return found if found in _CHARSETS else "utf-8"


def page_text(data: bytes, media_type: str, charset: str) -> dict[str, Any]:
    """Return title, text, headings, the number of words, and what in it reads like orders to a model."""
    source = decoded(data, charset)
    if media_type == "text/plain":
        return _told("", [(0, " ".join(part.split())) for part in words.paragraphs(source)], [])
    root = _tree(source.translate(_CONTROLS))
    if root is None:
        return _told("", [], [])
    blocks = Blocks(root)
    seen = [(block.around, text) for block in blocks.seen if _speaks(block, text := block.text)]
    main = [(around, text) for around, text in seen if around.main]
    if sum(len(text) for _, text in main) >= MAIN * sum(len(text) for _, text in seen):
        seen = main
    return _told(_title(root), [(around.level, text) for around, text in seen], [block.text for block in blocks.hidden])


def _tree(source: str) -> Any:  # noqa: ANN401 - lxml comes without types
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    try:
        return etree.fromstring(source.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _skipped(element: Any) -> bool:  # noqa: ANN401 - an element of lxml
    return element.tag in _SKIPPED or (element.get("role") or "").lower() in _ROLES


def _inside(element: Any, around: Around) -> Around:  # noqa: ANN401 - an element of lxml
    tag = element.tag
    return Around(
        hidden=around.hidden or _hidden(element),
        main=around.main or tag in {"main", "article"} or element.get("role") == "main",
        linked=around.linked or tag == "a",
        level=_HEADINGS.get(tag, 0 if tag in _BLOCKS else around.level),
    )


def _hidden(element: Any) -> bool:  # noqa: ANN401 - an element of lxml
    """Whether an element says itself that nobody sees it."""
    if element.get("hidden") is not None or (element.get("aria-hidden") or "").lower() == "true":
        return True
    style = "".join((element.get("style") or "")[:2000].lower().split()).replace("!important", "")
    if not style:
        return False
    colours = dict(_COLOURS.findall(style))
    ground = colours.get("background-color", colours.get("background"))
    return _HIDDEN.search(style) is not None or (ground is not None and ground == colours.get("color"))


def _speaks(block: Block, text: str) -> bool:
    return bool(text) and (block.around.level > 0 or block.linked < LINKED * len(text))


def _title(root: Any) -> str:  # noqa: ANN401 - an element of lxml
    named = root.xpath("string(//meta[@property='og:title']/@content)") or root.xpath("string(//head/title)")
    return " ".join(str(named or root.xpath("string(//h1)")).split())[:LONGEST_TITLE]


def _told(title: str, blocks: list[tuple[int, str]], hidden: list[str]) -> dict[str, Any]:
    text = "\n\n".join(line for _, line in blocks)[:LONGEST]
    clean = injection.cleaned(text)
    named = injection.cleaned(title)
    headings = [(level, injection.cleaned(line).text) for level, line in blocks if level][:MOST_HEADINGS]
    unseen = [line[: injection.LONGEST] for line in hidden if reads_like_orders(line[:LONGEST])]
    return {
        "title": named.text,
        "text": clean.text,
        "headings": [(level, line[:LONGEST_TITLE]) for level, line in headings if line],
        "words": len(words.words(clean.text)),
        "suspicious": list(dict.fromkeys([*named.suspicious, *clean.suspicious, *unseen]))[: injection.MOST],
    }


def main() -> None:
    """Read one page from the input, bounded in time and memory, and write what is in it."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    media_type, charset = sys.argv[1:]
    found = page_text(sys.stdin.buffer.read(), media_type, charset)
    sys.stdout.buffer.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()
