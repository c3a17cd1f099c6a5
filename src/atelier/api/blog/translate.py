"""Front door B's translations: jobs and records to answers and events. Pure."""

from __future__ import annotations

from collections.abc import Callable

from atelier.api import job_views
from atelier.api.blog.orders import ROOT
from atelier.api.blog.result_schemas import BlogGenerationStage, BlogProgressUpdate, BlogResultView
from atelier.api.blog.schemas import BlogAccepted, BlogJobList, BlogJobView
from atelier.api.job_views import accepted, event, stage_of, state, steps
from atelier.api.requesting import cursor_of
from atelier.api.wire import to_cancellation
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Json, Record, Snapshot, Status, Update
from atelier.pipelines.blog.spans import SPANS

STAGES = [str(stage) for stage in BlogGenerationStage]
NUMBERS = {stage: number for number, stage in enumerate(STAGES)}
TOTAL = NUMBERS["finalization"]
NUMBERS["completed"] = TOTAL

SECTION = ("number", "title", "words")
"""What an event says of a section that was written; its text stands in the job."""

SCORES = (
    "title",
    "blog_id",
    "readability_score",
    "seo_score",
    "quality_score",
    "total_tokens",
    "total_cost",
    "generation_time",
)
"""What the last event says of a post; its text stands in the job."""


SIZES = ("words", "reading_time")
"""And of its size, as far as its metadata tell."""

STARTS = tuple(start for start, _ in SPANS.values())


def to_accepted(job: Job, base: str, eta: Estimate) -> BlogAccepted:
    """Return the answer to an accepted request."""
    return {
        **accepted(job, "Blog generation job queued successfully", eta),
        "status": job.status.value,
        "blog_id": job.tags["blog_id"],
        "urls": urls(job.id, base),
    }


def to_list(found: list[tuple[Snapshot, Outlook | None]], limit: int, base: str) -> BlogJobList:
    """Return one page of jobs, without the posts themselves."""
    more = len(found) == limit
    return BlogJobList(
        jobs=[to_status(Snapshot(job=snapshot.job), outlook, base) for snapshot, outlook in found],
        next_cursor=cursor_of(found[-1][0].job) if more else None,
    )


def to_status(snapshot: Snapshot, outlook: Outlook | None, base: str) -> BlogJobView:
    """Return a job as it is now."""
    job = snapshot.job
    done = steps(job.step, base)
    target = job.details.get("target_length")
    updates = to_updates(snapshot.records)
    return {
        **state(job, outlook),
        "current_stage": BlogGenerationStage(stage_of(job)),
        "stage_number": number_of(stage_of(job), job.progress),
        "total_stages": TOTAL,
        "result": _result(job, snapshot.result, updates) if snapshot.result else None,
        "title": job.title,
        "topic": job.details["topic"],
        "tone": job.details["tone"],
        "length": job.details["length"],
        "target_length": int(target) if target is not None else None,
        "provider": job.details["provider"],
        "blog_id": job.tags.get("blog_id"),
        "step": done["step"],
        "total_steps": done["total_steps"],
        "cancellation": to_cancellation(job.cancellation),
        "progress_updates": updates,
        "urls": urls(job.id, base),
    }


def to_result(snapshot: Snapshot) -> BlogResultView:
    """Return the finished post of a completed job."""
    return _result(snapshot.job, snapshot.result or {}, to_updates(snapshot.records))


def _result(job: Job, result: Json, updates: list[BlogProgressUpdate]) -> BlogResultView:
    told = {"job_id": job.id, "status": "completed", "warnings": job.warnings, "progress_updates": updates}
    return BlogResultView.model_validate({**result, **told})


def to_updates(records: tuple[Record, ...]) -> list[BlogProgressUpdate]:
    """Return records as they are sent with a job."""
    return [_update(record) for record in records]


def _update(record: Record) -> BlogProgressUpdate:
    return BlogProgressUpdate(
        seq=record.seq,
        run=record.run,
        stage=BlogGenerationStage(record.stage),
        stage_number=number_of(record.stage, record.progress),
        total_stages=TOTAL,
        status="skipped" if "skipped" in record.data else record.status.value,
        progress_percentage=record.progress,
        message=record.message,
        details=record.message,
        data=_small(record.data),
        metadata=record.data,
        timestamp=record.at,
    )


def to_message(update: Update, base: str, estimate: Callable[[Job, int | None], Estimate]) -> Json:
    """Return an update as one event: a record as it was, or the present state between two records."""
    job = update.job
    message = event(update, _data(job, update.record, update.result), urls(job.id, base), base, estimate)
    message["stage_number"] = number_of(message["stage"], message["progress"])
    message["total_stages"] = TOTAL
    return message


def _data(job: Job, record: Record | None, result: Json | None) -> Json:
    if record is None:
        return {}
    if record.status is not Status.COMPLETED or result is None:
        return _small(record.data)
    metadata = result["content_metadata"]
    sizes = {name: metadata[name] for name in SIZES if name in metadata}
    told = {"success": True, **{name: result[name] for name in SCORES}, **sizes, "citations": len(result["citations"])}
    return {"result": told, "blog_id": job.tags.get("blog_id")}


def _small(data: Json) -> Json:
    """Return a record's data without the text of a section."""
    if "section" not in data:
        return dict(data)
    return {**data, "section": {name: data["section"][name] for name in SECTION if name in data["section"]}}


def number_of(stage: str, progress: float) -> int:
    """Return a stage's place among all; of an error, that of the stage it came up in, which the bar tells."""
    return NUMBERS[stage] if stage != "error" else sum(progress >= start for start in STARTS)


def urls(job_id: str, base: str) -> dict[str, str]:
    """Return where a job can be read, watched, cancelled, retried and shared."""
    return job_views.urls(ROOT, job_id, base)
