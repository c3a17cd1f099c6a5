"""What pipelines ask of the web: results of a search, and pages to read. All of it is data, none of it instructions."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from atelier.frozen import frozen


@frozen
class Finding:
    """One result of a search, in the order of its engine. `content` is the page in Markdown where the engine has read it."""

    url: str
    title: str
    snippet: str
    content: str | None = None


@frozen
class Findings:
    """What a search brought, who searched, and what that cost in US dollars."""

    query: str
    provider: str
    results: tuple[Finding, ...]
    cost: float = 0.0
    warnings: tuple[str, ...] = ()


@frozen
class Heading:
    """A heading of a page, its level from 1."""

    level: int
    text: str


@frozen
class Page:
    """A page that was read: its text without menus and scripts, plain, paragraphs apart by an empty line.

    `url` is where it was found in the end. `suspicious` are sentences in it that read like instructions to a model; they
    are not in `text`.
    """

    url: str
    title: str
    text: str
    headings: tuple[Heading, ...]
    words: int
    fetched_at: datetime
    suspicious: tuple[str, ...] = ()


class SearchProvider(Protocol):
    """Searches the web. Errors are ProviderError and its kin."""

    name: str

    async def search(self, query: str, *, most: int) -> Findings:
        """Return at most so many results, the best first; none is no error."""

    async def ping(self) -> None:
        """Answer if searching would work now, as far as that can be told for nothing. Raises ProviderError."""

    async def close(self) -> None:
        """Let go of connections."""


class Reader(Protocol):
    """Reads pages of the public web."""

    async def read(self, url: str) -> Page:
        """Return the page. Raises PageUnreadable: it is not there, too large, no text, or must not be asked for."""

    async def close(self) -> None:
        """Let go of connections."""
