"""Front door A's translations: jobs and records to answers and events. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atelier.api.images.orders import ROOT, cursor_of
from atelier.api.images.schemas import Accepted, JobList, JobView, PictureView, ResultView
from atelier.api.wire import (
    ProgressUpdate,
    absolute,
    stamp,
    stamp_or_none,
    to_cancellation,
    to_eta,
    to_progress_update,
    to_queue,
)
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Json, Reason, Record, Snapshot, Status, Step, Update
from atelier.pipelines.pictures import DRAFT

SHOW_DRAFT = frozenset({"uploading", "completed", "error"})
"""Stages that come after a draft, where there is one."""

PICTURE_EXTRAS = (
    "provider", "model", "seed", "style", "quality", "size_bytes", "content_hash", "created_at", "validation",
)  # fmt: skip


def to_accepted(job: Job, base: str, eta: Estimate) -> Accepted:
    """Return the answer to an accepted request."""
    return Accepted(
        job_id=job.id,
        status=job.status.value,
        message="Image generation job queued successfully",
        estimated_completion_time=eta.p50,
        is_draft=_is_draft(job),
        warnings=list(job.warnings),
        urls=urls(job.id, base),
    )


def to_list(found: list[tuple[Snapshot, Outlook | None]], limit: int, base: str) -> JobList:
    """Return one page of jobs."""
    more = len(found) == limit
    return JobList(
        jobs=[to_status(snapshot, outlook, base) for snapshot, outlook in found],
        next_cursor=cursor_of(found[-1][0].job) if more else None,
    )


def to_status(snapshot: Snapshot, outlook: Outlook | None, base: str) -> JobView:
    """Return a job as it is now."""
    job = snapshot.job
    ended_badly = job.status in {Status.FAILED, Status.CANCELLED}
    return JobView(
        job_id=job.id,
        status=job.status.value,
        state_reason=_reason(job, outlook),
        progress_percentage=job.progress,
        current_stage=_stage(job),
        message=_sentence(job),
        result=ResultView.model_validate(_result(snapshot.result, base)) if snapshot.result else None,
        error_message=job.fault.message if job.fault and ended_badly else None,
        error_code=job.fault.code if job.fault and ended_badly else None,
        estimated_time_remaining=outlook.eta.p50 if outlook else None,
        eta=to_eta(outlook.eta) if outlook else None,
        queue=to_queue(outlook.ahead if outlook else None, job.step),
        is_draft=_is_draft(job),
        draft=PictureView.model_validate(_picture(job.shows[DRAFT], base)) if DRAFT in job.shows else None,
        batch_id=job.group,
        title=job.title,
        style=job.details.get("style"),
        aspect_ratio=job.details["aspect_ratio"],
        quality=job.details["quality"],
        blog_id=job.tags.get("blog_id"),
        blog_job_id=job.tags.get("blog_job_id"),
        **_step(job.step, base),
        **_moments(job),
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        seq=job.seq,
        run=job.run,
        cost=job.cost,
        warnings=list(job.warnings),
        cancellation=to_cancellation(job.cancellation),
        progress_updates=[_to_update(record, base) for record in snapshot.records],
        urls=urls(job.id, base),
    )


def _step(step: Step | None, base: str) -> Json:
    if step is None or step.queue is not None:
        return {"step": None, "total_steps": None, "preview_url": None}
    return {"step": step.step, "total_steps": step.total, "preview_url": absolute(step.preview, base)}


def _moments(job: Job) -> Json:
    return {
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
        "updated_at": job.updated_at,
        "resume_at": job.resume_at,
        "must_finish_by": job.must_finish_by,
    }


def etag(job: Job, outlook: Outlook | None) -> str:
    """Return a weak tag over what is stored and the place in the queue; estimates, which change by the clock, are left out."""
    place = outlook.ahead if outlook is not None and outlook.ahead is not None else ""
    return f'W/"{job.rev}-{_reason(job, outlook) or job.status}{place}"'


def to_message(update: Update, base: str, estimate: Callable[[Job, int | None], Estimate]) -> Json:
    """Return an update as one event: a record as it was, or the present state between two records."""
    job, record = update.job, update.record
    message: dict[str, Any] = {
        "stage": record.stage if record else _stage(job),
        "progress": record.progress if record else job.progress,
        "message": record.message if record else _sentence(job),
        "job_id": job.id,
        "status": record.status if record else job.status,
        "data": _data(job, record, update.result, base),
        "timestamp": stamp(record.at if record else job.updated_at),
        "urls": urls(job.id, base),
    }
    if not job.status.terminal:
        message["eta"] = to_eta(estimate(job, update.ahead)).model_dump()
    queue = to_queue(update.ahead, job.step if record is None else None)
    if queue is not None:
        message["queue"] = queue.model_dump()
    if record is None:
        message |= _present(job, base)
    elif job.warnings:
        message["warnings"] = list(job.warnings)
    return message


def _present(job: Job, base: str) -> Json:
    """Return what only the present state knows: steps, and why the job waits."""
    fields: Json = {
        "state_reason": job.state_reason,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "resume_at": stamp_or_none(job.resume_at),
    }
    fields |= _step(job.step, base)
    return {name: value for name, value in fields.items() if value is not None}


def _sentence(job: Job) -> str:
    """Say what goes on: the step, the reason of a wait with the fault behind it, or simply the stage."""
    if job.step is not None:
        return job.step.message
    if job.status in {Status.FAILED, Status.CANCELLED} and job.fault is not None:
        return job.fault.message
    if job.state_reason is not None:
        reason = job.state_reason.replace("_", " ").capitalize()
        return f"{reason}: {job.fault.message}" if job.fault else reason
    attempt = f", attempt {job.attempt} of {job.max_attempts}" if job.attempt > 1 and not job.status.terminal else ""
    return _stage(job).capitalize() + attempt


def _stage(job: Job) -> str:
    """Return the stage as callers know it: a batch's picture whose turn has not come is waiting like any other."""
    return "queued" if job.status is Status.PENDING else job.stage


