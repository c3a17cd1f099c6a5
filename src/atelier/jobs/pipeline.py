"""How work is described: a pipeline of stages over a typed state, and the run that carries one attempt."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from pydantic import BaseModel

from atelier import metrics
from atelier.errors import AtelierError
from atelier.jobs.events import Advanced, Event, StageStarted
from atelier.jobs.lifecycle import require_fence
from atelier.jobs.models import Billed, Job, Json, Outcome, Reason, Step
from atelier.jobs.ports import Clock, Decision, Store, Touch

Params = TypeVar("Params", bound=BaseModel)
State = TypeVar("State", bound=BaseModel)

STEP_INTERVAL = timedelta(seconds=1)
"""Steps are written at most this often; the latest wins."""


class Snooze(Exception):
    """Raised through a stage to end the attempt until a moment, without counting it."""

    def __init__(self, until: datetime, reason: Reason) -> None:
        super().__init__(f"{reason} until {until}")
        self.until, self.reason = until, reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A stage as it is shown: its name on the wire, the bar's position when it is entered, and its sentence."""

    name: str
    progress: float
    message: str
    work: Callable[[Any, Run[Any, Any]], Awaitable[None]]


StageMethod = Callable[[Any, "Run[Any, Any]"], Awaitable[None]]


def stage(*, progress: float, message: str) -> Callable[[StageMethod], Stage]:
    """Declare a pipeline's method as a stage; the method's name is the stage's name on the wire."""
    return lambda method: Stage(name=method.__name__, progress=progress, message=message, work=method)


