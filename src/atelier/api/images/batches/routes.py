"""The routes of batches."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from atelier.api.deps import STREAM, Call, Reader, answer, wait_of
from atelier.api.errors import problem
from atelier.api.images import orders
from atelier.api.images.batches import translate
from atelier.api.images.batches.schemas import BatchAccepted, BatchRequest, BatchView
from atelier.api.images.translate import to_message
from atelier.api.job_routes import CHANGES, CREATES, READS, Key, Prefer
from atelier.api.openapi import sends
from atelier.api.routing import JsonRoute
from atelier.api.spending import create, price
from atelier.api.streams import group_stream
from atelier.errors import AlreadyTerminal
from atelier.jobs.groups import Group

STATES: dict[str, Any] = {
    "description": "Server-sent events without `id:`: every job's latest state, then its changes.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'data: {"stage":"generating","progress":15,"message":"Generating","job_id":"…",'
            '"status":"processing","data":{},"timestamp":"2026-01-01T00:00:00.000000Z"}\n\n',
        }
    },
}

router = APIRouter(prefix=orders.ROOT, tags=["batches"], route_class=JsonRoute)


@router.post(
    "/batch-generate", summary="Queue many pictures", response_model=BatchAccepted | BatchView, responses=CREATES
)
async def batch_generate(body: BatchRequest, call: Call, key: Key = None, prefer: Prefer = None) -> Response:
    """Record a job for each picture durably and answer at once; watch them all at `urls.stream`.

    With `Prefer: wait=n` wait up to n seconds for the end of all and answer the batch as `GET` would.
    """
    new = translate.to_group(body, tuple(await call.painters()), owner=call.owner, key=key)
    groups = call.around.engine.groups
    group, replayed = await create(call, new, sum(price(call, *drawing) for drawing in translate.drawings(new)))
    headers, wait = {"Idempotency-Replayed": "true"} if replayed else {}, wait_of(prefer)
    if wait is None:
        members, job_ids = await groups.members(group), groups.member_ids(group)
        return answer(translate.to_accepted(group, job_ids, members, call.base, replayed=replayed), headers)
    await groups.wait(group.id, wait)
    headers["Preference-Applied"] = f"wait={wait.seconds}"
    return answer(await _view(group, call), headers)


@router.get(
    "/batches/{batch_id}",
    summary="Read a batch",
    response_model=BatchView,
    responses={200: sends("Retry-After"), **READS},
)
async def batch(batch_id: str, call: Reader) -> Response:
    """Return the batch as its jobs make it now."""
    view = await _view(await _batch(batch_id, call), call)
    again = {"Retry-After": "1"} if view["status"] == "processing" else {}
    return answer(view, {"Cache-Control": "private, no-cache", **again})


@router.get(
    "/batches/{batch_id}/stream", summary="Watch a batch", responses={200: STATES, **READS}, dependencies=[STREAM]
)
async def batch_stream(batch_id: str, call: Reader) -> Response:
    """Send every job's latest state, then each change, until all have ended. Connecting again starts afresh."""
    group = await _batch(batch_id, call)
    headers = {"X-Job-Id": group.id, "Location": translate.urls(group.id, call.base)["self"]}
    engine = call.around.engine
    message = partial(to_message, base=call.base, estimate=engine.estimate)
    return group_stream(engine.groups.follow(group.id), message, headers)


@router.post(
    "/batches/{batch_id}/cancel",
    summary="Cancel a batch",
    response_model=BatchView,
    responses={202: {"model": BatchView, "description": "Asked; some receipts are not there yet."}, **CHANGES},
)
async def cancel_batch(batch_id: str, call: Call) -> Response:
    """Cancel what has not ended; waits up to five seconds for the receipts. 409 with the batch when all has ended."""
    group = await _batch(batch_id, call)
    try:
        await call.around.engine.groups.cancel(group)
    except AlreadyTerminal as error:
        return problem(error.code, error.message, batch=to_jsonable_python(await _view(group, call)))
    view = await _view(await _batch(batch_id, call), call)
    return answer(view, status=HTTPStatus.ACCEPTED if view["status"] == "processing" else HTTPStatus.OK)


async def _batch(batch_id: str, call: Call) -> Group:
    return await call.around.engine.groups.get(call.owner, batch_id, translate.KIND)


async def _view(group: Group, call: Call) -> BatchView:
    engine = call.around.engine
    members = [(member, await engine.outlook(member.job)) for member in await engine.groups.members(group)]
    return translate.to_view(group, members, call.base, call.around.now())
