"""Everything that can be asked about groups: create, look, follow, pause, resume, cancel, hand over the next ones."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from atelier import logs, metrics
from atelier.errors import AlreadyTerminal, IdempotencyMismatch, NotFound
from atelier.jobs import identity
from atelier.jobs.background import going_on
from atelier.jobs.events import Queued
from atelier.jobs.groups import models
from atelier.jobs.groups.followers import GroupFollowers
from atelier.jobs.groups.models import Group, Item, NewGroup, NewMember, Phase, postponed, standing_of
from atelier.jobs.groups.register import Register
from atelier.jobs.models import Job, Snapshot, Status, Update
from atelier.jobs.ports import Clock, Decision, Queue, Store
from atelier.jobs.tally import Counted
from atelier.jobs.verdicts import cancelling

SOON = timedelta(minutes=1)
"""What is due within this time takes room in the window; what waits for longer lets others go first."""

LOT = 100
"""Most writes of a group at one time."""

CANCEL_WAIT = timedelta(seconds=5)
"""How long `cancel` waits for the workers' receipts before it answers without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupSettings:
    """For each kind of group: until when its members must have ended, and how many are handed over at a time."""

    deadlines: Mapping[str, timedelta]
    windows: Mapping[str, int]
    max_attempts: int


T = TypeVar("T")

Admit = Callable[[str, int], Awaitable[None]]
"""Lets so many jobs of a kind in, or raises QueueFull."""


