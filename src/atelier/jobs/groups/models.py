"""What a group is, and what follows from its members. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from atelier.errors import Conflict
from atelier.jobs.events import Event, Postponed
from atelier.jobs.models import Job, Json, Status

SCHEMA = 1
"""Version written into every group; newer ones are refused."""

PAUSED_LOOK = timedelta(minutes=10)
"""How long the sweeper leaves a member of a paused group alone at least."""


class Phase(StrEnum):
    """What is being done with a group as a whole. Whether it has ended is told by its members only."""

    CREATING = "creating"
    OPEN = "open"
    PAUSED = "paused"
    CANCELLING = "cancelling"


@dataclass(frozen=True, kw_only=True, slots=True)
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


@dataclass(frozen=True, kw_only=True, slots=True)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A place in a group. Its member is the latest drawing; an earlier one stays a job of its own."""

    name: str
    drawing: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
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
    schema: int = SCHEMA

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


def opened(group: Group) -> Group:
    """Every member is there, and none is left to be cancelled."""
    return replace(group, phase=Phase.OPEN, complete=True)


def paused(group: Group, now: datetime) -> Group:
    """Hand over nothing more. Raises Conflict while the group is being created or cancelled."""
    if group.phase is Phase.PAUSED:
        return group
    if group.phase is not Phase.OPEN:
        raise Conflict(f"Only an open group can be paused; this one is {group.phase}.")
    return replace(group, phase=Phase.PAUSED, paused_at=now)


def resumed(group: Group, now: datetime) -> Group:
    """Go on; the deadline moves by the time that was paused. Raises Conflict while created or cancelled."""
    if group.phase is Phase.OPEN:
        return group
    if group.paused_at is None:
        raise Conflict(f"Only a paused group can be resumed; this one is {group.phase}.")
    moved = group.deadline + max(now - group.paused_at, timedelta())
    return replace(group, phase=Phase.OPEN, paused_at=None, deadline=moved)


def cancelling(group: Group) -> Group:
    """Cancel every member, created or not."""
    return replace(group, phase=Phase.CANCELLING, paused_at=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A group as its members make it: its status, and how many ended how."""

    status: Status
    completed: int
    failed: int
    cancelled: int


def standing_of(group: Group, members: Iterable[Status]) -> Standing:
    """Derive: any member running, waiting or to come: processing; else a picture: completed; else failed; else cancelled."""
    counts = Counter(members)
    ended = {status: counts[status] for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)}
    live = counts.total() > sum(ended.values()) or (not group.complete and counts.total() < len(group.items))
    first = next((status for status, count in ended.items() if count), Status.CANCELLED)
    return Standing(
        status=Status.PROCESSING if live else first,
        completed=ended[Status.COMPLETED],
        failed=ended[Status.FAILED],
        cancelled=ended[Status.CANCELLED],
    )
