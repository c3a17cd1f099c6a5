"""The only state machine: pure functions from a header and an event to the next header and its record.

pending ─ Queued ─▶ queued ─ Claimed ─▶ processing ─ Completed ─▶ completed
   ▲                  ▲  ◀─ Retried, Snoozed ─┘ │      (Redispatched: queued ─▶ queued)
   └────── Held ──────┼─────────────────────────┤
                      │      Failed (any) ─▶ failed ─┐
                      │   Cancelled (any) ─▶ cancelled
                      └───────── Reopened ───────────┘   (of a group's member: to pending)

Postponed moves the deadline of a job that has not ended; CancelRequested leaves a running one only Cancelled. Noted
keeps what was spent, and changes nothing else. RemovalBegun keeps an ended job from being opened again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, assert_never

from atelier.errors import JobConflict
from atelier.jobs.events import (
    Advanced,
    Cancelled,
    CancelRequested,
    Claimed,
    Completed,
    Event,
    Failed,
    Held,
    Noted,
    Postponed,
    Queued,
    Redispatched,
    RemovalBegun,
    RemovalGivenUp,
    Reopened,
    Retried,
    Snoozed,
    StageStarted,
)
from atelier.jobs.models import Fault, Job, Json, Reason, Record, Status, Step

ERROR_STAGE = "error"
FULL = 100.0


def play(job: Job, events: Iterable[Event], now: datetime) -> tuple[Job, tuple[Record, ...]]:
    """Apply `events` in order; the new header and the records they left. Raises JobConflict, changing nothing."""
    records = []
    for event in events:
        job = apply(job, event, now)
        record = record_of(job, event)
        if record is not None:
            records.append(record)
    return job, tuple(records)


def apply(job: Job, event: Event, now: datetime) -> Job:
    """Return the header after `event`; time never runs backwards in it. Raises JobConflict where it may not happen."""
    _allow(job, event)
    changes = _changes(job, event, now)
    changes["seq"] = job.seq if type(event) in _UNNUMBERED else job.seq + 1
    changes["rev"], changes["updated_at"] = job.rev + 1, max(now, job.updated_at)
    return job.changed(changes)


def touch(job: Job, *, fence: int, lease_until: datetime, step: Step | None, now: datetime) -> Job:
    """Renew a worker's lease and, where given, overwrite the step. Progress only rises; a step of a left stage is dropped."""
    require_fence(job, fence)
    current = step if step is not None and step.stage == job.stage else job.step
    progress = max(job.progress, current.progress) if current is not None else job.progress
    return job.changed(
        {
            "rev": job.rev + 1,
            "updated_at": max(now, job.updated_at),
            "lease_until": lease_until,
            "step": current,
            "state_reason": _reason_with(job, current),
            "progress": progress,
        }
    )


def require_fence(job: Job, fence: int) -> None:
    """Refuse a worker whose claim is no longer the job's present one."""
    if job.fence != fence or job.status is not Status.PROCESSING:
        raise JobConflict("This run of the job has ended or another worker holds it.")


def record_of(job: Job, event: Event) -> Record | None:
    """Return the log line that `event` left in `job` (the header after it); None for events without a number."""
    if type(event) in _UNNUMBERED:
        return None
    return Record(
        seq=job.seq,
        run=job.run,
        attempt=job.attempt,
        stage=job.stage,
        status=job.status,
        progress=job.progress,
        message=_message(event),
        at=job.updated_at,
        data=_data(event),
    )


_UNNUMBERED = frozenset(
    {Claimed, Noted, Retried, Snoozed, Held, Postponed, Redispatched, CancelRequested, RemovalBegun, RemovalGivenUp}
)
_ALLOWED_IN_CANCELLING = (StageStarted, Advanced, Noted, Cancelled, Reopened, RemovalBegun, RemovalGivenUp)
_ENDED = frozenset(status for status in Status if status.terminal)


_ALLOWED: dict[type[Event], frozenset[Status]] = {
    Queued: frozenset({Status.PENDING}),
    Claimed: frozenset({Status.QUEUED}),
    StageStarted: frozenset({Status.PROCESSING}),
    Advanced: frozenset({Status.PROCESSING}),
    Noted: frozenset({Status.PROCESSING}),
    Retried: frozenset({Status.PROCESSING}),
    Snoozed: frozenset({Status.PROCESSING}),
    Held: frozenset({Status.PROCESSING}),
    Postponed: frozenset({Status.PENDING, Status.QUEUED, Status.PROCESSING}),
    Redispatched: frozenset({Status.QUEUED}),
    CancelRequested: frozenset({Status.PROCESSING}),
    Completed: frozenset({Status.PROCESSING}),
    Failed: frozenset({Status.PENDING, Status.QUEUED, Status.PROCESSING}),
    Cancelled: frozenset({Status.PENDING, Status.QUEUED, Status.PROCESSING}),
    Reopened: frozenset({Status.FAILED, Status.CANCELLED}),
    RemovalBegun: _ENDED,
    RemovalGivenUp: _ENDED,
}


def _allow(job: Job, event: Event) -> None:
    name = type(event).__name__
    if job.status not in _ALLOWED[type(event)]:
        raise JobConflict(f"{name} cannot happen to a job that is {job.status}.")
    if job.cancel_requested_at is not None and not isinstance(event, _ALLOWED_IN_CANCELLING):
        raise JobConflict(f"{name} cannot happen any more: the job is being cancelled.")
    if job.removing and isinstance(event, Reopened):
        raise JobConflict("The job is being removed.")


