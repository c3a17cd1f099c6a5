"""What the web has on a topic: searched once, read once, kept as numbered sources, quoted in excerpts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from atelier import metrics
from atelier.errors import AtelierError, PageUnreadable, ProviderError, ProviderWaits
from atelier.jobs.models import Json
from atelier.pipelines.blog import document, injection, words
from atelier.pipelines.blog.coverage import stems
from atelier.pipelines.blog.state import BlogRun, Kept
from atelier.pipelines.blog.work import Work
from atelier.pipelines.desk import come_back
from atelier.pipelines.sources import Finding, Heading, Page, SearchProvider

RESULTS_MOST: Final = 8
"""Results asked of a search."""

PAGES_MOST: Final = 8
"""Pages that are read for a post; the caller's own take precedence, up to `GIVEN_MOST` of them where there is a search."""

GIVEN_MOST: Final = 5
AT_ONCE: Final = 4
TEXT_MOST: Final = 20_000
"""Characters that are kept of a page."""

FEWEST_WORDS: Final = 30
"""A page with fewer says nothing."""

PAGES = ("pages/given", "pages/results", "pages/facts")
"""Keys of what is kept; sources are numbered in this order."""


class Source(Kept):
    """A page that was read, or that the search engine had read. `given`: the caller named it."""

    url: str
    title: str
    text: str
    words: int
    headings: tuple[str, ...] = ()
    given: bool = False
    read_at: datetime | None = None
    number: int = 0


class Found(Kept):
    """A result of a search; `content` is the page where the engine has read it."""

    url: str
    title: str
    snippet: str
    content: str | None = None


async def searched(work: Work, key: str, query: str) -> tuple[Found, ...]:
    """Return what a search brings, asked once; nothing where nobody searches, or it fails, which the job then says."""
    search = work.study.search
    if search is None or not work.run.params.switches.google_search:
        return ()

    async def make() -> Json:
        return await _search(search, query)

    try:
        kept = await work.keep(key, make)
    except ProviderWaits as waits:
        come_back(work.run, waits)
    except ProviderError as error:
        work.warn(f"The search failed, and the post is written without it: {error.message}")
        return ()
    return tuple(Found.model_validate(each) for each in kept["results"])


async def _search(search: SearchProvider, query: str) -> Json:
    call = metrics.ProviderCall(search.name)
    try:
        findings = await search.search(query, most=RESULTS_MOST)
    except AtelierError as error:
        call.end(error)
        raise
    call.end(None)
    results = [_kept(finding) for finding in findings.results]
    return {
        "results": results,
        "cost": findings.cost,
        "warnings": list(findings.warnings),
        "provider": findings.provider,
    }


def _kept(finding: Finding) -> Json:
    content = finding.content[:TEXT_MOST] if finding.content else None
    title, snippet = injection.cleaned(finding.title).text, injection.cleaned(finding.snippet).text
    return {"url": finding.url, "title": title, "snippet": snippet, "content": content}


def no_search(work: Work) -> str:
    """Return why nothing is searched; empty where it is."""
    if not work.run.params.switches.google_search:
        return "searching is switched off"
    return "" if work.study.search is not None else "no search is configured"


async def read(work: Work, key: str, wanted: Sequence[Found], *, given: bool = False) -> tuple[Source, ...]:
    """Read pages once, a few at a time; those that cannot be read are left out, and the caller's own are told of."""

    async def make() -> Json:
        room = asyncio.Semaphore(AT_ONCE)
        pages = await asyncio.gather(*(_read(work, found, room) for found in wanted))
        read = [page for page in pages if isinstance(page, Page)]
        failed = [page for page in pages if isinstance(page, str)]
        sources = [_source(page, given=given).model_dump(mode="json") for page in read if page.words >= FEWEST_WORDS]
        return {"pages": sources, "warnings": [*(failed if given else ()), *_hostile(read)], "failed": len(failed)}

    kept = await work.keep(key, make)
    return tuple(Source.model_validate(each) for each in kept["pages"])


async def _read(work: Work, found: Found, room: asyncio.Semaphore) -> Page | str:
    if found.content:
        return await asyncio.to_thread(_taken_apart, found, found.content, work.run.now)
    async with room:
        try:
            return await work.study.reader.read(found.url)
        except PageUnreadable as error:
            return f"{found.url} could not be read: {error.message}"


def _taken_apart(found: Found, content: str, now: datetime) -> Page:
    """Return a page as the search engine has read it, without what reads like orders."""
    clean = injection.cleaned(content)
    post = document.read(clean.text)
    return Page(
        url=found.url,
        title=found.title,
        text=post.text,
        headings=tuple(Heading(level=block.level, text=block.text) for block in post.headings),
        words=len(words.words(post.text)),
        fetched_at=now,
        suspicious=clean.suspicious,
    )


def _source(page: Page, *, given: bool) -> Source:
    return Source(
        url=page.url,
        title=page.title or page.url,
        text=page.text[:TEXT_MOST],
        words=page.words,
        headings=tuple(heading.text for heading in page.headings),
        given=given,
        read_at=page.fetched_at,
    )


def _hostile(pages: Iterable[Page]) -> list[str]:
    return [
        f"{page.url} has sentences that read like instructions to a model; they were left out."
        for page in pages
        if page.suspicious
    ]


def sources_of(run: BlogRun) -> tuple[Source, ...]:
    """Return everything that was read so far, each address once, numbered from 1."""
    kept = [Source.model_validate(each) for key in PAGES for each in (run.kept(key) or {"pages": ()})["pages"]]
    once = {source.url: source for source in reversed(kept)}
    ordered = [source for source in kept if once.pop(source.url, None) is not None]
    return tuple(source.model_copy(update={"number": number}) for number, source in enumerate(ordered, 1))


def known(run: BlogRun) -> frozenset[str]:
    """Return the addresses that were read."""
    return frozenset(source.url for source in sources_of(run))


def excerpt(source: Source, about: str, most: int) -> str:
    """Return the paragraphs of a source that have most to do with a subject, in their order, at most so many characters."""
    wanted = stems(about)
    parts = words.paragraphs(source.text)
    ranked = sorted(range(len(parts)), key=lambda at: (-len(wanted & stems(parts[at])), at))
    chosen: list[int] = []
    left = most
    for at in ranked:
        if len(parts[at]) <= left:
            chosen.append(at)
            left -= len(parts[at])
    return "\n\n".join(parts[at] for at in sorted(chosen)) or source.text[:most]
