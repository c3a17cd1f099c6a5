"""What every dialect shows alike: a job's state, a line of its log, how long it may take, its place, what a cancel achieved.

Answers about jobs are dictionaries, whose fields mypy checks where they are made: there are many, and nothing in them is a caller's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from atelier.api.fields import JobStatus


class ProgressUpdate(TypedDict):
    """One record of the job's log."""

    seq: int
    run: int
    stage: str
    status: str
    progress_percentage: float
    message: str
    data: dict[str, Any]
    timestamp: datetime


class Cancellation(TypedDict):
    """What a cancel achieved."""

    requested_at: datetime
    outcome: Literal[
        "dequeued", "aborted_before_send", "confirmed_by_provider", "provider_cannot_cancel", "too_late", "unknown"
    ]
    billed: Literal["no", "yes", "unknown"]


class EtaView(TypedDict):
    """In how many seconds a job may be finished: half and nine tenths of the like are by then."""

    p50: float
    p90: float
    basis: Annotated[
        Literal["measured", "table", "steps"], Field(description="Durations measured, a table, or its own steps.")
    ]
    samples: int


class QueueView(TypedDict):
    """A job's place among those that wait for a slot, as turns go round over owners and batches; or at the provider."""

    position: Annotated[int | None, Field(description="Null once it has a slot.")]
    ahead: Annotated[int | None, Field(description="How many start before it as the queue stands now.")]
    provider_position: Annotated[
        int | None, Field(description="Its place in the provider's own queue, where that is told.")
    ]


class AcceptedJob(TypedDict):
    """The fields that every answer to an accepted request has."""

    job_id: str
    message: str
    estimated_completion_time: Annotated[
        float, Field(description="Seconds: the wait as far as it is known, and what the like took.")
    ]
    warnings: list[str]


class JobState(TypedDict):
    """The fields of a job's answer that are named and meant alike everywhere."""

    job_id: str
    status: JobStatus
    state_reason: Annotated[str | None, Field(description="Why it waits or what it is about to do, beside the status.")]
    progress_percentage: float
    message: str
    error_message: str | None
    error_code: str | None
    estimated_time_remaining: float | None
    eta: Annotated[EtaView | None, Field(description="Until it has ended.")]
    queue: Annotated[QueueView | None, Field(description="While it waits for a slot.")]
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    resume_at: datetime | None
    must_finish_by: datetime
    attempt: int
    max_attempts: int
    seq: int
    run: int
    cost: float
    warnings: list[str]


class Steps(TypedDict):
    """What is done within the stage; nulls where nothing is counted."""

    step: int | None
    total_steps: int | None
    part: Annotated[
        str | None,
        Field(description="Which model is at work, where two take turns: `base_model`, then `refiner_model`."),
    ]
    preview_url: str | None
