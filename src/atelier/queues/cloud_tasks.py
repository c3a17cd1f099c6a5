"""Cloud Tasks carries jobs to the worker's route: a task for each dispatch, and one for each deadline.

A task is named after what it carries, so that making it twice makes it once, and trying again after an answer that was
lost is safe. Nothing here decides: what could not be carried is logged, and found by the sweeper.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import google.auth
import grpc
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    GoogleAPIError,
    InternalServerError,
    NotFound,
    ResourceExhausted,
    ServiceUnavailable,
    Unknown,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud.tasks_v2 import CloudTasksAsyncClient, HttpMethod, HttpRequest, OidcToken, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from atelier import logs
from atelier.errors import QueueUnavailable
from atelier.frozen import frozen
from atelier.jobs.models import Job
from atelier.jobs.ports import Clock, Deliver, Ready

TRIES = 3
TRY_SECONDS = 3.0
PAUSE_SECONDS = 0.2
"""Pause before the second try; doubles with each."""

AT_ONCE = 100
"""Most calls of this process at one time."""

REST_SECONDS = 5.0
"""How long Cloud Tasks is not asked after it did not answer: callers and sweeps shall not wait for it one by one."""

REFUSED_REST_SECONDS = 60.0
"""The same after it refused: somebody has to mend that first."""

FARTHEST = timedelta(days=29)
"""How far ahead a task is scheduled; Cloud Tasks takes less than 30 days."""

DEADLINE = 0
"""The dispatch number that stands for a job's deadline."""

