"""One delivery of one job: claim it, run its pipeline under supervision, and settle what came of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from atelier import logs
from atelier.errors import JobConflict, StoreUnavailable
from atelier.jobs.events import Cancelled, Claimed, Completed, Failed, Redispatched, Retried, Snoozed
from atelier.jobs.groups import Groups
from atelier.jobs.lifecycle import require_fence
from atelier.jobs.models import Job, Json, Status
from atelier.jobs.pipeline import Pipeline, Product, Run, Services, perform
from atelier.jobs.ports import Clock, Decide, Decision, Delivery, Queue, Store, Touch, worker_name
from atelier.jobs.supervision import Bell, broke, ending_of, let_go
from atelier.jobs.tally import Counted
from atelier.jobs.verdicts import (
    Ending,
    Policy,
    claimable,
    deadline_exceeded,
    fault_of,
    interrupted,
    premature,
    receipt_of,
    stops_at,
    worker_lost,
)
from atelier.jobs.watch import Watch

SETTLE_PAUSES = (0, 1, 2, 4, 8)
"""Seconds before each attempt to write an ending; after the last the sweeper sees to the job."""
ASK_AGAIN_SECONDS = 1.0
"""Pause before a group that could not be asked is asked again, whose member may have no time left or is to begin."""
RELEASE_WAIT = timedelta(seconds=3)
"""How long released runs may take to let go and write that they did."""

AnyPipeline = Pipeline[Any, Any]
AnyRun = Run[Any, Any]
Parts = Mapping[str, Json] | None


class Runner:
    """Turns deliveries into runs. Holds nothing a crash could lose."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        pipelines: Mapping[str, AnyPipeline],
        groups: Groups,
        policy: Policy,
        process: str,
        measured: Callable[[Job, float], None],
        now: Clock,
    ) -> None:
        self._store, self._queue, self._pipelines = store, queue, pipelines
        self._groups, self._policy, self._measured, self._now = groups, policy, measured, now
        self._services = Services(store=store, now=now, lease=policy.lease)
        self._running: set[asyncio.Task[Any]] = set()
        self._held: set[str] = set()
        self._closed = False
        self._workers = (worker_name(process, number) for number in itertools.count(1))

    @cached_property
    def _released(self) -> asyncio.Future[None]:
        """Done when running jobs are to be given back; made in the loop that runs them."""
        return asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Take no more deliveries."""
        self._closed = True

    async def drain(self, grace: timedelta) -> None:
        """Let running jobs finish within `grace`, then give the rest back to the queue, attempt and all."""
        self.close()
        logs.info("draining", jobs=len(self._running), grace_seconds=grace.total_seconds())
        if self._running:
            idle: asyncio.Future[Any] = asyncio.create_task(asyncio.wait(self._running))
            await asyncio.wait(
                {idle, self._released}, timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            self.release()
            await asyncio.wait({idle}, timeout=RELEASE_WAIT.total_seconds())

    def holds(self, worker: str) -> bool:
        """Whether a run of this very process holds a job under this name, whatever its lease says."""
        return worker in self._held

    @property
    def running(self) -> int:
        """How many jobs this process holds."""
        return len(self._held)

    def release(self) -> None:
        """Give running jobs back now."""
        if not self._released.done():
            self._released.set_result(None)

    async def deliver(self, job_id: str, dispatch: int) -> Delivery:
        """Run the job if this delivery is the one to do it. Repeated, stale and early deliveries change nothing.

        A delivery counts as running from before its claim, so that `drain` waits for it and nothing is claimed and left.
        Cancelled with its caller: who may be cancelled gives it a task of its own.
        """
        if self._closed:
            return Delivery.AGAIN
        running = asyncio.current_task()
        assert running is not None, "coroutines run in tasks"  # noqa: S101 - narrows the type
        self._running.add(running)
        try:
            return await self._deliver(job_id, dispatch)
        finally:
            self._running.discard(running)

    async def _deliver(self, job_id: str, dispatch: int) -> Delivery:
        worker = next(self._workers)
        with Watch(self._store, job_id) as watch:
            claim = Counted(self._claim(worker, dispatch))
            snapshot = await self._store.write(job_id, claim)
            if snapshot is None:
                return Delivery.SETTLED
            job = snapshot.job
            claim.count(job)
            if job.worker != worker:
                return await self._unclaimed(job, dispatch)
            logs.job_id.set(job_id)
            logs.info("job_claimed", kind=job.kind, attempt=job.attempt, fence=job.fence)
            self._held.add(worker)
            try:
                ended = await (self._run if job.group is None else self._run_member)(job, snapshot.parts, watch)
            finally:
                self._held.discard(worker)
            return Delivery.SETTLED if ended else Delivery.BUSY

    def _claim(self, worker: str, dispatch: int) -> Decide:
        def decide(job: Job) -> Decision:
            now = self._now()
            if premature(job, dispatch, now):
                return Decision(events=(Redispatched(),))
            if job.kind not in self._pipelines or not claimable(job, dispatch, now):
                return Decision()
            if job.attempt >= job.max_attempts:
                return Decision(events=(Failed(fault=fault_of(worker_lost(job))),))
            claimed = Claimed(worker=worker, lease_until=now + self._policy.lease)
            taken_over = (
                (Retried(run_at=now, fault=fault_of(worker_lost(job))),) if job.status is Status.PROCESSING else ()
            )
            return Decision(events=(*taken_over, claimed), reads=True)

        return decide

    async def _unclaimed(self, job: Job, dispatch: int) -> Delivery:
        if dispatch != job.dispatch:
            await self._hand_over(job)
            return Delivery.SETTLED
        if job.status is Status.PROCESSING:
            return Delivery.BUSY
        return Delivery.AGAIN if job.status is Status.QUEUED else Delivery.SETTLED

    async def _hand_over(self, job: Job) -> None:
        if job.status is Status.QUEUED:
            await self._queue.dispatch(job)

    async def _run_member(self, job: Job, parts: Parts, watch: Watch) -> bool:
        """Run a member unless its group is paused or gone, then see that the next ones are handed over."""
        admitted = await self._admitted(job)
        if isinstance(admitted, Job):
            ended = await self._run(admitted, parts, watch)
        else:
            ended = await self._settle(self._pipelines[job.kind], Run(job=job, services=self._services), admitted)
        await self._groups.left(job)
        return ended

    async def _admitted(self, job: Job) -> Job | Ending:
        """Ask a member's group; where that cannot be asked, the member is given back with its attempt: nothing was done."""
        try:
            return await self._groups.admit(job)
        except StoreUnavailable as error:
            logs.warning("group_not_asked", reason=error.message)
            return Ending(Snoozed(run_at=self._now() + timedelta(seconds=ASK_AGAIN_SECONDS), reason=None))

    async def _run(self, job: Job, parts: Parts, watch: Watch) -> bool:
        """Run the job; whether its end was written. If not, its delivery has to outlive whoever holds the job now."""
        pipeline = self._pipelines[job.kind]
        run: AnyRun = Run(job=job, services=self._services, parts=parts)
        work = asyncio.create_task(perform(pipeline, run), name=f"work {job.id}")
        ending: Ending | None = None
        interruption = watch.until(interrupted(job.fence))
        bell = Bell(work, interruption, self._released)
        try:
            ending = await self._race(run, work, interruption, bell)
        finally:
            bell.take_down()
            run.close()
            await let_go(work, given_back=ending is None or isinstance(ending.event, Snoozed))
        settled = ending is not None and await self._settle(pipeline, run, ending)
        if not settled:
            await pipeline.ousted(run)
        return settled

    async def _race(
        self, run: AnyRun, work: asyncio.Task[Product], interruption: asyncio.Future[Job | None], bell: Bell
    ) -> Ending | None:
        """Wait for the work, racing it against the job's own log, the deadline and a shutdown. None: stop quietly."""
        lease_until, handed_back_at = self._now() + self._policy.lease, self._policy.handed_back_at(self._now())
        while True:
            left = min(stops_at(run.job), handed_back_at) - self._now()
            pause = max(0.0, min(self._policy.lease / 3, left).total_seconds())
            await bell.wait(pause)
            if work.done():
                if broke(work):
                    await self._extend(run)
                return ending_of(run.job, work, self._now(), self._policy)
            if interruption.done():
                return self._interruption(run, interruption.result())
            if self._now() >= stops_at(run.job) and not self._released.done() and not await self._extend(run):
                return Ending(deadline_exceeded())
            if self._now() >= handed_back_at or self._released.done():
                return Ending(Snoozed(run_at=self._now(), reason=None))
            if self._now() >= (lease_until := await self._renew(run, lease_until)):
                return None

    async def _extend(self, run: AnyRun) -> bool:
        """Ask a member's group for its deadline, which a pause moves; whether there is time left, or nobody to say so yet."""
        if run.job.group is None:
            return False
        try:
            member = await self._groups.extended(run.job)
        except StoreUnavailable as error:
            logs.warning("group_not_asked", reason=error.message)
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            return True
        run.job = run.job.changed({"must_finish_by": member.must_finish_by})
        return self._now() < stops_at(run.job)

    async def _renew(self, run: AnyRun, lease_until: datetime) -> datetime:
        """Renew the lease; while the store is away the old one runs on, and the run stops when it ends."""
        renewed = self._now() + self._policy.lease
        try:
            job = await self._store.touch(Touch(job_id=run.job.id, fence=run.job.fence, lease_until=renewed))
        except StoreUnavailable as error:
            logs.warning("lease_not_renewed", reason=error.message)
            return lease_until
        except JobConflict:
            return self._now()
        return renewed if job is not None else self._now()  # it was deleted

    def _interruption(self, run: AnyRun, job: Job | None) -> Ending | None:
        if job is None or job.fence != run.job.fence or job.cancel_requested_at is None:
            logs.info("lease_lost", fence=run.job.fence)
            return None
        return Ending(None)

    async def _settle(self, pipeline: AnyPipeline, run: AnyRun, ending: Ending) -> bool:
        """Write the ending; after a cancel request every ending is `cancelled`. Whether it is written."""

        def decide(job: Job) -> Decision:
            require_fence(job, run.job.fence)
            before = run.unwritten(job)
            if job.cancel_requested_at is not None or ending.event is None:
                return Decision(events=(*before, Cancelled(receipt=receipt_of(job, run.progress, self._now()))))
            return Decision(events=(*before, ending.event), parts=parts)

        counted = Counted(decide)
        resumable = run.loaded and not isinstance(ending.event, Completed)
        parts = {**({"state": run.checkpoint()} if resumable else {}), **ending.parts}
        for pause in SETTLE_PAUSES:
            if pause:
                await asyncio.sleep(pause)
            try:
                snapshot = await self._store.write(run.job.id, counted)
            except JobConflict:
                snapshot = None
            except StoreUnavailable as error:
                logs.warning("ending_not_written", reason=error.message)
                continue
            if snapshot is None:
                logs.info("lease_lost", fence=run.job.fence)
                return False
            counted.count(snapshot.job)
            await self._report(pipeline, run, snapshot.job)
            return True
        return False

    async def _report(self, pipeline: AnyPipeline, run: AnyRun, job: Job) -> None:
        code = job.fault.code if job.fault is not None else None
        logs.info(f"job_{job.status}", attempt=job.attempt, code=code, resume_at=job.resume_at)
        await self._hand_over(job)
        if job.status is Status.COMPLETED and job.started_at is not None and job.fence == 1:
            self._measured(job, (job.updated_at - job.started_at).total_seconds())
        if job.status.terminal:
            run.job = job
            await pipeline.settled(run)
