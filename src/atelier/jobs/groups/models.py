"""What a group is, and what follows from its members. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from atelier.errors import Conflict, IdempotencyMismatch
from atelier.frozen import frozen
from atelier.jobs import identity
from atelier.jobs.events import Event, Postponed
from atelier.jobs.models import Job, Json, Status

SCHEMA = 1
"""Version written into every group; newer ones are refused."""

MARKS = 200
"""So many marked requests a group remembers."""

PAUSED_LOOK = timedelta(minutes=10)
"""How long the sweeper leaves a member of a paused group alone at least."""


class Phase(StrEnum):
    """What is being done with a group as a whole. Whether it has ended is told by its members only."""

    CREATING = "creating"
    OPEN = "open"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    REMOVING = "removing"


NOT_NOW = {
    Phase.CREATING: "It is still being set up: try again in a moment.",
    Phase.PAUSED: "It is paused: resume it first.",
    Phase.CANCELLING: "It is being cancelled: try again when that is done.",
    Phase.REMOVING: "It is being deleted.",
}
"""Why something cannot be done to a group that is not open, as callers of every dialect are told."""

UNKNOWN = "Nothing in it has this name."
DELETED = "This was deleted; post the whole again to have it."


@frozen
class NewMember:
    """A member to be: the name of its item in the group, and what its job is made from."""

    name: str
    params: Json
    title: str = ""
    not_before: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    pace: str = ""
    expected: float = 0.0
    """Seconds it takes, until jobs of the same pace were measured."""
    lane: str = ""
    """Lanes of a group are handed over each at a pace of its own; empty: there are none."""
    turn: int | None = None
    """Its place among those that wait; None: that in the group."""
    meaning: str = ""
    """What is asked for, as text: where a group is revised, another meaning is another request."""
    again: Mapping[str, Any] = field(default_factory=dict)
    """Which params are others where it is made again although it was there."""
    label: str = ""
    """What is told of it whatever becomes of its job, as text."""


@frozen
class Mark:
    """What makes a request one that is accepted once: the caller's idempotency key, and all that is asked for, checked, as text."""

    key: str
    request: str


@frozen
class NewGroup:
    """A group to be: its kind, its members' kind, and the members in the order of their turns."""

    kind: str
    member_kind: str
    owner: str
    members: Sequence[NewMember]
    listed: bool = True
    """Whether the owner's list of jobs shows the members."""
    key: str | None = None
    """The caller's idempotency key: the same key and request of an owner are the same group."""
    request: str = ""
    """The whole request, checked, as text: what the key stands for."""
    title: str = ""
    """What its owner calls it; groups that have a title are listed by it."""
    mark: Mark | None = None
    """Where the group's own key is another thing than the caller's idempotency key: a request that has one is accepted once."""
    most: int | None = None
    """Most members that are handed over at a time, over all lanes; None: as many as the lanes' windows have room for."""
    deadline: datetime | None = None
    """When every member must have ended; None: as long after its acceptance as groups of its kind may take."""


@frozen
class Item:
    """A place in a group. Its member is the latest drawing; an earlier one stays a job of its own."""

    name: str
    drawing: int = 1
    lane: str = ""
    meaning: str = ""
    """Of what its latest drawing was asked for, in short."""
    label: str = ""
    """What is told of it whatever becomes of its job, as text, as of the latest content."""


