"""The image pipeline: everything that is a picture goes through here."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from atelier.errors import AtelierError, StorageError
from atelier.jobs.models import Json, Status
from atelier.jobs.pipeline import Pipeline, Product
from atelier.jobs.progress import Milestone
from atelier.jobs.stages import Stage, stage
from atelier.media import Content
from atelier.pipelines.drawing import Drawing
from atelier.pipelines.ordering import ImageSource
from atelier.pipelines.pictures import (
    DRAFT,
    DRAFT_NUMBER,
    DRAFTED,
    DRAWN,
    FINAL_NUMBER,
    GENERATING,
    KIND,
    PICTURE,
    RESULT,
    UPLOADING,
    Drawn,
    ImageParams,
    ImageResult,
    ImageRun,
    ImageState,
    Order,
    Picture,
    Validation,
    alt_text,
    shown,
)
from atelier.pipelines.ports import Spool, Storage, Stored
from atelier.pipelines.projects import Projects
from atelier.pipelines.storing import hold, put_off


class ImagePipeline(Pipeline[ImageParams, ImageState]):
    """processing → generating → uploading."""

    kind = KIND
    params = ImageParams
    state = ImageState

    def __init__(
        self, *, sources: Mapping[str, ImageSource], storage: Storage, spool: Spool, projects: Projects
    ) -> None:
        self._drawing = Drawing(sources=sources, storage=storage, spool=spool, projects=projects)
        self._storage, self._spool = storage, spool

    @stage(progress=5.0, message="Starting generation")
    async def processing(self, run: ImageRun) -> None:
        """Find who will draw, before anything is ordered."""
        self._drawing.source(run.params.provider)

    @stage(progress=GENERATING, message="Generating the picture")
    async def generating(self, run: ImageRun) -> None:
        """Order the picture, check what came, and spool it; one that an earlier attempt spooled is not ordered again.

        A draft that was asked for is made, stored and shown before, once for all attempts.
        """
        draft = await self._draft(run) if run.params.draft_first else None
        await self._content(run, draft)

    @stage(progress=UPLOADING, message="Storing the picture")
    async def uploading(self, run: ImageRun) -> None:
        """Store the content; an attempt that did not draw it takes it from the spool, or draws it again."""
        draft = await self._draft(run) if run.params.draft_first else None
        content, drawn = await self._content(run, draft)
        picture = await self._store(run, FINAL_NUMBER, content, drawn)
        run.state.pictures, run.state.draft = (picture,), draft

    stages: ClassVar[tuple[Stage, ...]] = (processing, generating, uploading)

    def product(self, run: ImageRun) -> Product:
        """Return the pictures and what they took; what they cost stands in the job already."""
        drawn = run.state.drawn
        assert drawn is not None, "generating leaves what it drew"  # noqa: S101 - narrows the type
        drawings = (drawn,) if run.state.draft is None else (run.state.draft, drawn)
        result = ImageResult(
            images=run.state.pictures,
            provider=drawn.provider or run.params.provider,
            model=drawn.model,
            generation_time_seconds=round(sum(one.seconds for one in drawings), 3),
            cost=sum(one.cost for one in drawings),
        )
        warnings = tuple(dict.fromkeys(warning for one in drawings for warning in one.warnings))
        return Product(result=RESULT.dump_python(result, mode="json"), warnings=warnings)

    async def settled(self, run: ImageRun) -> None:
        """Let go of the previews, and of the spooled bytes once the picture is stored: until then a retry wants them.

        A storyboard's picture is copied to its project before.
        """
        if run.loaded and run.job.status is Status.COMPLETED:
            await self._drawing.beats.publish(run.params, run.state.pictures[0])
        if run.loaded and run.state.drawn is not None and run.state.drawn.shared:
            return  # what is shared was neither previewed nor spooled
        await self._storage.drop_previews(run.job.id)
        if run.job.status is Status.COMPLETED:
            await self._spool.drop(run.job.id, FINAL_NUMBER)
            if run.params.draft_first:
                await self._spool.drop(run.job.id, DRAFT_NUMBER)

    async def ousted(self, run: ImageRun) -> None:
        """Remove what was made for a job that was deleted while this process slept: nobody else will."""
        with contextlib.suppress(AtelierError):  # what the store does not tell now is not found out
            if await run.present() is None:
                await self.deleted(run.job.id)

    async def deleted(self, job_id: str) -> None:
        """Remove pictures, previews and spooled bytes; what is shared with others stays."""
        await self._storage.remove(job_id)
        for number in (DRAFT_NUMBER, FINAL_NUMBER):
            await self._spool.drop(job_id, number)

    async def _draft(self, run: ImageRun) -> Drawn:
        """Return how the draft was made; it is made, stored and shown once, whatever happens to later attempts."""
        ready = Milestone(message="The draft is ready", progress=DRAFTED, show=shown)
        kept = await run.once(DRAFT, partial(self._make_draft, run), ready)
        return DRAWN.validate_python(kept["drawn"])

    async def _make_draft(self, run: ImageRun) -> Json:
        order = Order(number=DRAFT_NUMBER, quality=DRAFT, seed=run.params.seed, span=(GENERATING, DRAFTED))
        content, drawn = await self._drawing.content(run, order)
        picture = await self._store(run, order.number, content, drawn)
        return {
            "picture": PICTURE.dump_python(picture, mode="json"),
            "drawn": DRAWN.dump_python(drawn, mode="json"),
        }

    async def _content(self, run: ImageRun, draft: Drawn | None) -> tuple[Content, Drawn]:
        """Return the picture's content: as drawn before, from the spool, or drawn now with the draft's seed."""
        if run.state.content is not None and run.state.drawn is not None:
            return run.state.content, run.state.drawn
        order = Order(
            number=FINAL_NUMBER,
            quality=run.params.quality,
            seed=draft.seed if draft is not None else run.params.seed,
            span=(DRAFTED if draft is not None else GENERATING, UPLOADING),
        )
        content, drawn = await self._drawing.content(run, order)
        run.state.drawn, run.state.content = drawn, content
        return content, drawn

    async def _store(self, run: ImageRun, number: int, content: Content, drawn: Drawn) -> Picture:
        described, facts = alt_text(run.params.alt or run.params.prompt), content.facts
        stored = await self._saved(run, number, content, drawn, described)
        return Picture(
            image_id=f"{run.job.id}-{number}",
            location=stored.location,
            thumbnail=stored.thumbnail,
            width=facts.width,
            height=facts.height,
            format=facts.format,
            alt_text=described,
            provider=drawn.provider or run.params.provider,
            model=drawn.model,
            seed=drawn.seed,
            style=run.params.style,
            quality=DRAFT if number == DRAFT_NUMBER else run.params.quality,
            size_bytes=facts.size_bytes,
            content_hash=facts.content_hash,
            created_at=run.now,
            validation=Validation(checks=content.checks),
        )

    async def _saved(self, run: ImageRun, number: int, content: Content, drawn: Drawn, alt: str) -> Stored:
        """Store the content. While that fails the slot is given back; what was paid for only once it lies in the spool."""
        while True:
            try:
                return await self._storage.save(run.job.id, number, content, alt=alt, shared=drawn.shared)
            except StorageError as error:
                if number in run.state.unspooled and not await self._drawing.keep(run, number, content, drawn):
                    await hold(run, error)
                    continue
                put_off(run, error)
                raise
