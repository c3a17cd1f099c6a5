"""What every dialect writes alike: moments, addresses, records, receipts. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from atelier.jobs.estimates import Estimate
from atelier.jobs.models import Json, Receipt, Record, Step


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


def to_eta(estimate: Estimate) -> EtaView:
    """Return an estimate as it is sent."""
    return EtaView(p50=estimate.p50, p90=estimate.p90, basis=estimate.basis, samples=estimate.samples)


def to_queue(ahead: int | None, step: Step | None = None) -> QueueView | None:
    """Return a place in the queue as it is sent: in the service's own, else in the provider's."""
    if ahead is not None:
        return QueueView(position=ahead + 1, ahead=ahead, provider_position=None)
    if step is None or step.queue is None:
        return None
    return QueueView(position=None, ahead=None, provider_position=step.queue.position)


def stamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the microsecond."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp_or_none(moment: datetime | None) -> str | None:
    """Return a moment as RFC 3339, or None where there is none."""
    return stamp(moment) if moment is not None else None


def absolute(location: str | None, base: str) -> str | None:
    """Return a location as a full address: a path is below the service's own."""
    return base + location if location is not None and location.startswith("/") else location


def to_cancellation(receipt: Receipt | None) -> Cancellation | None:
    """Return a receipt as it is sent."""
    if receipt is None:
        return None
    return Cancellation(requested_at=receipt.requested_at, outcome=receipt.outcome, billed=receipt.billed)


def to_progress_update(record: Record, data: Json) -> Json:
    """Return a record as the ProgressUpdate that is sent with a job, with its data as callers see them."""
    return {
        "seq": record.seq,
        "run": record.run,
        "stage": record.stage,
        "status": record.status,
        "progress_percentage": record.progress,
        "message": record.message,
        "data": data,
        "timestamp": record.at,
    }
