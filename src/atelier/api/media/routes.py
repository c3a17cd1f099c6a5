"""Front door C's routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from atelier.api.deps import STREAM, Keyed, wait_of
from atelier.api.errors import PROBLEM
from atelier.api.images.translate import urls
from atelier.api.job_routes import CREATES, Key, Prefer, new_job, replayed
from atelier.api.media import orders, translate
from atelier.api.media.schemas import MediaAnswer, MediaRequest
from atelier.api.openapi import sends
from atelier.api.routing import JsonRoute
from atelier.api.spending import price, submit
from atelier.api.wire import json_of
from atelier.errors import AtelierError, Conflict, IdempotencyMismatch
from atelier.jobs.engine import Submitted
from atelier.jobs.models import Job, Snapshot
from atelier.pipelines.pictures import KIND

BREATH_SECONDS = 15.0
"""A space is sent this often while the picture is made: what lies between cuts connections that say nothing."""

SLACK = timedelta(seconds=30)
"""By how much the end of a job at its deadline may be late."""

router = APIRouter(prefix="/api/media", tags=["media"], route_class=JsonRoute)


@router.post(
    "/generate",
    summary="Make a picture and wait for it",
    response_model=MediaAnswer,
    responses={200: sends("Location", "X-Job-Id"), 409: PROBLEM, **CREATES},
    dependencies=[STREAM],
)
async def generate(body: MediaRequest, call: Keyed, key: Key = None, prefer: Prefer = None) -> Response:
    """Answer when the picture is done, or has failed: `success` says which. Going away does not change the job.

    Watch it meanwhile at `/ws/image-generation/{task_id}`, opened before. The same task and body again give the same job,
    another body 409.
    """
    submitted = await _submit(orders.understood(body), call, key)
    job, asked = submitted.snapshot.job, wait_of(prefer)
    headers = {"X-Job-Id": job.id, "Location": urls(job.id, call.base)["self"], "Cache-Control": "no-store"}
    headers |= replayed(submitted)
    if asked is not None:
        headers["Preference-Applied"] = f"wait={asked.seconds}"
    longest = asked if asked is not None else job.must_finish_by - call.around.now() + SLACK
    return StreamingResponse(_answer(job, longest, body.task_id, call), headers=headers, media_type="application/json")


async def _submit(request: MediaRequest, call: Keyed, key: str | None) -> Submitted:
    """Submit the job. Raises Conflict where the task's name stands for another request."""
    task_id = request.task_id
    order = orders.to_order(request, await call.painters())
    named = orders.key_of(task_id) if task_id is not None else key
    new = new_job(KIND, order, call, named, orders.meaning(request))
    try:
        return await submit(call, new, price(call, order.params.provider, order.params.quality))
    except IdempotencyMismatch as error:
        if task_id is None:
            raise
        raise Conflict("This task_id was used before, for another request; choose a new one.") from error


async def _answer(job: Job, longest: timedelta, task_id: str | None, call: Keyed) -> AsyncIterator[bytes]:
    """Yield a space now and then, which JSON allows, and the answer at the end."""
    waiting = asyncio.ensure_future(_ended(job, longest, call))
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=BREATH_SECONDS)
            if not waiting.done():
                yield b" "
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})
    yield json_of(translate.to_answer(waiting.result(), task_id, call.base))


async def _ended(job: Job, longest: timedelta, call: Keyed) -> Snapshot:
    """Return the job when its run has ended or it is waited for no longer; without a store as it was, for the status is sent."""
    ended = await call.around.engine.wait(job.id, longest) or job
    with contextlib.suppress(AtelierError):
        return await call.around.engine.get(call.owner, job.id)
    return Snapshot(job=ended)
