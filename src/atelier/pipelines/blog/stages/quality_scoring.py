"""quality_scoring: how good the post is, measured."""

from __future__ import annotations

import asyncio

from atelier.pipelines.blog import judging, researching
from atelier.pipelines.blog.manuscript import manuscript
from atelier.pipelines.blog.work import Work


async def work(work: Work) -> None:
    """Measure the post in five dimensions. Skipped where it is switched off."""
    run = work.run
    if not run.params.switches.quality_scoring:
        return await work.skip("it is switched off")
    state = run.state
    subtopics = [point for section in state.outline.sections for point in section.points]
    quality = await asyncio.to_thread(
        judging.judged,
        manuscript(run).body,
        subtopics=subtopics,
        terms=[each.term for each in state.terms] or [state.keywords.primary, *state.keywords.secondary],
        keyword=state.keywords.primary,
        sources={each.url: each.text for each in researching.sources_of(run)},
    )
    run.state = state.model_copy(update={"quality": quality})
    scores = {each.name: each.score for each in quality.dimensions}
    return await work.end(f"Quality: {quality.score:g} of 100", quality=quality.score, **scores)
