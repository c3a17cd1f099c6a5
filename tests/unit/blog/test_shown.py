"""Posts as they are shown and found: Markdown read, HTML that runs nothing, JSON-LD, search engines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml.html import fragment_fromstring

from atelier.pipelines.blog import document, render
from atelier.pipelines.blog.seo import Post, anchors, seo

TAGS = {"p", "h1", "pre", "code", "a", "img"}
MARKDOWN = """# Shade of *trees*

Intro with [a link](https://x.example/a "t") and ![an image](i.png).
Same paragraph.

## How trees cool & more

- one
- two
  continued

> quoted

1. [inside](#how-trees-cool-more)

```py
code()
```

| a | b |
|---|---|
| c | d |

## How trees cool & more
"""


def test_blocks() -> None:
    read = document.read(MARKDOWN)
    assert [(block.kind, block.text) for block in read.blocks] == [
        ("heading", "Shade of trees"),
        ("paragraph", "Intro with a link and . Same paragraph."),
        ("heading", "How trees cool & more"),
        ("item", "one"),
        ("item", "two continued"),
        ("quote", "quoted"),
        ("item", "inside"),
        ("code", "code()"),
        *(("cell", text) for text in "abcd"),
        ("heading", "How trees cool & more"),
    ]
    assert [(head.level, head.anchor) for head in read.headings] == [
        (1, "shade-of-trees"), (2, "how-trees-cool-more"), (2, "how-trees-cool-more-2")
    ]  # fmt: skip
    assert [(link.text, link.url) for link in read.links] == [
        ("a link", "https://x.example/a"), ("inside", "#how-trees-cool-more")
    ]  # fmt: skip
    assert [(image.text, image.url) for image in read.images] == [("an image", "i.png")]
    assert "code()" not in read.text
    assert [(section.level, section.title) for section in read.sections] == [
        (1, "Shade of trees"), (2, "How trees cool & more"), (2, "How trees cool & more")
    ]  # fmt: skip
    assert document.read("before\n\n# A").sections[0].text == "before"


@pytest.mark.parametrize(
    ("text", "slug"),
    [("Émile's Zürich: 10 things & more!", "emiles-zurich-10-things-more"), ("日本語 です", "日本語-です"), ("…", ""), ("x" * 100, "x" * 75),
     ("a" * 40 + " " + "b" * 40, "a" * 40)],
)  # fmt: skip
def test_slugs(text: str, slug: str) -> None:
    assert document.slug(text) == slug


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "[x](data:text/html;base64,PHN2Zz4=)",
     "![x](javascript:alert(1))", "<svg/onload=alert(1)>", '[x](https://a.example " onmouseover=alert(1) ")', "<a href='vbscript:x'>x</a>",
     "```<script>\nx\n```", "# <b onclick=x>a</b>", "[x]: javascript:alert(1)\n\n[x]", "<iframe src=//x>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
)  # fmt: skip
def test_nothing_in_the_html_runs(hostile: str) -> None:
    root = fragment_fromstring(render.html(hostile), create_parent="main")
    for element in root.iterdescendants():
        assert element.tag in TAGS
        assert set(element.keys()) <= {"href", "src", "title", "alt", "id", "rel"}
        for address in (element.get("href", "#"), element.get("src", "#")):
            assert address.startswith(("#", "https://", "i.png"))


def test_html_keeps_what_a_post_needs() -> None:
    html = render.html(MARKDOWN)
    for part in (
        '<h1 id="shade-of-trees">Shade of <em>trees</em></h1>',
        '<a href="https://x.example/a" title="t" rel="noopener nofollow">a link</a>',
        '<img src="i.png" alt="an image">',
        '<a href="#how-trees-cool-more"',
        '<h2 id="how-trees-cool-more-2">',
        "<td>d</td>",
        "<blockquote>",
        "<pre><code>code()",
    ):
        assert part in html


def test_contents() -> None:
    read = document.read("# T\n## A [x](y) *b*\n### B_c_\n#### D\n## E")
    assert render.contents(read) == "- [A x b](#a-x-b)\n  - [B\\_c\\_](#b-c)\n- [E](#e)"
    assert [link.url for link in document.read(render.contents(read)).links] == ["#a-x-b", "#b-c", "#e"]
    assert render.contents(document.read("# T\n## only")) == ""


@pytest.mark.parametrize(("words", "minutes"), [(0, 1), (238, 1), (239, 2), (2380, 10)])
def test_reading_time(words: int, minutes: int) -> None:
    assert render.reading_minutes(words) == minutes


def test_json_ld() -> None:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    said = [("One", "https://a.example"), ("Two", "https://b.example"), ("One again", "https://a.example")]
    made = render.article(
        title="T" * 200, description="D", keywords=["a", "b"], words=500, written_at=at, citations=said, publisher="P"
    )
    assert made == {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": "T" * 109 + "…",
        "description": "D",
        "keywords": "a, b",
        "wordCount": 500,
        "timeRequired": "PT3M",
        "datePublished": "2026-11-20T09:30:00Z",
        "inLanguage": "en",
        "citation": [
            {"@type": "WebPage", "name": "One", "url": "https://a.example"},
            {"@type": "WebPage", "name": "Two", "url": "https://b.example"},
        ],
        "author": {"@type": "Organization", "name": "P"},
    }
    assert "citation" not in render.article(title="T", description="", keywords=[], words=0, written_at=at)


def post(text: str, **more: object) -> Post:
    values: dict[str, object] = {
        "title": "How street trees cool a city",
        "meta_title": "How street trees cool a city in summer",
        "meta_description": "Street trees cool cities in summer: how much, where to plant them, and what they need.",
        "keyword": "street tree",
        **more,
    }
    return Post(document=document.read(text), **values)  # type: ignore[arg-type]


GOOD = (
    "# How street trees cool a city\n\nStreet trees cool. "
    + "A good plan takes time and some care. " * 40
    + "\n\n## Why street trees?\n\nSee [this](https://a.example) and [that](#why-street-trees).\n"
)


def test_a_good_post_lacks_nothing() -> None:
    found = seo(post(GOOD, keywords=["plan", "care"]))
    assert found.value == 100.0, found.evidence


@pytest.mark.parametrize(
    ("change", "check", "share"),
    [
        ({"meta_title": "Street trees 15"}, "title length", 0.5),
        ({"meta_title": "Street trees " + "x" * 107}, "title length", 0.5),
        ({"meta_title": "How to cool a city in the summer"}, "keyword in title", 0),
        ({"meta_description": "Street trees " + "x" * 22}, "description length", 0.5),
        ({"meta_description": "x" * 100}, "keyword in description", 0),
        ({"title": "Cool cities"}, "keyword in address", 0),
        ({"keywords": ["plan", "root"]}, "keywords", 0.5),
    ],
)
def test_what_a_post_lacks(change: dict[str, object], check: str, share: float) -> None:
    checks = {each.name: each for each in seo(post(GOOD, **change)).checks}
    assert checks[check].share == share, checks[check].evidence


@pytest.mark.parametrize(
    ("text", "check", "share"),
    [
        (
            GOOD.replace("Street trees cool. ", "").replace("# How street trees cool a city\n\n", ""),
            "keyword in first 100 words",
            0,
        ),
        (GOOD.replace("Why street trees?", "Why?"), "keyword in headings", 0),
        (GOOD.replace("https://a.example", "#why-street-trees"), "links", 0),
        (GOOD.replace("(#why-street-trees)", "(#nowhere)"), "anchors", 0),
        ("Street trees cool. " + "word " * 147, "length", 0.5),
        ("street trees " * 25 + "word " * 450, "density", 0.3),  # 10 %: 3/10
        ("word " * 1000, "density", 0),
    ],
)
def test_what_a_text_lacks(text: str, check: str, share: float) -> None:
    checks = {each.name: each for each in seo(post(text)).checks}
    assert round(checks[check].share, 3) == share, checks[check].evidence


def test_anchors_that_lead_nowhere() -> None:
    assert anchors(document.read("# A b\n[x](#a-b) [y](#c) [z](https://a.example#d)")) == (2, ("c",))
