"""Front door A's routes."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from atelier.api.deps import STREAM, Call, JsonRoute, Keyed, Reader, answer, wait_of
from atelier.api.errors import PROBLEM, problem
from atelier.api.images import offers, orders, translate
from atelier.api.images.endings import Endings
from atelier.api.images.provider_schemas import ProviderList
from atelier.api.images.schemas import Accepted, GenerateRequest, History, JobList, JobView
from atelier.api.spending import price, submit
from atelier.api.streams import event_stream
from atelier.api.ticket_routes import job_ticket
from atelier.api.tickets import TicketView
from atelier.errors import AlreadyTerminal
from atelier.jobs.engine import NewJob, Submitted
from atelier.jobs.estimates import Outlook
from atelier.jobs.models import Job
from atelier.pipelines.pictures import KIND

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
UNCHANGED = {"description": "It is still as the `ETag` in `If-None-Match` says."}
CREATES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 413, 422, 503), PROBLEM)
READS: dict[int | str, dict[str, Any]] = dict.fromkeys((404, 422, 503), PROBLEM)
CHANGES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 404, 409, 422, 503), PROBLEM)

ENDINGS = Endings()

router = APIRouter(prefix=orders.ROOT, tags=["images"], route_class=JsonRoute)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="The same key and body again give the same job, in its present state.",
    ),
]
Prefer = Annotated[str | None, Header(max_length=200, description="`wait=n`: wait up to n seconds, 60 at most.")]
Match = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
After = Annotated[int | None, Query(ge=0, le=2**53, description="Only records behind this number.")]
Wait = Annotated[int, Query(ge=0, le=60, description="With `after`: seconds to wait for a record behind it.")]


@router.post("/generate", summary="Queue a picture", response_model=Accepted | JobView, responses=CREATES)
@router.post(
    "/generate-async",
    summary="Queue a picture (alias of /generate)",
    response_model=Accepted | JobView,
    responses=CREATES,
)
async def generate(body: GenerateRequest, call: Call, key: Key = None, prefer: Prefer = None) -> Response:
    """Record the job durably and answer at once; watch it at `urls.stream` or poll `urls.self`.

    With `Prefer: wait=n` wait up to n seconds for its end and answer the job as `GET` would.
    """
    submitted = await _submit(body, call, key)
    job, headers, wait = submitted.snapshot.job, _replayed(submitted), wait_of(prefer)
    if wait is None:
        return answer(translate.to_accepted(job, call.base, call.around.engine.estimate(job)), headers)
    await call.around.engine.wait(job.id, wait)
    headers["Preference-Applied"] = f"wait={wait.seconds}"
    snapshot = await call.around.engine.get(call.owner, job.id)
    outlook = await call.around.engine.outlook(snapshot.job)
    return answer(translate.to_status(snapshot, outlook, call.base), {**headers, **_freshness(snapshot.job, outlook)})


@router.post(
    "/generate/stream",
    summary="Queue a picture and watch it",
    responses={200: EVENTS, **CREATES},
    dependencies=[STREAM],
)
async def generate_stream(body: GenerateRequest, call: Call, key: Key = None) -> Response:
    """Record the job durably and send its events until it ends. Going away does not change the job."""
    submitted = await _submit(body, call, key)
    return _stream(submitted.snapshot.job, 0, call, _replayed(submitted))


@router.get("/providers", summary="Who can draw", responses={503: PROBLEM})
async def providers(call: Call) -> ProviderList:
    """List the configured providers: what may be asked of each, what it costs, and how it has been lately."""
    found = call.around.providers.values()
    reports = [(each, await each.health(), await each.keys()) for each in found]
    return offers.to_providers(reports, call.around.slots)


@router.get("/jobs", summary="List jobs, newest first", responses={422: PROBLEM, 503: PROBLEM})
async def jobs(query: Annotated[History, Query()], call: Call) -> JobList:
    """Filter by status, blog and creation; page with `cursor`. Jobs made without a key are not listed."""
    if call.anonymous:
        return JobList(jobs=[], next_cursor=None)
    engine = call.around.engine
    found = await engine.find(orders.to_find(query, call.owner))
    outlooks = [await engine.outlook(snapshot.job) for snapshot in found]
    return translate.to_list(list(zip(found, outlooks, strict=True)), query.limit, call.base)


@router.get("/jobs/{job_id}", summary="Read a job", response_model=JobView, responses={304: UNCHANGED, **READS})
async def job(job_id: str, call: Reader, after: After = None, wait: Wait = 0, if_none_match: Match = None) -> Response:
    """Return the job as it is now; `progress_updates` holds its log behind `after`.

    With `after` and `wait` it is the long poll: the answer comes with the next record, at the latest after `wait` seconds.
    """
    if wait and after is not None:
        await call.around.engine.get(call.owner, job_id)
        await call.around.engine.wait(job_id, timedelta(seconds=wait), after=after)
    snapshot = await call.around.engine.get(call.owner, job_id, after=after or 0)
    outlook = await call.around.engine.outlook(snapshot.job)
    headers = _freshness(snapshot.job, outlook)
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if outlook is None and not after:
        return Response(ENDINGS.body(snapshot, call.base), headers=headers, media_type="application/json")
    return answer(translate.to_status(snapshot, outlook, call.base), headers)


@router.delete("/jobs/{job_id}", summary="Delete an ended job", status_code=HTTPStatus.NO_CONTENT, responses=CHANGES)
async def delete(job_id: str, call: Keyed) -> None:
    """Remove the job, its log and its pictures for good. 409 while it runs."""
    await call.around.engine.delete(call.owner, job_id)


@router.get(
    "/jobs/{job_id}/stream",
    summary="Watch a job",
    responses={200: EVENTS, 204: {"description": "The cursor is at the end: nothing is left to send."}, **READS},
    dependencies=[STREAM],
)
async def job_stream(
    job_id: str, call: Reader, after: After = None, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """Send the latest run's events behind the cursor (`Last-Event-ID`, else `after`) until it ends."""
    snapshot = await call.around.engine.get(call.owner, job_id)
    cursor = _cursor(last_event_id, after)
    if snapshot.job.status.terminal and cursor >= snapshot.job.seq:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return _stream(snapshot.job, cursor, call)


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Cancel a job",
    response_model=JobView,
    responses={202: {"model": JobView, "description": "Asked; the receipt is not there yet."}, **CHANGES},
)
async def cancel(job_id: str, call: Call) -> Response:
    """Cancel; waits up to five seconds for the receipt. 409 with the job when it has ended already."""
    try:
        cancelled = await call.around.engine.cancel(call.owner, job_id)
    except AlreadyTerminal as error:
        return problem(error.code, error.message, job=(await _view(job_id, call)).model_dump(mode="json"))
    status = HTTPStatus.OK if cancelled.status.terminal else HTTPStatus.ACCEPTED
    return answer(await _view(job_id, call), status=status)


