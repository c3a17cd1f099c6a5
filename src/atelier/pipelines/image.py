"""The image pipeline: everything that is a picture goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from atelier import media, metrics
from atelier.errors import AtelierError, ProviderNotConfigured
from atelier.jobs.models import Status
from atelier.jobs.pipeline import Pipeline, Product, Run, Stage, stage
from atelier.media import Content, Format
from atelier.pipelines.ports import (
    GeneratedImage,
    ImageProvider,
    ImageRequest,
    Report,
    Script,
    Spool,
    StepReport,
    Storage,
)

KIND = "image"
GENERATING, UPLOADING = 15.0, 90.0
ALT_TEXT_LENGTH = 125
SMALL = 1024


EXPECTED_SECONDS = {"draft": 1.0, "standard": 3.0, "high": 5.0, "ultra": 8.0}
"""How long a picture takes by quality, until durations are measured."""


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
    script: Script = Script()


class Drawn(BaseModel):
    """What generating left: everything but the bytes, which are in the spool."""

    model_config = ConfigDict(frozen=True)

    model: str
    seed: int
    cost: float
    shared: bool
    seconds: float


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
    seed: int
    style: str | None
    quality: str
    size_bytes: int
    content_hash: str
    created_at: datetime


class ImageState(BaseModel):
    """How far a picture is. The content itself lives as long as the attempt; the spool has it longer."""

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


ImageRun = Run[ImageParams, ImageState]


class ImagePipeline(Pipeline[ImageParams, ImageState]):
    """processing → generating → uploading."""

    kind = KIND
    params = ImageParams
    state = ImageState

    def __init__(self, *, providers: Mapping[str, ImageProvider], storage: Storage, spool: Spool) -> None:
        self._providers, self._storage, self._spool = providers, storage, spool
        metrics.providers(providers)

    @stage(progress=5.0, message="Starting generation")
    async def processing(self, run: ImageRun) -> None:
        """Find who will draw, before anything is ordered."""
        self._provider(run)

    @stage(progress=GENERATING, message="Generating the picture")
    async def generating(self, run: ImageRun) -> None:
        """Order the picture, check what came, and spool it; one that an earlier attempt spooled is not ordered again."""
        await self._spooled(run) or await self._draw(run)

    @stage(progress=UPLOADING, message="Storing the picture")
    async def uploading(self, run: ImageRun) -> None:
        """Store the content; an attempt that did not draw it takes it from the spool, or draws it again."""
        content = run.state.content or await self._spooled(run) or await self._draw(run)
        drawn = run.state.drawn
        assert drawn is not None, "generating leaves what it drew"  # noqa: S101 - narrows the type
        facts = content.facts
        stored = await self._storage.save(run.job.id, 1, content, shared=drawn.shared)
        picture = Picture(
            image_id=f"{run.job.id}-1",
            location=stored.location,
            thumbnail=stored.thumbnail,
            width=facts.width,
            height=facts.height,
            format=facts.format,
            alt_text=alt_text(run.params.prompt),
            provider=run.params.provider,
            model=drawn.model,
            seed=drawn.seed,
            style=run.params.style,
            quality=run.params.quality,
            size_bytes=facts.size_bytes,
            content_hash=facts.content_hash,
            created_at=run.now,
        )
        run.state = run.state.model_copy(update={"pictures": (picture,)})

    stages: ClassVar[tuple[Stage, ...]] = (processing, generating, uploading)

    def product(self, run: ImageRun) -> Product:
        """Return the pictures and what they took."""
        drawn = run.state.drawn
        assert drawn is not None, "generating leaves what it drew"  # noqa: S101 - narrows the type
        result = ImageResult(
            images=run.state.pictures,
            provider=run.params.provider,
            model=drawn.model,
            generation_time_seconds=drawn.seconds,
            cost=drawn.cost,
        )
        return Product(result=result.model_dump(mode="json"), cost=drawn.cost)

    async def settled(self, run: ImageRun) -> None:
        """Let go of the previews, and of the spooled bytes once the picture is stored: until then a retry wants them."""
        if run.state.drawn is not None and run.state.drawn.shared:
            return  # what is shared was neither previewed nor spooled
        await self._storage.drop_previews(run.job.id)
        if run.job.status is Status.COMPLETED:
            await self._spool.drop(run.job.id)

    async def deleted(self, job_id: str) -> None:
        """Remove pictures, previews and spooled bytes; what is shared with others stays."""
        await self._storage.remove(job_id)
        await self._spool.drop(job_id)

    def _provider(self, run: ImageRun) -> ImageProvider:
        provider = self._providers.get(run.params.provider)
        if provider is None:
            raise ProviderNotConfigured(f"The provider {run.params.provider} is no longer configured.")
        return provider

    async def _spooled(self, run: ImageRun) -> Content | None:
        if run.job.fence == 1:
            return None  # nobody has held this job before
        found = await self._spool.read(run.job.id)
        if found is None:
            return None
        data, note = found
        content = await _inspect(data)
        run.state = run.state.model_copy(update={"drawn": Drawn.model_validate(note), "content": content})
        return content

    async def _draw(self, run: ImageRun) -> Content:
        provider, began = self._provider(run), run.now
        previews = Previews(self._storage, run)
        terms = provider.terms
        with metrics.ProviderCall(run.params.provider):
            try:
                async with run.ordering(abort=terms.abort, billed=terms.abort_billed, price=terms.billed):
                    image = await provider.generate(_request(run), previews.report)
            finally:
                await previews.close()
            metrics.spent(run.params.provider, image.cost)
            content = await _inspect(image.data)
        drawn = _drawn(image, (run.now - began).total_seconds())
        if not image.shared:
            await self._spool.keep(run.job.id, image.data, drawn.model_dump(mode="json"))
        run.state = run.state.model_copy(update={"drawn": drawn, "content": content})
        return content


class Previews:
    """Turns a provider's steps into the run's: previews are stored one at a time, the latest wins."""

    def __init__(self, storage: Storage, run: ImageRun) -> None:
        self._storage, self._run = storage, run
        self._location: str | None = None
        self._saving: asyncio.Task[None] | None = None

    @property
    def report(self) -> Report:
        """What the provider calls."""
        return self._report

    async def close(self) -> None:
        """Wait for a preview that is being stored, so that none appears after the stage."""
        if self._saving is not None:
            await asyncio.wait({self._saving}, timeout=5)

    def _report(self, step: StepReport) -> None:
        if step.preview is not None and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save(step, step.preview))
        self._tell(step)

    async def _save(self, step: StepReport, preview: bytes) -> None:
        try:
            self._location = await self._storage.save_preview(self._run.job.id, step.step, preview)
        except AtelierError:
            return  # a preview is a courtesy: the picture itself reports what is wrong with the storage
        self._tell(step)

    def _tell(self, step: StepReport) -> None:
        message = f"Generating the picture: step {step.step}/{step.total}"
        span = (GENERATING, UPLOADING)
        self._run.step(step.step, step.total, span=span, message=message, preview=self._location)


async def _inspect(data: bytes) -> Content:
    """Decode in a thread; the smallest pictures cost less than the way there, and are remembered."""
    return _inspect_small(data) if len(data) <= SMALL else await asyncio.to_thread(media.inspect, data)


@lru_cache(maxsize=32)
def _inspect_small(data: bytes) -> Content:
    return media.inspect(data)


def pace(params: ImageParams) -> str:
    """Return which pictures take as long as this one."""
    scenario = params.script.scenario
    return f"{KIND}/{params.provider}/{params.quality}" + (f"/{scenario}" if scenario != "ok" else "")


def alt_text(prompt: str) -> str:
    """Return the prompt as a description of at most 125 characters, cut between words."""
    text = " ".join(prompt.split())
    if len(text) <= ALT_TEXT_LENGTH:
        return text
    cut = text[: ALT_TEXT_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def _request(run: ImageRun) -> ImageRequest:
    params = run.params
    return ImageRequest(
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        style=params.style,
        aspect_ratio=params.aspect_ratio,
        quality=params.quality,
        seed=params.seed,
        output_format=params.output_format,
        script=params.script,
        attempt=run.job.attempt,
    )


def _drawn(image: GeneratedImage, seconds: float) -> Drawn:
    return Drawn(
        model=image.model, seed=image.seed, cost=image.cost, shared=image.shared, seconds=round(max(seconds, 0.0), 3)
    )
