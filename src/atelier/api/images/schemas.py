"""Front door A's wire: requests as they are checked, answers as they are sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from atelier.api.fields import AspectRatio, Filled, Identifier, JobStatus, Page, Quality, SandboxScript, Text
from atelier.api.wire_schemas import AcceptedJob, Cancellation, JobState, ProgressUpdate, Steps

Style = Literal[
    "photographic",
    "digital-art",
    "anime",
    "3d-model",
    "cinematic",
    "comic-book",
    "fantasy-art",
    "line-art",
    "neon-punk",
    "origami",
    "pixel-art",
    "tile-texture",
    "analog-film",
    "enhance",
    "isometric",
    "low-poly",
    "modeling-compound",
]
OutputFormat = Literal["png", "jpeg", "webp"]
Provider = Literal["stability_ai", "gemini", "stable_horde", "hugging_face", "diffusers", "sandbox"]


class ImageGenerationStage(StrEnum):
    """Where a picture's job is."""

    QUEUED = "queued"
    PROCESSING = "processing"
    GENERATING = "generating"
    UPLOADING = "uploading"
    COMPLETED = "completed"
    ERROR = "error"


class GenerateRequest(BaseModel):
    """A picture to make. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "prompt": "A lighthouse above the sea at sunset",
                    "style": "photographic",
                    "aspect_ratio": "16:9",
                    "quality": "standard",
                }
            ]
        },
    )

    prompt: Filled = Field(min_length=1, max_length=10_000)
    provider: Provider | None = Field(None, description="Who draws; left out: the first one configured that works.")
    style: Style | None = None
    aspect_ratio: AspectRatio | None = Field(None, description="Left out: 1:1.")
    quality: Quality | None = Field(None, description="Left out: standard. `draft` is the fastest.")
    negative_prompt: Text | None = Field(None, max_length=10_000, description="What shall not be seen.")
    seed: int | None = Field(
        None,
        ge=0,
        le=4_294_967_294,
        description="The same request and seed, the same picture, as far as the provider keeps to it.",
    )
    blog_id: Identifier | None = None
    blog_job_id: Identifier | None = None
    blog_topic: Text | None = Field(None, max_length=500)
    output_format: OutputFormat | None = Field(None, description="Left out: png.")
    sandbox: SandboxScript | None = Field(None, description="Scripted behaviour of the sandbox provider.")


@with_config(
    ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f",
                    "status": "queued",
                    "message": "Image generation job queued successfully",
                    "estimated_completion_time": 3.0,
                    "is_draft": False,
                    "warnings": [],
                    "urls": {
                        "self": "http://localhost:8000/api/v1/images/jobs/5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f",
                        "stream": "http://localhost:8000/api/v1/images/jobs/5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f/stream",
                        "cancel": "http://localhost:8000/api/v1/images/jobs/5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f/cancel",
                        "retry": "http://localhost:8000/api/v1/images/jobs/5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f/retry",
                        "ticket": "http://localhost:8000/api/v1/images/jobs/5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f/ticket",
                    },
                }
            ]
        }
    )
)
class Accepted(AcceptedJob):
    """The job is recorded durably and queued."""

    status: JobStatus
    is_draft: bool
    urls: dict[str, str]


class CheckView(TypedDict):
    """Something that was looked at before the picture was stored."""

    name: str
    passed: bool
    detail: str


class ValidationView(TypedDict):
    """The evidence that the picture is one, and the one that was asked for."""

    verdict: Literal["passed", "failed"]
    checks: list[CheckView]


class PictureView(TypedDict):
    """One finished picture; sizes in pixels and bytes, read from its bytes. Its addresses stay."""

    image_id: str
    image_url: str
    width: int
    height: int
    format: OutputFormat
    alt_text: str
    thumbnail_url: str
    provider: str
    model: str
    seed: Annotated[int | None, Field(description="Null where the provider does not tell.")]
    style: str | None
    quality: str
    size_bytes: int
    content_hash: Annotated[str, Field(description="SHA-256 of the bytes, hexadecimal.")]
    created_at: datetime
    validation: Annotated[ValidationView | None, Field(description="Null for pictures of earlier versions.")]


class ResultView(TypedDict):
    """What a completed job made; cost in US dollars."""

    success: bool
    images: list[PictureView]
    provider: str
    model: str
    generation_time_seconds: float
    cost: float


class JobView(JobState, Steps):
    """A job as it is now. Times are RFC 3339 in UTC, durations are seconds."""

    current_stage: ImageGenerationStage
    result: Annotated[ResultView | None, Field(description="Set when completed.")]
    is_draft: bool
    draft: Annotated[
        PictureView | None, Field(description="Of a batch with drafts: shown while the picture itself is made.")
    ]
    batch_id: str | None
    title: str
    style: str | None
    aspect_ratio: str
    quality: str
    blog_id: str | None
    blog_job_id: str | None
    cancellation: Cancellation | None
    progress_updates: list[ProgressUpdate]
    urls: dict[str, str]


class JobList(TypedDict):
    """Jobs, newest first; `next_cursor` leads to the next page, null at the end."""

    jobs: list[JobView]
    next_cursor: str | None


class History(Page):
    """Which jobs to list."""

    blog_job_id: Identifier | None = None
