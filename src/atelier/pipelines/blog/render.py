"""A post as it is shown: sanitised HTML, a table of contents, how long it takes to read, and JSON-LD for search engines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import nh3

from atelier.jobs.models import Json
from atelier.pipelines.blog.document import Document, rendered

WORDS_A_MINUTE: Final = 238
"""Silent reading of English non-fiction by adults: Brysbaert (2019), a meta-analysis of 190 studies."""

LONGEST_HEADLINE: Final = 110
"""Characters of a headline that Google takes."""

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TAGS = {
    *_HEADINGS,
    *[
        "p",
        "br",
        "hr",
        "strong",
        "em",
        "s",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "a",
        "img",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ],
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    **{each: {"id"} for each in _HEADINGS},
}


def html(markdown: str) -> str:
    """Return Markdown as HTML with nothing in it that runs: headings have ids, links lead to the web, mail or the post itself."""
    return nh3.clean(
        rendered(markdown),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )


def contents(document: Document) -> str:
    """Return a table of contents in Markdown: the headings of the second and third level; empty below two of them."""
    listed = [block for block in document.headings if block.level in {2, 3}]
    if len(listed) < len(("one", "two")):
        return ""
    return "\n".join(f"{'  ' * (block.level - 2)}- [{_escaped(block.text)}](#{block.anchor})" for block in listed)


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\[]*_`<&" else each for each in text)


def reading_minutes(words: int) -> int:
    """Return how many minutes so many words take to read, rounded up, at least 1."""
    return max(math.ceil(words / WORDS_A_MINUTE), 1)


def article(
    *,
    title: str,
    description: str,
    keywords: Sequence[str],
    words: int,
    written_at: datetime,
    citations: Sequence[tuple[str, str]] = (),
    language: str = "en",
    publisher: str = "",
    url: str = "",
) -> Json:
    """Return the post as schema.org's BlogPosting, in JSON-LD. `citations` are titles and addresses, each named once."""
    data: Json = {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": title if len(title) <= LONGEST_HEADLINE else title[: LONGEST_HEADLINE - 1] + "…",
        "description": description,
        "keywords": ", ".join(keywords),
        "wordCount": words,
        "timeRequired": f"PT{reading_minutes(words)}M",
        "datePublished": written_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "inLanguage": language,
        "citation": [{"@type": "WebPage", "name": name, "url": where} for name, where in _once(citations)],
        "author": {"@type": "Organization", "name": publisher} if publisher else None,
        "mainEntityOfPage": {"@type": "WebPage", "@id": url} if url else None,
    }
    return {name: value for name, value in data.items() if value not in (None, "", [])}


def _once(citations: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    named: dict[str, str] = {}
    for title, url in citations:
        named.setdefault(url, title)
    return [(title, url) for url, title in named.items()]
