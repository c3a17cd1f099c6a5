"""Counts what was decided, once it is durable: the one place where events become metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from atelier import metrics
from atelier.jobs.events import Cancelled, Claimed, Completed, Event, Failed, Redispatched, Retried, Snoozed
from atelier.jobs.models import Job, Status
from atelier.jobs.pipeline import Pipeline
from atelier.jobs.ports import Decide, Decision

HANDED_BACK = "handed_back"
"""Why a job is queued again whose process was told to end."""


class Counted:
    """A decision that remembers what it decided, on which header. Where a store asks again, the last answer counts."""

    def __init__(self, decide: Decide) -> None:
        self.events: tuple[Event, ...] = ()
        self._decide = decide
        self._before: Job | None = None

    def __call__(self, job: Job) -> Decision:
        """Decide."""
        decision = self._decide(job)
        self._before, self.events = job, decision.events
        return decision

    def count(self, after: Job) -> None:
        """Count what was written; `after` is the header it led to."""
        for event in self.events:
            match event:
                case Claimed():
                    self._count_wait(after)
                case Retried(fault=fault):
                    metrics.requeued(after.kind, fault.code).inc()
                case Snoozed(reason=reason):
                    metrics.requeued(after.kind, str(reason or HANDED_BACK)).inc()
                case Completed() | Failed() | Cancelled():
                    _count_end(after)

    def _count_wait(self, after: Job) -> None:
        if self._before is not None and self._before.run_at is not None:
            metrics.QUEUE_WAIT.observe((after.updated_at - self._before.run_at).total_seconds())


def count_findings(counted: Counted) -> None:
    """Count what the sweeper found, by the code it wrote."""
    for event in counted.events:
        match event:
            case Retried(fault=fault) | Failed(fault=fault):
                metrics.found(fault.code).inc()
            case Cancelled():
                metrics.found("cancelled").inc()
            case Redispatched():
                metrics.found("dispatch_lost").inc()


def show_kinds(pipelines: Iterable[Pipeline[Any, Any]]) -> None:
    """Let every kind and stage show before the first job: a series that begins at 1 has no rate."""
    for pipeline in pipelines:
        metrics.accepted(pipeline.kind)
        for status in Status:
            if status.terminal:
                metrics.ended(pipeline.kind, status)
                metrics.ran(pipeline.kind, status)
        for stage in pipeline.stages:
            metrics.stage(pipeline.kind, stage.name)
    for finding in ("worker_lost", "dispatch_lost", "deadline_exceeded", "cancelled", "forgotten"):
        metrics.found(finding)


def _count_end(job: Job) -> None:
    metrics.ended(job.kind, str(job.status)).inc()
    if job.started_at is not None and job.completed_at is not None:
        metrics.ran(job.kind, str(job.status)).observe((job.completed_at - job.started_at).total_seconds())
    if job.status is Status.FAILED and job.fault is not None:
        metrics.failed(job.kind, job.fault.code).inc()