class Product(BaseModel):
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

    async def deleted(self, job_id: str) -> None:
        """Remove what the job made: its owner wants it gone. The job itself is removed afterwards."""


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a run has come: the stages it finished and the order it has open. Decides what a cancel receipt says."""

    done: Sequence[str] = ()
    outcome: Outcome = "aborted_before_send"
    billed: Billed = "no"


class Run(Generic[Params, State]):
    """One attempt at a job: what a stage may see and do. Every write carries the claim's fence."""

    params: Params
    state: State

    def __init__(self, *, job: Job, services: Services) -> None:
        self.job = job
        self.loaded = False
        self.progress = Progress()
        self._parts: dict[str, Json] = {}
        self._services = services
        self._steps = StepWriter(self._write_step)

    async def load(self, pipeline: Pipeline[Params, State]) -> None:
        """Read the params and what earlier attempts left. Belongs to the work: what is unreadable fails the run."""
        self._parts = await self._services.store.parts(self.job.id)
        kept = self._parts.get("state", {})
        self.params = pipeline.params.model_validate(self._parts["params"])
        self.state = pipeline.state.model_validate(kept.get("values", {}))
        self.progress = Progress(**kept.get("progress", {}))
        self._kept = self.checkpoint()
        self.loaded = True

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self._services.now()

    async def enter(self, stage: Stage) -> None:
        """Record that `stage` begins and keep the state reached so far, in one write."""
        self._steps.stop()
        event = StageStarted(stage=stage.name, progress=stage.progress, message=stage.message, data=self._history())
        state = self.checkpoint()
        await self._write(event, {"state": state} if state != self._kept else {})
        self._kept = state

    async def once(
        self,
        key: str,
        make: Callable[[], Awaitable[Json]],
        *,
        message: str,
        progress: float,
        show: Callable[[Json], Json] | None = None,
    ) -> Json:
        """Return what is kept under `key`; else make it, keep it as a milestone of the log, and return it.

        What `show` returns of it stands in the milestone's data and in the job from then on, under `key`.
        """
        kept = f"once/{key}"
        if kept not in self._parts:
            made = await make()
            self._steps.stop()
            shows = {key: show(made)} if show is not None else {}
            event = Advanced(progress=progress, message=message, data={"key": key, **shows}, shows=shows)
            await self._write(event, {kept: made})
            self._parts[kept] = made
        return self._parts[kept]

    def step(self, step: int, total: int, *, span: tuple[float, float], message: str, preview: str | None) -> None:
        """Report a step of the present stage, which moves the bar from span[0] to span[1] percent. Never waits."""
        low, high = span
        progress = low + (high - low) * step / max(total, 1)
        self._steps.put(
            Step(
                stage=self.job.stage,
                step=step,
                total=total,
                progress=round(progress, 1),
                message=message,
                at=self.now,
                preview=preview,
            )
        )

    def snooze(self, until: datetime, reason: Reason) -> NoReturn:
        """Give the slot back until `until`; the attempt does not count."""
        raise Snooze(until, reason)

    @asynccontextmanager
    async def ordering(self, *, abort: Outcome, billed: Billed, price: Billed) -> AsyncIterator[None]:
        """Surround a provider's call, so that a cancel's receipt is true.

        Cancelled inside, the outcome is `abort`, and `billed` says whether that costs. Behind it, the bytes are here:
        a cancel came too late, and `price` says whether they are paid for. What an earlier order cost stays paid.
        """
        paid = self.progress.billed == "yes"
        self.progress.outcome, self.progress.billed = abort, "yes" if paid else billed
        yield
        self.progress.outcome, self.progress.billed = "too_late", "yes" if paid else price

    def checkpoint(self) -> Json:
        """Return what to resume from: the stages finished, what was ordered, and the values they left."""
        progress = self.progress
        so_far = {"done": list(progress.done), "outcome": progress.outcome, "billed": progress.billed}
        return {"progress": so_far, "values": self.state.model_dump(mode="json")}

    def close(self) -> None:
        """Stop writing steps: the attempt is over."""
        self._steps.stop()

    async def _write(self, event: Event, parts: dict[str, Json]) -> None:
        def decide(job: Job) -> Decision:
            require_fence(job, self.job.fence)
            return Decision(events=(event,), parts=parts)

        snapshot = await self._services.store.write(self.job.id, decide)
        self.job = snapshot.job if snapshot is not None else self.job

    async def _write_step(self, step: Step) -> None:
        lease_until = self.now + self._services.lease
        await self._services.store.touch(
            Touch(job_id=self.job.id, fence=self.job.fence, lease_until=lease_until, step=step)
        )

    def _history(self) -> Json:
        """Say in the log why this is not the first attempt."""
        if self.job.attempt == 1 or self.job.fault is None:
            return {}
        return {"attempt": self.job.attempt, "after": self.job.fault.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What a run needs of the engine: where to write, the time, and how long a lease lasts."""

    store: Store
    now: Clock
    lease: timedelta


class StepWriter:
    """Writes the latest step at most once a second; writes nothing after `stop`."""

    def __init__(self, write: Callable[[Step], Awaitable[None]]) -> None:
        self._write = write
        self._latest: Step | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last = float("-inf")

    def put(self, step: Step) -> None:
        """Remember `step` and see that it, or a later one, is written soon."""
        self._latest = step
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._last + STEP_INTERVAL.total_seconds())
            self._timer = loop.call_at(due, self._flush)

    def stop(self) -> None:
        """Forget what was not written."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._latest = None

    def _flush(self) -> None:
        self._timer = None
        if self._latest is not None:
            self._last = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._attempt(self._latest))

    async def _attempt(self, step: Step) -> None:
        """A lost step is no loss: the next one, or the stage's end, says more."""
        try:
            await self._write(step)
        except AtelierError:
            return


async def perform(pipeline: Pipeline[Any, Any], run: Run[Any, Any]) -> Product:
    """Run the stages that are not finished yet, in order, and return the product."""
    await run.load(pipeline)
    for stage in pipeline.stages:
        if stage.name in run.progress.done:
            continue
        await run.enter(stage)
        began = time.perf_counter()
        await stage.work(pipeline, run)
        metrics.stage(pipeline.kind, stage.name).observe(time.perf_counter() - began)
        run.progress.done = (*run.progress.done, stage.name)
    return pipeline.product(run)