@frozen
class Group:
    """One document: which items there are, and what is done with all of them. What members do is not written here."""

    id: str
    kind: str
    member_kind: str
    owner: str
    created_at: datetime
    deadline: datetime
    """When every member must have ended, not counting the time from `paused_at` on."""
    items: tuple[Item, ...]
    content: str
    """Names the documents that hold what the members are made from."""
    phase: Phase = Phase.CREATING
    complete: bool = False
    """Whether every member was created once."""
    paused_at: datetime | None = None
    listed: bool = True
    fingerprint: str = ""
    title: str = ""
    most: int | None = None
    left_out: tuple[Item, ...] = ()
    """Items that a revision no longer names. Their members stay; where one is named again, its drawings go on counting."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the latest requests with marks, by those of their marks."""
    cancelled_at: datetime | None = None
    """When its present content was cancelled."""
    revised_at: datetime | None = None
    """When it was given its present content; members that had ended badly before run again."""
    schema: int = SCHEMA

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lanes in order of their first items; of a group without lanes the empty one."""
        return tuple(dict.fromkeys(item.lane for item in self.items))

    def must_finish_by(self, now: datetime) -> datetime:
        """Return until when a member may take: while the group is paused, what was left then is left now."""
        if self.paused_at is None:
            return self.deadline
        return now + max(self.deadline - self.paused_at, PAUSED_LOOK)


def postponed(group: Group | None, job: Job, now: datetime) -> tuple[Event, ...]:
    """Return what lets a member take as long as its group, where that is longer than it may take so far."""
    if group is None or group.must_finish_by(now) <= job.must_finish_by:
        return ()
    return (Postponed(must_finish_by=group.must_finish_by(now)),)


def item_of(new: NewMember, drawing: int) -> Item:
    """Return the place of a member to be."""
    meaning = identity.fingerprint(new.meaning)[:16]
    return Item(name=new.name, drawing=drawing, lane=new.lane, meaning=meaning, label=new.label)


def opened(group: Group) -> Group:
    """Every member is there, and none is left to be cancelled."""
    return replace(group, phase=Phase.OPEN, complete=True)


def paused(group: Group, now: datetime) -> Group:
    """Hand over nothing more. Raises Conflict while the group is being created or cancelled."""
    if group.phase is Phase.PAUSED:
        return group
    if group.phase is not Phase.OPEN:
        raise Conflict(NOT_NOW[group.phase])
    return replace(group, phase=Phase.PAUSED, paused_at=now)


def resumed(group: Group, now: datetime) -> Group:
    """Go on; the deadline moves by the time that was paused. Raises Conflict while created, cancelled or removed."""
    if group.phase is Phase.OPEN:
        return group
    if group.phase is not Phase.PAUSED or group.paused_at is None:
        raise Conflict(NOT_NOW[group.phase])
    moved = group.deadline + max(now - group.paused_at, timedelta())
    return replace(group, phase=Phase.OPEN, paused_at=None, deadline=moved)


def cancelling(group: Group, now: datetime) -> Group:
    """Cancel every member, created or not. Raises Conflict while the group is removed."""
    if group.phase is Phase.REMOVING:
        raise Conflict(NOT_NOW[group.phase])
    return replace(group, phase=Phase.CANCELLING, paused_at=None, cancelled_at=now)


def removing(group: Group) -> Group:
    """Make and hand over nothing more: the group is about to be gone. Raises Conflict while it is created or cancelled."""
    if group.phase in {Phase.CREATING, Phase.CANCELLING}:
        raise Conflict(NOT_NOW[group.phase])
    return replace(group, phase=Phase.REMOVING)


def kept(group: Group) -> Group:
    """Stay: a member goes on."""
    if group.phase is not Phase.REMOVING:
        return group
    return replace(group, phase=Phase.OPEN if group.paused_at is None else Phase.PAUSED)


def marked(group: Group, mark: Mark | None) -> Group:
    """Remember that a request with a mark was accepted."""
    if mark is None:
        return group
    marks = {**group.marks, identity.fingerprint(mark.key): identity.fingerprint(mark.request)}
    return replace(group, marks=dict(list(marks.items())[-MARKS:]))


def done_before(group: Group, mark: Mark | None) -> bool:
    """Whether this very request was accepted before. Raises IdempotencyMismatch where its key stands for another."""
    accepted = group.marks.get(identity.fingerprint(mark.key)) if mark is not None else None
    if mark is not None and accepted not in {None, identity.fingerprint(mark.request)}:
        raise IdempotencyMismatch("This Idempotency-Key was used before, for another request.")
    return accepted is not None


@frozen
class Standing:
    """A group as its members make it: its status, and how many ended how.

    One that somebody deleted counts as cancelled, whatever it was before: there is nothing to have of it, and nobody draws it.
    """

    status: Status
    completed: int
    failed: int
    cancelled: int
    deleted: int
    """Of those that are cancelled."""


def standing_of(group: Group, members: Iterable[Status]) -> Standing:
    """Derive: any member running, waiting or to come: processing; else a picture: completed; else failed; else cancelled."""
    counts = Counter(members)
    missing = len(group.items) - counts.total()
    deleted = missing if group.complete else 0
    ended = {status: counts[status] for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)}
    live = counts.total() > sum(ended.values()) or missing > deleted
    first = next((status for status, count in ended.items() if count), Status.CANCELLED)
    return Standing(
        status=Status.PROCESSING if live else first,
        completed=ended[Status.COMPLETED],
        failed=ended[Status.FAILED],
        cancelled=ended[Status.CANCELLED] + deleted,
        deleted=deleted,
    )
