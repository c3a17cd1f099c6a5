"""The embedded queue: a dispatcher over the store's due jobs that calls the worker in this process.

The store is the queue. A wake-up makes new work start at once; a look a few times a second finds what another
process queued and what has come due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from atelier.errors import QueueUnavailable
from atelier.jobs.background import going_on
from atelier.jobs.models import Job
from atelier.jobs.ports import Clock, Deliver, Ready, Store

LOOK_SECONDS = 0.25
"""Longest time between two looks at the store."""

PAUSE_SECONDS = 1.0
"""Pause after a look that failed."""

REST_SECONDS = 5.0
"""How long a job whose delivery broke is left alone: it holds no slot, and stands in nobody's way."""


class EmbeddedQueue:
    """`jobs.ports.Queue` for one process: so many slots for each kind, turns going round over owner and group."""

    def __init__(self, *, store: Store, slots: Mapping[str, int], now: Clock) -> None:
        self._store, self._slots, self._now = store, slots, now
        self._wake = asyncio.Event()
        self._running: dict[str, dict[str, asyncio.Task[None]]] = {kind: {} for kind in slots}
        self._resting: set[str] = set()
        self._cursors = dict.fromkeys(slots, "")
        self._look_at = dict.fromkeys(slots, 0.0)
        self._dispatcher: asyncio.Task[None] | None = None

    async def dispatch(self, job: Job) -> None:
        """Look at the store soon: it knows which jobs of this kind are due."""
        self._stir(job.kind)

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:  # noqa: ARG002 - what waits in the store is found there
        """Lose nothing."""
        return ()

    async def withdraw(self, job: Job) -> None:
        """Do nothing: what has ended is not due."""

    def start(self, deliver: Deliver) -> None:
        """Begin to hand due jobs to `deliver`."""
        self._dispatcher = asyncio.create_task(self._serve(deliver), name="dispatcher")

    async def stop(self) -> None:
        """Hand over no more; running jobs are the engine's to drain."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            await asyncio.wait({self._dispatcher})
            self._dispatcher = None

    async def close(self) -> None:
        """Hold nothing."""

    async def ping(self) -> None:
        """Answer if jobs are being handed over. Raises QueueUnavailable when not."""
        if self._dispatcher is None or self._dispatcher.done():
            raise QueueUnavailable("The queue's dispatcher is not running.")

    async def _serve(self, deliver: Deliver) -> None:
        while True:
            self._wake.clear()
            pause = PAUSE_SECONDS
            with going_on("dispatcher_waits"):
                pause = await self._look(deliver)
            await self._sleep(pause)

    async def _look(self, deliver: Deliver) -> float:
        """Look for jobs of each kind whose time it is; seconds until that of the next."""
        now = asyncio.get_running_loop().time()
        for kind in [kind for kind, at in self._look_at.items() if at <= now]:
            await self._look_for(kind, deliver)
        return max(0.0, min(self._look_at.values()) - asyncio.get_running_loop().time())

    async def _look_for(self, kind: str, deliver: Deliver) -> None:
        """Start what is due and has a slot."""
        began, running = asyncio.get_running_loop().time(), self._running[kind]
        self._look_at[kind] = began + LOOK_SECONDS
        free = self._slots[kind] - len(running)
        if free <= 0:
            return
        passed_over = running.keys() | self._resting
        due = await self._store.due(kind, self._now(), limit=free + len(passed_over), after=self._cursors[kind])
        fresh = [job for job in due.jobs if job.job_id not in passed_over][:free]
        for job in fresh:
            self._start(kind, job, deliver)
        self._cursors[kind] = due.cursor
        self._look_at[kind] = min(self._look_at[kind], began + self._until(due.next_at))

    def _stir(self, kind: str) -> None:
        """Look for jobs of a kind at once."""
        if kind in self._look_at:
            self._look_at[kind] = 0.0
            self._wake.set()

    def _until(self, moment: datetime | None) -> float:
        return max(0.0, ((moment or datetime.max.replace(tzinfo=UTC)) - self._now()).total_seconds())

    def _start(self, kind: str, job: Ready, deliver: Deliver) -> None:
        task = asyncio.create_task(self._deliver(job, deliver), name=f"deliver {job.job_id}")
        self._running[kind][job.job_id] = task
        task.add_done_callback(lambda _: self._ended(kind, job.job_id))

    async def _deliver(self, job: Ready, deliver: Deliver) -> None:
        """Deliver; a job whose delivery broke rests, so that it is not tried without pause."""
        with going_on("delivery_failed"):
            await deliver(job.job_id, job.dispatch)
            return
        self._resting.add(job.job_id)
        asyncio.get_running_loop().call_later(REST_SECONDS, self._resting.discard, job.job_id)

    def _ended(self, kind: str, job_id: str) -> None:
        del self._running[kind][job_id]
        self._stir(kind)

    async def _sleep(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
