"""What every dialect shows alike: a line of a job's log, how long it may take, its place, what a cancel achieved."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class ProgressUpdate(BaseModel):
    """One record of the job's log."""

    seq: int
    run: int
    stage: str
    status: str
    progress_percentage: float
    message: str
    data: dict[str, Any]
    timestamp: datetime


class Cancellation(BaseModel):
    """What a cancel achieved."""

    requested_at: datetime
    outcome: Literal[
        "dequeued", "aborted_before_send", "confirmed_by_provider", "provider_cannot_cancel", "too_late", "unknown"
    ]
    billed: Literal["no", "yes", "unknown"]


class EtaView(BaseModel):
    """In how many seconds a job may be finished: half and nine tenths of the like are by then."""

    p50: float
    p90: float
    basis: Literal["measured", "table", "steps"] = Field(description="Durations measured, a table, or its own steps.")
    samples: int


class QueueView(BaseModel):
    """A job's place among those that wait for a slot, as turns go round over owners and batches; or at the provider."""

    position: int | None = Field(description="Null once it has a slot.")
    ahead: int | None = Field(description="How many start before it as the queue stands now.")
    provider_position: int | None = Field(description="Its place in the provider's own queue, where that is told.")
