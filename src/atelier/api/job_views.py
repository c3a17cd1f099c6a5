"""What every dialect says alike of a job: its state, its events, its addresses. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atelier.api.wire import absolute_or_none, stamp, stamp_or_none, to_eta, to_queue
from atelier.api.wire_schemas import AcceptedJob, JobState, Steps
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Json, Reason, Status, Step, Update

WAITS = {Reason.WAITING_FOR_SLOT: "Waiting for a slot", Reason.WAITING_FOR_KEY: "Waiting for a key"}
"""Reasons that are no sentence by themselves."""


def urls(root: str, job_id: str, base: str) -> dict[str, str]:
    """Return where a job can be read, watched, cancelled, retried and shared."""
    own = f"{base}{root}/jobs/{job_id}"
    return {"self": own, **{name: f"{own}/{name}" for name in ("stream", "cancel", "retry", "ticket")}}


def fresh(job: Job) -> bool:
    """Whether a job that is accepted is as it was made: one that was there before may be further."""
    return job.status in {Status.PENDING, Status.QUEUED} and job.attempt == 0


def accepted(job: Job, queued: str, eta: Estimate) -> AcceptedJob:
    """Return the fields that every answer to an accepted request has; `queued` says that a job was made."""
    return {
        "job_id": job.id,
        "message": queued if fresh(job) else sentence(job),
        "estimated_completion_time": 0.0 if job.status.terminal else eta.p50,
        "warnings": list(job.warnings),
    }


def state(job: Job, outlook: Outlook | None) -> JobState:
    """Return the fields of a job's answer that are named and meant alike everywhere; times as they are."""
    fault = job.fault if job.status in {Status.FAILED, Status.CANCELLED} else None
    return {
        "job_id": job.id,
        "status": job.status.value,
        "state_reason": reason(job, outlook),
        "progress_percentage": job.progress,
        "message": sentence(job),
        "error_message": fault.message if fault else None,
        "error_code": fault.code if fault else None,
        "estimated_time_remaining": outlook.eta.p50 if outlook else None,
        "eta": to_eta(outlook.eta) if outlook else None,
        "queue": to_queue(outlook.ahead if outlook else None, job.step),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
        "updated_at": job.updated_at,
        "resume_at": job.resume_at,
        "must_finish_by": job.must_finish_by,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "seq": job.seq,
        "run": job.run,
        "cost": job.cost,
        "warnings": list(job.warnings),
    }


def event(
    update: Update, data: Json, addresses: dict[str, str], base: str, estimate: Callable[[Job, int | None], Estimate]
) -> Json:
    """Return an update as one event: a record as it was, or the present state between two records."""
    job, record = update.job, update.record
    message: dict[str, Any] = {
        "stage": record.stage if record else stage_of(job),
        "progress": record.progress if record else job.progress,
        "message": record.message if record else sentence(job),
        "job_id": job.id,
        "status": record.status if record else job.status,
        "data": data,
        "timestamp": stamp(record.at if record else job.updated_at),
        "urls": addresses,
    }
    if not job.status.terminal:
        message["eta"] = to_eta(estimate(job, update.ahead))
    queue = to_queue(update.ahead, job.step if record is None else None)
    if queue is not None:
        message["queue"] = queue
    if record is None:
        message |= _present(job, base)
    elif job.warnings:
        message["warnings"] = list(job.warnings)
    return message


def steps(step: Step | None, base: str) -> Steps:
    """Return what is done within the stage; nulls where nothing is counted."""
    if step is None or step.queue is not None:
        return {"step": None, "total_steps": None, "part": None, "preview_url": None}
    preview = absolute_or_none(step.preview, base)
    return {"step": step.step, "total_steps": step.total, "part": step.part or None, "preview_url": preview}


def _present(job: Job, base: str) -> Json:
    """Return what only the present state knows: steps, and why the job waits."""
    fields: Json = {
        "state_reason": job.state_reason,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "resume_at": stamp_or_none(job.resume_at),
    }
    fields |= steps(job.step, base)
    return {name: value for name, value in fields.items() if value is not None}


def etag(job: Job, outlook: Outlook | None) -> str:
    """Return a weak tag over what is stored and the place in the queue; estimates, which change by the clock, are left out."""
    place = outlook.ahead if outlook is not None and outlook.ahead is not None else ""
    born = round(job.created_at.timestamp() * 1e6)  # the same key makes another job where the first was deleted
    return f'W/"{born:x}-{job.rev}-{reason(job, outlook) or job.status}{place}"'


def sentence(job: Job) -> str:
    """Say what goes on: the step, the reason of a wait with the fault behind it, or simply the stage."""
    if job.removing:
        return "Being deleted: what it made may be gone already. Delete it again to be rid of the rest"
    if job.step is not None:
        return job.step.message
    if job.status in {Status.FAILED, Status.CANCELLED} and job.fault is not None:
        return job.fault.message
    if job.state_reason is not None:
        why = why_it_waits(job, job.state_reason)
        return f"{why}: {job.fault.message}" if job.fault else why
    attempt = f", attempt {job.attempt} of {job.max_attempts}" if job.attempt > 1 and not job.status.terminal else ""
    return stage_of(job).replace("_", " ").capitalize() + attempt


def why_it_waits(job: Job, reason: Reason) -> str:
    """Return in words why a job waits."""
    if reason is Reason.WAITING_UNTIL and job.run_at is not None:
        return f"Waiting until {stamp(job.run_at)}"
    return WAITS.get(reason, reason.replace("_", " ").capitalize())


def stage_of(job: Job) -> str:
    """Return the stage as callers know it: a batch's picture whose turn has not come is waiting like any other."""
    return "queued" if job.status is Status.PENDING else job.stage


def reason(job: Job, outlook: Outlook | None) -> str | None:
    """Return why a job waits; one that is due and not taken waits for a slot."""
    waits = job.status is Status.PENDING and job.run_at is None
    if job.state_reason is None and (waits or (outlook is not None and outlook.ahead is not None)):
        return Reason.WAITING_FOR_SLOT
    return job.state_reason
