"""Everything that can be asked about groups: create, look, follow, pause, resume, cancel, hand over the next ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import field
from datetime import timedelta
from functools import partial

from atelier import logs
from atelier.errors import AlreadyTerminal, IdempotencyMismatch, NotFound
from atelier.frozen import frozen
from atelier.jobs.events import Held
from atelier.jobs.groups import models
from atelier.jobs.groups.followers import GroupFollowers
from atelier.jobs.groups.making import Making, Place, in_lots
from atelier.jobs.groups.models import Group, Mark, NewGroup, Phase, postponed, standing_of
from atelier.jobs.groups.register import Register
from atelier.jobs.groups.revising import BADLY, Admit, Make, Revising
from atelier.jobs.groups.revisions import Redraw, Revision
from atelier.jobs.groups.window import Window, Windows
from atelier.jobs.models import Job, Snapshot, Update
from atelier.jobs.ports import Clock, Decision, Queue, Store
from atelier.jobs.tally import Counted
from atelier.jobs.verdicts import Ending, cancelling

CANCEL_WAIT = timedelta(seconds=5)
"""How long `cancel` waits for the workers' receipts before it answers without."""


@frozen
class GroupSettings:
    """For each kind of group: until when its members must have ended, and how many are handed over at a time."""

    deadlines: Mapping[str, timedelta]
    windows: Mapping[str, int]
    max_attempts: int
    lanes: Mapping[str, int] = field(default_factory=dict)
    """The windows of lanes that have one of their own."""


