"""What a picture's job is asked for, what it keeps between attempts, and what it leaves."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.jobs.pipeline import Run
from atelier.jobs.verdicts import stops_at
from atelier.media import Check, Content, Format
from atelier.pipelines.ledger import Ledger
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Script
from atelier.pipelines.projects import Spot

KIND = "image"
IN_ORDER = "first_that_works"
"""The provider of requests that leave the choice to the service: the configured ones, in their order."""

STORY_ORDER = "story_providers"
"""The provider of stories' pictures: those with a key, in an order of their own, each with a share of the time left."""

ORDERS = frozenset({IN_ORDER, STORY_ORDER})

POOL = "pool:"
"""How the names of pools begin where a provider is named: each draws the style of its name."""

DEFAULT_POOL = f"{POOL}default"
"""Draws the styles that have no pool of their own."""

GENERATING, DRAFTED, UPLOADING = 15.0, 40.0, 90.0
DRAFT = "draft"
"""The quality of a draft, and the key under which one is kept and shown."""

DRAFT_NUMBER, FINAL_NUMBER = 0, 1
"""How a job's pictures are numbered in storage and spool."""

IMPORTED = "imported"
"""Who drew a picture that was there before."""

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
    refine: bool = False
    """Let a second model finish what the first one began, where the provider has one."""
    alt: str = ""
    """What the picture shows, for those who cannot see it; empty: the prompt says it."""
    script: Script = Script()
    spot: Spot | None = None
    """Where a storyboard's picture is copied to."""
    honours: bool = False
    """Take what an earlier system left at the spot for the picture."""
    replaces: bool = False
    """Replace at the spot what is older."""
    hard_cut: bool = False
    """Draw it in the style of the project's reference."""


@frozen
class Drawn:
    """What generating left: everything but the bytes, which are in the spool."""

    model: str
    seed: int | None
    cost: float
    shared: bool
    seconds: float
    provider: str = ""
    """Who drew it; empty: the one that was asked for."""
    warnings: tuple[str, ...] = ()
    ratio: str | None = None
    """The aspect ratio it has to have; None: its provider has not the one that was asked for."""


@frozen
class Validation:
    """What was looked at, and the verdict: `passed` is the only one a stored picture has."""

    verdict: str = "passed"
    checks: tuple[Check, ...] = ()


@frozen
class Picture:
    """One stored picture. Locations are absolute, or paths below the service's own address."""

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
    validation: Validation = Validation()


class ImageState(BaseModel):
    """How far a picture is. The content itself lives as long as the attempt; the spool has it longer."""

    draft: Drawn | None = None
    drawn: Drawn | None = None
    content: Content | None = Field(default=None, exclude=True, repr=False)
    unspooled: frozenset[int] = Field(default=frozenset(), exclude=True)
    """Numbers of pictures that were paid for and lie nowhere but here."""
    pictures: tuple[Picture, ...] = ()
    ledger: Ledger = Field(default_factory=Ledger)


@frozen
class ImageResult:
    """What a completed image job has: at least one picture, who made it, how long that took in seconds, its cost in US dollars."""

    success: bool = True
    images: tuple[Picture, ...]
    provider: str
    model: str
    generation_time_seconds: float
    cost: float


DRAWN, PICTURE, RESULT = TypeAdapter(Drawn), TypeAdapter(Picture), TypeAdapter(ImageResult)
"""How they are written as JSON, and read again."""


@frozen
class Order:
    """One drawing of a job: its number, how well and from which seed it is made, and where it moves the bar."""

    number: int
    quality: str
    seed: int | None
    span: tuple[float, float]

    @property
    def key(self) -> str:
        """Its name in the job's ledger."""
        return str(self.number)


ImageRun = Run[ImageParams, ImageState]


def alt_text(prompt: str) -> str:
    """Return the prompt as a description of at most 125 characters, cut between words."""
    text = " ".join(prompt.split())
    if len(text) <= ALT_TEXT_LENGTH:
        return text
    cut = text[: ALT_TEXT_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def shown(kept: Json) -> Json:
    """Return what is shown of a kept draft."""
    picture: Json = kept["picture"]
    return picture


def request_of(run: ImageRun, order: Order) -> ImageRequest:
    """Return what a provider is asked for."""
    params = run.params
    return ImageRequest(
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        style=params.style,
        aspect_ratio=params.aspect_ratio,
        quality=order.quality,
        seed=order.seed,
        output_format=params.output_format,
        refine=params.refine,
        script=params.script,
        attempt=run.job.attempt,
        owner=run.job.owner,
        until=stops_at(run.job),
    )


def drawn_of(image: GeneratedImage, seconds: float, ratio: str | None) -> Drawn:
    """Return what is kept of a picture beside its bytes."""
    return Drawn(
        model=image.model,
        seed=image.seed,
        cost=image.cost,
        shared=image.shared,
        seconds=round(max(seconds, 0.0), 3),
        provider=image.provider,
        warnings=image.warnings,
        ratio=ratio,
    )
