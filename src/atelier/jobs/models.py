"""What a job is: a small hot header, its numbered records, and views of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from atelier.frozen import frozen

Json = dict[str, Any]

SCHEMA = 1
"""Version written into every header; older ones are read, newer ones are refused."""

CANCEL_GRACE = timedelta(seconds=10)
"""How long a running worker may take to answer a cancel request before the sweeper ends the job."""


class Status(StrEnum):
    """Where a job is; the last three are terminal for its run."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the run has ended."""
        return self in _TERMINAL


_TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class Reason(StrEnum):
    """Why a job waits: the honest answer beside the status."""

    WAITING_FOR_SLOT = "waiting_for_slot"
    WAITING_FOR_KEY = "waiting_for_key"
    RATE_LIMITED = "rate_limited"
    PROVIDER_QUEUED = "provider_queued"
    RETRYING = "retrying"
    STORING = "storing"
    CANCELLING = "cancelling"
    PAUSED = "paused"
    WAITING_UNTIL = "waiting_until"


Outcome = Literal[
    "dequeued", "aborted_before_send", "confirmed_by_provider", "provider_cannot_cancel", "too_late", "unknown"
]
Billed = Literal["no", "yes", "unknown"]


@frozen
class ProviderQueue:
    """An order's place in the provider's own queue, from 1, and the seconds it has to wait there, as far as told."""

    position: int | None
    seconds: float | None


@frozen
class Step:
    """Progress within a stage: latest wins, never logged. `preview` is a storage location.

    `queue`: nothing is made yet, the order waits at the provider. `part`: who is at work, where several take turns, with
    the step's number of how many of its own; empty where nobody does.
    """

    stage: str
    step: int
    total: int
    progress: float
    message: str
    at: datetime
    preview: str | None = None
    queue: ProviderQueue | None = None
    part: str = ""
    part_step: int = 0
    part_total: int = 0
    provider: str = ""
    """Who is asked, where that was the service's choice."""


@frozen
class Fault:
    """Why a run failed or is tried again: a published code and a sentence for people."""

    code: str
    message: str
    retryable: bool


@frozen
class Receipt:
    """What a cancel achieved and whether it was paid for."""

    requested_at: datetime
    outcome: Outcome
    billed: Billed


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job's header. Its params, checkpoints, result and records are stored beside it, not in it.

    Without slots: `changed` copies a dictionary where `dataclasses.replace` sets forty fields one by one.
    """

    id: str
    kind: str
    owner: str
    created_at: datetime
    updated_at: datetime
    must_finish_by: datetime
    max_attempts: int
    schema: int = SCHEMA
    status: Status = Status.PENDING
    state_reason: Reason | None = None
    stage: str = "pending"
    progress: float = 0.0
    step: Step | None = None
    seq: int = 0
    rev: int = 0
    run: int = 1
    attempt: int = 0
    fence: int = 0
    dispatch: int = 0
    run_at: datetime | None = None
    lease_until: datetime | None = None
    worker: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancellation: Receipt | None = None
    fault: Fault | None = None
    removing: bool = False
    """Whether it is about to be removed for good, with what it made: it cannot run again."""
    group: str | None = None
    place: int = 0
    """Among the group's items, from 0: its turn."""
    lane: str = ""
    """Which of its group's lanes it is in, each of which is handed over at a pace of its own; empty: there are none."""
    listed: bool = True
    """Whether its owner's list shows it; the members of some groups are seen through their group only."""
    title: str = ""
    fingerprint: str = ""
    """Of the request that made it, where that had an idempotency key."""
    pace: str = ""
    """Which jobs take as long as this one; empty: no others."""
    expected: float = 0.0
    """Seconds it takes, until others of its pace were measured."""
    cost: float = 0.0
    billed: Billed = "no"
    """Whether what was ordered so far costs money, as far as was noted: an open order may."""
    warnings: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """What jobs are found by."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What is shown of the request without reading its params."""
    shows: Json = field(default_factory=dict)
    """What milestones made that is worth showing before the end, by key; small."""

    def changed(self, changes: Mapping[str, Any]) -> Job:
        """Return the header with other values for these fields."""
        job = object.__new__(Job)
        object.__setattr__(job, "__dict__", {**self.__dict__, **changes})
        return job

    @property
    def attention_at(self) -> datetime | None:
        """When the sweeper has to look at it; None for ended jobs."""
        if self.status in _TERMINAL:
            return None
        soonest = self.must_finish_by
        if self.status is Status.PROCESSING and self.lease_until is not None:
            soonest = min(soonest, self.lease_until)
        if self.cancel_requested_at is not None:
            soonest = min(soonest, self.cancel_requested_at + CANCEL_GRACE)
        return soonest

    @property
    def resume_at(self) -> datetime | None:
        """When a waiting job is due again; None when it does not wait for a time."""
        waits = self.status is Status.QUEUED and self.state_reason is not None
        return self.run_at if waits else None


@frozen
class Record:
    """One numbered line of a job's log: a stage entered, a milestone kept, or an end."""

    seq: int
    run: int
    attempt: int
    stage: str
    status: Status
    progress: float
    message: str
    at: datetime
    data: Json = field(default_factory=dict)


@frozen
class Snapshot:
    """A header, some of its records in order, and its result once completed: one consistent read."""

    job: Job
    records: tuple[Record, ...] = ()
    result: Json | None = None
    parts: Mapping[str, Json] | None = None
    """What is kept beside the header, where a write handed it over."""


@frozen
class Update:
    """What a follower sees: a record of the log, or (record None) the present state between two records."""

    job: Job
    record: Record | None
    result: Json | None = None
    ahead: int | None = None
    """How many jobs start before this one, where it waits for a slot."""
