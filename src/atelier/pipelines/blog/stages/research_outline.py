"""research_outline: the sources in hand, and what each section shall say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from atelier.pipelines.blog import figures, lengths, researching, support, words
from atelier.pipelines.blog.answers import OutlineAnswer, OutlineSection
from atelier.pipelines.blog.coverage import stems
from atelier.pipelines.blog.prompts import Prompts, excerpted
from atelier.pipelines.blog.researching import GIVEN_MOST, PAGES_MOST, Found, Source
from atelier.pipelines.blog.state import Fact, Outline, SectionPlan
from atelier.pipelines.blog.work import Work

EXCERPT = 2500
"""Characters of each source that an outline is made from."""

FACTS_A_SECTION = 2
FACT_WORDS = range(6, 45)
NEAR = 2
"""A fact shares so many words with its section that it belongs there."""


async def work(work: Work) -> None:
    """Read the caller's sources and more results, have an outline written, and give each section its facts."""
    run = work.run
    await _gather(work)
    sources = researching.sources_of(run)
    about = f"{run.params.topic} {run.state.keywords.primary}"
    excerpts = await asyncio.to_thread(excerpted, sources, about, EXCERPT)
    answer = (await work.ask(Prompts(run.params, run.state).outline(excerpts))).answer(OutlineAnswer)
    outline = await asyncio.to_thread(planned, answer, run.state.length.words, sources, about)
    run.state = run.state.model_copy(update={"outline": outline})
    await work.end(
        f"Outline of {len(outline.sections)} sections from {len(sources)} sources",
        title=outline.title,
        sections=len(outline.sections),
        sources=len(sources),
        headings=[section.heading for section in outline.sections],
        facts=sum(len(section.facts) for section in outline.sections),
    )


async def _gather(work: Work) -> None:
    """Read the caller's sources; where there is room, search once more, for facts."""
    run = work.run
    given = [Found(url=url, title=url, snippet="") for url in run.params.sources]
    most = PAGES_MOST if researching.no_search(work) else GIVEN_MOST
    if given:
        await researching.read(work, "pages/given", given[:most], given=True)
    if len(given) > most:
        work.warn(f"{len(given) - most} of your {len(given)} sources were not read: {most} are, at most.")
    room = PAGES_MOST - len(researching.sources_of(run))
    if room <= 0:
        return
    primary = run.state.keywords.primary
    more = await researching.searched(work, "search/facts", f"{primary} facts and figures")
    fresh = [found for found in more if found.url not in researching.known(run)]
    if fresh:
        await researching.read(work, "pages/facts", fresh[:room])


def planned(answer: OutlineAnswer, length: int, sources: Sequence[Source], about: str) -> Outline:
    """Return the outline with each section's words and facts; a fact stands in one section only.

    A section in the middle that no fact belongs to gets one of those that are left.
    """
    facts = _facts(sources, about)
    spread = lengths.spread(length, len(answer.sections))
    shares: list[tuple[Fact, ...]] = []
    for section in answer.sections:
        shares.append(_nearest(section, facts))
        facts = [fact for fact in facts if fact not in shares[-1]]
    for at in range(1, len(shares) - 1):
        if not shares[at] and facts:
            shares[at] = (facts.pop(0),)
    sections = (
        SectionPlan(heading=section.heading, points=tuple(section.points), words=size, facts=own)
        for section, size, own in zip(answer.sections, spread, shares, strict=True)
    )
    return Outline(title=answer.title, sections=tuple(sections))


def _facts(sources: Sequence[Source], about: str) -> list[Fact]:
    """Return the sentences of the sources that can be checked and have to do with the subject: figures first, the sources in turn."""
    wanted = stems(about)
    found = [
        Fact(source=each.number, text=claim)
        for each in sources
        for claim in support.claims(each.text)
        if wanted & stems(claim) and len(words.words(claim)) in FACT_WORDS
    ]
    once = list({fact.text: fact for fact in reversed(found)}.values())[::-1]
    turns = {fact: sum(other.source == fact.source for other in once[:at]) for at, fact in enumerate(once)}
    return sorted(once, key=lambda fact: (not figures.numbers(fact.text), turns[fact], fact.source))


def _nearest(section: OutlineSection, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    wanted = stems(" ".join((section.heading, *section.points)))
    ranked = sorted(facts, key=lambda fact: -len(wanted & stems(fact.text)))
    return tuple(fact for fact in ranked[:FACTS_A_SECTION] if len(wanted & stems(fact.text)) >= NEAR)
