"""competitor_analysis: what the pages that are found for the topic have in common, and what they leave out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median

from atelier.pipelines.blog import coverage, keywords, researching
from atelier.pipelines.blog.answers import RivalAnswer
from atelier.pipelines.blog.prompts import Prompts
from atelier.pipelines.blog.researching import GIVEN_MOST, PAGES_MOST, Found, Source
from atelier.pipelines.blog.state import BlogRun, KeywordPlan, Rivals
from atelier.pipelines.blog.work import Work

TERMS_MOST = 20
WHOLE = 300
"""Words from which on a page is an article whose length means something."""


async def work(work: Work) -> None:
    """Read the pages that were found, and compare them. Skipped where there are none."""
    why = researching.no_search(work)
    if why:
        return await work.skip(why)
    found = _found(work.run)
    room = PAGES_MOST - min(len(work.run.params.sources), GIVEN_MOST)
    pages = await researching.read(work, "pages/results", found[:room])
    if not pages:
        return await work.skip("no page that was found could be read" if found else "the search brought nothing")
    rivals = await asyncio.to_thread(compared, pages)
    asking = Prompts(work.run.params, work.run.state).rivals(pages, rivals.terms)
    answer = (await work.ask(asking)).answer(RivalAnswer)
    rivals = rivals.model_copy(
        update={"topics": tuple(answer.topics[:8]), "gaps": tuple(answer.gaps[:5]), "angle": answer.angle}
    )
    plan = harder(work.run.state.keywords, pages)
    work.run.state = work.run.state.model_copy(update={"rivals": rivals, "keywords": plan})
    return await work.end(
        f"{rivals.pages} pages compared",
        pages=rivals.pages,
        unreadable=len(found[:room]) - len(pages),
        median_words=rivals.median_words,
        headings=rivals.headings,
        terms=list(rivals.terms),
        topics=list(rivals.topics),
        gaps=list(rivals.gaps),
        angle=rivals.angle,
        difficulty=plan.difficulty,
        evidence=plan.evidence,
    )


def compared(pages: Sequence[Source]) -> Rivals:
    """Return what pages have in common, without a model: lengths, headings, terms.

    Single words count only where a title or a heading has them.
    """
    shared = keywords.candidates([page.text for page in pages], most=TERMS_MOST)
    named = coverage.key("\n".join(line for page in pages for line in (page.title, *page.headings)))
    least = 2 if len(pages) > 1 else 1
    whole = [page.words for page in pages if page.words >= WHOLE]
    return Rivals(
        pages=len(pages),
        median_words=round(median(whole)) if whole else 0,
        headings=round(median(len(page.headings) for page in pages)),
        terms=tuple(
            each.term
            for each in shared
            if each.documents >= least and (" " in each.term or coverage.occurrences(named, coverage.key(each.term)))
        ),
    )


def harder(plan: KeywordPlan, pages: Sequence[Source]) -> KeywordPlan:
    """Return the plan with the keyword's difficulty as the pages themselves show it."""
    rivals = [keywords.Rival(title=page.title, headings=page.headings, words=page.words) for page in pages]
    found = keywords.difficulty(plan.primary, rivals)
    return plan.model_copy(update={"difficulty": found.score, "evidence": found.evidence})


def _found(run: BlogRun) -> tuple[Found, ...]:
    kept = run.kept("search/topic") or {"results": ()}
    given = set(run.params.sources)
    return tuple(found for each in kept["results"] if (found := Found.model_validate(each)).url not in given)
