"""The sweeper: ends or hands over what nobody attends to. Every write is decided again on the present header."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from atelier import logs, metrics
from atelier.errors import JobConflict
from atelier.frozen import frozen
from atelier.jobs.background import going_on
from atelier.jobs.events import Cancelled, Event, Failed, Redispatched, Retried
from atelier.jobs.groups.models import Group, postponed
from atelier.jobs.groups.register import Register
from atelier.jobs.models import CANCEL_GRACE, Job, Receipt, Status
from atelier.jobs.ports import Clock, Decide, Decision, Presence, Queue, Ready, Store, process_of
from atelier.jobs.tally import Counted, count_findings
from atelier.jobs.verdicts import deadline_exceeded, fault_of, worker_lost

LOT = 200
"""How many jobs one sweep looks at; the next sweep goes on."""

QUEUE_PATIENCE = timedelta(minutes=1)
"""How long a job may be due and not taken before the queue is asked whether it still carries it."""


@frozen
class Retention:
    """How long ended jobs of `kinds` are kept, and ended groups of the kinds `groups` with their members; None: for good."""

    kinds: Sequence[str]
    keep: timedelta | None
    groups: Sequence[str] = ()


class Sweeper:
    """Guarantees that every accepted job ends: lost workers, lost dispatches, passed deadlines, unanswered cancels, old records."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        presence: Presence,
        groups: Register,
        kinds: Collection[str],
        holds: Callable[[str], bool],
        retention: Retention,
        now: Clock,
    ) -> None:
        self._store, self._queue, self._presence, self._holds = store, queue, presence, holds
        self._groups, self._retention, self._now = groups, retention, now
        self._cursors = dict.fromkeys(kinds, "")

    async def sweep(self) -> int:
        """Repair one lot of jobs and forget one lot of old ones; how many were looked at."""
        await self._take_over()
        overdue = await self._store.overdue(self._now(), limit=LOT)
        for job in overdue:
            await self._attend(job, frozenset())
        handed, forgotten = await self._hand_over_lost(), await self._forget()
        metrics.LAST_SWEEP.set(self._now().timestamp())
        return len(overdue) + handed + forgotten

    async def attend(self, job_id: str) -> datetime | None:
        """Look after one job as a sweep does; when to look again at the latest, None where that is never."""
        job = await self._store.get(job_id)
        if job is None or job.status.terminal:
            return None
        await self._attend(job, frozenset())
        after = await self._store.get(job_id)
        return None if after is None or after.status.terminal else after.must_finish_by

    async def _take_over(self) -> None:
        """Hand over the jobs of processes that have ended, without waiting for their leases."""
        gone = await self._presence.gone()
        if not gone:
            return
        for job in await self._store.held_by(gone):
            await self._attend(job, gone)
        for name in gone:
            with going_on("process_not_forgotten"):
                await self._presence.forget(name)

    async def _hand_over_lost(self) -> int:
        """Hand over what the queue lost; how many. What it carries is left alone, or a backlog would be queued for ever."""
        before, handed = self._now() - QUEUE_PATIENCE, 0
        for kind, cursor in self._cursors.items():
            due = await self._store.due(kind, before, limit=LOT, after=cursor)
            self._cursors[kind] = due.cursor
            for ready in await self._queue.lost(due.jobs) if due.jobs else ():
                await self._repair(ready.job_id, _again(ready))
                handed += 1
        return handed

    async def _attend(self, job: Job, gone: frozenset[str]) -> None:
        late = job.group is not None and job.must_finish_by <= self._now()
        group = await self._groups.find(job.group or "") if late else None
        await self._repair(job.id, partial(self._decide, gone, group))

    async def _repair(self, job_id: str, decide: Decide) -> None:
        """Decide inside the write: what was so when it was read may have changed since."""
        counted = Counted(decide)
        try:
            snapshot = await self._store.write(job_id, counted)
        except JobConflict:
            return
        if snapshot is None:
            return
        code = snapshot.job.fault.code if snapshot.job.fault is not None else None
        counted.count(snapshot.job)
        count_findings(counted)
        if counted.events:
            logs.info("job_swept", job_id=job_id, status=snapshot.job.status, code=code)
        if snapshot.job.status is Status.QUEUED:
            await self._queue.dispatch(snapshot.job)

    def _decide(self, gone: frozenset[str], group: Group | None, job: Job) -> Decision:
        event = self._verdict(job, group, lost=self._lapsed(job) or process_of(job.worker or "") in gone)
        return Decision(events=(event,) if event is not None else ())

    def _lapsed(self, job: Job) -> bool:
        """Whether a lease ran out; one of this process, which only slept, is its own runner's to renew or give up."""
        if self._holds(job.worker or ""):
            return False
        return job.status is Status.PROCESSING and job.lease_until is not None and job.lease_until <= self._now()

    def _verdict(self, job: Job, group: Group | None, *, lost: bool) -> Event | None:
        now = self._now()
        if job.status.terminal:
            return None
        if job.cancel_requested_at is not None:
            unanswered = lost or job.cancel_requested_at + CANCEL_GRACE <= now or job.must_finish_by <= now
            receipt = Receipt(requested_at=job.cancel_requested_at, outcome="unknown", billed="unknown")
            return Cancelled(receipt=receipt) if unanswered else None
        if job.must_finish_by <= now:
            return next(iter(postponed(group, job, now)), deadline_exceeded())
        return self._lost(job) if lost else None

    def _lost(self, job: Job) -> Event:
        fault = fault_of(worker_lost(job))
        if job.attempt >= job.max_attempts:
            return Failed(fault=fault)
        return Retried(run_at=self._now(), fault=fault)

    async def _forget(self) -> int:
        if self._retention.keep is None:
            return 0
        before = self._now() - self._retention.keep
        old = await self._store.finished(self._retention.kinds, before, limit=LOT)
        for job_id in old:
            await self._store.delete(job_id)
            metrics.found("forgotten").inc()
        return len(old)


def _again(ready: Ready) -> Decide:
    """Queue a job again unless somebody took it, or queued it, since."""

    def decide(job: Job) -> Decision:
        waits = job.status is Status.QUEUED and job.dispatch == ready.dispatch
        return Decision(events=(Redispatched(),) if waits else ())

    return decide
