"""The image pipeline: everything that is a picture goes through here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from atelier import metrics
from atelier.errors import ProviderNotConfigured
from atelier.jobs.models import Json, Status
from atelier.jobs.pipeline import Pipeline, Product, Run, Stage, stage
from atelier.media import Content, Format
from atelier.pipelines.inspection import inspect
from atelier.pipelines.ports import GeneratedImage, ImageProvider, ImageRequest, Script, Spool, Storage
from atelier.pipelines.previews import Previews

KIND = "image"
GENERATING, DRAFTED, UPLOADING = 15.0, 40.0, 90.0
DRAFT = "draft"
"""The quality of a draft, and the key under which one is kept and shown."""

DRAFT_NUMBER, FINAL_NUMBER = 0, 1
"""How a job's pictures are numbered in storage and spool."""

ALT_TEXT_LENGTH = 125


class ImageParams(BaseModel):
    """A picture's request as it is stored with the job."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    provider: str
    quality: str
    aspect_ratio: str
    output_format: Format
    negative_prompt: str = ""
    style: str | None = None
    seed: int | None = None
    draft_first: bool = False
    """Show a draft of the same seed while the picture is made."""
    script: Script = Script()


class Drawn(BaseModel):
    """What generating left: everything but the bytes, which are in the spool."""

    model_config = ConfigDict(frozen=True)

    model: str
    seed: int | None
    cost: float
    shared: bool
    seconds: float
    provider: str = ""
    """Who drew it; empty: the one that was asked for."""
    warnings: tuple[str, ...] = ()


class Picture(BaseModel):
    """One stored picture. Locations are absolute, or paths below the service's own address."""

    model_config = ConfigDict(frozen=True)

    image_id: str
    location: str
    thumbnail: str
    width: int
    height: int
    format: Format
    alt_text: str
    provider: str
    model: str
    seed: int | None
    style: str | None
    quality: str
    size_bytes: int
    content_hash: str
    created_at: datetime


class ImageState(BaseModel):
    """How far a picture is. The content itself lives as long as the attempt; the spool has it longer."""

    draft: Drawn | None = None
    drawn: Drawn | None = None
    content: Content | None = Field(default=None, exclude=True, repr=False)
    pictures: tuple[Picture, ...] = ()