class Groups:
    """Groups of jobs. Nothing is written when a member ends: what a group is follows from its members."""

    def __init__(
        self, *, store: Store, queue: Queue, settings: GroupSettings, admit: Admit, secret: bytes, now: Clock
    ) -> None:
        self._store, self._queue, self._settings, self._secret, self._now = store, queue, settings, secret, now
        self._admit = admit
        self.register = Register(store)
        self._followers = GroupFollowers(store, self.register)

    async def create(self, new: NewGroup) -> tuple[Group, bool]:
        """Accept a group: it and all its members are durable when this returns; the group, and whether it was there before.

        Raises IdempotencyMismatch where its key made another one, and QueueFull, having accepted nothing. What a crash
        leaves is finished by the sweeper.
        """
        group = self._group(new)
        known = await self.register.find(group.id) if new.key is not None else None
        created = False
        if known is None:
            await self._admit(new.member_kind, len(new.members))
            known, created = await self.register.commit(group, new.members)
        if known.fingerprint != group.fingerprint:
            raise IdempotencyMismatch("This Idempotency-Key was used before, for another request.")
        logs.info("group_accepted", group_id=known.id, kind=known.kind, items=len(known.items), replayed=not created)
        if known.phase is Phase.CREATING:
            known = await self.finish_creating(known)
        return known, not created

    async def made(self, new: NewGroup) -> bool:
        """Whether the key of `new` has made a group already, so that creating it makes none."""
        return new.key is not None and await self.register.find(self._id_of(new)) is not None

    def _id_of(self, new: NewGroup) -> str:
        if new.key is None:
            return identity.random_id()
        return identity.derived_id(self._secret, "group", new.owner, new.kind, new.key)

    def _group(self, new: NewGroup) -> Group:
        now = self._now()
        starts = max([now, *(member.not_before for member in new.members if member.not_before is not None)])
        return Group(
            id=self._id_of(new),
            kind=new.kind,
            member_kind=new.member_kind,
            owner=new.owner,
            created_at=now,
            deadline=starts + self._settings.deadlines[new.kind],
            items=tuple(Item(name=member.name) for member in new.members),
            content="",
            listed=new.listed,
            fingerprint=identity.fingerprint(new.request) if new.key is not None else "",
        )

    async def finish_creating(self, group: Group) -> Group:
        """Create the members that are not there yet, open the group and hand over the first ones. Harmless if repeated."""
        await self._create_members(group)
        group = await self.register.change(group.id, lambda now: models.opened(now) if _creating(now) else now)
        await self.refill(group.id)
        return group

    async def _create_members(self, group: Group) -> None:
        places = iter(range(len(group.items)))
        async for chunk in self.register.content(group):
            new = ((self._member(group, next(places), member), member) for member in chunk)
            made = in_lots(self._store.create(job, (), member.params) for job, member in new)
            async for snapshot, created in made:
                if created:
                    metrics.accepted(snapshot.job.kind).inc()

    def _member(self, group: Group, place: int, new: NewMember) -> Job:
        return Job(
            id=self.member_id(group, place),
            kind=group.member_kind,
            owner=group.owner,
            created_at=group.created_at,
            updated_at=group.created_at,
            must_finish_by=group.deadline,
            max_attempts=self._settings.max_attempts,
            group=group.id,
            place=place,
            listed=group.listed,
            run_at=new.not_before,
            title=new.title,
            tags=new.tags,
            details=new.details,
            warnings=new.warnings,
            pace=new.pace,
            expected=new.expected,
        )

    def member_id(self, group: Group, place: int) -> str:
        """Return the id of the job at a place: that of the item's latest drawing."""
        item = group.items[place]
        return identity.derived_id(self._secret, "member", group.id, item.name, str(item.drawing))

    def member_ids(self, group: Group) -> list[str]:
        """Return the ids of the members in order, whether they are created already or not."""
        return [self.member_id(group, place) for place in range(len(group.items))]

    async def get(self, owner: str, group_id: str, kind: str | None = None) -> Group:
        """Return a group, of this kind where one is given. Raises NotFound, for others' groups and other kinds too."""
        group = await self.register.find(group_id)
        if group is None or group.owner != owner or kind not in {None, group.kind}:
            raise NotFound(f"There is no such {kind or 'group'}.")
        return group

    async def members(self, group: Group) -> list[Snapshot]:
        """Return the members in order, each with its last record and, completed, its result. Deleted ones are missing."""
        found = await self._store.members(group.id, since="")
        latest = frozenset(self.member_ids(group))
        members = [snapshot for snapshot in found.snapshots if snapshot.job.id in latest]
        return sorted(members, key=lambda snapshot: snapshot.job.place)

    def follow(self, group_id: str) -> AsyncIterator[Update | None]:
        """Yield each member's state, then its changes, and None when all have ended. See GroupFollowers."""
        return self._followers.follow(group_id)

    async def wait(self, group_id: str, longest: timedelta) -> None:
        """Wait until every member has ended, no longer than `longest` nor than the process goes on."""
        try:
            async with asyncio.timeout(longest.total_seconds()):
                async for _ in self._followers.follow(group_id):
                    pass
        except TimeoutError:
            return

    async def refill(self, group_id: str) -> bool:
        """Hand over pending members in their order, as many as the window has room for; whether any has not ended.

        May be called at any time, by anybody, by several at once: members are only handed over where they are pending.
        """
        group = await self.register.find(group_id)
        if group is None or group.phase is not Phase.OPEN:
            return group is not None
        window = self._settings.windows[group.kind]
        while True:
            soon = self._now() + SOON
            turns = await self._store.turns(group.id, by=soon, limit=window)
            room = max(window - turns.active, 0)
            handed = await asyncio.gather(*(self._hand_over(group, job_id) for job_id in turns.pending[:room]))
            if not any(job is not None and job.run_at is not None and job.run_at > soon for job in handed):
                return bool(turns.active or turns.later or turns.pending)

    async def left(self, job: Job) -> None:
        """A job gave its place up: hand over the next of its group, where it has one. The sweeper does what breaks here."""
        if job.group is not None:
            with going_on("group_not_refilled"):
                await self.refill(job.group)

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

    async def admit(self, member: Job) -> Job | None:
        """Return a member that was just claimed, with its group's deadline; None while the group is paused."""
        group = await self.register.find(member.group or "")
        if group is None:
            return member
        if group.phase is Phase.PAUSED:
            return None
        if not postponed(group, member, self._now()):
            return member

        def decide(job: Job) -> Decision:
            asked = job.cancel_requested_at is not None or job.fence != member.fence
            return Decision() if asked or job.status.terminal else Decision(events=postponed(group, job, self._now()))

        snapshot = await self._store.write(member.id, decide)
        return snapshot.job if snapshot is not None and snapshot.job.fence == member.fence else member

    async def pause(self, group_id: str) -> Group:
        """Hand over nothing more; what runs goes on to its end. Raises Conflict while it is created or cancelled."""
        await self.register.announce(group_id, self._now())
        return await self.register.change(group_id, partial(models.paused, now=self._now()))

    async def resume(self, group_id: str) -> Group:
        """Go on; the time that was paused does not count. Raises Conflict while it is created or cancelled."""
        await self.register.announce(group_id, self._now())
        group = await self.register.change(group_id, partial(models.resumed, now=self._now()))
        await self.refill(group_id)
        return group

    async def cancel(self, group: Group) -> None:
        """Cancel every member in two steps, then wait a while for the receipts. Raises AlreadyTerminal when all have ended."""
        members = await self.members(group)
        if standing_of(group, (member.job.status for member in members)).status.terminal:
            raise AlreadyTerminal(f"The {group.kind} has already ended.")
        await self.register.announce(group.id, self._now())
        group = await self.register.change(group.id, models.cancelling)
        logs.info("group_cancel_requested", group_id=group.id)
        await self.finish_cancelling(group)
        await self.wait(group.id, CANCEL_WAIT)

    async def finish_cancelling(self, group: Group) -> None:
        """Cancel, or ask to, whatever has not ended, also what a crash left uncreated; then the group is open again."""
        if not group.complete:
            await self._create_members(group)
        members = await self.members(group)
        async for _ in in_lots(self._cancel(one.job.id) for one in members if not one.job.status.terminal):
            pass
        await self.register.change(group.id, lambda now: models.opened(now) if _cancelling(now) else now)

    async def _cancel(self, job_id: str) -> None:
        def decide(job: Job) -> Decision:
            return Decision() if job.status.terminal else cancelling(job, self._now())

        counted = Counted(decide)
        snapshot = await self._store.write(job_id, counted)
        if snapshot is None:
            return
        counted.count(snapshot.job)
        if snapshot.job.status.terminal and counted.events:
            await self._queue.withdraw(snapshot.job)

    def close(self) -> None:
        """End every `follow`: the process is about to end."""
        self._followers.close()


async def in_lots(work: Iterator[Awaitable[T]]) -> AsyncIterator[T]:
    """Do so much at a time that each piece is done within a store's patience; the outcomes in order."""
    while lot := list(itertools.islice(work, LOT)):
        for outcome in await asyncio.gather(*lot):
            yield outcome


def _creating(group: Group) -> bool:
    return group.phase is Phase.CREATING


def _cancelling(group: Group) -> bool:
    return group.phase is Phase.CANCELLING
