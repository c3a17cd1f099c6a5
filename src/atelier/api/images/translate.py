"""Front door A's translations: requests to params, jobs and records to answers. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from atelier.api.images.schemas import Accepted, GenerateRequest, History, JobList, JobView, ResultView
from atelier.api.wire import absolute, stamp, stamp_or_none, to_cancellation, to_eta, to_progress_update, to_queue
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Json, Reason, Record, Snapshot, Status, Step, Update
from atelier.jobs.ports import Find
from atelier.pipelines.image import EXPECTED_SECONDS, KIND, ImageParams, alt_text, pace
from atelier.pipelines.ports import Script

ROOT = "/api/v1/images"
SANDBOX = "sandbox"
DRAFT = "draft"
PICTURE_EXTRAS = (
    "provider", "model", "seed", "style", "quality", "size_bytes", "content_hash", "created_at",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A request, understood."""

    params: ImageParams
    title: str
    tags: dict[str, str]
    details: dict[str, str]
    pace: str
    expected: timedelta
    not_before: datetime | None
    warnings: tuple[str, ...]


def to_order(request: GenerateRequest, configured: tuple[str, ...]) -> Order:
    """Return what to submit. Raises InvalidInput and ProviderNotConfigured."""
    provider, warnings = _choose(request, configured)
    script = request.sandbox
    params = ImageParams(
        prompt=request.prompt,
        provider=provider,
        quality=request.quality or "standard",
        aspect_ratio=request.aspect_ratio or "1:1",
        output_format=request.output_format or "png",
        negative_prompt=request.negative_prompt or "",
        style=request.style,
        seed=request.seed,
        script=Script(scenario=script.scenario, seconds=script.seconds) if script else Script(),
    )
    tags = {"blog_id": request.blog_id, "blog_job_id": request.blog_job_id}
    details = {"quality": params.quality, "aspect_ratio": params.aspect_ratio, "style": params.style}
    return Order(
        params=params,
        title=alt_text(request.prompt),
        tags={name: value for name, value in tags.items() if value is not None},
        details={name: value for name, value in details.items() if value is not None},
        pace=pace(params),
        expected=timedelta(seconds=EXPECTED_SECONDS[params.quality]),
        not_before=datetime.fromtimestamp(script.hold_until, UTC) if script and script.hold_until else None,
        warnings=warnings,
    )


def _choose(request: GenerateRequest, configured: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return who draws, and what the caller should know about that."""
    wanted = request.provider or (SANDBOX if request.sandbox else configured[0])
    if request.sandbox is not None and wanted != SANDBOX:
        raise InvalidInput("Scripted behaviour needs the provider sandbox.", loc=("body", "sandbox"))
    if wanted in configured:
        return wanted, ()
    if SANDBOX in configured:
        return SANDBOX, (f"The provider {wanted} is not configured; the sandbox drew instead.",)
    raise ProviderNotConfigured(f"The provider {wanted} is not configured; configured are: {', '.join(configured)}.")


def to_find(history: History, owner: str) -> Find:
    """Return the query behind a list. Raises InvalidInput for a cursor that is not ours."""
    tags = {"blog_id": history.blog_id, "blog_job_id": history.blog_job_id}
    return Find(
        owner=owner,
        kinds=(KIND,),
        statuses=(Status(history.status),) if history.status else (),
        tags={name: value for name, value in tags.items() if value is not None},
        created_after=_aware(history.created_after),
        before=_place(history.cursor) if history.cursor else None,
        limit=history.limit,
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        stamped, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().split("|")
        moment = datetime.fromisoformat(stamped).astimezone(UTC)
        moment.timestamp()
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidInput("This is not a cursor of this list.", loc=("query", "cursor")) from error
    return moment, job_id


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()}|{job.id}".encode()).decode()


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
        next_cursor=_cursor(found[-1][0].job) if more else None,
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
        current_stage=job.stage,
        message=_sentence(job),
        result=ResultView.model_validate(_result(snapshot.result, base)) if snapshot.result else None,
        error_message=job.fault.message if job.fault and ended_badly else None,
        error_code=job.fault.code if job.fault and ended_badly else None,
        estimated_time_remaining=outlook.eta.p50 if outlook else None,
        eta=to_eta(outlook.eta) if outlook else None,
        queue=to_queue(outlook.ahead) if outlook else None,
        is_draft=_is_draft(job),
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
        progress_updates=[to_progress_update(record) for record in snapshot.records],
        urls=urls(job.id, base),
    )


def _step(step: Step | None, base: str) -> Json:
    if step is None:
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


def etag(job: Job, view: JobView) -> str:
    """Return a weak tag over what is stored and the place in the queue; estimates, which change by the clock, are left out."""
    place = view.queue.ahead if view.queue is not None else ""
    return f'W/"{job.rev}-{view.state_reason or job.status}{place}"'


def to_message(update: Update, base: str, estimate: Callable[[Job, int | None], Estimate]) -> Json:
    """Return an update as one event: a record as it was, or the present state between two records."""
    job, record = update.job, update.record
    message: dict[str, Any] = {
        "stage": record.stage if record else job.stage,
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
    queue = to_queue(update.ahead)
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
    return job.stage.capitalize() + attempt


def _data(job: Job, record: Record | None, result: Json | None, base: str) -> Json:
    if record is None:
        return {}
    if record.status is not Status.COMPLETED:
        return dict(record.data)
    tags = {name: job.tags.get(name) for name in ("blog_id", "blog_job_id")}
    return {"result": _result(result, base), "is_draft": _is_draft(job), **tags}


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
        **{name: picture[name] for name in PICTURE_EXTRAS},
    }


def urls(job_id: str, base: str) -> dict[str, str]:
    """Return where a job can be read, watched, cancelled, retried and shared."""
    own = f"{base}{ROOT}/jobs/{job_id}"
    return {"self": own, **{name: f"{own}/{name}" for name in ("stream", "cancel", "retry", "ticket")}}


def _is_draft(job: Job) -> bool:
    return job.details.get("quality") == DRAFT


def _reason(job: Job, outlook: Outlook | None) -> str | None:
    """Return why a job waits; one that is due and not taken waits for a slot."""
    if job.state_reason is None and outlook is not None and outlook.ahead is not None:
        return Reason.WAITING_FOR_SLOT
    return job.state_reason
