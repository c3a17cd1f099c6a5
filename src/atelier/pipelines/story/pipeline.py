"""The story pipeline: a text first, and as soon as that can be read, a group of pictures that draws itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import ClassVar

from atelier.errors import AlreadyTerminal, AtelierError
from atelier.jobs.models import Json, Status
from atelier.jobs.pipeline import Pipeline, Product
from atelier.jobs.stages import Stage, stage
from atelier.jobs.verdicts import stops_at
from atelier.pipelines.story import prompts
from atelier.pipelines.story.answers import OutlineAnswer, TextAnswer
from atelier.pipelines.story.illustrating import Albums, album
from atelier.pipelines.story.models import (
    KIND,
    PICTURES,
    Outline,
    StoryParams,
    StoryResult,
    StoryRun,
    StoryState,
    StoryText,
    ToldScene,
)
from atelier.pipelines.texts import TextSource
from atelier.pipelines.writing import Told, Writer, Written

WRITING, OUTLINED, ILLUSTRATING = 5.0, 35.0, 90.0


class StoryPipeline(Pipeline[StoryParams, StoryState]):
    """writing → illustrating. The job has ended when the pictures are ordered: they are jobs of their own."""

    kind = KIND
    params = StoryParams
    state = StoryState

    def __init__(self, *, sources: Mapping[str, TextSource], albums: Callable[[], Albums]) -> None:
        """`albums` are asked for when they are wanted: the engine is made after its pipelines."""
        self._writer, self._albums = Writer(sources), albums

    @stage(progress=WRITING, message="Writing the story")
    async def writing(self, run: StoryRun) -> None:
        """Have characters and scenes planned, then the text written, each once; the text can be read from then on."""
        planned = await self._writer.ask(run, prompts.outline(run.params), _outlined())
        outline = prompts.planned(planned.answer(OutlineAnswer))
        run.state = run.state.model_copy(update={"outline": outline})
        await self._writer.ask(run, prompts.text(run.params, outline), _written(outline))

    @stage(progress=ILLUSTRATING, message="Ordering the pictures")
    async def illustrating(self, run: StoryRun) -> None:
        """Accept a picture for each scene; they have to end a little before the story has to.

        The entry is written first: who has lost the job orders none.
        """
        if run.params.illustrated:
            await run.note()
            await self._albums().create(album(run, stops_at(run.job)))

    stages: ClassVar[tuple[Stage, ...]] = (writing, illustrating)

    def product(self, run: StoryRun) -> Product:
        """Return the story; what it cost stands in the job already."""
        planned, written = (Written.model_validate(run.kept(task)) for task in (prompts.OUTLINE, prompts.TEXT))
        began, outline = run.job.started_at or run.now, run.state.outline
        result = StoryResult(
            **dict(told_of(outline, written)),
            characters=outline.characters,
            style=outline.style,
            provider=written.provider,
            model=written.model,
            total_tokens=planned.tokens + written.tokens,
            total_cost=round(planned.cost + written.cost, 6),
            generation_time=round((run.now - began).total_seconds(), 3),
        )
        return Product(result=result.model_dump(mode="json"))

    async def settled(self, run: StoryRun) -> None:
        """See that no pictures are drawn for a story that was cancelled while they were ordered."""
        if run.job.status is Status.CANCELLED:
            await self._take_back(run)

    async def ousted(self, run: StoryRun) -> None:
        """See to the same where the story was cancelled, or deleted, while this process slept."""
        with contextlib.suppress(AtelierError):  # what the store does not tell now is not found out
            job = await run.present()
            if job is None or job.status is Status.CANCELLED:
                await self._take_back(run)

    async def _take_back(self, run: StoryRun) -> None:
        albums = self._albums()
        group = await albums.of_key(run.job.owner, PICTURES, run.job.id)
        if group is not None:
            with contextlib.suppress(AlreadyTerminal):
                await albums.cancel(group)


def told_of(outline: Outline, written: Written) -> StoryText:
    """Return the story as readers have it."""
    texts = written.answer(TextAnswer).scenes
    scenes = tuple(
        ToldScene(number=scene.number, text=text, alt_text=scene.alt_text)
        for scene, text in zip(outline.scenes, texts, strict=True)
    )
    return StoryText(title=outline.title, text="\n\n".join(texts), scenes=scenes)


def _outlined() -> Told:
    def tell(written: Written) -> Json:
        answer = written.answer(OutlineAnswer)
        return {"title": answer.title, "scenes": len(answer.scenes)}

    return Told(message="The story is planned", progress=OUTLINED, tell=tell)


def _written(outline: Outline) -> Told:
    def tell(written: Written) -> Json:
        return {"story": told_of(outline, written).model_dump(mode="json")}

    return Told(message="The text is there", progress=ILLUSTRATING, tell=tell)
