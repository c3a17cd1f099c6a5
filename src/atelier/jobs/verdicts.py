"""What is decided about runs, apart from how they are run: who may claim, when to try again, what an end means. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from atelier.errors import AlreadyTerminal, AtelierError, Conflict, DeadlineExceeded, WorkerLost
from atelier.frozen import frozen
from atelier.jobs.events import Cancelled, CancelRequested, Event, Failed, Reopened, Retried, Snoozed
from atelier.jobs.models import Fault, Job, Json, Reason, Receipt, Status
from atelier.jobs.ports import Decision
from atelier.jobs.progress import Progress

DEADLINE_MARGIN = timedelta(seconds=3)
"""A run stops this long before its deadline, or a tenth of its time if that is less: its own word shall come first."""

LONGEST_BACKOFF = timedelta(minutes=5)

EARLY = timedelta(minutes=1)
"""A delivery that comes sooner than this before the job's time is no clock's difference: the job is queued again."""


@frozen
class Policy:
    """How runs behave: the lease's length and the first pause before another attempt."""

    lease: timedelta
    retry_base: timedelta
    longest_run: timedelta | None = None
    """How long one delivery may run before the job is handed back; None: as long as the job may take."""

    def handed_back_at(self, now: datetime) -> datetime:
        """Return when a run that begins now is handed back."""
        return now + self.longest_run if self.longest_run is not None else datetime.max.replace(tzinfo=UTC)


@frozen
class Limits:
    """What the engine grants: attempts; for each kind slots and the time to finish; how much may wait; a group's window."""

    max_attempts: int
    deadlines: Mapping[str, timedelta]
    slots: Mapping[str, int]
    queue: int
    queue_per_owner: int | None = None
    """How much of it one owner may have; None: all."""
    windows: Mapping[str, int] = field(default_factory=dict)
    lanes: Mapping[str, int] = field(default_factory=dict)
    """The windows of groups' lanes that have one of their own."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: the event to write (None: the cancellation that was asked for) and the parts to keep with it."""

    event: Event | None
    parts: Mapping[str, Json] = field(default_factory=dict)


def claimable(job: Job, dispatch: int, now: datetime) -> bool:
    """Whether a delivery may run the job: it is the present one, due, and nobody else holds the job."""
    if dispatch != job.dispatch or job.cancel_requested_at is not None:
        return False
    if job.status is Status.QUEUED:
        return job.run_at is None or job.run_at <= now
    expired = job.lease_until is not None and job.lease_until <= now
    return job.status is Status.PROCESSING and expired


def premature(job: Job, dispatch: int, now: datetime) -> bool:
    """Whether the present delivery came so early that it cannot wait: a queue may not look as far ahead as the job."""
    waits = job.status is Status.QUEUED and job.dispatch == dispatch
    return waits and job.run_at is not None and job.run_at - now > EARLY


def worker_lost(job: Job) -> WorkerLost:
    """Return the error of a job whose lease ran out."""
    return WorkerLost(f"The worker stopped answering in attempt {job.attempt} of {job.max_attempts}.")


def cancelling(job: Job, now: datetime) -> Decision:
    """Cancel at once where nothing runs, else ask the worker. Raises AlreadyTerminal when the run has ended."""
    if job.status.terminal:
        raise AlreadyTerminal(f"The job has already {_PAST[job.status]}.")
    if job.status is Status.PROCESSING:
        return Decision(events=() if job.cancel_requested_at is not None else (CancelRequested(),))
    certain = job.attempt == 0 or job.billed == "yes"
    receipt = Receipt(requested_at=now, outcome="dequeued", billed=job.billed if certain else "unknown")
    return Decision(events=(Cancelled(receipt=receipt),))


def reopening(job: Job, now: datetime, within: timedelta) -> Decision:
    """Open the next run of a job that ended badly, to end `within` that time. Raises Conflict in any other state."""
    if job.removing:
        raise Conflict("The job is being deleted.")
    if job.status not in {Status.FAILED, Status.CANCELLED}:
        raise Conflict(f"Only failed and cancelled jobs can be retried; this one is {job.status}.")
    return Decision(events=(Reopened(run_at=now, must_finish_by=now + within),))


_PAST = {Status.COMPLETED: "completed", Status.FAILED: "failed", Status.CANCELLED: "been cancelled"}


def interrupted(fence: int) -> Callable[[Job], bool]:
    """Whether a run with `fence` has to stop: its lease was taken, its run has ended, or a cancel was asked for."""

    def condition(job: Job) -> bool:
        if job.fence < fence:  # an older sight of the job, from before this run
            return False
        newer = job.fence > fence
        ended = job.fence == fence and job.status is not Status.PROCESSING
        return newer or ended or job.cancel_requested_at is not None

    return condition


def backoff(attempt: int, base: timedelta, asked: timedelta | None) -> timedelta:
    """Return the pause before the attempt after `attempt`: doubling, ±20 %, never sooner than the provider asked."""
    doubled: timedelta = min(base * 2 ** (attempt - 1), LONGEST_BACKOFF)
    spread = doubled * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, keeps no secret
    return max(spread, asked or timedelta())


def fault_of(error: AtelierError) -> Fault:
    """Return what is kept of an error."""
    return Fault(code=error.code, message=error.message, retryable=error.retryable)


def stops_at(job: Job) -> datetime:
    """Return when a run has to stop, a little before the sweeper would end the job."""
    return job.must_finish_by - min(DEADLINE_MARGIN, (job.must_finish_by - job.created_at) / 10)


def deadline_exceeded() -> Failed:
    """Return the end of a job that was not finished in time."""
    return Failed(fault=fault_of(DeadlineExceeded("The job was not finished by its deadline.")))


def after_snooze(job: Job, until: datetime, reason: Reason) -> Event:
    """Wait until then, or fail at once where that is beyond the deadline."""
    if until < stops_at(job):
        return Snoozed(run_at=until, reason=reason)
    back = until.isoformat(timespec="seconds")
    late = DeadlineExceeded(f"The job must be finished before it could go on at {back} ({reason}).")
    return Failed(fault=fault_of(late))


def after_failure(job: Job, fault: Fault, asked: timedelta | None, now: datetime, policy: Policy) -> Event:
    """Try again after a pause where that can help and there is time and an attempt left; else fail."""
    run_at = now + backoff(job.attempt, policy.retry_base, asked)
    if fault.retryable and job.attempt < job.max_attempts and run_at < stops_at(job):
        return Retried(run_at=run_at, fault=fault)
    return Failed(fault=fault)


def receipt_of(job: Job, progress: Progress, now: datetime) -> Receipt:
    """Return what a cancel achieved: how far the order had come when it was heard."""
    return Receipt(requested_at=job.cancel_requested_at or now, outcome=progress.outcome, billed=progress.billed)
