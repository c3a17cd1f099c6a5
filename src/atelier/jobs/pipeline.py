"""How work is described: a pipeline of stages over a typed state, and the run that carries one attempt."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from pydantic import BaseModel

from atelier import metrics
from atelier.errors import AtelierError, JobConflict, MaybeCharged
from atelier.frozen import frozen
from atelier.jobs.events import Event, Noted, StageStarted
from atelier.jobs.lifecycle import require_fence
from atelier.jobs.models import Billed, Job, Json, Outcome, ProviderQueue, Reason, Step
from atelier.jobs.ports import Clock, Decision, Store, Touch
from atelier.jobs.progress import Milestone, Progress, Tail, more
from atelier.jobs.stages import Snooze, Stage
from atelier.jobs.steps import StepWriter

Params = TypeVar("Params", bound=BaseModel)
State = TypeVar("State", bound=BaseModel)

SOON = 0.01
"""Seconds that a stage's entry may wait for what follows it at once, to be written together with that."""


@frozen
class Product:
    """What a finished pipeline hands over: the result to store, what it cost, and what the caller should know."""

    result: Json
    cost: float = 0.0
    warnings: tuple[str, ...] = ()


class Pipeline(ABC, Generic[Params, State]):
    """A kind of job: its params and state models, and its stages in order."""

    kind: ClassVar[str]
    params: type[Params]
    state: type[State]
    stages: ClassVar[tuple[Stage, ...]]

    @abstractmethod
    def product(self, run: Run[Params, State]) -> Product:
        """Return what the run made, from its state alone."""

    async def settled(self, run: Run[Params, State]) -> None:
        """Tidy up after the run has ended, well or badly (`run.job` says which)."""

    async def ousted(self, run: Run[Params, State]) -> None:
        """Take back what the run may have begun outside of its job, if that has ended elsewhere: it had lost its lease. Raises nothing."""

    async def deleted(self, job_id: str) -> None:
        """Remove what the job made: its owner wants it gone. The job itself is removed afterwards."""


