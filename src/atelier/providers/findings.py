"""What search engines bring, made safe: pages of the web only, each once, without unseen characters and orders to models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from atelier.frozen import frozen
from atelier.pipelines.blog import injection
from atelier.pipelines.sources import Finding, Findings

LONGEST_ADDRESS: Final = 2000
LONGEST_TITLE: Final = 300
LONGEST_SNIPPET: Final = 2000
LONGEST_CONTENT: Final = 60_000
"""Characters of a page that an engine has read; what comes behind is left out."""


@frozen
class Row:
    """A result as an engine sends it. `content` is the page in Markdown, empty where the engine has not read it."""

    url: str
    title: str
    snippet: str
    content: str = ""


def asked(query: str, longest: int) -> str:
    """Return a query in one line, cut between words to so many characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in query).split())
    if len(line) <= longest:
        return line
    return line[: longest + 1].rpartition(" ")[0] or line[:longest]


async def findings(
    query: str, provider: str, rows: Iterable[Row], *, most: int, cost: float = 0.0, warnings: Sequence[str] = ()
) -> Findings:
    """Return at most so many results, in their order; what was taken out of them is told among the warnings."""
    kept = list({row.url: row for row in reversed(list(rows)) if _is_page(row.url)}.values())[::-1][:most]
    found = await asyncio.to_thread(lambda: [_cleaned(row) for row in kept])
    taken = [
        f"{finding.url}: {number} sentences that read like instructions to a model were left out."
        for finding, number in found
        if number
    ]
    return Findings(
        query=query,
        provider=provider,
        results=tuple(finding for finding, _ in found),
        cost=cost,
        warnings=(*warnings, *taken),
    )


def _is_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"} and bool(parts.hostname) and len(url) <= LONGEST_ADDRESS and url.isprintable()
    )


def _cleaned(row: Row) -> tuple[Finding, int]:
    """Return a result, and how many sentences were taken out of it."""
    title = injection.cleaned(" ".join(row.title[:LONGEST_TITLE].split()))
    snippet = injection.cleaned(" ".join(row.snippet[:LONGEST_SNIPPET].split()))
    content = injection.cleaned(row.content[:LONGEST_CONTENT])
    finding = Finding(url=row.url, title=title.text, snippet=snippet.text, content=content.text or None)
    return finding, len(title.suspicious) + len(snippet.suspicious) + len(content.suspicious)
