"""The pipelines of the machine: each stage halts until the test says what comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import BaseModel
from tests.machine.process import Process

from atelier.errors import ProviderRateLimited, ProviderRefused, ProviderUnavailable
from atelier.jobs.models import Json, Reason
from atelier.jobs.pipeline import Pipeline, Product, Run
from atelier.jobs.progress import Milestone
from atelier.jobs.runner import AnyPipeline
from atelier.jobs.stages import Stage, stage

OUTCOMES = ("ok", "ok", "ok", "ok", "transient", "limited", "refused", "bug", "snooze")
SNOOZE = timedelta(seconds=20)


class Order(BaseModel):
    """What is asked for."""

    body: int


class Kept(BaseModel):
    """What the stages leave: the fence of the run that drew."""

    drawn_by: int = 0


@dataclass(frozen=True, eq=False)
class Halt:
    """A run that stands in a stage."""

    process: Process
    job_id: str
    fence: int
    stage: str
    outcome: asyncio.Future[str]


class Script:
    """Where every run stands, and what was ordered from the provider: (job, run)."""

    def __init__(self) -> None:
        self.halts: list[Halt] = []
        self.orders: list[tuple[str, int]] = []
        self.halting = True

    async def halt(self, process: Process, run: Run[Order, Kept], stage: str) -> str:
        if not self.halting:
            return "ok"
        halt = Halt(process, run.job.id, run.job.fence, stage, process.loop.create_future())
        self.halts.append(halt)
        try:
            return await halt.outcome
        finally:
            if halt in self.halts:
                self.halts.remove(halt)

    def go(self, halt: Halt, outcome: str) -> None:
        """Let a run go on."""
        self.halts.remove(halt)
        halt.outcome.set_result(outcome)

    def forget(self, process: Process) -> None:
        """Drop the runs of a process that died."""
        self.halts = [halt for halt in self.halts if halt.process is not process]


class Scripted(Pipeline[Order, Kept]):
    """Sketch, draw (the stage that costs money), keep."""

    params = Order
    state = Kept

    def __init__(self, script: Script, process: Process) -> None:
        self._script, self._process = script, process

    @stage(progress=10, message="Sketching")
    async def sketch(self, run: Run[Order, Kept]) -> None:
        if await self._script.halt(self._process, run, "sketch") == "snooze":
            run.snooze(run.now + SNOOZE, Reason.WAITING_FOR_SLOT)
        await self._mark(run, "sketch", 20)

    @stage(progress=30, message="Drawing")
    async def draw(self, run: Run[Order, Kept]) -> None:
        async with run.ordering(abort="unknown", billed="unknown", price="yes", durable=True):
            self._script.orders.append((run.job.id, run.job.run))
            run.step(1, 2, span=(30, 70), message="step 1/2", preview=None)
            _raise(await self._script.halt(self._process, run, "draw"))
        run.state = Kept(drawn_by=run.job.fence)

    @stage(progress=80, message="Keeping")
    async def keep(self, run: Run[Order, Kept]) -> None:
        outcome = await self._script.halt(self._process, run, "keep")
        if outcome in {"transient", "bug"}:
            _raise(outcome)
        await self._mark(run, "keep", 90)

    stages: ClassVar[tuple[Stage, ...]] = (sketch, draw, keep)

    def product(self, run: Run[Order, Kept]) -> Product:
        return Product(result={"by": run.job.fence, "drawn_by": run.state.drawn_by, "body": run.params.body})

    async def _mark(self, run: Run[Order, Kept], name: str, progress: float) -> None:
        """Keep a milestone that says which claim wrote it."""

        async def make() -> Json:
            return {"fence": run.job.fence}

        await run.once(f"{name}-{run.job.fence}", make, Milestone(message="Kept", progress=progress))


class Long(Scripted):
    """Has hours."""

    kind = "long"


class Quick(Scripted):
    """Must be finished soon."""

    kind = "quick"


def pipelines(script: Script, process: Process) -> dict[str, AnyPipeline]:
    return {"long": Long(script, process), "quick": Quick(script, process)}


def _raise(outcome: str) -> None:
    if outcome == "transient":
        raise ProviderUnavailable("Down.")
    if outcome == "limited":
        raise ProviderRateLimited("Slow down.", retry_after=timedelta(seconds=15))
    if outcome == "refused":
        raise ProviderRefused("No.")
    if outcome == "bug":
        raise RuntimeError(outcome)
