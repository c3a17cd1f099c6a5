"""Front door A's translations: jobs and records to answers and events. Pure."""

from __future__ import annotations

from collections.abc import Callable

from atelier.api import job_views
from atelier.api.images.orders import ROOT
from atelier.api.images.schemas import Accepted, ImageGenerationStage, JobList, JobView, PictureView, ResultView
from atelier.api.job_views import accepted, event, stage_of, state, steps
from atelier.api.requesting import cursor_of
from atelier.api.wire import absolute, to_cancellation, to_progress_update
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Json, Record, Snapshot, Status, Update
from atelier.pipelines.pictures import DRAFT

SHOW_DRAFT = frozenset({"uploading", "completed", "error"})
"""Stages that come after a draft, where there is one."""


def to_accepted(job: Job, base: str, eta: Estimate) -> Accepted:
    """Return the answer to an accepted request."""
    return {
        **accepted(job, "Image generation job queued successfully", eta),
        "status": job.status.value,
        "is_draft": _is_draft(job),
        "urls": urls(job.id, base),
    }


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
    return {
        **state(job, outlook),
        "current_stage": ImageGenerationStage(stage_of(job)),
        "result": _result(snapshot.result, base),
        "is_draft": _is_draft(job),
        "draft": picture(job.shows[DRAFT], base) if DRAFT in job.shows else None,
        "batch_id": job.group,
        "title": job.title,
        "style": job.details.get("style"),
        "aspect_ratio": job.details["aspect_ratio"],
        "quality": job.details["quality"],
        "blog_id": job.tags.get("blog_id"),
        "blog_job_id": job.tags.get("blog_job_id"),
        **steps(job.step, base),
        "cancellation": to_cancellation(job.cancellation),
        "progress_updates": [to_progress_update(record, _kept(record.data, base)) for record in snapshot.records],
        "urls": urls(job.id, base),
    }


def to_message(update: Update, base: str, estimate: Callable[[Job, int | None], Estimate]) -> Json:
    """Return an update as one event: a record as it was, or the present state between two records."""
    job = update.job
    data = _data(job, update.record, update.result, base)
    return event(update, data, urls(job.id, base), base, estimate)


def _data(job: Job, record: Record | None, result: Json | None, base: str) -> Json:
    draft = {DRAFT: picture(job.shows[DRAFT], base)} if DRAFT in job.shows else {}
    if record is None:
        return draft
    if record.status is not Status.COMPLETED:
        return (draft if record.stage in SHOW_DRAFT else {}) | _kept(record.data, base)
    tags = {name: job.tags.get(name) for name in ("blog_id", "blog_job_id")}
    return {"result": _result(result, base), "is_draft": _is_draft(job), **tags, **draft}


def _kept(data: Json, base: str) -> Json:
    """Return a record's data as callers see it: a draft with its addresses."""
    return {**data, DRAFT: picture(data[DRAFT], base)} if DRAFT in data else dict(data)


def _result(result: Json | None, base: str) -> ResultView | None:
    if result is None:
        return None
    return {
        "success": result["success"],
        "images": [picture(one, base) for one in result["images"]],
        "provider": result["provider"],
        "model": result["model"],
        "generation_time_seconds": result["generation_time_seconds"],
        "cost": result["cost"],
    }


def picture(stored: Json, base: str) -> PictureView:
    """Return a picture with its six documented fields first, its addresses made absolute. Older ones lack some fields."""
    return {
        "image_id": stored["image_id"],
        "image_url": absolute(stored["location"], base),
        "width": stored["width"],
        "height": stored["height"],
        "format": stored["format"],
        "alt_text": stored["alt_text"],
        "thumbnail_url": absolute(stored["thumbnail"], base),
        "provider": stored["provider"],
        "model": stored["model"],
        "seed": stored["seed"],
        "style": stored["style"],
        "quality": stored["quality"],
        "size_bytes": stored["size_bytes"],
        "content_hash": stored["content_hash"],
        "created_at": stored["created_at"],
        "validation": stored.get("validation"),
    }


def urls(job_id: str, base: str) -> dict[str, str]:
    """Return where a job can be read, watched, cancelled, retried and shared."""
    return job_views.urls(ROOT, job_id, base)


def _is_draft(job: Job) -> bool:
    return job.details.get("quality") == DRAFT
