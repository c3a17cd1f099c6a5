"""The engine: everything that can be asked about jobs, whoever asks and whatever the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime, timedelta

from atelier import logs, metrics
from atelier.errors import IdempotencyMismatch, NotFound, QueueFull
from atelier.jobs import identity
from atelier.jobs.backlog import Backlog
from atelier.jobs.estimates import Estimate, Estimates, Outlook, remaining
from atelier.jobs.events import Queued
from atelier.jobs.followers import Followers
from atelier.jobs.groups import Group, Groups, GroupSettings
from atelier.jobs.groups.sweeper import GroupSweeper
from atelier.jobs.models import Job, Snapshot, Status, Update
from atelier.jobs.ports import Clock, Delivery, Find, Presence, Queue, Store
from atelier.jobs.removal import Removal
from atelier.jobs.runner import AnyPipeline, Runner
from atelier.jobs.submissions import NewJob, Submitted
from atelier.jobs.sweeper import Retention, Sweeper
from atelier.jobs.tally import Counted, show_kinds
from atelier.jobs.verdicts import Limits, Policy, cancelling, reopening

__all__ = ["CANCEL_WAIT", "JobEngine", "NewJob", "Submitted"]

CANCEL_WAIT = timedelta(seconds=5)
"""How long `cancel` waits for the worker's receipt before it answers without."""


