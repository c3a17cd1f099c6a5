"""Who listens to what, and the one poller that sees what other processes wrote, while anybody does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from atelier.jobs.background import going_on
from atelier.jobs.models import Snapshot
from atelier.jobs.ports import Heard
from atelier.stores.firestore.reads import Reader

TICK_SECONDS = 1.0
"""Time between two looks at all that is listened to."""

GONE = datetime.max.replace(tzinfo=UTC)
"""The version of a job that is not there."""

Changes = tuple[int, int]
T = TypeVar("T")


class Following:
    """Listeners to jobs and to groups. This process's commits are told as they are made, others' when the poller finds them.

    A job's news is a version of its header beyond the one that was told last. A group's is a sum over its members that any
    commit moves; so the order of commits, which Firestore's times do not tell, does not matter here.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._jobs: defaultdict[str, list[Heard]] = defaultdict(list)
        self._groups: defaultdict[str, list[Heard]] = defaultdict(list)
        self._versions: dict[str, datetime] = {}
        self._changes: dict[str, Changes] = {}
        self._poller: asyncio.Task[None] | None = None

    def listen(self, job_id: str, heard: Heard) -> Callable[[], None]:
        """Hear of a job's commits."""
        return self._listen(self._jobs, self._versions, job_id, heard)

    def listen_to_members(self, group: str, heard: Heard) -> Callable[[], None]:
        """Hear of commits to a group's members."""
        return self._listen(self._groups, self._changes, group, heard)

    def tell(self, snapshot: Snapshot, version: datetime | None) -> None:
        """Pass on a commit of this process, and that it is known up to this version."""
        job = snapshot.job
        if version is not None and job.id in self._jobs:
            self._versions[job.id] = max(version, self._versions.get(job.id, version))
        self._wake(self._jobs, job.id, snapshot)
        if job.group is not None:
            self._wake(self._groups, job.group, snapshot)

    def tell_removed(self, job_id: str) -> None:
        """Pass on that this process removed a job."""
        if job_id in self._jobs:
            self._versions[job_id] = GONE
        self._wake(self._jobs, job_id, None)

    async def close(self) -> None:
        """Look no more."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait({self._poller})

    def _listen(
        self, listening: defaultdict[str, list[Heard]], told: dict[str, T], to: str, heard: Heard
    ) -> Callable[[], None]:
        listening[to].append(heard)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="firestore poller")

        def stop() -> None:
            listening[to].remove(heard)
            if not listening[to]:
                del listening[to]
                told.pop(to, None)

        return stop

    def _wake(self, listening: dict[str, list[Heard]], to: str, snapshot: Snapshot | None) -> None:
        for heard in tuple(listening.get(to, ())):
            heard(snapshot)

    async def _poll(self) -> None:
        """Look again and again; while the store is away, until it is back: what is not told yet is told then."""
        await asyncio.sleep(TICK_SECONDS)
        while self._jobs or self._groups:
            await asyncio.gather(
                _going_on(self._look_at_jobs), *(_going_on(self._look_at, group) for group in self._groups)
            )
            await asyncio.sleep(TICK_SECONDS)

    async def _look_at_jobs(self) -> None:
        asked = list(self._jobs)
        found = await self._reader.versions(asked) if asked else {}
        for job_id in asked:
            told, version = self._versions.get(job_id), found.get(job_id, GONE)
            if job_id in self._jobs and (told is None or told < version or (told == GONE) != (version == GONE)):
                self._versions[job_id] = version
                self._wake(self._jobs, job_id, None)

    async def _look_at(self, group: str) -> None:
        changes = await self._reader.changes(group)
        if group in self._groups and self._changes.get(group) != changes:
            self._changes[group] = changes
            self._wake(self._groups, group, None)


async def _going_on(look: Callable[..., Awaitable[None]], *at: str) -> None:
    with going_on("poller_waits"):
        await look(*at)
