"""How much waits for a slot, and how much of it goes before a job: looked up at most once a second."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from atelier.errors import QueueFull
from atelier.jobs.models import Job, Status
from atelier.jobs.ports import Clock, Store, Waiting, lane_of

FRESH = timedelta(seconds=1)
"""How old an answer may be; what this process itself accepted meanwhile is added."""

FRESHER = timedelta(seconds=0.05)
"""How old it may be where somebody would be refused for it."""

REMEMBERED = 4096
"""Most jobs whose places are remembered."""

COME_BACK = timedelta(seconds=5)
"""When to ask again after a refusal."""


@dataclass(slots=True)
class Part:
    """What one owner had queued at a moment, and what came since."""

    at: datetime
    queued: int


@dataclass(kw_only=True, slots=True)
class Count:
    """What waited at a moment: the queued jobs of a kind, and what came since."""

    at: datetime
    waiting: Waiting
    since: int = 0

    @property
    def queued(self) -> int:
        """How many are queued as far as is known."""
        return self.waiting.queued + self.since


class Backlog:
    """The queue as it stands, for callers who wait and for those who are not let in any more."""

    def __init__(self, store: Store, *, limit: int, share: int | None, now: Clock) -> None:
        """`limit`: most queued jobs of a kind; `share`: most of one owner's, None for all."""
        self._store, self._limit, self._share, self._now = store, limit, share, now
        self._counts: dict[str, Count] = {}
        self._parts: OrderedDict[tuple[str, str], Part] = OrderedDict()
        self._places: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._looking = asyncio.Lock()

    async def admit(self, kind: str, owner: str, number: int = 1) -> None:
        """Let so many jobs of an owner in. Raises QueueFull where the queue would be longer than is allowed, or their part is full."""
        count = await self._count(kind, FRESH)
        if count.queued + number > self._limit:  # what came since may have gone again
            count = await self._count(kind, FRESHER)
        if count.queued + number > self._limit:
            raise QueueFull("The queue is full; nothing was accepted. Try again later.", retry_after=COME_BACK)
        if self._share is not None and count.queued >= self._share:  # else no owner can have so many
            await self._admit_owner(kind, owner, number, self._share)
        count.since += number

    async def _admit_owner(self, kind: str, owner: str, number: int, share: int) -> None:
        part, now = self._parts.get((kind, owner)), self._now()
        if part is None or abs(now - part.at) > (FRESH if part.queued < share else FRESHER):
            part = self._parts[kind, owner] = Part(now, await self._store.queued_of(kind, owner))
            self._parts.move_to_end((kind, owner))
            if len(self._parts) > REMEMBERED:
                self._parts.popitem(last=False)
        if part.queued >= share:
            raise QueueFull(
                f"{part.queued} of your jobs are waiting; an owner may have {share}. Nothing was accepted: try again when some have gone.",
                retry_after=COME_BACK,
            )
        part.queued += number

    def soon(self, kind: str) -> int:
        """Return how many wait for a slot as far as is known without a look: those that are held until later do not."""
        count = self._counts.get(kind)
        return count.waiting.due + count.since if count is not None else 0

    async def due(self, kind: str) -> int:
        """Return how many jobs wait for a slot."""
        return (await self._count(kind, FRESH)).waiting.due

    async def ahead(self, job: Job) -> int | None:
        """Return how many jobs start before this one, as turns go round; None for one that does not wait for a slot."""
        now = self._now()
        if job.status is not Status.QUEUED or job.run_at is None or job.run_at > now:
            return None
        known = self._places.get(job.id)
        if known is None or abs(now - known[0]) > FRESH:
            known = self._places[job.id] = (now, await self._place(job))
            self._places.move_to_end(job.id)
            if len(self._places) > REMEMBERED:
                self._places.popitem(last=False)
        return known[1]

    async def _place(self, job: Job) -> int:
        """Count the job's own lane before it, and of every other lane as many: one of each goes in a turn.

        Without lanes there is one line, and its place in it is all.
        """
        turn = await self._store.rank(job)
        lanes = (await self._count(job.kind, FRESH)).waiting.lanes
        return turn + sum(min(waiting, turn + 1) for lane, waiting in lanes.items() if lane != lane_of(job))

    async def _count(self, kind: str, fresh: timedelta) -> Count:
        count = self._counts.get(kind)
        if count is not None and abs(self._now() - count.at) <= fresh:
            return count
        async with self._looking:
            count = self._counts.get(kind)
            if count is None or abs(self._now() - count.at) > fresh:
                at = self._now()
                count = self._counts[kind] = Count(at=at, waiting=await self._store.waiting(kind, at))
        return count
