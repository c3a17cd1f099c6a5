"""draft_generation: the post, section by section; each is kept and shown as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atelier.jobs.models import Json
from atelier.pipelines.blog import researching, words
from atelier.pipelines.blog.manuscript import drafted, tidied
from atelier.pipelines.blog.prompts import Prompts, excerpted
from atelier.pipelines.blog.state import SectionPlan
from atelier.pipelines.blog.work import Work
from atelier.pipelines.writing import Told, Written

EXCERPT = 1500
"""Characters of each source that a section is written from."""

SOURCES_MOST = 4
TAIL = 400
"""Characters of the section before, which the next one goes on from."""


async def work(work: Work) -> None:
    """Write one section after the other; those that are kept already are not written again."""
    run = work.run
    prompts, plans = Prompts(run.params, run.state), run.state.outline.sections
    before, total, lost = "", 0, 0
    for number, plan in enumerate(plans, 1):
        asking = prompts.section(number, before[-TAIL:], await asyncio.to_thread(_excerpts, work, plan))
        message = f"Section {number} of {len(plans)}: {plan.heading}"
        told = Told(message=message, progress=work.at(number, len(plans)), tell=_shown(work, number, plan))
        written = await work.ask(asking, told)
        before = drafted(run, number)
        total += len(words.words(before))
        lost += tidied(written.text, plan.heading, researching.known(run))[1]
    if lost:
        work.warn(f"{lost} links and images were left out of the draft: they led to pages that were not read.")
    await work.end(f"Draft of {total} words", words=total, sections=len(plans))


def _excerpts(work: Work, plan: SectionPlan) -> str:
    """Return what the sources say on a section: those its facts are from, then the others."""
    about = " ".join((plan.heading, *plan.points, work.run.state.keywords.primary))
    first = {fact.source for fact in plan.facts}
    ranked = sorted(researching.sources_of(work.run), key=lambda each: (each.number not in first, each.number))
    return excerpted(ranked[:SOURCES_MOST], about, EXCERPT)


def _shown(work: Work, number: int, plan: SectionPlan) -> Callable[[Written], Json]:
    def shown(written: Written) -> Json:
        markdown, _ = tidied(written.text, plan.heading, researching.known(work.run))
        count = len(words.words(markdown))
        return {"section": {"number": number, "title": plan.heading, "words": count, "markdown": markdown}}

    return shown
