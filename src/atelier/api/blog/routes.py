"""Front door B's routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from starlette.responses import Response

from atelier.api.blog import orders, translate
from atelier.api.blog.result_schemas import BlogResultView
from atelier.api.blog.schemas import BlogAccepted, BlogHistory, BlogJobList, BlogJobView, BlogRequest, PostProblem
from atelier.api.deps import STREAM, Call, answer
from atelier.api.errors import PROBLEM, problem
from atelier.api.job_routes import CREATES, Dialect, JobRoutes, Key, Prefer, events, listed, new_job, replayed
from atelier.api.openapi import sends
from atelier.api.routing import JsonRoute
from atelier.api.spending import submit, text_price
from atelier.codes import Code
from atelier.jobs import identity
from atelier.jobs.engine import Submitted
from atelier.jobs.models import Job, Status
from atelier.pipelines.blog.models import KIND
from atelier.pipelines.blog.pace import most_tokens

EVENTS = events(
    'id: 3\ndata: {"stage":"keyword_analysis","progress":6.0,"message":"Analysing keywords","job_id":"…",'
    '"status":"processing","data":{},"timestamp":"2026-01-01T00:00:00.000000Z","stage_number":2,"total_stages":13}\n\n'
)
UNFINISHED = {**PROBLEM, "model": PostProblem, **sends("Location", "X-Job-Id", "Idempotency-Replayed")}
WAITS: dict[int | str, dict[str, Any]] = {
    200: sends("Location", "X-Job-Id", "ETag", "Retry-After"),
    502: {
        **UNFINISHED,
        "description": "With `async_mode=false`: the job, whose `job_id` it names, failed or was cancelled.",
    },
    504: {
        **UNFINISHED,
        "description": "With `async_mode=false`: it takes longer; the job, whose `job_id` it names, goes on.",
    },
}

JOBS = JobRoutes(
    Dialect(
        kind=KIND,
        view=BlogJobView,
        events=EVENTS,
        to_accepted=translate.to_accepted,
        to_status=translate.to_status,
        to_message=translate.to_message,
        urls=translate.urls,
    )
)

router = APIRouter(prefix=orders.ROOT, tags=["blog"], route_class=JsonRoute)

Mode = Annotated[bool | None, Query(description="False: wait for the post and answer with it. Left out: true.")]


@router.post(
    "/generate-enhanced",
    summary="Queue a post, or wait for it",
    response_model=BlogAccepted | BlogResultView | BlogJobView,
    responses={**CREATES, **WAITS},
)
async def generate_enhanced(
    body: BlogRequest, call: Call, async_mode: Mode = None, key: Key = None, prefer: Prefer = None
) -> Response:
    """Record the job durably and answer at once; watch it at `urls.stream` or poll `urls.self`.

    With `async_mode=false`, in the query or else in the body, wait for its end and answer with the post. With
    `Prefer: wait=n` wait up to n seconds for its end and answer the job as `GET` would.
    """
    submitted = await _submit(body, call, key)
    at_once = body.async_mode if async_mode is None else async_mode
    if at_once is False:
        return await _finished(submitted, call)
    return await JOBS.accepted(submitted, call, prefer)


@router.post(
    "/generate-enhanced/stream",
    summary="Queue a post and watch it",
    responses={200: EVENTS, **CREATES},
    dependencies=[STREAM],
)
async def generate_enhanced_stream(body: BlogRequest, call: Call, key: Key = None) -> Response:
    """Record the job durably and send its events until it ends. Going away does not change the job."""
    return JOBS.watched(await _submit(body, call, key), call)


@router.get("/jobs", summary="List jobs, newest first", responses={422: PROBLEM, 503: PROBLEM})
async def jobs(query: Annotated[BlogHistory, Query()], call: Call) -> BlogJobList:
    """Filter by status, blog and creation; page with `cursor`. Without results and logs, and without jobs made without a key."""
    found = await listed(orders.to_find(query, call.owner), call)
    return translate.to_list(found, query.limit, call.base)


JOBS.add_to(router)


async def _submit(body: BlogRequest, call: Call, key: str | None) -> Submitted:
    order = orders.to_order(body, await call.writers(), made_id=identity.random_id(), nobody=call.nobody_writes)
    new = new_job(KIND, order, call, key, orders.meaning(body) if key is not None else "")
    return await submit(call, new, text_price(call, order.params.provider, most_tokens(order.params)))


async def _finished(submitted: Submitted, call: Call) -> Response:
    """Wait for the end and answer with the post, or with what became of it."""
    engine, job_id = call.around.engine, submitted.snapshot.job.id
    await engine.wait(job_id, call.around.sync_wait)
    snapshot = await engine.get(call.owner, job_id)
    headers = {**replayed(submitted), "X-Job-Id": job_id, "Location": translate.urls(job_id, call.base)["self"]}
    if snapshot.job.status is Status.COMPLETED:
        return answer(translate.to_result(snapshot), headers)
    response = _unfinished(snapshot.job, call)
    response.headers.update(headers)
    return response


def _unfinished(job: Job, call: Call) -> Response:
    names = {"job_id": job.id, "urls": translate.urls(job.id, call.base)}
    if job.fault is None or not job.status.terminal:
        going_on = "The post is not finished yet; its job goes on, and can be read and watched."
        return problem("timeout", going_on, retryable=True, status=HTTPStatus.GATEWAY_TIMEOUT, **names)
    code = cast("Code", job.fault.code)
    return problem(code, job.fault.message, retryable=job.fault.retryable, status=HTTPStatus.BAD_GATEWAY, **names)
