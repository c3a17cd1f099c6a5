"""How groups and their members come to be: ids that derive from what they stand for, so that making twice makes nothing twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from atelier import metrics
from atelier.frozen import frozen
from atelier.jobs import identity
from atelier.jobs.events import Reopened
from atelier.jobs.groups.models import Group, Item, NewGroup, NewMember, item_of, marked
from atelier.jobs.groups.register import Register
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Clock, Decision, Store

LOT = 100
"""Most writes of a group at one time."""

T = TypeVar("T")


@frozen
class Place:
    """An item with its latest member, and with the latest one that completed, which may be an earlier drawing.

    `drawing` is the number of that one, 0 where there is none; `cost` what all drawings cost so far, in US dollars.
    """

    item: Item
    latest: Snapshot | None
    completed: Snapshot | None
    drawing: int
    cost: float


class Making:
    """Makes members and opens them again. Everything may be repeated by anybody."""

    def __init__(
        self,
        *,
        store: Store,
        register: Register,
        deadlines: Mapping[str, timedelta],
        max_attempts: int,
        secret: bytes,
        now: Clock,
    ) -> None:
        self._store, self._register, self._deadlines, self._secret, self._now = store, register, deadlines, secret, now
        self._max_attempts = max_attempts

    def id_of(self, new: NewGroup) -> str:
        """Return an id nobody can guess; owner and key always give the same."""
        if new.key is None:
            return identity.random_id()
        return identity.derived_id(self._secret, "group", new.owner, new.kind, new.key)

    def group(self, new: NewGroup) -> Group:
        """Return the group as it is before its members are made."""
        group = Group(
            id=self.id_of(new),
            kind=new.kind,
            member_kind=new.member_kind,
            owner=new.owner,
            created_at=self._now(),
            deadline=self.deadline(new),
            items=tuple(item_of(member, 1) for member in new.members),
            content="",
            listed=new.listed,
            fingerprint=identity.fingerprint(new.request) if new.key is not None else "",
            title=new.title,
            most=new.most,
        )
        return marked(group, new.mark)

    def longer(self, group: Group) -> datetime:
        """Return the deadline of a group of which something is made again now."""
        return max(group.deadline, self._now() + self._deadlines[group.kind])

    def deadline(self, new: NewGroup) -> datetime:
        """Return when members that are made now must have ended."""
        if new.deadline is not None:
            return new.deadline
        held = (member.not_before for member in new.members if member.not_before is not None)
        return max([self._now(), *held]) + self._deadlines[new.kind]

    def member_ids(self, group: Group) -> list[str]:
        """Return the ids of the members in order, whether they are created already or not."""
        return [self.member_id(group, item) for item in group.items]

    def member_id(self, group: Group, item: Item) -> str:
        """Return the id of an item's latest drawing."""
        return identity.derived_id(self._secret, "member", group.id, item.name, str(item.drawing))

    def places(self, group: Group, found: list[Snapshot]) -> list[Place]:
        """Put members in the order of the group's items."""
        members = {snapshot.job.id: snapshot for snapshot in found}
        return [self._place(group, item, members) for item in group.items]

    def _place(self, group: Group, item: Item, members: Mapping[str, Snapshot]) -> Place:
        ids = {number: self.member_id(group, replace(item, drawing=number)) for number in range(item.drawing, 0, -1)}
        known = {number: members[job_id] for number, job_id in ids.items() if job_id in members}
        done = next((number for number, one in known.items() if one.job.status is Status.COMPLETED), 0)
        return Place(
            item=item,
            latest=known.get(item.drawing),
            completed=known.get(done),
            drawing=done,
            cost=sum(one.job.cost for one in known.values()),
        )

    async def create_members(self, group: Group) -> None:
        """Create the members that the group's content describes, where they are not there yet, until somebody else was done.

        The group is looked at in front of each lot: once it was complete, what is not there was deleted.
        """
        places = {item.name: place for place, item in enumerate(group.items)}
        async for chunk in self._register.content(group):
            for start in range(0, len(chunk), LOT):
                if not await self._incomplete(group):
                    return
                await self._create_lot(group, places, chunk[start : start + LOT])

    async def _incomplete(self, group: Group) -> bool:
        """Whether a group is there with the same content, of which nobody has made every member yet."""
        now = await self._register.find(group.id)
        return now is not None and not now.complete and now.content == group.content

    async def _create_lot(self, group: Group, places: Mapping[str, int], lot: Sequence[NewMember]) -> None:
        members = ((self._member(group, places[one.name], one), one.params) for one in lot)
        for snapshot, created in await asyncio.gather(
            *(self._store.create(job, (), made_from) for job, made_from in members)
        ):
            if created:
                metrics.accepted(snapshot.job.kind).inc()

    def _member(self, group: Group, place: int, new: NewMember) -> Job:
        item = group.items[place]
        made_at = group.created_at if group.revised_at is None and item.drawing == 1 else self._now()
        return Job(
            id=self.member_id(group, item),
            kind=group.member_kind,
            owner=group.owner,
            created_at=made_at,
            updated_at=made_at,
            must_finish_by=group.deadline,
            max_attempts=self._max_attempts,
            group=group.id,
            place=place if new.turn is None else new.turn,
            lane=new.lane,
            listed=group.listed,
            run_at=new.not_before,
            title=new.title,
            tags=new.tags,
            details=new.details,
            warnings=new.warnings,
            pace=new.pace,
            expected=new.expected,
        )

    async def reopen(self, group: Group, statuses: frozenset[Status], before: datetime) -> int:
        """Let members that ended so before a moment wait for their turns again; how many there are."""
        ids = frozenset(self.member_ids(group))
        members = (await self._store.members(group.id, since="")).snapshots
        bad = [one.job.id for one in members if one.job.id in ids and _ended(one.job, statuses, before)]
        event = Reopened(run_at=None, must_finish_by=group.must_finish_by(self._now()))

        def decide(job: Job) -> Decision:
            return Decision(events=(event,) if _ended(job, statuses, before) else ())

        async for _ in in_lots(self._store.write(job_id, decide) for job_id in bad):
            pass
        return len(bad)


def _ended(job: Job, statuses: frozenset[Status], before: datetime) -> bool:
    return not job.removing and job.status in statuses and job.completed_at is not None and job.completed_at <= before


async def in_lots(work: Iterator[Awaitable[T]]) -> AsyncIterator[T]:
    """Do so much at a time that each piece is done within a store's patience; the outcomes in order."""
    while lot := list(itertools.islice(work, LOT)):
        for outcome in await asyncio.gather(*lot):
            yield outcome
