"""The wire of batches: requests as they are checked, answers as they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from atelier.api.fields import Identifier
from atelier.api.images.schemas import GenerateRequest, JobView

Workflow = Literal["standard", "draft_then_final"]
BatchStatus = Literal["processing", "completed", "failed", "cancelled"]

_URL = "http://localhost:8000/api/v1/images/batches/0d6c9b2f4e8a4f51b7a3c2d1e0f95a4b"


class BatchRequest(BaseModel):
    """Pictures to make, each as in `/generate`. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "images": [
                        {"prompt": "A lighthouse above the sea at sunset", "style": "photographic"},
                        {"prompt": "The same lighthouse in a storm", "aspect_ratio": "16:9"},
                    ],
                    "blog_id": "spring",
                    "workflow": "draft_then_final",
                }
            ]
        },
    )

    images: list[GenerateRequest] = Field(min_length=1, max_length=100)
    blog_id: Identifier | None = Field(None, description="Of every picture that names none itself.")
    workflow: Workflow | None = Field(
        None,
        description="Left out: standard. `draft_then_final` shows a draft of each picture while the picture is made;"
        " both are paid for.",
    )


@with_config(
    ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "batch_id": "0d6c9b2f4e8a4f51b7a3c2d1e0f95a4b",
                    "job_ids": ["5f0c1f2e7a9b4c3d8e6f5a4b3c2d1e0f", "9a8b7c6d5e4f30211203f4e5d6c7b8a9"],
                    "total_images": 2,
                    "status": "processing",
                    "message": "Batch of 2 images queued successfully",
                    "warnings": [],
                    "urls": {"self": _URL, "stream": f"{_URL}/stream", "cancel": f"{_URL}/cancel"},
                }
            ]
        }
    )
)
class BatchAccepted(TypedDict):
    """The batch and all its jobs are recorded durably."""

    batch_id: str
    job_ids: Annotated[list[str], Field(description="In the order of the request.")]
    total_images: int
    status: BatchStatus
    message: str
    warnings: list[str]
    urls: dict[str, str]


class BatchView(TypedDict):
    """A batch as its jobs make it: processing while any runs or waits, else completed if any has a picture."""

    batch_id: str
    status: BatchStatus
    total_images: int
    completed: int
    failed: int
    cancelled: Annotated[int, Field(description="Those whose jobs were deleted count here.")]
    deleted: Annotated[int, Field(description="Of the cancelled ones, those whose jobs were deleted.")]
    jobs: Annotated[list[JobView], Field(description="In the order of the request; deleted ones are missing.")]
    created_at: datetime
    must_finish_by: datetime
    urls: dict[str, str]
