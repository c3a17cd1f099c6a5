"""What every dialect writes alike: moments, addresses, records, receipts. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from atelier.jobs.models import Receipt, Record


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


def to_progress_update(record: Record) -> ProgressUpdate:
    """Return a record as it is sent with a job."""
    return ProgressUpdate(
        seq=record.seq,
        run=record.run,
        stage=record.stage,
        status=record.status.value,
        progress_percentage=record.progress,
        message=record.message,
        data=record.data,
        timestamp=record.at,
    )
