"""The route that gives tickets, whatever they are for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from atelier.api.deps import Call, Caller, JsonRoute
from atelier.api.errors import PROBLEM
from atelier.api.tickets import Ticket, TicketView

RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 404, 413, 422, 503), PROBLEM)

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=JsonRoute)


class TicketRequest(BaseModel):
    """What a ticket shall be for."""

    job_id: str = Field(min_length=1, max_length=128)


@router.post("", summary="Get a ticket", responses=RESPONSES)
async def ticket(body: TicketRequest, call: Caller) -> TicketView:
    """Return a token with which anybody may read and watch this one job: `?ticket=` in its addresses."""
    return await job_ticket(body.job_id, call)


async def job_ticket(job_id: str, call: Call) -> TicketView:
    """Return a ticket for one of the caller's jobs. Raises NotFound."""
    job = (await call.around.engine.get(call.owner, job_id)).job
    return call.around.access.tickets.issue(Ticket(thing=f"job:{job.id}", owner=job.owner), job.must_finish_by)
