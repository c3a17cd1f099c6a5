"""initialization: who writes, who searches, and what is left out because nobody can do it."""

from __future__ import annotations

from atelier.pipelines.blog.lengths import asked_words
from atelier.pipelines.blog.researching import no_search
from atelier.pipelines.blog.work import Work

NAMES = {
    "google_search": "search",
    "fact_checking": "fact checking",
    "citations": "citations",
    "serp_optimization": "search engine polish",
    "semantic_keywords": "semantic keywords",
    "quality_scoring": "quality scoring",
}


async def work(work: Work) -> None:
    """Find who will write, before anything is ordered. Raises ProviderNotConfigured."""
    params = work.run.params
    work.study.writer.source(params.provider)
    off = [name for switch, name in NAMES.items() if not getattr(params.switches, switch)]
    why = no_search(work)
    if why and params.switches.google_search:
        work.warn("No search is configured: there are no competitors to look at, and only the sources you gave.")
    await work.end(
        f"Planning {asked_words(params)} words",
        words=asked_words(params),
        search=work.study.search.name if work.study.search is not None and not why else None,
        switched_off=", ".join(off),
    )
