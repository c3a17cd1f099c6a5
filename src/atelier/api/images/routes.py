"""Front door A's routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from atelier.api.deps import STREAM, Call
from atelier.api.errors import PROBLEM
from atelier.api.images import offers, orders, translate
from atelier.api.images.provider_schemas import ProviderList
from atelier.api.images.schemas import Accepted, GenerateRequest, History, JobList, JobView
from atelier.api.job_routes import CREATES, WAITED, Dialect, JobRoutes, Key, Prefer, events, listed, new_job
from atelier.api.routing import JsonRoute
from atelier.api.spending import price, submit
from atelier.jobs.engine import Submitted
from atelier.pipelines.pictures import KIND

EVENTS = events(
    'id: 1\ndata: {"stage":"queued","progress":0,"message":"Queued","job_id":"…","status":"queued",'
    '"data":{},"timestamp":"2026-01-01T00:00:00.000000Z"}\n\n'
)

JOBS = JobRoutes(
    Dialect(
        kind=KIND,
        view=JobView,
        events=EVENTS,
        to_accepted=translate.to_accepted,
        to_status=translate.to_status,
        to_message=translate.to_message,
        urls=translate.urls,
    )
)

router = APIRouter(prefix=orders.ROOT, tags=["images"], route_class=JsonRoute)


@router.post(
    "/generate-async",
    summary="Queue a picture (alias of /generate)",
    response_model=Accepted | JobView,
    responses={**WAITED, **CREATES},
)
@router.post("/generate", summary="Queue a picture", response_model=Accepted | JobView, responses={**WAITED, **CREATES})
async def generate(body: GenerateRequest, call: Call, key: Key = None, prefer: Prefer = None) -> Response:
    """Record the job durably and answer at once; watch it at `urls.stream` or poll `urls.self`.

    With `Prefer: wait=n` wait up to n seconds for its end and answer the job as `GET` would.
    """
    return await JOBS.accepted(await _submit(body, call, key), call, prefer)


JOBS.add_to(router)  # routes are tried in order, and a job is read more often than any of those below is asked for


@router.post(
    "/generate/stream",
    summary="Queue a picture and watch it",
    responses={200: EVENTS, **CREATES},
    dependencies=[STREAM],
)
async def generate_stream(body: GenerateRequest, call: Call, key: Key = None) -> Response:
    """Record the job durably and send its events until it ends. Going away does not change the job."""
    return JOBS.watched(await _submit(body, call, key), call)


@router.get("/providers", summary="Who can draw", responses={503: PROBLEM})
async def providers(call: Call) -> ProviderList:
    """List the configured providers: what may be asked of each, what it costs, and how it has been lately."""
    found = call.around.providers.values()
    reports = [(each, await each.health(), await each.keys()) for each in found]
    return offers.to_providers(reports, call.around.slots)


@router.get("/jobs", summary="List jobs, newest first", responses={422: PROBLEM, 503: PROBLEM})
async def jobs(query: Annotated[History, Query()], call: Call) -> JobList:
    """Filter by status, blog and creation; page with `cursor`. Jobs made without a key are not listed."""
    found = await listed(orders.to_find(query, call.owner), call)
    return translate.to_list(found, query.limit, call.base)


async def _submit(body: GenerateRequest, call: Call, key: str | None) -> Submitted:
    order = orders.to_order(body, tuple(await call.painters()))
    new = new_job(KIND, order, call, key, orders.meaning(body) if key is not None else "")
    return await submit(call, new, price(call, order.params.provider, order.params.quality))