def _changes(job: Job, event: Event, now: datetime) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912 - one arm per event
    match event:
        case Queued(run_at=run_at):
            waits = Reason.WAITING_UNTIL if run_at > now else None
            return _due(job, run_at, waits) | {"stage": "queued"}
        case Claimed(worker=worker, lease_until=lease_until):
            return _claimed(job, worker, lease_until, now)
        case StageStarted(stage=stage, progress=progress):
            return _stepless(job) | {"stage": stage, "progress": max(job.progress, progress)}
        case Advanced(progress=progress, shows=shows):
            return _stepless(job) | {"progress": max(job.progress, progress), "shows": job.shows | shows}
        case Noted(billed=billed, cost=cost, warnings=warnings):
            return {"billed": billed, "cost": job.cost + cost, "warnings": _with(job.warnings, warnings)}
        case Retried(run_at=run_at, fault=fault):
            reason = Reason.RATE_LIMITED if fault.code == "provider_rate_limited" else Reason.RETRYING
            return _due(job, run_at, reason) | {"fault": fault}
        case Snoozed(run_at=run_at, reason=reason):
            return _due(job, run_at, reason) | {"attempt": job.attempt - 1}
        case Held():
            return _unleased() | {"status": Status.PENDING, "state_reason": Reason.PAUSED, "attempt": job.attempt - 1}
        case Postponed(must_finish_by=must_finish_by):
            return {"must_finish_by": max(job.must_finish_by, must_finish_by)}
        case Redispatched():
            return _due(job, job.run_at or now, job.state_reason)
        case CancelRequested():
            return {"state_reason": Reason.CANCELLING, "cancel_requested_at": now}
        case Completed(cost=cost, warnings=warnings):
            spent = {"cost": job.cost + cost, "warnings": _with(job.warnings, warnings)}
            return _ended(Status.COMPLETED, "completed", now) | spent | {"progress": FULL, "fault": None}
        case Failed(fault=fault):
            return _ended(Status.FAILED, ERROR_STAGE, now) | {"fault": fault}
        case Cancelled(receipt=receipt):
            fault = Fault(code="cancelled", message="Cancelled", retryable=False)
            return _ended(Status.CANCELLED, ERROR_STAGE, now) | {"cancellation": receipt, "fault": fault}
        case Reopened(run_at=run_at, must_finish_by=must_finish_by):
            return _again(job, run_at) | _fresh_run(job) | {"must_finish_by": must_finish_by}
        case RemovalBegun() | RemovalGivenUp():
            return {"removing": isinstance(event, RemovalBegun)}
        case _:
            assert_never(event)


def _due(job: Job, run_at: datetime, reason: Reason | None) -> dict[str, Any]:
    """Every decision to queue takes the next dispatch number, so that a stale delivery is recognised."""
    queued = {"status": Status.QUEUED, "state_reason": reason, "run_at": run_at, "dispatch": job.dispatch + 1}
    return _unleased() | queued


def _claimed(job: Job, worker: str, lease_until: datetime, now: datetime) -> dict[str, Any]:
    return {
        "status": Status.PROCESSING,
        "state_reason": None,
        "worker": worker,
        "lease_until": lease_until,
        "fence": job.fence + 1,
        "attempt": job.attempt + 1,
        "started_at": job.started_at or now,
        "run_at": None,
    }


def _reason_with(job: Job, step: Step | None) -> Reason | None:
    """Return why a running job waits: it is being cancelled, or its order waits at the provider."""
    if job.state_reason is Reason.CANCELLING:
        return job.state_reason
    return Reason.PROVIDER_QUEUED if step is not None and step.queue is not None else None


def _stepless(job: Job) -> dict[str, Any]:
    return {"step": None, "state_reason": _reason_with(job, None)}


def _with(told: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warnings, each once."""
    return tuple(dict.fromkeys((*told, *more)))


def _unleased() -> dict[str, Any]:
    return {"worker": None, "lease_until": None, "step": None}


def _ended(status: Status, stage: str, now: datetime) -> dict[str, Any]:
    ended = {"status": status, "stage": stage, "state_reason": None, "completed_at": now, "run_at": None}
    return _unleased() | ended


def _again(job: Job, run_at: datetime | None) -> dict[str, Any]:
    """Queue it, or let it wait for its turn in its group."""
    if run_at is None:
        return {"status": Status.PENDING, "state_reason": None, "run_at": None}
    return _due(job, run_at, None)


def _fresh_run(job: Job) -> dict[str, Any]:
    return {
        "run": job.run + 1,
        "stage": "queued",
        "progress": 0.0,
        "attempt": 0,
        "started_at": None,
        "completed_at": None,
        "cancel_requested_at": None,
        "cancellation": None,
        "fault": None,
    }


def _message(event: Event) -> str:
    match event:
        case Queued(message=message) | StageStarted(message=message) | Advanced(message=message):
            return message
        case Completed(message=message):
            return message
        case Failed(fault=fault):
            return fault.message
        case Cancelled():
            return "Cancelled"
        case _:
            return "Queued again"


def _data(event: Event) -> Json:
    match event:
        case StageStarted(data=data) | Advanced(data=data):
            return data
        case Failed(fault=fault):
            return {"error": fault.message, "code": fault.code, "retryable": fault.retryable}
        case Cancelled(receipt=receipt):
            outcome = {"outcome": receipt.outcome, "billed": receipt.billed}
            return {"error": "Cancelled", "code": "cancelled", "retryable": False, **outcome}
        case _:
            return {}