@router.post("/jobs/{job_id}/retry", summary="Run a failed or cancelled job again", responses=CHANGES)
async def retry(job_id: str, call: Keyed) -> JobView:
    """Open the next run of the same job; finished stages keep what they made."""
    await call.around.engine.retry(call.owner, job_id)
    return await _view(job_id, call)


@router.post("/jobs/{job_id}/ticket", summary="Get a ticket for a job", responses=CHANGES)
async def ticket(job_id: str, call: Call) -> TicketView:
    """Return a token with which anybody may read and watch this job, and nothing else: `?ticket=` in its addresses.

    It is for clients that cannot send headers, and ends ten minutes after the job must have ended.
    """
    return await job_ticket(job_id, call)


async def _submit(body: GenerateRequest, call: Call, key: str | None) -> Submitted:
    order = orders.to_order(body, tuple(call.around.providers))
    new = NewJob(
        kind=KIND,
        owner=call.owner,
        params=order.params,
        title=order.title,
        not_before=order.not_before,
        tags=order.tags,
        details=order.details,
        warnings=order.warnings,
        pace=order.pace,
        expected=order.expected,
        key=key,
        request=orders.meaning(body) if key is not None else "",
    )
    return await submit(call, new, price(call, order.params.provider, order.params.quality))


def _freshness(job: Job, outlook: Outlook | None) -> dict[str, str]:
    """Say how long the answer holds, and when to ask again."""
    again = {"Retry-After": "1"} if outlook is not None else {}
    return {"Cache-Control": "private, no-cache", "ETag": translate.etag(job, outlook), **again}


async def _view(job_id: str, call: Call) -> JobView:
    snapshot = await call.around.engine.get(call.owner, job_id)
    return translate.to_status(snapshot, await call.around.engine.outlook(snapshot.job), call.base)


def _replayed(submitted: Submitted) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if submitted.replayed else {}


def _stream(job: Job, after: int, call: Call, more: dict[str, str] | None = None) -> Response:
    updates = call.around.engine.follow(job.id, after=after)
    headers = {"X-Job-Id": job.id, "Location": translate.urls(job.id, call.base)["self"], **(more or {})}
    return event_stream(
        updates, partial(translate.to_message, base=call.base, estimate=call.around.engine.estimate), headers
    )


def _cursor(last_event_id: str | None, after: int | None) -> int:
    """Return the cursor; one that is not a number of ours starts from the beginning."""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        return int(last_event_id[:15])
    return after or 0
