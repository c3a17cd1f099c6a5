"""Front door A's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import JSONResponse, Response

from atelier.api.deps import Around, BaseUrl, JsonRoute, Owner
from atelier.api.errors import Problem, problem
from atelier.api.images import translate
from atelier.api.images.schemas import Accepted, GenerateRequest, History, JobList, JobView
from atelier.api.streams import event_stream
from atelier.errors import AlreadyTerminal
from atelier.jobs.engine import NewJob
from atelier.jobs.models import Job, Snapshot, Update
from atelier.pipelines.image import KIND

PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}
EVENTS: dict[str, Any] = {
    "description": "Server-sent events, one per stage, each `data:` line one JSON object.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'id: 1\ndata: {"stage":"queued","progress":0,"message":"Queued","job_id":"…","status":"queued",'
            '"data":{},"timestamp":"2026-01-01T00:00:00.000000Z"}\n\n',
        }
    },
}
CREATES: dict[int | str, dict[str, Any]] = {code: PROBLEM for code in (403, 413, 422, 503)}
READS: dict[int | str, dict[str, Any]] = {code: PROBLEM for code in (404, 422, 503)}
CHANGES: dict[int | str, dict[str, Any]] = {code: PROBLEM for code in (403, 404, 409, 422, 503)}

router = APIRouter(prefix=translate.ROOT, tags=["images"], route_class=JsonRoute)

After = Annotated[int | None, Query(ge=0, le=2**53, description="Only records behind this number.")]


@router.post("/generate", summary="Queue a picture", responses=CREATES)
@router.post("/generate-async", summary="Queue a picture (alias of /generate)", responses=CREATES)
async def generate(body: GenerateRequest, around: Around, owner: Owner, base: BaseUrl) -> Accepted:
    """Record the job durably and answer at once; watch it at `urls.stream` or poll `urls.self`."""
    snapshot = await _submit(body, around, owner)
    return translate.to_accepted(snapshot.job, base)


@router.post("/generate/stream", summary="Queue a picture and watch it", responses={200: EVENTS, **CREATES})
async def generate_stream(body: GenerateRequest, around: Around, owner: Owner, base: BaseUrl) -> Response:
    """Record the job durably and send its events until it ends. Going away does not change the job."""
    snapshot = await _submit(body, around, owner)
    return _stream(snapshot.job, 0, around, base)


@router.get("/jobs", summary="List jobs, newest first", responses={422: PROBLEM, 503: PROBLEM})
async def jobs(query: Annotated[History, Query()], around: Around, owner: Owner, base: BaseUrl) -> JobList:
    """Filter by status, blog and creation; page with `cursor`."""
    found = await around.engine.find(translate.to_find(query, owner))
    return translate.to_list(found, query.limit, base, around.now())


@router.get("/jobs/{job_id}", summary="Read a job", responses=READS)
async def job(job_id: str, around: Around, owner: Owner, base: BaseUrl, response: Response, after: After = 0) -> JobView:
    """Return the job as it is now; `progress_updates` holds its log."""
    snapshot = await around.engine.get(owner, job_id, after=after or 0)
    response.headers["Cache-Control"] = "private, no-cache"
    if not snapshot.job.status.terminal:
        response.headers["Retry-After"] = "1"
    return translate.to_status(snapshot, base, around.now())


@router.get(
    "/jobs/{job_id}/stream",
    summary="Watch a job",
    responses={200: EVENTS, 204: {"description": "The cursor is at the end: nothing is left to send."}, **READS},
)
async def job_stream(
    job_id: str,
    around: Around,
    owner: Owner,
    base: BaseUrl,
    after: After = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Send the latest run's events behind the cursor (`Last-Event-ID`, else `after`) until it ends."""
    snapshot = await around.engine.get(owner, job_id)
    cursor = _cursor(last_event_id, after)
    if snapshot.job.status.terminal and cursor >= snapshot.job.seq:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return _stream(snapshot.job, cursor, around, base)


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Cancel a job",
    response_model=JobView,
    responses={202: {"model": JobView, "description": "Asked; the receipt is not there yet."}, **CHANGES},
)
async def cancel(job_id: str, around: Around, owner: Owner, base: BaseUrl, response: Response) -> Response | JobView:
    """Cancel; waits up to five seconds for the receipt. 409 with the job when it has ended already."""
    try:
        cancelled = await around.engine.cancel(owner, job_id)
    except AlreadyTerminal as error:
        ended = await around.engine.get(owner, job_id)
        view = translate.to_status(ended, base, around.now())
        return problem(error.code, error.message, job=view.model_dump())
    if not cancelled.status.terminal:
        response.status_code = HTTPStatus.ACCEPTED
    return await _view(cancelled, around, owner, base)


@router.post("/jobs/{job_id}/retry", summary="Run a failed or cancelled job again", responses=CHANGES)
async def retry(job_id: str, around: Around, owner: Owner, base: BaseUrl) -> JobView:
    """Open the next run of the same job; finished stages keep what they made."""
    return await _view(await around.engine.retry(owner, job_id), around, owner, base)


async def _submit(body: GenerateRequest, around: Around, owner: str) -> Snapshot:
    order = translate.to_order(body, around.image_providers)
    return await around.engine.submit(
        NewJob(
            kind=KIND,
            owner=owner,
            params=order.params,
            title=order.title,
            not_before=order.not_before,
            tags=order.tags,
            warnings=order.warnings,
        )
    )


async def _view(job: Job, around: Around, owner: str, base: str) -> JobView:
    return translate.to_status(await around.engine.get(owner, job.id), base, around.now())


def _stream(job: Job, after: int, around: Around, base: str) -> Response:
    updates: AsyncIterator[Update] = around.engine.follow(job.id, after=after)
    headers = {"X-Job-Id": job.id, "Location": translate.urls(job.id, base)["self"]}
    return event_stream(updates, partial(translate.to_message, base=base), around.closing, headers)


def _cursor(last_event_id: str | None, after: int | None) -> int:
    """Return the cursor; one that is not a number of ours starts from the beginning."""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        return min(int(last_event_id[:18]), 2**53)
    return after or 0