class Groups:
    """Groups of jobs. Nothing is written when a member ends: what a group is follows from its members."""

    def __init__(
        self, *, store: Store, queue: Queue, settings: GroupSettings, admit: Admit, secret: bytes, now: Clock
    ) -> None:
        self._store, self._queue, self._now, self._admit = store, queue, now, admit
        self.register = Register(store)
        self._making = Making(
            store=store,
            register=self.register,
            deadlines=settings.deadlines,
            max_attempts=settings.max_attempts,
            secret=secret,
            now=now,
        )
        windows = Windows(kinds=settings.windows, lanes=settings.lanes)
        self._window = Window(store=store, queue=queue, register=self.register, windows=windows, now=now)
        self._revising = Revising(
            store=store, register=self.register, making=self._making, admit=admit, work=self, now=now
        )
        self._followers = GroupFollowers(store, self.register)

    async def create(self, new: NewGroup) -> tuple[Group, bool]:
        """Accept a group: it and all its members are durable when this returns; the group, and whether it was there before.

        Raises IdempotencyMismatch where its key made another one, and QueueFull, having accepted nothing. What a crash
        leaves is finished by the sweeper.
        """
        group = self._making.group(new)
        known = await self.register.find(group.id) if new.key is not None else None
        created = False
        if known is None:
            await self._admit(new.member_kind, new.owner, len(new.members))
            known, created = await self.register.commit(group, new.members)
        if known.fingerprint != group.fingerprint:
            raise IdempotencyMismatch("This Idempotency-Key was used before, for another request.")
        logs.info("group_accepted", group_id=known.id, kind=known.kind, items=len(known.items), replayed=not created)
        if known.phase is Phase.CREATING:
            known = await self.finish_creating(known)
        return known, not created

    async def revise(self, new: NewGroup, redraw: Redraw = Redraw.NONE) -> tuple[Group, bool]:
        """Accept a group, or bring the one of this key to another content. See Revising."""
        return await self._revising.revise(new, redraw)

    async def revision(self, known: Group, new: NewGroup, redraw: Redraw) -> Revision | None:
        """Return what `revise` would do to a group. See Revising."""
        return await self._revising.revision(known, new, redraw)

    async def redraw(self, group: Group, name: str, make: Make, mark: Mark | None = None) -> tuple[Group, bool]:
        """Make one item again as the next drawing. See Revising."""
        return await self._revising.redraw(group.id, name, make, mark)

    async def retry_failed(self, group: Group) -> int:
        """Let every member that failed wait for its turn again; how many. See Revising."""
        return await self._revising.retry_failed(group)

    async def of_key(self, owner: str, kind: str, key: str) -> Group | None:
        """Return the group that an owner's key of a kind made."""
        return await self.register.find(
            self._making.id_of(NewGroup(kind=kind, member_kind="", owner=owner, members=(), key=key))
        )

    async def made(self, new: NewGroup) -> bool:
        """Whether the key of `new` has made a group already, so that creating it makes none."""
        return new.key is not None and await self.register.find(self._making.id_of(new)) is not None

    async def finish_creating(self, group: Group) -> Group:
        """Create the members that are not there yet, open the group and hand over the first ones. Harmless if repeated."""
        await self._making.create_members(group)
        if group.revised_at is not None:
            await self._making.reopen(group, BADLY, group.revised_at)
        group = await self.register.change(
            group.id, lambda now: models.opened(now) if _same_making(now, group) else now
        )
        await self.refill(group.id)
        return group

    def member_ids(self, group: Group) -> list[str]:
        """Return the ids of the members in order, whether they are created already or not."""
        return self._making.member_ids(group)

    async def get(self, owner: str, group_id: str, kind: str | None = None) -> Group:
        """Return a group, of this kind where one is given. Raises NotFound, for others' groups and other kinds too."""
        group = await self.register.find(group_id)
        if group is None or group.owner != owner or kind not in {None, group.kind}:
            raise NotFound(f"There is no such {kind or 'group'}.")
        return group

    async def members(self, group: Group) -> list[Snapshot]:
        """Return the members in order, each with its last record and, completed, its result. Deleted ones are missing."""
        return [place.latest for place in await self.places(group) if place.latest is not None]

    async def places(self, group: Group) -> list[Place]:
        """Return the items in order, each with its latest member and the latest one that completed."""
        return self._making.places(group, (await self._store.members(group.id, since="")).snapshots)

    async def every_member(self, group: Group) -> list[str]:
        """Return the ids of all members there are: earlier drawings and those of items left out, too."""
        return [one.job.id for one in (await self._store.members(group.id, since="")).snapshots]

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
        """Hand over as many members as the window has room for; whether any has not ended. See Window."""
        return await self._window.refill(group_id)

    async def left(self, job: Job) -> None:
        """A job gave its place up: hand over the next one. See Window."""
        await self._window.left(job)

    async def admit(self, member: Job) -> Job | Ending:
        """Return a claimed member, with its group's deadline; or how its run ends: held while that is paused, cancelled where it is gone."""
        group = await self.register.find(member.group or "")
        if group is None:
            return Ending(None)
        if group.phase is Phase.PAUSED:
            return Ending(Held())
        return await self._in_time_of(group, member)

    async def extended(self, member: Job) -> Job:
        """Return a member that runs, with its group's deadline: paused time does not count for it, whenever the pause came."""
        return await self._in_time_of(await self.register.find(member.group or ""), member)

    async def _in_time_of(self, group: Group | None, member: Job) -> Job:
        """Let a member take as long as its group, while it is held by the same claim; the member then."""
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
        group = await self.register.change(group.id, partial(models.cancelling, now=self._now()))
        logs.info("group_cancel_requested", group_id=group.id)
        await self.finish_cancelling(group)
        await self.wait(group.id, CANCEL_WAIT)

    async def finish_cancelling(self, group: Group) -> None:
        """Cancel, or ask to, whatever has not ended, also what a crash left uncreated; then the group is open again.

        Several may be at it, and one of them may stand still meanwhile: what was asked for after the others were done stays.
        """
        if not group.complete:
            await self._making.create_members(group)
        live = [one.job for one in await self.members(group) if not one.job.status.terminal]
        if not await self._still_cancelled(group.id):
            return
        async for _ in in_lots(self._cancel(job) for job in live):
            pass
        await self.register.change(group.id, lambda now: models.opened(now) if _same_cancel(now, group) else now)

    async def _still_cancelled(self, group_id: str) -> bool:
        """Whether the cancel still goes on: then whatever was there before this was asked is to be cancelled."""
        group = await self.register.find(group_id)
        return group is not None and _cancelling(group)

    async def _cancel(self, seen: Job) -> None:
        """Cancel a member in the run in which it was seen, and in no later one."""

        def decide(job: Job) -> Decision:
            return Decision() if job.status.terminal or not _same_run(job, seen) else cancelling(job, self._now())

        counted = Counted(decide)
        snapshot = await self._store.write(seen.id, counted)
        if snapshot is None:
            return
        counted.count(snapshot.job)
        if snapshot.job.status.terminal and counted.events:
            await self._queue.withdraw(snapshot.job)

    def close(self) -> None:
        """End every `follow`: the process is about to end."""
        self._followers.close()


def _cancelling(group: Group) -> bool:
    return group.phase is Phase.CANCELLING


def _same_making(now: Group, group: Group) -> bool:
    """Whether the content whose members were made is still the one to be opened: a later one has others."""
    return now.phase is Phase.CREATING and now.content == group.content


def _same_cancel(now: Group, group: Group) -> bool:
    """Whether a group is being cancelled as it was when its members were read: a later cancel has others to look for."""
    return _cancelling(now) and (now.cancelled_at, now.content) == (group.cancelled_at, group.content)


def _same_run(job: Job, seen: Job) -> bool:
    """Whether nobody asked for the job anew since it was seen: neither opened again, nor made again after it was deleted."""
    return (job.run, job.created_at) == (seen.run, seen.created_at)
