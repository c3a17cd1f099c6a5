"""The routes that jobs of every kind have: read, watch, cancel, retry, delete, ticket; and what those that make jobs share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, Query
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from atelier.api.deps import STREAM, Call, Keyed, Reader, answer, wait_of
from atelier.api.endings import Endings
from atelier.api.errors import PROBLEM, problem
from atelier.api.fields import KEY
from atelier.api.freshness import is_known
from atelier.api.job_views import etag
from atelier.api.openapi import sends
from atelier.api.recent_events import RecentEvents
from atelier.api.requesting import Order
from atelier.api.streams import Message, event_stream
from atelier.api.ticket_routes import job_ticket
from atelier.api.tickets import TicketView
from atelier.errors import AlreadyTerminal
from atelier.jobs.engine import NewJob, Submitted
from atelier.jobs.estimates import Estimate, Outlook
from atelier.jobs.models import Job, Snapshot, Update
from atelier.jobs.ports import Find

UNCHANGED = {"description": "It is still as the `ETag` in `If-None-Match` says."}
CREATES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 413, 422, 503), PROBLEM)
WAITED: dict[int | str, dict[str, Any]] = {200: sends("ETag", "Retry-After")}
"""A job that was waited for comes as it does when it is read."""
READS: dict[int | str, dict[str, Any]] = dict.fromkeys((404, 422, 503), PROBLEM)
TICKETS: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 404, 422, 503), PROBLEM)
CHANGES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 404, 409, 422, 503), PROBLEM)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY,
        description="The same key and body again give the same job, in its present state.",
    ),
]
Prefer = Annotated[str | None, Header(max_length=200, description="`wait=n`: wait up to n seconds, 60 at most.")]
Match = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
After = Annotated[int | None, Query(ge=0, le=2**53, description="Only records behind this number.")]
Wait = Annotated[int, Query(ge=0, le=60, description="With `after`: seconds to wait for a record behind it.")]


def events(example: str) -> dict[str, Any]:
    """Return how a route's `responses` say that an answer is a stream of events like this one."""
    return {
        "description": "Server-sent events, one per stage, each `data:` line one JSON object.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": example}},
    }


class ToMessage(Protocol):
    """Makes an update one event, whose addresses begin with `base`."""

    def __call__(self, update: Update, base: str, estimate: Callable[[Job, int | None], Estimate]) -> Message:
        """Return the event's data."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a front door speaks of its kind of job: pure functions, what a job looks like, how its streams are documented.

    `to_accepted` takes job, address and estimate; `to_status` snapshot, outlook and address; `urls` a job's id and the address.
    """

    kind: str
    view: type
    events: dict[str, Any]
    to_accepted: Callable[[Job, str, Estimate], object]
    to_status: Callable[[Snapshot, Outlook | None, str], object]
    to_message: ToMessage
    urls: Callable[[str, str], dict[str, str]]


