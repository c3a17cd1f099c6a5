"""What the engine asks of the world: a store that decides atomically, and a queue that only carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from atelier.frozen import frozen
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Json, Snapshot, Status, Step

Clock = Callable[[], datetime]
"""The present moment in UTC. Injected, so that tests own time."""

GIVEN_BACK = "given back"
"""What work is told when it is cancelled only for another attempt to go on with it: what it ordered may stay ordered."""


@frozen
class Decision:
    """What to do to a job: events to play and parts to keep, all or nothing. No events: nothing is written.

    `reads`: hand over what is kept beside the header as well, where that costs less than asking for it.
    """

    events: tuple[Event, ...] = ()
    parts: Mapping[str, Json] = field(default_factory=dict)
    reads: bool = False


Decide = Callable[[Job], Decision]
"""Pure: looks at the present header and decides. May run again on a newer header; raises JobConflict to refuse."""


@frozen
class Touch:
    """A worker's sign of life: its fence, its renewed lease and, where there is one, its step."""

    job_id: str
    fence: int
    lease_until: datetime
    step: Step | None = None


@frozen
class Find:
    """Which jobs to list, newest first. `before` is the (created_at, id) of the last one seen."""

    owner: str
    kinds: tuple[str, ...]
    statuses: tuple[Status, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    before: tuple[datetime, str] | None = None
    limit: int = 50


@frozen
class Document:
    """Something durable that is not a job: a group, a caller's key, a cap. `rev` counts its writes, from 1."""

    kind: str
    name: str
    rev: int
    body: Json


Heard = Callable[[Snapshot | None], None]
"""Takes a commit's header, its new records and, with the end, the result; returns at once."""


class Documents(Protocol):
    """What is durable and not a job. Every method raises StoreUnavailable when the store does not answer in time."""

    async def document(self, kind: str, name: str) -> Document | None:
        """Return a document as it was last put."""

    async def documents(self, kind: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return documents of a kind in order of their names, behind the name `after`."""

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        """Write a document over its revision `if_rev` (0: it must not exist yet). None: somebody else was first."""

    async def drop(self, kind: str, name: str) -> None:
        """Remove a document. Silent when there is none."""

    async def drop_unchanged(self, document: Document) -> None:
        """Remove a document where it still is as it was read. Silent where it was put again, or is gone."""


class Store(Documents, Protocol):
    """Durable jobs, and documents beside them. Every method raises StoreUnavailable when the store does not answer in time.

    A write that returned is durable: it survives a crash of the process and a loss of power.
    """

    async def open(self) -> None:
        """Check integrity and schema version, and be ready. Raises StartRefused in words."""

    async def close(self) -> None:
        """Finish what was accepted and let go of every resource."""

    async def ping(self) -> None:
        """Answer if reads and writes work now."""

    async def create(self, job: Job, events: Sequence[Event], params: Json) -> tuple[Snapshot, bool]:
        """Write a new job with its first events; the job, and whether it is new.

        This is the dedupe: a job whose id exists is returned as it is, unchanged, with its whole log.
        """

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        """Load, decide, play and save in one atomic step; the header after it, with the new records.

        None: no such job. Raises JobConflict, having changed nothing.
        """

    async def touch(self, touch: Touch) -> Job | None:
        """Renew a lease and overwrite the step, fenced. Raises JobConflict. None: no such job."""

    async def get(self, job_id: str) -> Job | None:
        """Return the header."""

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Return what a run begins with, by key: `params`, `state`, `once/…`. The result is no part: `read` has it."""

    async def read(self, job_id: str, *, after: int) -> Snapshot | None:
        """Return the job as of one moment, with its records behind `after` and, once completed, its result.

        Records are in order of `seq` without gaps. None: no such job.
        """

    def listen(self, job_id: str, heard: Heard) -> Callable[[], None]:
        """Call `heard` in the event loop after every commit to a job, until the returned function is called.

        The job may be yet to come: that which makes it is such a commit.

        It is handed what the writer of the commit was handed, or None: then there may be news to read. None is lost.
        """

    def listen_to_members(self, group: str, heard: Heard) -> Callable[[], None]:
        """Call `heard` in the same way after every commit to any member of a group."""

    async def find(self, query: Find) -> list[Snapshot]:
        """Return matching jobs, newest first, each with its result and without records."""

    async def due(self, kind: str, now: datetime, *, limit: int, after: str) -> Due:
        """Return queued jobs of `kind` whose time has come, in the order of their turns behind the cursor `after` ("": any).

        Where the store's queue has lanes, one of each in turn; else in one line, the longest due first.
        """

    async def waiting(self, kind: str, now: datetime) -> Waiting:
        """Count the queued jobs of `kind`."""

    async def queued_of(self, kind: str, owner: str) -> int:
        """Count the queued jobs of `kind` that are one owner's."""

    async def rank(self, job: Job) -> int:
        """Count the queued jobs of the job's own kind that are due before it: in its lane where there are lanes."""

    async def overdue(self, now: datetime, *, limit: int) -> list[Job]:
        """Return jobs whose `attention_at` has passed, the longest ago first."""

    async def held_by(self, processes: frozenset[str]) -> list[Job]:
        """Return the jobs that workers of these processes hold."""

    async def finished(self, kinds: Sequence[str], before: datetime, *, limit: int) -> list[str]:
        """Return ids of jobs of `kinds` without a group that ended before `before`."""

    async def members(self, group: str, *, since: str) -> Members:
        """Return the group's members that changed behind the cursor `since` ("": all).

        Each with its last record and, once completed, its result. Asked after each commit with the cursor of the answer
        before, no member's last state is missed; one may come twice. Where time orders commits, one that comes in very
        late may be missed behind a cursor, never with "".
        """

    async def turns(self, group: str, *, by: datetime, limit: int, lane: str = "") -> Turns:
        """Return who of a group, or of one of its lanes, is under way and who is next, as of one moment."""

    async def delete(self, job_id: str) -> None:
        """Remove a terminal job with its parts and records. Silent when there is none."""


@frozen
class Ready:
    """A job to start now, and the dispatch number to deliver it with."""

    job_id: str
    dispatch: int
    created_at: datetime | None = None
    """Tells the job from one of the same id that was removed; None where the store's own queue has no use for it."""


@frozen
class Due:
    """Jobs to start now, the cursor behind them ("": begin again), and when the next one comes due, where that is known."""

    jobs: list[Ready]
    cursor: str
    next_at: datetime | None = None


@frozen
class Waiting:
    """Queued jobs of a kind: all of them, those whose time has come, and these by lane where the queue has lanes."""

    queued: int
    due: int
    lanes: Mapping[str, int] = field(default_factory=dict)


@frozen
class Members:
    """Some members of a group, and the cursor behind them."""

    snapshots: list[Snapshot]
    cursor: str


@frozen
class Turns:
    """Where a group or a lane stands: how many members run or are due by a moment, how many are queued for later, who is next."""

    active: int
    later: int
    pending: list[str]
    """Ids of the first ones that are not queued, in order of their places."""


class Delivery(StrEnum):
    """What became of a delivery, for whoever carried it."""

    SETTLED = "settled"
    BUSY = "busy"
    AGAIN = "again"


Deliver = Callable[[str, int], Awaitable[Delivery]]
"""The worker's handler: job id and dispatch number in, what became of it out."""


class Queue(Protocol):
    """Carries job ids to a worker. Never decides; losing or repeating one is repaired by the engine."""

    async def dispatch(self, job: Job) -> None:
        """See that the worker hears of `job`'s present dispatch at its `run_at`, at least once.

        A dispatch that was carried before is not carried again, even where it was lost on the way. Never raises: what
        could not be carried is lost, and found.
        """

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:
        """Return those of these dispatches that nothing carries (any more): no worker will hear of them."""

    async def withdraw(self, job: Job) -> None:
        """Carry `job`, which has ended, no more, where that is easily had; a delivery on its way changes nothing."""


class Presence(Protocol):
    """Knows which worker processes have ended, where that can be known sooner than by their leases."""

    name: str
    """This process; it begins the names of its workers."""

    async def gone(self) -> frozenset[str]:
        """Return processes that have certainly ended. A process that is merely silent is not among them."""

    async def forget(self, name: str) -> None:
        """Drop a process that has ended and whose jobs were handed over. Raises StorageError."""


def worker_name(process: str, number: int) -> str:
    """Return the name under which a process's run holds a job."""
    return f"{process}-{number}"


def process_of(worker: str) -> str:
    """Return the process a worker's name belongs to."""
    return worker.rpartition("-")[0]


LANES = "\x1f"
"""Between an owner and a group: no owner's name has it."""


def lane_of(job: Job) -> str:
    """Return whose turn a job waits for: turns go round over owner and group."""
    return f"{job.owner}{LANES}{job.group or ''}"


def lanes_of(owner: str) -> tuple[str, str]:
    """Return an owner's first lane, and what stands behind the last."""
    return f"{owner}{LANES}", f"{owner}{chr(ord(LANES) + 1)}"