PASSING = (Aborted, Cancelled, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable, Unknown)
FAILING = (GoogleAPIError, GoogleAuthError)

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
OPTIONS = (("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 5000))
"""Left alone, a channel that lost its server waits up to two minutes before it looks again."""


@frozen
class Target:
    """Where deliveries are posted to, whose token they carry for which audience, and how long one may take."""

    url: str
    email: str
    audience: str
    longest: timedelta
    """From 15 seconds to 30 minutes; then Cloud Tasks takes the delivery for lost and delivers again."""


class CloudTasksQueue:
    """`jobs.ports.Queue` on a queue of Cloud Tasks, whose full name is `projects/…/locations/…/queues/…`.

    With an `endpoint` (host:port, without TLS) no credentials are used. Connects in the loop of its first call.
    """

    def __init__(self, *, queue: str, target: Target, endpoint: str, now: Clock) -> None:
        self._queue, self._target, self._endpoint, self._now = queue, target, endpoint, now
        self._client: CloudTasksAsyncClient | None = None
        self._connecting, self._room = asyncio.Lock(), asyncio.Semaphore(AT_ONCE)
        self._rests_until = -math.inf

    async def dispatch(self, job: Job) -> None:
        """Make the dispatch's task and, as long as no attempt was counted in this run, the deadline's."""
        tasks = [self._task(job, job.dispatch, self._name_of(_ready(job)), job.run_at)]
        if job.attempt == 0:
            tasks.append(self._task(job, DEADLINE, self._deadline_name_of(job), job.must_finish_by))
        await asyncio.gather(*(self._carry(job.id, task) for task in tasks))

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:
        """Ask for each task. One that cannot be asked for is not known to be lost, nor is any while none could be made.

        A task of an earlier version, which named it otherwise, counts as lost; its job gets the next dispatch.
        """
        if self._resting():
            return ()
        gone = await asyncio.gather(*(self._gone(ready) for ready in waiting))
        return [ready for ready, is_gone in zip(waiting, gone, strict=True) if is_gone]

    async def withdraw(self, job: Job) -> None:
        """Delete the tasks of the job's last dispatch and of its deadline. One try."""
        if job.dispatch and not self._resting():
            names = self._name_of(_ready(job)), self._deadline_name_of(job)
            await asyncio.gather(*(self._delete(name) for name in names))

    def start(self, deliver: Deliver) -> None:
        """Do nothing: Cloud Tasks delivers to the worker's route."""

    async def stop(self) -> None:
        """Do nothing: the worker's route refuses."""

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.transport.close()  # type: ignore[no-untyped-call]
            self._client = None

    async def ping(self) -> None:
        """Answer if the queue is there. Raises QueueUnavailable when not."""
        try:
            await self._call("get_queue", name=self._queue)
        except FAILING as error:
            raise QueueUnavailable(f"Cloud Tasks does not answer well: {_said(error)}.") from error

    async def _carry(self, job_id: str, task: Task) -> None:
        """Make a task, trying again within a bound. An answer that got lost is no harm: the name says that it is there."""
        error: Exception | None = None
        for again in range(0 if self._resting() else TRIES):
            await asyncio.sleep(PAUSE_SECONDS * 2 ** (again - 1) if again else 0)
            try:
                await self._call("create_task", parent=self._queue, task=task)
            except AlreadyExists:
                return
            except PASSING as passing:
                error = passing
            except FAILING as refused:
                self._rest(REFUSED_REST_SECONDS)
                logs.error("dispatch_refused", job_id=job_id, reason=_said(refused))
                return
            else:
                return
        if error is not None:
            self._rest(REST_SECONDS)
        logs.warning("dispatch_not_carried", job_id=job_id, reason=_said(error) if error else "resting")

    async def _gone(self, ready: Ready) -> bool:
        try:
            await self._call("get_task", name=self._name_of(ready))
        except NotFound:
            return True
        except FAILING as error:
            logs.warning("dispatch_not_asked_for", job_id=ready.job_id, reason=_said(error))
        return False

    async def _delete(self, name: str) -> None:
        try:
            await self._call("delete_task", name=name)
        except NotFound:
            return
        except FAILING as error:
            logs.info("dispatch_not_withdrawn", reason=_said(error))

    async def _call(self, method: str, **request: object) -> None:
        """Call once, with an end, whatever it waits for. Raises what is in FAILING."""
        try:
            async with asyncio.timeout(TRY_SECONDS), self._room:
                client = await self._connected()
                await getattr(client, method)(**request, timeout=TRY_SECONDS, retry=None)
        except TimeoutError as error:
            raise DeadlineExceeded("No answer in time.") from error  # type: ignore[no-untyped-call]

    async def _connected(self) -> CloudTasksAsyncClient:
        async with self._connecting:
            if self._client is None:
                transport = await self._transport()
                self._client = await asyncio.to_thread(CloudTasksAsyncClient, transport=transport)  # it looks for files
            return self._client

    async def _transport(self) -> CloudTasksGrpcAsyncIOTransport:
        if self._endpoint:
            return CloudTasksGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(self._endpoint, OPTIONS))
        find = partial(google.auth.default, scopes=SCOPES)  # reads files and may ask the metadata server
        credentials, _ = await asyncio.to_thread(find)
        return CloudTasksGrpcAsyncIOTransport(credentials=credentials, channel=secure_channel)

    def _task(self, job: Job, dispatch: int, name: str, due: datetime | None) -> Task:
        """Return a task for the worker's route, at once where it is due."""
        now, target = self._now(), self._target
        return Task(
            name=name,
            http_request=HttpRequest(
                url=target.url,
                http_method=HttpMethod.POST,
                headers={"Content-Type": "application/json"},
                body=json.dumps({"job_id": job.id, "dispatch": dispatch, "kind": job.kind}).encode(),
                oidc_token=OidcToken(service_account_email=target.email, audience=target.audience),
            ),
            schedule_time=min(due, now + FARTHEST) if due is not None and due > now else None,
            dispatch_deadline=target.longest,
        )

    def _name_of(self, ready: Ready) -> str:
        return self._name(f"{ready.job_id}-{_born(ready.created_at)}-{ready.dispatch}")

    def _deadline_name_of(self, job: Job) -> str:
        """Return a name of this very deadline: one that was moved, or is of another run, gets a task of its own."""
        by = math.ceil(job.must_finish_by.timestamp())
        return self._name(f"{job.id}-{_born(job.created_at)}-{job.run}-by-{by}")

    def _name(self, what: str) -> str:
        """Return a task's name; it begins with a hash, since names in a row would slow the queue down."""
        digest = hashlib.sha256(what.encode()).hexdigest()
        return f"{self._queue}/tasks/{digest[:8]}-{what}"

    def _rest(self, seconds: float) -> None:
        self._rests_until = max(self._rests_until, asyncio.get_running_loop().time() + seconds)

    def _resting(self) -> bool:
        return asyncio.get_running_loop().time() < self._rests_until


def secure_channel(host: str, **how: Any) -> grpc.aio.Channel:  # noqa: ANN401 - passed on to the library
    """Open the library's own channel, with our options beside its."""
    options = [*how.pop("options", ()), *OPTIONS]
    return CloudTasksGrpcAsyncIOTransport.create_channel(host, options=options, **how)


def _ready(job: Job) -> Ready:
    return Ready(job_id=job.id, dispatch=job.dispatch, created_at=job.created_at)


def _born(created_at: datetime | None) -> str:
    """Return when a job was made: where it is removed and asked for again, its id and its first numbers come again."""
    assert created_at is not None, "the store that goes with this queue tells it"  # noqa: S101 - narrows the type
    return f"{round(created_at.timestamp() * 1e6):x}"


def _said(error: Exception) -> str:
    """Return what may be said of an error: its kind. Its text can hold addresses and accounts."""
    return type(error).__name__
