"""Removing for good what has ended: jobs and what they made, all that belongs together or nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atelier import logs
from atelier.errors import Conflict
from atelier.jobs.events import RemovalBegun, RemovalGivenUp
from atelier.jobs.groups import Group, Groups, models
from atelier.jobs.groups.making import in_lots
from atelier.jobs.models import Job
from atelier.jobs.pipeline import Pipeline
from atelier.jobs.ports import Clock, Decision, Store

GOES_ON = "Only what has ended can be deleted; cancel it first."


class Removal:
    """Marks what is to go, so that nothing of it can run again, and removes it when all of it is marked.

    What a crash leaves marked is removed by asking again, or with its group by the sweeper.
    """

    def __init__(
        self, *, store: Store, pipelines: Mapping[str, Pipeline[Any, Any]], groups: Groups, now: Clock
    ) -> None:
        self._store, self._pipelines, self._groups, self._now = store, pipelines, groups, now

    async def remove(self, job_ids: Sequence[str]) -> None:
        """Remove jobs and what they made. Raises Conflict where one of them goes on, having removed nothing."""
        found = [job async for job in in_lots(self._mark(job_id) for job_id in job_ids) if job is not None]
        if not all(job.status.terminal for job in found):
            async for _ in in_lots(self._store.write(job.id, _given_up) for job in found):
                pass
            raise Conflict(GOES_ON)
        for job in found:
            await self._pipelines[job.kind].deleted(job.id)
            await self._store.delete(job.id)
            logs.info("job_deleted", job_id=job.id)

    async def remove_group(self, group: Group, *job_ids: str) -> None:
        """Remove a group, its members, and jobs that go with it, in the same way. Raises Conflict while it is created or cancelled, too."""
        await self._groups.register.announce(group.id, self._now())
        await self._groups.register.change(group.id, models.removing)
        try:
            await self.remove([*await self._groups.every_member(group), *job_ids])
        except Conflict:
            await self._groups.register.change(group.id, models.kept)
            raise
        await self._groups.register.remove(group.id)

    async def _mark(self, job_id: str) -> Job | None:
        """Keep an ended job from being opened again; the job as it is then."""
        snapshot = await self._store.write(job_id, _begun)
        return snapshot.job if snapshot is not None else None


def _begun(job: Job) -> Decision:
    return Decision(events=(RemovalBegun(),) if job.status.terminal and not job.removing else ())


def _given_up(job: Job) -> Decision:
    return Decision(events=(RemovalGivenUp(),) if job.removing else ())