class JobRoutes:
    """One front door's routes about jobs that are there. A job of another kind is no job here."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect, self._endings, self._recent = dialect, Endings(dialect.to_status), RecentEvents()

    def add_to(self, router: APIRouter) -> None:
        """Add the routes, those that are asked for most before the others."""
        view, job = self._dialect.view, "/jobs/{job_id}"
        router.get(job, summary="Read a job", response_model=view, responses={304: UNCHANGED, **READS})(self.job)
        router.delete(job, summary="Delete an ended job", status_code=HTTPStatus.NO_CONTENT, responses=CHANGES)(
            self.delete
        )
        nothing = {"description": "The cursor is at the end: nothing is left to send."}
        router.get(
            f"{job}/stream",
            summary="Watch a job",
            responses={200: self._dialect.events, 204: nothing, **READS},
            dependencies=[STREAM],
        )(self.job_stream)
        asked = {"model": view, "description": "Asked; the receipt is not there yet."}
        router.post(f"{job}/cancel", summary="Cancel a job", response_model=view, responses={202: asked, **CHANGES})(
            self.cancel
        )
        router.post(
            f"{job}/retry", summary="Run a failed or cancelled job again", response_model=view, responses=CHANGES
        )(self.retry)
        router.post(f"{job}/ticket", summary="Get a ticket for a job", responses=TICKETS)(self.ticket)

    async def job(
        self, job_id: str, call: Reader, after: After = None, wait: Wait = 0, if_none_match: Match = None
    ) -> Response:
        """Return the job as it is now; `progress_updates` holds its log behind `after`.

        With `after` and `wait` it is the long poll: the answer comes with the next record, at the latest after `wait` seconds.
        """
        engine, kind = call.around.engine, self._dialect.kind
        if wait and after is not None:
            await engine.get(call.owner, job_id, kind=kind)
            await engine.wait(job_id, timedelta(seconds=wait), after=after)
        snapshot = await engine.get(call.owner, job_id, kind=kind, after=after or 0)
        outlook = await engine.outlook(snapshot.job)
        headers = _freshness(snapshot.job, outlook)
        if is_known(headers["ETag"], if_none_match):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if outlook is None and not after:
            return Response(self._endings.body(snapshot, call.base), headers=headers, media_type="application/json")
        return answer(self._dialect.to_status(snapshot, outlook, call.base), headers)

    async def delete(self, job_id: str, call: Keyed) -> None:
        """Remove the job, its log and what it made for good. 409 while it runs."""
        await call.around.engine.delete(call.owner, job_id, kind=self._dialect.kind)

    async def job_stream(
        self, job_id: str, call: Reader, after: After = None, last_event_id: Annotated[str | None, Header()] = None
    ) -> Response:
        """Send the latest run's events behind the cursor (`Last-Event-ID`, else `after`) until it ends."""
        snapshot = await call.around.engine.get(call.owner, job_id, kind=self._dialect.kind)
        cursor = _cursor(last_event_id, after)
        if snapshot.job.status.terminal and cursor >= snapshot.job.seq:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return self._stream(snapshot.job, cursor, call, {})

    async def cancel(self, job_id: str, call: Call) -> Response:
        """Cancel; waits up to five seconds for the receipt. 409 with the job when it has ended already."""
        try:
            cancelled = await call.around.engine.cancel(call.owner, job_id, kind=self._dialect.kind)
        except AlreadyTerminal as error:
            return problem(error.code, error.message, job=to_jsonable_python(await self._view(job_id, call)))
        status = HTTPStatus.OK if cancelled.status.terminal else HTTPStatus.ACCEPTED
        return answer(await self._view(job_id, call), status=status)

    async def retry(self, job_id: str, call: Keyed) -> Response:
        """Open the next run of the same job; finished stages keep what they made."""
        await call.around.engine.retry(call.owner, job_id, kind=self._dialect.kind)
        return answer(await self._view(job_id, call))

    async def ticket(self, job_id: str, call: Call) -> TicketView:
        """Return a token with which anybody may read and watch this job, and nothing else: `?ticket=` in its addresses.

        It is for clients that cannot send headers, and ends ten minutes after the job must have ended.
        """
        return await job_ticket(job_id, call, self._dialect.kind)

    async def accepted(self, submitted: Submitted, call: Call, prefer: str | None) -> Response:
        """Answer to who submitted a job: that it is accepted or, where waiting is preferred, as it is after that."""
        job, headers, wait = submitted.snapshot.job, replayed(submitted), wait_of(prefer)
        engine = call.around.engine
        if wait is None:
            return answer(self._dialect.to_accepted(job, call.base, engine.estimate(job)), headers)
        await engine.wait(job.id, wait)
        headers["Preference-Applied"] = f"wait={wait.seconds}"
        snapshot = await engine.get(call.owner, job.id)
        outlook = await engine.outlook(snapshot.job)
        view = self._dialect.to_status(snapshot, outlook, call.base)
        return answer(view, {**headers, **_freshness(snapshot.job, outlook)})

    def watched(self, submitted: Submitted, call: Call) -> Response:
        """Answer to who submitted a job with its events until it ends."""
        return self._stream(submitted.snapshot.job, 0, call, replayed(submitted))

    async def _view(self, job_id: str, call: Call) -> object:
        snapshot = await call.around.engine.get(call.owner, job_id)
        return self._dialect.to_status(snapshot, await call.around.engine.outlook(snapshot.job), call.base)

    def _stream(self, job: Job, after: int, call: Call, more: dict[str, str]) -> Response:
        engine, dialect = call.around.engine, self._dialect
        to_message = partial(dialect.to_message, base=call.base, estimate=engine.estimate)
        to_event = partial(self._recent.event, base=call.base, to_message=to_message)
        headers = {"X-Job-Id": job.id, "Location": dialect.urls(job.id, call.base)["self"], **more}
        return event_stream(engine.follow(job.id, after=after), to_event, headers)


def new_job(kind: str, order: Order[Any], call: Call, key: str | None, meaning: str) -> NewJob:
    """Return the job to submit. `meaning` is what the idempotency key stands for."""
    return NewJob(
        kind=kind,
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
        request=meaning,
    )


async def listed(query: Find, call: Call) -> list[tuple[Snapshot, Outlook | None]]:
    """Return the caller's jobs of a page with what is to be expected of them; jobs made without a key are not listed."""
    if call.anonymous:
        return []
    engine = call.around.engine
    found = await engine.find(query)
    return [(snapshot, await engine.outlook(snapshot.job)) for snapshot in found]


def replayed(submitted: Submitted) -> dict[str, str]:
    """Return the header that says that the job was there before."""
    return {"Idempotency-Replayed": "true"} if submitted.replayed else {}


def _freshness(job: Job, outlook: Outlook | None) -> dict[str, str]:
    """Say how long the answer holds, and when to ask again."""
    again = {"Retry-After": "1"} if outlook is not None else {}
    return {"Cache-Control": "private, no-cache", "ETag": etag(job, outlook), **again}


def _cursor(last_event_id: str | None, after: int | None) -> int:
    """Return the cursor; one that is not a number of ours starts from the beginning."""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        return int(last_event_id[:15])
    return after or 0
