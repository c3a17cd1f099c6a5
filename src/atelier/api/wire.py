"""What every dialect writes alike: moments, addresses, records, receipts. Pure."""

from __future__ import annotations

from datetime import datetime

import pydantic_core

from atelier.api.wire_schemas import Cancellation, EtaView, ProgressUpdate, QueueView
from atelier.jobs.estimates import Estimate
from atelier.jobs.models import Json, Receipt, Record, Step


def json_of(answer: object) -> bytes:
    """Return an answer as it is sent: a model, or a typed dictionary, which mypy has checked and nobody else does."""
    return pydantic_core.to_json(answer, inf_nan_mode="null")


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


def absolute(location: str, base: str) -> str:
    """Return a location as a full address: a path is below the service's own."""
    return base + location if location.startswith("/") else location


def absolute_or_none(location: str | None, base: str) -> str | None:
    """Return a location as a full address, or None where there is none."""
    return absolute(location, base) if location is not None else None


def to_cancellation(receipt: Receipt | None) -> Cancellation | None:
    """Return a receipt as it is sent."""
    if receipt is None:
        return None
    return Cancellation(requested_at=receipt.requested_at, outcome=receipt.outcome, billed=receipt.billed)


def to_progress_update(record: Record, data: Json) -> ProgressUpdate:
    """Return a record as it is sent with a job, with its data as callers see them."""
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
