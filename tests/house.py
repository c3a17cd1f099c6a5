"""An engine on the real store, with a pipeline that does what the test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel
from tests.jobs import Clock

from atelier.jobs.engine import JobEngine, NewJob
from atelier.jobs.events import Claimed
from atelier.jobs.models import Job
from atelier.jobs.pipeline import Pipeline, Product, Run
from atelier.jobs.ports import Decision, Ready, Store, worker_name
from atelier.jobs.stages import Stage, stage
from atelier.jobs.sweeper import Retention
from atelier.jobs.verdicts import Limits, Policy


class Nothing(BaseModel):
    """No params."""


class Count(BaseModel):
    """What the stages leave."""

    value: int = 0


Act = Callable[[Run[Nothing, Count]], Awaitable[None]]


class Scripted(Pipeline[Nothing, Count]):
    """Two stages; the test says what each does."""

    kind = "image"
    params = Nothing
    state = Count

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.acts: dict[str, Act] = {}
        self.settled_runs = 0

    @stage(progress=10, message="First")
    async def first(self, run: Run[Nothing, Count]) -> None:
        await self._act("first", run)

    @stage(progress=50, message="Second")
    async def second(self, run: Run[Nothing, Count]) -> None:
        await self._act("second", run)

    stages: ClassVar[tuple[Stage, ...]] = (first, second)

    def product(self, run: Run[Nothing, Count]) -> Product:
        return Product(result={"value": run.state.value}, cost=0.25, warnings=("done",))

    async def settled(self, run: Run[Nothing, Count]) -> None:  # noqa: ARG002
        self.settled_runs += 1

    async def _act(self, name: str, run: Run[Nothing, Count]) -> None:
        self.entered.append(name)
        if name in self.acts:
            await self.acts[name](run)
        run.state = Count(value=run.state.value + 1)


class Hand:
    """A queue that remembers what it was handed; the test delivers."""

    def __init__(self) -> None:
        self.dispatched: list[Job] = []
        self.asked: list[Sequence[Ready]] = []
        self.losing: set[str] = set()
        self.withdrawn: list[Job] = []

    async def dispatch(self, job: Job) -> None:
        self.dispatched.append(job)

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:
        self.asked.append(waiting)
        return [ready for ready in waiting if ready.job_id in self.losing]

    async def withdraw(self, job: Job) -> None:
        self.withdrawn.append(job)


class Register:
    """Which processes have ended, as the test says."""

    name = "here"

    def __init__(self) -> None:
        self.ended: set[str] = set()

    async def gone(self) -> frozenset[str]:
        return frozenset(self.ended)

    async def forget(self, name: str) -> None:
        self.ended.discard(name)


class House:
    """An engine and everything around it."""

    def __init__(self, store: Store, clock: Clock, queue: Hand) -> None:
        self.store, self.clock, self.queue, self.pipeline = store, clock, queue, Scripted()
        self.presence = Register()
        self.others: dict[str, Pipeline[Any, Any]] = {}
        self.engine = self.another_engine()

    def another_engine(
        self,
        *,
        longest_run: timedelta | None = None,
        lease: timedelta = timedelta(seconds=30),
        slots: Mapping[str, int] | None = None,
    ) -> JobEngine:
        return JobEngine(
            store=self.store,
            queue=self.queue,
            presence=self.presence,
            pipelines={"image": self.pipeline, **self.others},
            limits=Limits(
                slots=slots or {},
                queue=300,
                max_attempts=3,
                deadlines={
                    "image": timedelta(minutes=10),
                    "blog": timedelta(minutes=30),
                    "essay": timedelta(minutes=30),
                    "batch": timedelta(hours=1),
                    "board": timedelta(hours=48),
                    "story": timedelta(minutes=16),
                    "illustrations": timedelta(minutes=16),
                },
                windows={"batch": 4, "board": 4, "illustrations": 4},
                lanes={"slow": 2},
            ),
            policy=Policy(lease=lease, retry_base=timedelta(seconds=2), longest_run=longest_run),
            retention=Retention(kinds=("image",), groups=("batch",), keep=timedelta(days=30)),
            secret=b"secret",
            now=self.clock,
        )

    async def submit(self, owner: str = "ann", **fields: Any) -> Job:
        return (await self.engine.submit(NewJob(kind="image", owner=owner, params=Nothing(), **fields))).snapshot.job

    async def job(self, job_id: str) -> Job:
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def deliver(self, job_id: str) -> Job:
        """Deliver the present dispatch and return the job after it."""
        await self.engine.deliver(job_id, (await self.job(job_id)).dispatch)
        return await self.job(job_id)

    async def lose(self, job_id: str) -> None:
        """Claim the job as another process that is never heard of again."""
        claimed = Claimed(worker=worker_name("elsewhere", 1), lease_until=self.clock() + timedelta(seconds=30))
        await self.store.write(job_id, lambda _: Decision(events=(claimed,)))

    async def stages(self, job_id: str) -> list[str]:
        snapshot = await self.store.read(job_id, after=0)
        assert snapshot is not None
        return [record.stage for record in snapshot.records]


def failing(*errors: Exception) -> Act:
    """Raise the errors one after the other, then succeed."""
    left = list(errors)

    async def act(_: Run[Nothing, Count]) -> None:
        if left:
            raise left.pop(0)

    return act


class Gate:
    """An act that says when it is there and waits to be let go."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Run[Nothing, Count]) -> None:
        self.reached.set()
        await self.open.wait()