class ImageResult(BaseModel):
    """What a completed image job has: at least one picture, who made it, how long that took in seconds, its cost in US dollars."""

    success: bool = True
    images: tuple[Picture, ...]
    provider: str
    model: str
    generation_time_seconds: float
    cost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One drawing of a job: its number, how well and from which seed it is made, and where it moves the bar."""

    number: int
    quality: str
    seed: int | None
    span: tuple[float, float]


ImageRun = Run[ImageParams, ImageState]


class ImagePipeline(Pipeline[ImageParams, ImageState]):
    """processing → generating → uploading."""

    kind = KIND
    params = ImageParams
    state = ImageState

    def __init__(self, *, providers: Mapping[str, ImageProvider], storage: Storage, spool: Spool) -> None:
        self._providers, self._storage, self._spool = providers, storage, spool
        metrics.providers(providers)

    @stage(progress=5.0, message="Starting generation", light=True)
    async def processing(self, run: ImageRun) -> None:
        """Find who will draw, before anything is ordered."""
        self._provider(run)

    @stage(progress=GENERATING, message="Generating the picture")
    async def generating(self, run: ImageRun) -> None:
        """Order the picture, check what came, and spool it; one that an earlier attempt spooled is not ordered again.

        A draft that was asked for is made, stored and shown before, once for all attempts.
        """
        draft = await self._draft(run) if run.params.draft_first else None
        await self._content(run, draft)

    @stage(progress=UPLOADING, message="Storing the picture", light=True)
    async def uploading(self, run: ImageRun) -> None:
        """Store the content; an attempt that did not draw it takes it from the spool, or draws it again."""
        draft = await self._draft(run) if run.params.draft_first else None
        content, drawn = await self._content(run, draft)
        picture = await self._store(run, FINAL_NUMBER, content, drawn)
        run.state = run.state.model_copy(update={"pictures": (picture,), "draft": draft})

    stages: ClassVar[tuple[Stage, ...]] = (processing, generating, uploading)

    def product(self, run: ImageRun) -> Product:
        """Return the pictures and what they took."""
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
        return Product(result=result.model_dump(mode="json"), cost=result.cost, warnings=warnings)

    async def settled(self, run: ImageRun) -> None:
        """Let go of the previews, and of the spooled bytes once the picture is stored: until then a retry wants them."""
        if run.loaded and run.state.drawn is not None and run.state.drawn.shared:
            return  # what is shared was neither previewed nor spooled
        await self._storage.drop_previews(run.job.id)
        if run.job.status is Status.COMPLETED:
            await self._spool.drop(run.job.id, FINAL_NUMBER)
            if run.params.draft_first:
                await self._spool.drop(run.job.id, DRAFT_NUMBER)

    async def deleted(self, job_id: str) -> None:
        """Remove pictures, previews and spooled bytes; what is shared with others stays."""
        await self._storage.remove(job_id)
        for number in (DRAFT_NUMBER, FINAL_NUMBER):
            await self._spool.drop(job_id, number)

    def _provider(self, run: ImageRun) -> ImageProvider:
        provider = self._providers.get(run.params.provider)
        if provider is None:
            raise ProviderNotConfigured(f"The provider {run.params.provider} is no longer configured.")
        return provider

    async def _draft(self, run: ImageRun) -> Drawn:
        """Return how the draft was made; it is made, stored and shown once, whatever happens to later attempts."""
        kept = await run.once(
            DRAFT, partial(self._make_draft, run), message="The draft is ready", progress=DRAFTED, show=_picture
        )
        return Drawn.model_validate(kept["drawn"])

    async def _make_draft(self, run: ImageRun) -> Json:
        order = Order(number=DRAFT_NUMBER, quality=DRAFT, seed=run.params.seed, span=(GENERATING, DRAFTED))
        content, drawn = await self._spooled(run, order.number) or await self._draw(run, order)
        picture = await self._store(run, order.number, content, drawn)
        return {"picture": picture.model_dump(mode="json"), "drawn": drawn.model_dump(mode="json")}

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
        content, drawn = await self._spooled(run, order.number) or await self._draw(run, order)
        run.state = run.state.model_copy(update={"drawn": drawn, "content": content})
        return content, drawn

    async def _spooled(self, run: ImageRun, number: int) -> tuple[Content, Drawn] | None:
        if run.job.fence == 1:
            return None  # nobody has held this job before
        found = await self._spool.read(run.job.id, number)
        if found is None:
            return None
        data, note = found
        return await inspect(data), Drawn.model_validate(note)

    async def _draw(self, run: ImageRun, order: Order) -> tuple[Content, Drawn]:
        provider, began = self._provider(run), run.now
        previews = Previews(self._storage, run, order.span)
        terms = provider.terms
        with metrics.ProviderCall(run.params.provider):
            try:
                async with run.ordering(abort=terms.abort, billed=terms.abort_billed, price=terms.billed):
                    image = await provider.generate(_request(run, order), previews)
            finally:
                await previews.close()
            metrics.spent(run.params.provider, image.cost)
            content = await inspect(image.data)
        drawn = _drawn(image, (run.now - began).total_seconds())
        if not image.shared:
            await self._spool.keep(run.job.id, order.number, image.data, drawn.model_dump(mode="json"))
        return content, drawn

    async def _store(self, run: ImageRun, number: int, content: Content, drawn: Drawn) -> Picture:
        described, facts = alt_text(run.params.prompt), content.facts
        stored = await self._storage.save(run.job.id, number, content, alt=described, shared=drawn.shared)
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
        )


def alt_text(prompt: str) -> str:
    """Return the prompt as a description of at most 125 characters, cut between words."""
    text = " ".join(prompt.split())
    if len(text) <= ALT_TEXT_LENGTH:
        return text
    cut = text[: ALT_TEXT_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def _picture(kept: Json) -> Json:
    """What is shown of a draft."""
    picture: Json = kept["picture"]
    return picture


def _request(run: ImageRun, order: Order) -> ImageRequest:
    params = run.params
    return ImageRequest(
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        style=params.style,
        aspect_ratio=params.aspect_ratio,
        quality=order.quality,
        seed=order.seed,
        output_format=params.output_format,
        script=params.script,
        attempt=run.job.attempt,
    )


def _drawn(image: GeneratedImage, seconds: float) -> Drawn:
    return Drawn(
        model=image.model,
        seed=image.seed,
        cost=image.cost,
        shared=image.shared,
        seconds=round(max(seconds, 0.0), 3),
        provider=image.provider,
        warnings=image.warnings,
    )
