"""finalization: the post in the forms that it is handed over in."""

from __future__ import annotations

import asyncio

from atelier.jobs.models import Json
from atelier.pipelines.blog import publishing, researching
from atelier.pipelines.blog.manuscript import manuscript
from atelier.pipelines.blog.stages.seo_polish import usual
from atelier.pipelines.blog.work import Work

FINAL = "final"
"""The key of what is handed over."""


async def work(work: Work) -> None:
    """Put together Markdown, HTML, JSON-LD and what is told of the post."""
    run = work.run
    polish = run.state.polish or usual(run)

    async def make() -> Json:
        post, sources = manuscript(run), researching.sources_of(run)
        return await asyncio.to_thread(publishing.published, run, post, polish, sources)

    final = await work.keep(FINAL, make)
    about = final["content_metadata"]
    await work.end(
        f"{about['words']} words, {about['reading_time']} minutes to read",
        words=about["words"],
        reading_time=about["reading_time"],
        readability=final["readability_score"],
        seo=final["seo_score"],
    )
