"""What can happen to a job: a closed union of small facts. `lifecycle.apply` is their only reader."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime

from atelier.frozen import frozen
from atelier.jobs.models import Billed, Fault, Json, Reason, Receipt


@frozen
class Queued:
    """Handed to the queue, due at `run_at`."""

    run_at: datetime
    message: str = "Queued"


@frozen
class Claimed:
    """A worker took the job and holds it until `lease_until`; counts an attempt."""

    worker: str
    lease_until: datetime


@frozen
class StageStarted:
    """The pipeline entered a stage."""

    stage: str
    progress: float
    message: str
    data: Json = field(default_factory=dict)


@frozen
class Advanced:
    """A milestone inside the present stage was kept; `shows` is what the job shows of it from now on, by key."""

    progress: float
    message: str
    data: Json = field(default_factory=dict)
    shows: Json = field(default_factory=dict)


@frozen
class Noted:
    """What has to outlive the attempt and is no line of the log: money that was spent or may be, and what the caller should know."""

    billed: Billed
    cost: float = 0.0
    warnings: tuple[str, ...] = ()


@frozen
class Retried:
    """The attempt failed in a way that another may mend; due again at `run_at`."""

    run_at: datetime
    fault: Fault


@frozen
class Snoozed:
    """The worker gave the slot back until `run_at`; the attempt is not counted."""

    run_at: datetime
    reason: Reason | None


@frozen
class Held:
    """Claimed while its group is paused: back to pending, the attempt is not counted."""


@frozen
class Postponed:
    """The job may take until `must_finish_by`, where that is later than before: its group was paused."""

    must_finish_by: datetime


@frozen
class Redispatched:
    """Handed to the queue again, which had lost it: due when it was, under a new number."""


@frozen
class CancelRequested:
    """Somebody wants a running job to end; from here every outcome is `cancelled`."""


@frozen
class Completed:
    """The run succeeded; its result is stored in the same write."""

    message: str = "Completed"
    cost: float = 0.0
    warnings: tuple[str, ...] = ()


@frozen
class Failed:
    """The run failed for good."""

    fault: Fault


@frozen
class Cancelled:
    """The run was cancelled, with its receipt."""

    receipt: Receipt


@frozen
class Reopened:
    """A person asked again: the next run of the same job; `run_at` None: it waits for its turn in its group."""

    run_at: datetime | None
    must_finish_by: datetime


@frozen
class RemovalBegun:
    """The owner wants an ended job to be gone: from here it cannot run again."""


@frozen
class RemovalGivenUp:
    """Something that was to be gone with it goes on: it stays."""


Event = (
    Queued
    | Claimed
    | StageStarted
    | Advanced
    | Noted
    | Retried
    | Snoozed
    | Held
    | Postponed
    | Redispatched
    | CancelRequested
    | Completed
    | Failed
    | Cancelled
    | Reopened
    | RemovalBegun
    | RemovalGivenUp
)
