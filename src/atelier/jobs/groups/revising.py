"""Revising a group: what was asked for again is compared with what is there, and committed over exactly that."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from atelier import logs
from atelier.errors import Conflict, IdempotencyMismatch, NotFound
from atelier.jobs import identity
from atelier.jobs.groups.making import Making
from atelier.jobs.groups.models import (
    DELETED,
    NOT_NOW,
    UNKNOWN,
    Group,
    Mark,
    NewGroup,
    NewMember,
    Phase,
    done_before,
    marked,
    standing_of,
)
from atelier.jobs.groups.register import Register
from atelier.jobs.groups.revisions import Redraw, Revision, redrawn, revised
from atelier.jobs.models import Json, Status
from atelier.jobs.ports import Clock, Store

TRIES = 5
BUSY = "The group is being changed by too many at once; try again."
BADLY = frozenset({Status.FAILED, Status.CANCELLED})

Admit = Callable[[str, str, int], Awaitable[None]]
"""Lets so many jobs of a kind in, or raises QueueFull."""

Make = Callable[[Json], NewMember]
"""Makes an item's next member of what its latest was made from."""


class Work(Protocol):
    """What is done with groups besides."""

    async def create(self, new: NewGroup) -> tuple[Group, bool]:
        """Accept a group."""

    async def finish_creating(self, group: Group) -> Group:
        """Make what is missing, and open the group."""

    async def refill(self, group_id: str) -> bool:
        """Hand over as many as there is room for."""


class Revising:
    """Brings groups to other contents. Nothing here stops a member."""

    def __init__(
        self, *, store: Store, register: Register, making: Making, admit: Admit, work: Work, now: Clock
    ) -> None:
        self._store, self._register, self._making, self._admit = store, register, making, admit
        self._work, self._now = work, now

    async def revise(self, new: NewGroup, redraw: Redraw) -> tuple[Group, bool]:
        """Accept a group, or bring the one of this key to another content; the group, and whether nothing was to be done.

        What is there already is kept, what ended badly runs again. While it goes on, the same content attaches and another
        raises Conflict; so does a `mark` that was used before, whose content must be the same or raises IdempotencyMismatch.
        Raises QueueFull, having changed nothing. What a crash leaves is finished by the sweeper.
        """
        for _ in range(TRIES):
            known = await self._register.find(self._making.id_of(new))
            if known is None:
                with contextlib.suppress(IdempotencyMismatch):  # somebody else was first, with another content
                    group, attached = await self._work.create(new)
                    if not attached:
                        return group, False
                continue
            if known.phase is Phase.CREATING:
                known = await self._work.finish_creating(known)
            if known.phase is Phase.REMOVING:
                raise Conflict(NOT_NOW[known.phase])
            if done_before(known, new.mark):
                return known, True
            revision = await self.revision(known, new, redraw)
            if revision is None:
                return await self._register.change(known.id, lambda now: marked(now, new.mark)), True
            changed = await self._revise(known, revision)
            if changed is not None:
                return changed, False
        raise Conflict(BUSY)

    async def revision(self, known: Group, new: NewGroup, redraw: Redraw) -> Revision | None:
        """Return what `revise` would do to a group; None: nothing, for it goes on with this content or has all of it.

        Raises Conflict where it goes on with another.
        """
        ended = await self._endings(known)
        fingerprint = identity.fingerprint(new.request)
        latest = [ended[item.name] for item in known.items if item.name in ended]
        if known.phase is Phase.CANCELLING or standing_of(known, latest).status is Status.PROCESSING:
            if known.fingerprint == fingerprint:
                return None
            raise Conflict(f"This {known.kind} goes on with other content; wait for its end, or cancel it first.")
        revision = revised(known, new.members, ended, redraw=redraw, now=self._now())
        again = tuple(name for name in revision.kept if ended.get(name) in BADLY)
        if not revision.members and not again and known.items == revision.group.items:
            return None
        group = replace(revision.group, fingerprint=fingerprint, most=new.most, deadline=self._making.deadline(new))
        return replace(revision, group=marked(group, new.mark), again=again)

    async def redraw(self, group_id: str, name: str, make: Make, mark: Mark | None) -> tuple[Group, bool]:
        """Make one item again as the next drawing; the group, and whether this request was accepted before. The others go on.

        Raises NotFound, Conflict while it is made, QueueFull, and IdempotencyMismatch where its mark stands for another.
        """
        for _ in range(TRIES):
            known = await self._register.find(group_id)
            if known is None:
                raise NotFound("There is no such group.")
            if known.phase is Phase.CREATING:
                known = await self._work.finish_creating(known)
            if done_before(known, mark):
                return known, True
            if known.phase is Phase.REMOVING:
                raise Conflict(NOT_NOW[known.phase])
            new = make(await self._made_from(known, name))
            revision = redrawn(known, new, (await self._endings(known)).get(name))
            longer = replace(revision.group, deadline=self._making.longer(known))
            changed = await self._revise(known, replace(revision, group=marked(longer, mark)))
            if changed is not None:
                return changed, False
        raise Conflict(BUSY)

    async def _made_from(self, group: Group, name: str) -> Json:
        """Return what an item's latest member was made from. Raises NotFound where there is no such item, or it was deleted."""
        item = next((item for item in group.items if item.name == name), None)
        parts = await self._store.parts(self._making.member_id(group, item)) if item is not None else {}
        if "params" not in parts:
            raise NotFound(UNKNOWN if item is None else DELETED)
        return parts["params"]

    async def retry_failed(self, group: Group) -> int:
        """Let every member that failed wait for its turn again; how many. Raises Conflict where none has failed."""
        await self._register.announce(group.id, self._now())
        group = await self._register.change(group.id, self._prolonged)
        reopened = await self._making.reopen(group, frozenset({Status.FAILED}), self._now())
        if not reopened:
            raise Conflict(f"Nothing in this {group.kind} has failed.")
        await self._work.refill(group.id)
        return reopened

    def _prolonged(self, group: Group) -> Group:
        if group.phase is Phase.REMOVING:
            raise Conflict(NOT_NOW[group.phase])
        return replace(group, deadline=self._making.longer(group))

    async def _endings(self, group: Group) -> dict[str, Status]:
        """Return how the latest drawings of all items did that the group ever had."""
        found = (await self._store.members(group.id, since="")).snapshots
        whole = replace(group, items=(*group.items, *group.left_out))
        places = self._making.places(whole, found)
        return {place.item.name: place.latest.job.status for place in places if place.latest is not None}

    async def _revise(self, known: Group, revision: Revision) -> Group | None:
        """Commit a revision over exactly the group it was made for, and make its members; None: somebody else was first."""
        await self._admit(known.member_kind, known.owner, len(revision.members) + len(revision.again))
        changed = await self._register.revise(known, revision.group, revision.members, self._now())
        if changed is None:
            return None
        logs.info("group_revised", group_id=known.id, made=len(revision.members), again=len(revision.again))
        return await self._work.finish_creating(changed)
