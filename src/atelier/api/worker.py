"""The worker's route, which Cloud Tasks and Cloud Scheduler call with a signed token. API keys never work here."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from atelier.api.deliveries import Deliveries
from atelier.api.deps import Around, Surroundings
from atelier.api.errors import problem
from atelier.api.routing import JsonRoute
from atelier.errors import Conflict, QueueUnavailable, Unauthorized
from atelier.jobs.ports import Delivery

SOON = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(hours=1)

router = APIRouter(include_in_schema=False, route_class=JsonRoute)


class JobOrder(BaseModel):
    """Run this dispatch of a job; dispatch 0 is the job's deadline. Earlier versions' deliveries do not tell the kind."""

    job_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    dispatch: int = Field(ge=0, le=2**31, strict=True)
    kind: str | None = Field(None, max_length=64)


class SweepOrder(BaseModel):
    """Do one bounded sweep."""

    sweep: Literal[True]


ORDER: TypeAdapter[JobOrder | SweepOrder] = TypeAdapter(JobOrder | SweepOrder)


async def admitted(request: Request, around: Around) -> Deliveries:
    """Let the queue in, before anything of the body is read. Raises Unauthorized and QueueUnavailable."""
    if around.deliveries is None:
        raise Unauthorized("Deliveries need a signed token of the configured queue; none is configured here.")
    await around.deliveries.admit(request.headers.get("authorization"))
    return around.deliveries


@router.post("/api/v1/worker")
@router.post("/api/v1/images/worker")
@router.post("/api/v1/blog/worker")
async def deliver(request: Request, around: Around, door: Annotated[Deliveries, Depends(admitted)]) -> JSONResponse:
    """Do what is ordered. 2xx: never again. 409: another worker has it. 429 and 503: again, later. 400: no order."""
    try:
        order = ORDER.validate_python(await request.json())
    except (json.JSONDecodeError, ValidationError):
        sentence = "A delivery names a job and a dispatch, or orders a sweep."
        return problem("validation_error", sentence, status=HTTPStatus.BAD_REQUEST)
    if isinstance(order, SweepOrder):
        return JSONResponse({"seen": await around.engine.sweep()})
    if order.dispatch == 0:
        _settle_deadline(await around.engine.attend(order.job_id), around.now())
    else:
        await _run(order, around, door)
    return JSONResponse({"outcome": Delivery.SETTLED})


async def _run(order: JobOrder, around: Surroundings, door: Deliveries) -> None:
    """Run the job while this request is answered: behind its answer there may be no processor any more.

    The run outlives a request that is cancelled.
    """
    async with door.slot(order.job_id, order.kind):
        work = asyncio.create_task(around.engine.deliver(order.job_id, order.dispatch), name=f"run {order.job_id}")
        delivery = await asyncio.shield(work)
    if delivery is Delivery.BUSY:
        raise Conflict("Another worker holds the job.")
    if delivery is Delivery.AGAIN:
        raise QueueUnavailable("The job cannot be run now.", retry_after=SOON)


def _settle_deadline(again_at: datetime | None, now: datetime) -> None:
    """Send a deadline's delivery back until there is nothing more to see to: deadlines move."""
    if again_at is not None:
        raise Conflict("The job goes on.", retry_after=min(max(again_at - now, SOON), LONGEST_PAUSE))
