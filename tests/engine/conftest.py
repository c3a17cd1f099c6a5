"""The house that tests of the engine live in: on SQLite with a queue that only remembers, on Firestore with Cloud Tasks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from google.cloud.tasks_v2 import Task
from tests.cloud_tasks.issuer import EMAIL, Issuer
from tests.cloud_tasks.server import QUEUE, CloudTasks
from tests.house import Hand, House
from tests.jobs import Clock
from tests.stores import Backend, Sqlite, backend, store

from atelier.jobs.models import Job
from atelier.jobs.ports import Ready, Store
from atelier.queues.cloud_tasks import CloudTasksQueue, Target

__all__ = ["backend", "house", "store"]


class Tasks(Hand):
    """Cloud Tasks, whose server is paused: the test delivers. It loses what the test says, and is asked what it lost."""

    def __init__(self, server: CloudTasks, clock: Clock) -> None:
        super().__init__()
        target = Target(url="http://127.0.0.1:9/", email=EMAIL, audience="worker", longest=timedelta(minutes=30))
        self.carrier = CloudTasksQueue(queue=QUEUE, target=target, endpoint=server.endpoint, now=clock)
        self._server = server

    async def dispatch(self, job: Job) -> None:
        await super().dispatch(job)
        await self.carrier.dispatch(job)

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:
        for ready in await super().lost(waiting):
            for name in [name for name, held in self._server.queue.held.items() if _carries(held.task, ready)]:
                self._server.queue.remove(name)
        return await self.carrier.lost(waiting)

    async def withdraw(self, job: Job) -> None:
        await super().withdraw(job)
        await self.carrier.withdraw(job)


def _carries(task: Task, ready: Ready) -> bool:
    order = json.loads(task.http_request.body)
    return (order["job_id"], order["dispatch"]) == (ready.job_id, ready.dispatch)


@pytest.fixture
async def house(backend: Backend, store: Store, clock: Clock) -> AsyncIterator[House]:
    """Pair the stores with their queues, as the settings do."""
    if isinstance(backend, Sqlite):
        house = House(store, clock, Hand())
        yield house
        await house.engine.drain(timedelta())
        return
    async with CloudTasks(Issuer()).serving() as server:
        server.queue.pause()
        queue = Tasks(server, clock)
        house = House(store, clock, queue)
        yield house
        await house.engine.drain(timedelta())
        await queue.carrier.close()