class JobEngine:
    """Durable jobs: submit, look, follow, cancel, retry, deliver, sweep."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        presence: Presence,
        pipelines: Mapping[str, AnyPipeline],
        limits: Limits,
        policy: Policy,
        retention: Retention,
        secret: bytes,
        now: Clock,
    ) -> None:
        self._store, self._queue, self._limits, self._secret, self._now = store, queue, limits, secret, now
        self._pipelines, self._ids = pipelines, identity.random_ids()
        self._sweeping = asyncio.Lock()
        show_kinds(pipelines.values())
        self._backlog = Backlog(store, limit=limits.queue, share=limits.queue_per_owner, now=now)
        self._followers = Followers(store, self._backlog.ahead)
        self.estimates = Estimates(store)
        granted = GroupSettings(
            deadlines=limits.deadlines, windows=limits.windows, lanes=limits.lanes, max_attempts=limits.max_attempts
        )
        self.groups = Groups(
            store=store, queue=queue, settings=granted, admit=self._backlog.admit, secret=secret, now=now
        )
        self._runner = Runner(
            store=store,
            queue=queue,
            pipelines=pipelines,
            groups=self.groups,
            policy=policy,
            process=presence.name,
            measured=self.estimates.measured,
            now=now,
        )
        self._sweeper = Sweeper(
            store=store,
            queue=queue,
            presence=presence,
            groups=self.groups.register,
            kinds=pipelines,
            holds=self._runner.holds,
            retention=retention,
            now=now,
        )
        self._removal = Removal(store=store, pipelines=pipelines, groups=self.groups, now=now)
        self._group_sweeper = GroupSweeper(
            store=store, groups=self.groups, remove=self._removal.remove_group, retention=retention, now=now
        )

    async def submit(self, new: NewJob) -> Submitted:
        """Accept a job: durable when this returns, with its first record. Raises StoreUnavailable, then it may not be.

        With a key that was used before: the job it made, as it is now. Raises IdempotencyMismatch for another request,
        and QueueFull, having accepted nothing.
        """
        now, job_id = self._now(), self._id_of(new)
        await self._admit(new, job_id)
        starts = max(now, new.not_before or now)
        job = Job(
            id=job_id,
            kind=new.kind,
            owner=new.owner,
            created_at=now,
            updated_at=now,
            must_finish_by=starts + self._limits.deadlines[new.kind],
            max_attempts=self._limits.max_attempts,
            title=new.title,
            fingerprint=identity.fingerprint(new.request) if new.key is not None else "",
            tags=new.tags,
            details=new.details,
            warnings=new.warnings,
            pace=new.pace,
            expected=new.expected.total_seconds(),
        )
        params = new.params.model_dump(mode="json")
        snapshot, created = await self._store.create(job, (Queued(run_at=starts),), params)
        if snapshot.job.fingerprint != job.fingerprint:
            raise IdempotencyMismatch("This Idempotency-Key was used before, for another request.")
        if created:
            metrics.accepted(job.kind).inc()
        logs.info("job_accepted", job_id=job.id, kind=job.kind, replayed=not created)
        if snapshot.job.status is Status.QUEUED:  # a replay may be of one that has ended
            await self._queue.dispatch(snapshot.job)
        return Submitted(snapshot=snapshot, replayed=not created)

    async def made(self, new: NewJob) -> bool:
        """Whether the key of `new` has made a job already, so that submitting it makes none."""
        return new.key is not None and await self._store.get(self._id_of(new)) is not None

    async def _admit(self, new: NewJob, job_id: str) -> None:
        """Let the job in; one that is in already is not refused for a full queue."""
        try:
            await self._backlog.admit(new.kind, new.owner)
        except QueueFull:
            if new.key is None or await self._store.get(job_id) is None:
                raise

    def _id_of(self, new: NewJob) -> str:
        """Return an id nobody can guess; owner and key always give the same."""
        return self.id_of(new.owner, new.kind, new.key) if new.key is not None else next(self._ids)

    def id_of(self, owner: str, kind: str, key: str) -> str:
        """Return the id of the job that an owner's key makes, or will make."""
        return identity.derived_id(self._secret, owner, kind, key)

    async def get(self, owner: str, job_id: str, *, kind: str | None = None, after: int = 0) -> Snapshot:
        """Return the job with its records behind `after`. Raises NotFound, for others' jobs and another kind's, too."""
        snapshot = await self._store.read(job_id, after=after)
        if snapshot is None or snapshot.job.owner != owner or kind not in {None, snapshot.job.kind}:
            raise _not_found()
        return snapshot

    async def outlook(self, job: Job) -> Outlook | None:
        """Return what is to be expected of a job; None when its run has ended. Looks at the store once a second at most."""
        if job.status.terminal:
            return None
        ahead = await self._backlog.ahead(job)
        return Outlook(ahead=ahead, eta=self.estimate(job, ahead))

    def estimate(self, job: Job, ahead: int | None = None) -> Estimate:
        """Return the seconds a job may still take where so many start before it; None: as many as may wait now."""
        waits = self._backlog.soon(job.kind) if ahead is None and job.status is not Status.PROCESSING else ahead or 0
        turns = waits // self._limits.slots.get(job.kind, 1)
        return remaining(job, self.estimates.of(job), turns, self._now())

    def usual(self, job: Job) -> Estimate:
        """Return what jobs like this one take from start to end."""
        return self.estimates.of(job)

    def longest(self, kind: str) -> timedelta:
        """Return how long a job of a kind may take from when it may start."""
        return self._limits.deadlines[kind]

    async def exchange_estimates(self) -> None:
        """Share what this process measured, and learn what the others did."""
        await self.estimates.exchange()

    async def find(self, query: Find) -> list[Snapshot]:
        """List jobs, newest first."""
        return await self._store.find(query)

    async def wait(self, job_id: str, longest: timedelta, *, after: int | None = None) -> Job | None:
        """Return the job when its run has ended or, with `after`, when it has a record behind that; else None.

        Waits no longer than `longest`, nor beyond the moment the process is told to end.
        """

        def news(job: Job) -> bool:
            return job.status.terminal or (after is not None and job.seq > after)

        try:
            async with asyncio.timeout(longest.total_seconds()):
                return await self._followers.wait(job_id, news)
        except TimeoutError:
            return None

    def follow(self, job_id: str, *, after: int = 0) -> AsyncIterator[Update]:
        """Yield the latest run's records behind `after` and the state between them, until its end. See Followers."""
        return self._followers.follow(job_id, after)

    def expect(self, job_id: str, *, after: int | None = None) -> AsyncGenerator[Update | None]:
        """Yield the same of a job that may be yet to come: None as long as it is not there. See Followers."""
        return self._followers.expect(job_id, after)

    async def cancel(self, owner: str, job_id: str, *, kind: str | None = None) -> Job:
        """Cancel in two steps: at once where nothing runs, else by request, waiting a while for the receipt.

        Raises AlreadyTerminal when the run has ended. A returned job that is not terminal is still being cancelled.
        """
        await self._owned(owner, job_id, kind)
        decision = Counted(lambda job: cancelling(job, self._now()))
        snapshot = await self._store.write(job_id, decision)
        if snapshot is None:
            raise _not_found()
        decision.count(snapshot.job)
        logs.info("cancel_requested", job_id=job_id)
        await self.groups.left(snapshot.job)
        if snapshot.job.status.terminal:
            await self._queue.withdraw(snapshot.job)
            return snapshot.job
        return await self.wait(job_id, CANCEL_WAIT) or snapshot.job

    async def retry(self, owner: str, job_id: str, *, kind: str | None = None, time_of: str | None = None) -> Job:
        """Open the next run of a failed or cancelled job, with the time of its kind or of another. Raises Conflict in any other state."""
        owned = await self._owned(owner, job_id, kind)
        within = self._limits.deadlines[time_of or owned.kind]
        snapshot = await self._store.write(job_id, lambda job: reopening(job, self._now(), within))
        if snapshot is None:
            raise _not_found()
        logs.info("job_reopened", job_id=job_id, run=snapshot.job.run)
        await self._queue.dispatch(snapshot.job)
        return snapshot.job

    async def delete(self, owner: str, job_id: str, *, kind: str | None = None, group: Group | None = None) -> None:
        """Remove an ended job, with a group that belongs to it, and everything they made. Raises Conflict while any of it goes on."""
        await self._owned(owner, job_id, kind)
        if group is None:
            await self._removal.remove([job_id])
        else:
            await self._removal.remove_group(group, job_id)

    async def delete_group(self, group: Group) -> None:
        """Remove a group, its jobs and everything they made. Raises Conflict while any of it goes on."""
        await self._removal.remove_group(group)

    async def deliver(self, job_id: str, dispatch: int) -> Delivery:
        """Handle one delivery of the queue. See Runner."""
        return await self._runner.deliver(job_id, dispatch)

    async def attend(self, job_id: str) -> datetime | None:
        """Look after one job as a sweep does; when to look again at the latest, None where that is never."""
        return await self._sweeper.attend(job_id)

    async def waiting(self) -> dict[str, int]:
        """Count the jobs of each kind that are due and not started, in the whole store. Raises StoreUnavailable."""
        return {kind: await self._backlog.due(kind) for kind in self._pipelines}

    @property
    def running(self) -> int:
        """How many jobs this process runs."""
        return self._runner.running

    @property
    def followed(self) -> int:
        """How many jobs this process follows."""
        return self._followers.count

    async def sweep(self) -> int:
        """Repair one bounded lot of jobs and groups that nobody attends to; how many were seen, 0 while a sweep goes on."""
        if self._sweeping.locked():
            return 0
        async with self._sweeping:
            return await self._sweeper.sweep() + await self._group_sweeper.sweep()

    def close(self) -> None:
        """Start no more runs and end every `follow`: the process is about to end."""
        self._runner.close()
        self._followers.close()
        self.groups.close()

    async def drain(self, grace: timedelta) -> None:
        """Let running jobs finish within `grace`; give the rest back to the queue."""
        await self._runner.drain(grace)

    def release(self) -> None:
        """Cut the grace of a `drain` short."""
        self._runner.release()

    async def _owned(self, owner: str, job_id: str, kind: str | None) -> Job:
        job = await self._store.get(job_id)
        if job is None or job.owner != owner or kind not in {None, job.kind}:
            raise _not_found()
        return job


def _not_found() -> NotFound:
    return NotFound("There is no such job.")
