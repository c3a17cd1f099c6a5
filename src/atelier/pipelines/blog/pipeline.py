"""The blog pipeline: thirteen stages from a topic to a post with sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from atelier.jobs.pipeline import Pipeline, Product
from atelier.jobs.stages import Stage, stage
from atelier.pipelines.blog.models import KIND, BlogParams, BlogResult, StageResult
from atelier.pipelines.blog.spans import SPANS
from atelier.pipelines.blog.stages import (
    citation_generation,
    competitor_analysis,
    draft_generation,
    enhancement,
    finalization,
    initialization,
    intent_analysis,
    keyword_analysis,
    length_optimization,
    quality_scoring,
    research_outline,
    semantic_integration,
    seo_polish,
)
from atelier.pipelines.blog.state import BlogRun, BlogState
from atelier.pipelines.blog.work import Study, Work, key_of
from atelier.pipelines.sources import Reader, SearchProvider
from atelier.pipelines.texts import TextSource
from atelier.pipelines.writing import Writer


class BlogPipeline(Pipeline[BlogParams, BlogState]):
    """initialization → … → finalization; each stage's work is in the module of its name."""

    kind = KIND
    params = BlogParams
    state = BlogState

    def __init__(self, *, sources: Mapping[str, TextSource], search: SearchProvider | None, reader: Reader) -> None:
        self._study = Study(writer=Writer(sources), search=search, reader=reader)

    @stage(progress=SPANS["initialization"][0], message="Planning the post")
    async def initialization(self, run: BlogRun) -> None:
        """See the module."""
        await initialization.work(self._work(run, "initialization"))

    @stage(progress=SPANS["keyword_analysis"][0], message="Analysing keywords")
    async def keyword_analysis(self, run: BlogRun) -> None:
        """See the module."""
        await keyword_analysis.work(self._work(run, "keyword_analysis"))

    @stage(progress=SPANS["competitor_analysis"][0], message="Looking at competitors")
    async def competitor_analysis(self, run: BlogRun) -> None:
        """See the module."""
        await competitor_analysis.work(self._work(run, "competitor_analysis"))

    @stage(progress=SPANS["intent_analysis"][0], message="Finding out what readers want")
    async def intent_analysis(self, run: BlogRun) -> None:
        """See the module."""
        await intent_analysis.work(self._work(run, "intent_analysis"))

    @stage(progress=SPANS["length_optimization"][0], message="Choosing the length")
    async def length_optimization(self, run: BlogRun) -> None:
        """See the module."""
        await length_optimization.work(self._work(run, "length_optimization"))

    @stage(progress=SPANS["research_outline"][0], message="Gathering sources and outlining")
    async def research_outline(self, run: BlogRun) -> None:
        """See the module."""
        await research_outline.work(self._work(run, "research_outline"))

    @stage(progress=SPANS["draft_generation"][0], message="Writing the draft")
    async def draft_generation(self, run: BlogRun) -> None:
        """See the module."""
        await draft_generation.work(self._work(run, "draft_generation"))

    @stage(progress=SPANS["enhancement"][0], message="Checking facts and improving the text")
    async def enhancement(self, run: BlogRun) -> None:
        """See the module."""
        await enhancement.work(self._work(run, "enhancement"))

    @stage(progress=SPANS["seo_polish"][0], message="Polishing title and headings")
    async def seo_polish(self, run: BlogRun) -> None:
        """See the module."""
        await seo_polish.work(self._work(run, "seo_polish"))

    @stage(progress=SPANS["semantic_integration"][0], message="Placing terms")
    async def semantic_integration(self, run: BlogRun) -> None:
        """See the module."""
        await semantic_integration.work(self._work(run, "semantic_integration"))

    @stage(progress=SPANS["quality_scoring"][0], message="Measuring quality")
    async def quality_scoring(self, run: BlogRun) -> None:
        """See the module."""
        await quality_scoring.work(self._work(run, "quality_scoring"))

    @stage(progress=SPANS["citation_generation"][0], message="Tying sentences to sources")
    async def citation_generation(self, run: BlogRun) -> None:
        """See the module."""
        await citation_generation.work(self._work(run, "citation_generation"))

    @stage(progress=SPANS["finalization"][0], message="Putting the post together")
    async def finalization(self, run: BlogRun) -> None:
        """See the module."""
        await finalization.work(self._work(run, "finalization"))

    stages: ClassVar[tuple[Stage, ...]] = (
        initialization,
        keyword_analysis,
        competitor_analysis,
        intent_analysis,
        length_optimization,
        research_outline,
        draft_generation,
        enhancement,
        seo_polish,
        semantic_integration,
        quality_scoring,
        citation_generation,
        finalization,
    )

    def product(self, run: BlogRun) -> Product:
        """Return the post with what every stage did and took; what it cost stands in the job already."""
        stages = [StageResult.model_validate(run.kept(key_of(each.name))) for each in self.stages]
        began = run.job.started_at or run.now
        result = BlogResult(
            blog_id=run.params.blog_id,
            quality_score=run.state.quality.score,
            quality_dimensions=run.state.quality.dimensions,
            semantic_keywords=run.state.terms,
            citations=tuple(mark.citation for mark in run.state.marks),
            stage_results=tuple(stages),
            total_tokens=sum(each.tokens for each in stages),
            total_cost=round(run.job.cost, 6),
            generation_time=round((run.now - began).total_seconds(), 3),
            **(run.kept(finalization.FINAL) or {}),
        )
        return Product(result=result.model_dump(mode="json"))

    def _work(self, run: BlogRun, name: str) -> Work:
        return Work(run=run, study=self._study, stage=name, span=SPANS[name])
