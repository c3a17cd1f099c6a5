"""The window of a group: who is handed over next, so many at a time, each lane at a pace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta

from atelier.frozen import frozen
from atelier.jobs.background import going_on
from atelier.jobs.events import Queued
from atelier.jobs.groups.models import Group, Phase, postponed
from atelier.jobs.groups.register import Register
from atelier.jobs.models import Job, Status
from atelier.jobs.ports import Clock, Decision, Queue, Store, Turns

SOON = timedelta(minutes=1)
"""What is due within this time takes room in the window; what waits for longer lets others go first."""


@frozen
class Windows:
    """How many members are handed over at a time: of a kind of group, and of lanes that have a window of their own."""

    kinds: Mapping[str, int]
    lanes: Mapping[str, int] = field(default_factory=dict)

    def of(self, group: Group, lane: str) -> int:
        """Return the window of a lane."""
        return self.lanes.get(lane, self.kinds[group.kind])


def next_ones(turns: Mapping[str, Turns], windows: Mapping[str, int], most: int | None) -> list[str]:
    """Return who is handed over, first what the lane with the fewest under way has next: no lane waits for another."""
    under_way = {lane: each.active for lane, each in turns.items()}
    waiting = {lane: list(each.pending) for lane, each in turns.items()}
    room = most - sum(under_way.values()) if most is not None else sum(map(len, waiting.values()))
    chosen: list[str] = []
    while len(chosen) < room:
        open_lanes = [lane for lane, left in waiting.items() if left and under_way[lane] < windows[lane]]
        if not open_lanes:
            break
        lane = min(open_lanes, key=under_way.__getitem__)
        chosen.append(waiting[lane].pop(0))
        under_way[lane] += 1
    return chosen


class Window:
    """Hands members over. May be asked at any time, by anybody, by several at once."""

    def __init__(self, *, store: Store, queue: Queue, register: Register, windows: Windows, now: Clock) -> None:
        self._store, self._queue, self._register, self._windows, self._now = store, queue, register, windows, now

    async def refill(self, group_id: str, lanes: Sequence[str] = ()) -> bool:
        """Hand over pending members in their order, as many as there is room for; whether any has not ended.

        `lanes`: look only there, where lanes are not bounded together. Members are only handed over where they are pending.
        """
        group = await self._register.find(group_id)
        if group is None or group.phase is not Phase.OPEN:
            return group is not None
        asked = lanes if lanes and group.most is None else group.lanes
        windows = {lane: self._windows.of(group, lane) for lane in asked}
        while True:
            soon = self._now() + SOON
            looks = (self._store.turns(group.id, by=soon, limit=windows[lane], lane=lane) for lane in asked)
            turns = dict(zip(asked, await asyncio.gather(*looks), strict=True))
            chosen = next_ones(turns, windows, group.most)
            handed = await asyncio.gather(*(self._hand_over(group, job_id) for job_id in chosen))
            if not any(job is not None and job.run_at is not None and job.run_at > soon for job in handed):
                return any(each.active or each.later or each.pending for each in turns.values())

    async def left(self, job: Job) -> None:
        """A job gave its place up: hand over the next of its lane, where it has a group. The sweeper does what breaks here."""
        if job.group is not None:
            with going_on("group_not_refilled"):
                await self.refill(job.group, (job.lane,))

    async def _hand_over(self, group: Group, job_id: str) -> Job | None:
        """Queue a member where it is pending; the member where it is queued now."""
        now = self._now()

        def decide(job: Job) -> Decision:
            if job.status is not Status.PENDING:
                return Decision()
            return Decision(events=(*postponed(group, job, now), Queued(run_at=max(now, job.run_at or now))))

        snapshot = await self._store.write(job_id, decide)
        if snapshot is None or snapshot.job.status is not Status.QUEUED:
            return None
        await self._queue.dispatch(snapshot.job)
        return snapshot.job
