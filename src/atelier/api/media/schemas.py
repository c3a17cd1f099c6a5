"""Front door C's wire: a picture to make, and what came of it. Its messages are in docs/media.md."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from atelier.api.fields import Identifier
from atelier.api.images.schemas import GenerateRequest, PictureView


class MediaRequest(GenerateRequest):
    """A picture to make and to wait for. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prompt": "A lighthouse above the sea at sunset",
                    "use_generation": True,
                    "use_refinement": True,
                    "high_quality": False,
                    "task_id": "task-1765949075123",
                }
            ]
        },
    )

    use_generation: bool | None = Field(None, description="Left out: true. There is nothing to be had without.")
    use_refinement: bool | None = Field(
        None, description="Left out: false. A second model finishes the picture, where the provider has one."
    )
    high_quality: bool | None = Field(None, description="Left out: false. The same as quality high.")
    task_id: Identifier | None = Field(
        None, description="Your name for the job: the same one and body again give the same job."
    )


class MediaAnswer(TypedDict):
    """What came of it. The status was sent before that was known: `success` tells."""

    success: bool
    message: str
    image_url: str | None
    task_id: str | None
    job_id: str
    status: str
    image: PictureView | None
    generation_time: Annotated[float | None, Field(description="Seconds that drawing took.")]
    code: Annotated[str | None, Field(description="A failure's code.")]
    retryable: Annotated[bool | None, Field(description="Whether asking again may help; null: it succeeded.")]
    warnings: list[str]
    urls: dict[str, str]
