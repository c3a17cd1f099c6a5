"""Front door E's wire: stories as they are asked for, read and listed, and how their pictures are getting on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from atelier.api.fields import Filled, SandboxScript
from atelier.api.wire_schemas import Cancellation, EtaView

StoryStatus = Literal["pending", "processing", "completed", "failed", "cancelled"]
ImagesStatus = Literal["pending", "processing", "completed", "failed"]
ImageStatus = Literal["pending", "generating", "completed", "failed"]

_STORY = "http://localhost:8000/api/ai/generated-content/7c2d0f9b6a1e4d58b3f4a5c6d7e8f901/"
_URLS: JsonDict = {
    "self": _STORY,
    "images": f"{_STORY}images/status/",
    "stream": f"{_STORY}images/stream/",
    **{name: f"{_STORY}{name}/" for name in ("cancel", "retry", "ticket")},
}


_RECEIPT: Any = Field(
    description="Of what was cancelled, text or picture, the receipt of what may have cost most; each picture has its own."
)


class StoryRequest(BaseModel):
    """A story to write. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "content_type": "story",
                    "topic": "A fox who has lost her key",
                    "level": "A2",
                    "illustrated": True,
                    "image_count": 4,
                }
            ]
        },
    )

    content_type: Literal["story"] | None = Field(None, description="There are no others; left out: story.")
    topic: Filled = Field(min_length=1, max_length=500)
    level: Filled = Field(
        min_length=1, max_length=64, description="Readers' level of language, in your own words: `A2`, `grade 3`."
    )
    illustrated: bool | None = Field(None, description="Whether pictures are drawn; left out: no.")
    image_count: int | None = Field(
        None, ge=1, le=20, description="Scenes, with a picture each where it is illustrated; left out: 8."
    )
    sandbox: SandboxScript | None = Field(None, description="What the sandbox shall do, which then writes and draws.")
    sandbox_images: SandboxScript | None = Field(
        None, description="The same for the pictures alone; left out: as `sandbox` says."
    )


class StoryAccepted(BaseModel):
    """The story is recorded durably and queued."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "7c2d0f9b6a1e4d58b3f4a5c6d7e8f901",
                    "job_id": "7c2d0f9b6a1e4d58b3f4a5c6d7e8f901",
                    "status": "pending",
                    "message": "Story generation queued successfully",
                    "estimated_completion_time": 60.0,
                    "warnings": [],
                    "urls": _URLS,
                }
            ]
        }
    )

    id: str
    job_id: str
    status: StoryStatus
    message: str
    estimated_completion_time: float = Field(description="Seconds until the text is there.")
    warnings: list[str]
    urls: dict[str, str]


class StoryImage(BaseModel):
    """A story's picture. `event_number` is its scene's number, from 1."""

    event_number: int
    status: ImageStatus
    image_url: str | None
    thumbnail_url: str | None
    alt_text: str
    provider: str | None = Field(description="Who drew it; while it is drawn, who is asked.")
    error: str | None
    code: str | None
    attempts: int = Field(description="Of the present run; a retry begins another.")
    job_id: str | None = Field(description="Its own job, with every stage: below /api/v1/images/jobs.")
    warnings: list[str]
    cancellation: Cancellation | None


class SceneView(BaseModel):
    """A scene's text."""

    number: int
    text: str
    alt_text: str


class StoryView(BaseModel):
    """A story as it is now. The text is there before the pictures are."""

    id: str
    job_id: str
    content_type: Literal["story"]
    topic: str
    level: str
    illustrated: bool
    image_count: int
    status: StoryStatus = Field(description="As its pictures make it, once the text is there.")
    message: str
    error_message: str | None
    error_code: str | None
    progress_percentage: float = Field(description="Of the text.")
    title: str | None
    text: str | None = Field(description="All scenes; null until it is written.")
    scenes: list[SceneView]
    images: list[StoryImage]
    cost: float = Field(description="US dollars, pictures included.")
    warnings: list[str]
    eta: EtaView | None = Field(description="Of the text.")
    created_at: datetime
    started_at: datetime | None
    text_completed_at: datetime | None
    must_finish_by: datetime
    cancellation: Cancellation | None = _RECEIPT
    urls: dict[str, str]


class ImagesView(BaseModel):
    """How a story's pictures are getting on."""

    status: ImagesStatus
    total: int
    completed: int
    failed: int
    message: str
    current_provider: str | None
    estimated_time_remaining: float | None = Field(description="Seconds; null when everything has ended.")
    images: list[StoryImage]
    cancellation: Cancellation | None = _RECEIPT


class StoryList(BaseModel):
    """Stories, newest first; `next_cursor` leads to the next page, null at the end."""

    results: list[StoryView]
    next_cursor: str | None


class StoryHistory(BaseModel):
    """Which stories to list."""

    model_config = ConfigDict(extra="ignore")

    content_type: Literal["story"] | None = None
    illustrated: bool | None = None
    status: StoryStatus | None = Field(
        None, description="A page that is filtered by it may have fewer than `limit`; `next_cursor` goes on."
    )
    created_after: datetime | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(20, ge=1, le=50)
