"""What becomes of a group that is asked for again with another content: what is made anew, kept, left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from atelier.errors import Conflict, NotFound
from atelier.frozen import frozen
from atelier.jobs.groups.models import NOT_NOW, UNKNOWN, Group, Item, NewMember, Phase, item_of
from atelier.jobs.models import Status

MOST_ITEMS = 5000
"""Most items that a group remembers, those left out included."""


class Redraw(StrEnum):
    """Which items that were made already are made again."""

    NONE = "none"
    CHANGED = "changed"
    ALL = "all"


@frozen
class Revision:
    """A group as it is to be, and the members that have to be made for it."""

    group: Group
    members: tuple[NewMember, ...]
    kept: tuple[str, ...]
    """Names of items whose members stay as they are."""
    left_out: tuple[str, ...]
    """Names of items that the group has had until now and has no more."""
    again: tuple[str, ...] = ()
    """Names of items that are kept and had ended badly: they run again."""


def revised(
    group: Group, new: Sequence[NewMember], ended: Mapping[str, Status], *, redraw: Redraw, now: datetime
) -> Revision:
    """Bring a group whose members have all ended to another content. Raises Conflict where it would remember too many items.

    `ended` tells how the latest drawing of each item it ever had did; an item whose member was removed is not in it.
    """
    known = {item.name: item for item in (*group.left_out, *group.items)}
    items, made, kept = list[Item](), list[NewMember](), list[str]()
    for one in new:
        before = known.pop(one.name, None)
        status = ended.get(one.name)
        if before is not None and not _again(one, before, status, redraw):
            items.append(replace(before, lane=one.lane, label=one.label))
            kept.append(one.name)
            continue
        items.append(item_of(one, before.drawing + 1 if before is not None else 1))
        made.append(replace(one, params={**one.params, **one.again}) if status is Status.COMPLETED else one)
    if len(items) + len(known) > MOST_ITEMS:
        raise Conflict(f"A group remembers no more than {MOST_ITEMS} items; use another one.")
    until_now = {item.name for item in group.items}
    return Revision(
        group=replace(
            group,
            items=tuple(items),
            left_out=tuple(known.values()),
            phase=Phase.CREATING,
            paused_at=None,
            cancelled_at=None,
            complete=False,
            revised_at=now,
        ),
        members=tuple(made),
        kept=tuple(kept),
        left_out=tuple(name for name in known if name in until_now),
    )


def _again(new: NewMember, before: Item, status: Status | None, redraw: Redraw) -> bool:
    """Whether an item gets a new drawing: asked for, or there is nothing to keep that was made for this."""
    changed = item_of(new, before.drawing).meaning != before.meaning
    asked = redraw is Redraw.ALL or (redraw is Redraw.CHANGED and changed)
    return asked or status is None or (changed and status is not Status.COMPLETED)


def redrawn(group: Group, new: NewMember, ended: Status | None) -> Revision:
    """Draw one item again, whatever the others do. Raises NotFound, and Conflict while it is made or the group is not open."""
    place = next((place for place, item in enumerate(group.items) if item.name == new.name), None)
    if place is None:
        raise NotFound(UNKNOWN)
    if group.phase is not Phase.OPEN:
        raise Conflict(NOT_NOW[group.phase])
    if ended is not None and not ended.terminal:
        raise Conflict(f"This is {ended} at present: it can be made again when that has ended.")
    before = group.items[place]
    item = item_of(new, before.drawing + 1)
    item = replace(item, label=before.label, meaning=item.meaning if new.meaning else before.meaning)
    items = (*group.items[:place], item, *group.items[place + 1 :])
    changed = replace(group, items=items, phase=Phase.CREATING, complete=False)
    return Revision(group=changed, members=(new,), kept=(), left_out=())