def _data(job: Job, record: Record | None, result: Json | None, base: str) -> Json:
    draft = {DRAFT: _picture(job.shows[DRAFT], base)} if DRAFT in job.shows else {}
    if record is None:
        return draft
    if record.status is not Status.COMPLETED:
        return (draft if record.stage in SHOW_DRAFT else {}) | _kept(record.data, base)
    tags = {name: job.tags.get(name) for name in ("blog_id", "blog_job_id")}
    return {"result": _result(result, base), "is_draft": _is_draft(job), **tags, **draft}


def _to_update(record: Record, base: str) -> ProgressUpdate:
    return to_progress_update(record, _kept(record.data, base))


def _kept(data: Json, base: str) -> Json:
    """Return a record's data as callers see it: a draft with its addresses."""
    return {**data, DRAFT: _picture(data[DRAFT], base)} if DRAFT in data else dict(data)


def _result(result: Json | None, base: str) -> Json | None:
    if result is None:
        return None
    return {**result, "images": [_picture(picture, base) for picture in result["images"]]}


def _picture(picture: Json, base: str) -> Json:
    """Return a picture with its six documented fields first, its addresses made absolute."""
    return {
        "image_id": picture["image_id"],
        "image_url": absolute(picture["location"], base),
        "width": picture["width"],
        "height": picture["height"],
        "format": picture["format"],
        "alt_text": picture["alt_text"],
        "thumbnail_url": absolute(picture["thumbnail"], base),
        **{name: picture.get(name) for name in PICTURE_EXTRAS},
    }


def urls(job_id: str, base: str) -> dict[str, str]:
    """Return where a job can be read, watched, cancelled, retried and shared."""
    own = f"{base}{ROOT}/jobs/{job_id}"
    return {"self": own, **{name: f"{own}/{name}" for name in ("stream", "cancel", "retry", "ticket")}}


def _is_draft(job: Job) -> bool:
    return job.details.get("quality") == DRAFT


def _reason(job: Job, outlook: Outlook | None) -> str | None:
    """Return why a job waits; one that is due and not taken waits for a slot."""
    waits = job.status is Status.PENDING and job.run_at is None
    if job.state_reason is None and (waits or (outlook is not None and outlook.ahead is not None)):
        return Reason.WAITING_FOR_SLOT
    return job.state_reason
