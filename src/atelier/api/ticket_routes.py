"""The route that gives tickets, whatever they are for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from atelier.api.deps import Call
from atelier.api.errors import PROBLEM
from atelier.api.fields import Identifier
from atelier.api.routing import JsonRoute
from atelier.api.tickets import Ticket, TicketView
from atelier.errors import InvalidInput, Unauthorized
from atelier.pipelines.pictures import KIND

RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 404, 413, 422, 503), PROBLEM)

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=JsonRoute)


class TicketRequest(BaseModel):
    """What a ticket shall be for: one of these."""

    job_id: str | None = Field(None, min_length=1, max_length=128)
    group: str | None = Field(None, min_length=1, max_length=128, description="A batch or a storyboard.")
    task_id: Identifier | None = Field(None, description="A task of /api/media/generate, which need not be there yet.")


@router.post("", summary="Get a ticket", responses=RESPONSES)
async def ticket(body: TicketRequest, call: Call) -> TicketView:
    """Return a token with which anybody may read and watch this one thing: `?ticket=` in its addresses.

    A task's is good for as long as a job that is asked for at the last moment may take.
    """
    match body:
        case TicketRequest(job_id=str(job_id), group=None, task_id=None):
            return await job_ticket(job_id, call)
        case TicketRequest(job_id=None, group=str(group_id), task_id=None):
            return await group_ticket(group_id, call)
        case TicketRequest(job_id=None, group=None, task_id=str(task_id)):
            return task_ticket(task_id, call)
        case _:
            raise InvalidInput(
                "Name one thing that the ticket shall be for: this, `group`, or `task_id`.", loc=("body", "job_id")
            )


async def group_ticket(group_id: str, call: Call) -> TicketView:
    """Return a ticket for one of the caller's groups. Raises NotFound."""
    group = await call.around.engine.groups.get(call.owner, group_id)
    must_finish_by = group.must_finish_by(call.around.now())
    return call.around.access.tickets.issue(Ticket(thing=f"group:{group.id}", owner=group.owner), must_finish_by)


async def job_ticket(job_id: str, call: Call, kind: str | None = None) -> TicketView:
    """Return a ticket for one of the caller's jobs, of this kind or of any. Raises NotFound."""
    job = (await call.around.engine.get(call.owner, job_id, kind=kind)).job
    return call.around.access.tickets.issue(Ticket(thing=f"job:{job.id}", owner=job.owner), job.must_finish_by)


def task_ticket(task_id: str, call: Call) -> TicketView:
    """Return a ticket for one of the caller's tasks, whether it is there or yet to come. Raises Unauthorized."""
    if call.anonymous:
        raise Unauthorized("Tasks need an API key.")
    around = call.around
    latest = around.now() + around.socket_wait + around.engine.longest(KIND)
    return around.access.tickets.issue(Ticket(thing=f"task:{task_id}", owner=call.owner), latest)
