"""Cloud Tasks for tests: Google's own protocol on gRPC, in the test's loop, with switches for everything that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Never

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2 import Queue, Task
from google.protobuf.empty_pb2 import Empty
from tests.cloud_tasks.issuer import Issuer
from tests.cloud_tasks.tasks import Faults, TaskQueue, utc
from tests.cloud_tasks.validation import wrong

SERVICE = "google.cloud.tasks.v2.CloudTasks"
QUEUE = "projects/project/locations/europe-west1/queues/jobs"
grpc.aio.init_grpc_aio()  # for the whole run: else grpc waits for its thread whenever its last object goes, in the loop
Context = Any
"""grpc.aio.ServicerContext; the library has no types."""


class CloudTasks:
    """The server. `queue` is the one that is there from the beginning."""

    def __init__(self, issuer: Issuer, *, speed: float = 20) -> None:
        self.faults, self.issuer, self.calls = Faults(), issuer, list[str]()
        self.port = 0
        self._speed, self._queues = speed, dict[str, TaskQueue]()
        self.queue = self.add(Queue(name=QUEUE))

    def add(self, config: Queue) -> TaskQueue:
        """Make a queue, or make one anew with other settings while it is empty."""
        config.state = Queue.State(Queue.State.RUNNING)
        queue = TaskQueue(config, issuer=self.issuer, faults=self.faults, speed=self._speed)
        self._queues[config.name] = queue
        return queue

    def configure(self, **retry: Any) -> None:
        """Set the retries of the queue: `max_attempts`, and durations in seconds."""
        seconds = {"min_backoff", "max_backoff", "max_retry_duration"}
        values = {name: timedelta(seconds=value) if name in seconds else value for name, value in retry.items()}
        self.queue.config.retry_config = tasks_v2.RetryConfig(**values)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[CloudTasks]:
        """Serve for the length of the block."""
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)
            for queue in self._queues.values():
                await queue.close()

    def _handlers(self) -> dict[str, Any]:
        calls: dict[str, tuple[Any, Any, Any]] = {
            "CreateTask": (self._create, tasks_v2.CreateTaskRequest.deserialize, Task.serialize),
            "GetTask": (self._get, tasks_v2.GetTaskRequest.deserialize, Task.serialize),
            "ListTasks": (self._list, tasks_v2.ListTasksRequest.deserialize, tasks_v2.ListTasksResponse.serialize),
            "DeleteTask": (self._delete, tasks_v2.DeleteTaskRequest.deserialize, Empty.SerializeToString),
            "RunTask": (self._run, tasks_v2.RunTaskRequest.deserialize, Task.serialize),
            "GetQueue": (self._get_queue, tasks_v2.GetQueueRequest.deserialize, Queue.serialize),
            "PauseQueue": (self._pause, tasks_v2.PauseQueueRequest.deserialize, Queue.serialize),
            "ResumeQueue": (self._resume, tasks_v2.ResumeQueueRequest.deserialize, Queue.serialize),
            "PurgeQueue": (self._purge, tasks_v2.PurgeQueueRequest.deserialize, Queue.serialize),
        }
        return {
            name: grpc.unary_unary_rpc_method_handler(self._guarded(name, handle), reads, writes)
            for name, (handle, reads, writes) in calls.items()
        }

    def _guarded(self, name: str, handle: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def call(request: Any, context: Context) -> Any:
            self.calls.append(name)
            if self.faults.hangs:
                await asyncio.sleep(600)
            if self.faults.unavailable:
                await refuse(context, "UNAVAILABLE", "The service is currently unavailable.")
            return await handle(request, context)

        return call

    async def _create(self, request: tasks_v2.CreateTaskRequest, context: Context) -> Task:
        queue, task = await self._queue(request.parent, context), request.task
        if self.faults.creates_fail_before:
            self.faults.creates_fail_before -= 1
            await refuse(context, self.faults.says, "Not made.")
        sentence = wrong(task, request.parent)
        if sentence is not None:
            await refuse(context, "INVALID_ARGUMENT", sentence)
        task.name = task.name or f"{request.parent}/tasks/{secrets.randbits(60)}"
        if queue.known(task.name):
            await refuse(context, "ALREADY_EXISTS", "Requested entity already exists")
        queue.add(task)
        if self.faults.creates_fail_after:
            self.faults.creates_fail_after -= 1
            await refuse(context, "UNAVAILABLE", "Made, and not told.")
        return task

    async def _get(self, request: tasks_v2.GetTaskRequest, context: Context) -> Task:
        return self._view(await self._task(request.name, context), request.response_view)

    async def _list(self, request: tasks_v2.ListTasksRequest, context: Context) -> tasks_v2.ListTasksResponse:
        queue = await self._queue(request.parent, context)
        names = sorted(queue.held)[: request.page_size or 1000]
        return tasks_v2.ListTasksResponse(
            tasks=[self._view(queue.held[name].task, request.response_view) for name in names]
        )

    def _view(self, task: Task, view: Task.View) -> Task:
        """Leave the body out of all but the full view, and show what became of the task."""
        shown: Task = Task.deserialize(Task.serialize(task))
        if view is not Task.View.FULL:
            shown.http_request.body = b""
        held = self._queues[task.name.partition("/tasks/")[0]].held[task.name]
        shown.dispatch_count, shown.response_count, shown.schedule_time = held.attempts, held.answered, utc(held.due)
        return shown

    async def _delete(self, request: tasks_v2.DeleteTaskRequest, context: Context) -> Empty:
        await self._task(request.name, context)
        (await self._queue_of(request.name, context)).remove(request.name)
        return Empty()

    async def _run(self, request: tasks_v2.RunTaskRequest, context: Context) -> Task:
        task = await self._task(request.name, context)
        (await self._queue_of(request.name, context)).held[request.name].hurry.set()
        return self._view(task, request.response_view)

    async def _get_queue(self, request: tasks_v2.GetQueueRequest, context: Context) -> Queue:
        return (await self._queue(request.name, context)).config

    async def _pause(self, request: tasks_v2.PauseQueueRequest, context: Context) -> Queue:
        queue = await self._queue(request.name, context)
        queue.pause()
        return queue.config

    async def _resume(self, request: tasks_v2.ResumeQueueRequest, context: Context) -> Queue:
        queue = await self._queue(request.name, context)
        queue.resume()
        return queue.config

    async def _purge(self, request: tasks_v2.PurgeQueueRequest, context: Context) -> Queue:
        queue = await self._queue(request.name, context)
        queue.purge()
        return queue.config

    async def _queue_of(self, task: str, context: Context) -> TaskQueue:
        return await self._queue(task.partition("/tasks/")[0], context)

    async def _queue(self, name: str, context: Context) -> TaskQueue:
        if name not in self._queues:
            await refuse(context, "NOT_FOUND", "Queue does not exist.")
        return self._queues[name]

    async def _task(self, name: str, context: Context) -> Task:
        queue = await self._queue_of(name, context)
        if name not in queue.held:
            gone = "The task no longer exists, though a task with this name existed recently."
            await refuse(context, "NOT_FOUND", gone if queue.remembered(name) else "Requested entity was not found.")
        return queue.held[name].task


async def refuse(context: Context, code: str, sentence: str) -> Never:
    """End a call with an error."""
    await context.abort(getattr(grpc.StatusCode, code), sentence)
    raise AssertionError
