"""What goes on for groups in the background: nothing half made stays so, members are handed over, old batches go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from atelier import logs
from atelier.jobs.background import going_on
from atelier.jobs.groups.engine import Groups
from atelier.jobs.groups.models import Group, Phase
from atelier.jobs.groups.register import Ended, left_alone, settled
from atelier.jobs.ports import Clock, Document, Store
from atelier.jobs.sweeper import Retention

LOT = 50
"""How many groups one sweep looks at; the next sweep goes on behind them."""

FORGET_LOT = 10
"""How many groups one sweep forgets; each may have many members."""


class GroupSweeper:
    """Finishes groups that a crash left half created, half cancelled or half removed, refills open ones, forgets old ones."""

    def __init__(
        self,
        *,
        store: Store,
        groups: Groups,
        remove: Callable[[Group], Awaitable[None]],
        retention: Retention,
        now: Clock,
    ) -> None:
        self._store, self._groups, self._remove, self._retention, self._now = store, groups, remove, retention, now
        self._register = groups.register
        self._place = ""

    async def sweep(self) -> int:
        """Attend to one lot of groups with work left, and forget a few old ones; how many were attended to."""
        entries = await self._register.at_work(after=self._place, limit=LOT)
        self._place = entries[-1].name if len(entries) == LOT else ""
        for entry in entries:
            with going_on("group_not_attended"):
                await self._attend(entry)
        return len(entries) + await self._forget()

    async def _attend(self, entry: Document) -> None:
        """Do what is left. The entry was read before the group: what is announced meanwhile makes it another one."""
        group = await self._register.find(entry.name)
        old = left_alone(entry, self._now())
        match group.phase if group is not None else None:
            case None if old:
                await self._register.abandon(entry)
            case Phase.CREATING if group is not None:
                await self._groups.finish_creating(group)
            case Phase.CANCELLING if group is not None:
                await self._groups.finish_cancelling(group)
            case Phase.REMOVING if group is not None and old:
                await self._remove(group)
            case Phase.OPEN if group is not None and not await self._groups.refill(group.id):
                await self._rest(group, entry)

    async def _rest(self, group: Group, entry: Document) -> None:
        """Every member has ended: look at the group no more, until somebody does something to it. He may be about to."""
        if not settled(entry, self._now()):
            return
        if group.kind in self._retention.groups:
            await self._register.enter_ended(group.id, self._now())
        await self._register.rest(entry)
        logs.info("group_ended", group_id=group.id, kind=group.kind)

    async def _forget(self) -> int:
        if self._retention.keep is None:
            return 0
        before = self._now() - self._retention.keep
        entries = await self._register.ended(before, limit=FORGET_LOT)
        for entry in entries:
            with going_on("group_not_forgotten"):
                await self._forget_one(entry, before)
        return len(entries)

    async def _forget_one(self, entry: Ended, before: datetime) -> None:
        """Remove a group and its members; one whose member was run again since waits for its time anew."""
        members = await self._store.members(entry.group_id, since="")
        last = max((one.job.completed_at or self._now() for one in members.snapshots), default=before)
        if last > before:
            await self._register.enter_ended(entry.group_id, last)
        else:
            for one in members.snapshots:
                await self._store.delete(one.job.id)
            await self._register.remove(entry.group_id)
        await self._register.strike(entry)