class Run(Generic[Params, State]):
    """One attempt at a job: what a stage may see and do. Every write carries the claim's fence."""

    params: Params
    state: State

    def __init__(self, *, job: Job, services: Services, parts: Mapping[str, Json] | None = None) -> None:
        self.job = job
        self.loaded = False
        self.asked = ""  # who is asked at present, as steps tell it
        self.progress = Progress()
        self._parts = dict(parts) if parts is not None else {}
        self._services = services
        self._stage = job.stage
        self._steps = StepWriter(partial(_write_step, services, job.id, job.fence))
        self._tail = Tail(job.seq)
        self._soon: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def load(self, pipeline: Pipeline[Params, State]) -> None:
        """Read the params and what earlier attempts left. Belongs to the work: what is unreadable fails the run."""
        self._parts = self._parts or await self._services.store.parts(self.job.id)
        self._kept = self._parts.get("state", {})
        self.params = pipeline.params.model_validate(self._parts["params"])
        self.state = pipeline.state.model_validate(self._kept.get("values", {}))
        self.progress = Progress(**self._kept.get("progress", {}))
        self.loaded = True

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self._services.now()

    def enter(self, stage: Stage) -> None:
        """Take down that `stage` begins: written with what follows at once, or soon. Its work may begin before.

        Work that would harm where the run has lost its lease writes first: `ordering`, or `note`.
        """
        self._steps.stop()
        self._stage = stage.name
        event = StageStarted(stage=stage.name, progress=stage.progress, message=stage.message, data=self._history())
        self._tail = self._tail.longer(event)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self._write_soon)

    def unwritten(self, job: Job) -> tuple[Event, ...]:
        """Return what the log of `job`, as it is now, still lacks of this run: only the run itself makes it longer."""
        return self._tail.behind(job.seq)

    async def once(self, key: str, make: Callable[[], Awaitable[Json]], milestone: Milestone) -> Json:
        """Return what is kept under `key`; else make it, keep it as a milestone of the log, and return it.

        What was made, what it cost and what is told of it is one write: each of these once, whatever becomes of the attempt.
        """
        kept = f"once/{key}"
        if kept not in self._parts:
            made = await make()
            self._steps.stop()
            await self._write(*milestone.events(key, made, self.progress.billed), parts={kept: made})
            self._parts[kept] = made
        return self._parts[kept]

    def kept(self, key: str) -> Json | None:
        """Return what `once` keeps under `key`; None where it was not made yet."""
        return self._parts.get(f"once/{key}")

    async def note(self, *, cost: float = 0.0, warnings: tuple[str, ...] = ()) -> None:
        """Keep the state reached so far, what was spent in US dollars, and what the caller should know: it is durable at once.

        It outlives the attempt, however that ends.
        """
        await self._write(Noted(billed=self.progress.billed, cost=cost, warnings=warnings))

    async def present(self) -> Job | None:
        """Return the job as it is behind everything this process has asked the store to write; None where it was deleted."""
        snapshot = await self._services.store.write(self.job.id, lambda _: Decision())
        return snapshot.job if snapshot is not None else None

    def queued(self, queue: ProviderQueue, *, progress: float, message: str) -> None:
        """Report that an order waits at the provider, as a step that moves nothing. Never waits."""
        step = Step(
            stage=self._stage,
            step=0,
            total=0,
            progress=progress,
            message=message,
            at=self.now,
            queue=queue,
            provider=self.asked,
        )
        self._tell(step)

    def step(
        self,
        step: int,
        total: int,
        *,
        span: tuple[float, float],
        message: str,
        preview: str | None,
        part: tuple[str, int, int] = ("", 0, 0),
    ) -> None:
        """Report a step of the present stage, which moves the bar from span[0] to span[1] percent. Never waits.

        `part`: who of several is at work, and the step's number of how many of its own.
        """
        low, high = span
        progress = low + (high - low) * step / max(total, 1)
        made = Step(
            stage=self._stage,
            step=step,
            total=total,
            progress=round(progress, 1),
            message=message,
            at=self.now,
            preview=preview,
            part=part[0],
            part_step=part[1],
            part_total=part[2],
            provider=self.asked,
        )
        self._tell(made)

    def _tell(self, step: Step) -> None:
        """See that a step is written; behind its stage's entry, which waits no longer: a step of another stage is dropped."""
        if self._soon is not None:
            self._await_nomore()
            self._write_soon()
        self._steps.put(step)

    def snooze(self, until: datetime, reason: Reason) -> NoReturn:
        """Give the slot back until `until`; the attempt does not count."""
        raise Snooze(until, reason)

    @asynccontextmanager
    async def ordering(
        self, *, abort: Outcome, billed: Billed, price: Billed, durable: bool = False
    ) -> AsyncIterator[None]:
        """Surround a provider's call, so that a cancel's receipt is true.

        Where it is `durable`, that there is an order is written before, with what was collected. Cancelled inside, the outcome is
        `abort`, and `billed` says whether that costs. Behind it, the bytes are here: a cancel came too late, and `price` says
        whether they are paid for. An error after which nothing is owed leaves everything as it was; what an earlier order cost
        stays paid.
        """
        outcome, billed_before = self.progress.outcome, self.progress.billed
        self.progress.outcome, self.progress.billed = abort, more(billed_before, billed)
        if durable:
            await self.note()
        try:
            yield
        except MaybeCharged:
            self.progress.billed = more(billed_before, "unknown")
            raise
        except AtelierError:
            self.progress.outcome, self.progress.billed = outcome, billed_before
            raise
        self.progress.outcome, self.progress.billed = "too_late", more(billed_before, price)

    def checkpoint(self) -> Json:
        """Return what to resume from: the stages finished, what was ordered, and the values they left."""
        progress = self.progress
        so_far = {"done": list(progress.done), "outcome": progress.outcome, "billed": progress.billed}
        return {"progress": so_far, "values": self.state.model_dump(mode="json")}

    def close(self) -> None:
        """Write nothing more by itself: the attempt is over."""
        self._steps.stop()
        self._await_nomore()

    async def _write(self, *events: Event, parts: Mapping[str, Json] | None = None) -> None:
        """Write what was collected and these events, with the state reached so far and `parts`."""
        self._await_nomore()
        state = self.checkpoint()
        kept = {**({"state": state} if state != self._kept else {}), **(parts or {})}

        def decide(job: Job) -> Decision:
            require_fence(job, self.job.fence)
            return Decision(events=(*self.unwritten(job), *events), parts=kept)

        snapshot = await self._services.store.write(self.job.id, decide)
        if snapshot is None:
            raise JobConflict("The job was deleted.")
        self._kept = state
        if snapshot.job.rev > self.job.rev:
            self.job, self._tail = snapshot.job, self._tail.written(snapshot.job.seq)

    def _await_nomore(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _write_soon(self) -> None:
        """Write what was collected: nothing followed it at once. What fails here is found out by the next write."""
        self._soon = None
        self._task = asyncio.create_task(self._catch_up(), name=f"catch up {self.job.id}")

    async def _catch_up(self) -> None:
        with contextlib.suppress(AtelierError):
            await self._write()

    def _history(self) -> Json:
        """Say in the log why this is not the first attempt."""
        if self.job.attempt == 1 or self.job.fault is None:
            return {}
        return {"attempt": self.job.attempt, "after": self.job.fault.message}


@frozen
class Services:
    """What a run needs of the engine: where to write, the time, and how long a lease lasts."""

    store: Store
    now: Clock
    lease: timedelta


async def _write_step(services: Services, job_id: str, fence: int, step: Step) -> None:
    """Write a step and renew the lease. Knows nothing of the run: that should be gone when it has ended, without the collector."""
    lease_until = services.now() + services.lease
    await services.store.touch(Touch(job_id=job_id, fence=fence, lease_until=lease_until, step=step))


async def perform(pipeline: Pipeline[Any, Any], run: Run[Any, Any]) -> Product:
    """Run the stages that are not finished yet, in order, and return the product."""
    await run.load(pipeline)
    for stage in pipeline.stages:
        if stage.name in run.progress.done:
            continue
        run.enter(stage)
        began = time.perf_counter()
        await stage.work(pipeline, run)
        metrics.stage(pipeline.kind, stage.name).observe(time.perf_counter() - began)
        run.progress.done = (*run.progress.done, stage.name)
    return pipeline.product(run)
