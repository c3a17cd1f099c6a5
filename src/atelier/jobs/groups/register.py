"""Groups as documents: the group itself, what its members are made from, and two lists of what is left to do."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from atelier.errors import Conflict, NotFound, StoreUnavailable
from atelier.frozen import frozen
from atelier.jobs.groups.models import SCHEMA, Group, NewMember
from atelier.jobs.models import Json
from atelier.jobs.ports import Document, Store

GROUP = "group"
CONTENT = "group_items"
WORK = "group_work"
"""Names groups whose members have not all ended: a sweep looks at these, not at all there ever were."""
ENDED = "group_ended"
"""Names groups that may be forgotten one day, by the moment they ended: a sweep reads the oldest only."""
TITLE = "group_title"
"""Names an owner's groups by their titles."""

CHUNK_BYTES = 300_000
"""Most bytes of members in one document, unless one alone is more: documents elsewhere end at one mebibyte."""

COMMITTING = timedelta(minutes=1)
"""So long after it was announced work may be yet to be committed: a group that looks as if it had ended then has not."""

ABANDONED = timedelta(hours=1)
"""After this long nobody is still about to commit a group."""

CHANGE_TRIES = 20

ANNOUNCE_TRIES = 100
"""More than ever announce one group at once, of whom each try lets one pass."""

_group = TypeAdapter(Group)
_members = TypeAdapter(list[NewMember])


@frozen
class Ended:
    """An entry of the list of ended groups."""

    name: str
    group_id: str
    at: datetime


class Register:
    """The only reader and writer of groups' documents. Everything raises StoreUnavailable as the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, group_id: str) -> Group | None:
        """Return a group as it is now."""
        document = await self._store.document(GROUP, group_id)
        return _read(document) if document is not None else None

    async def commit(self, group: Group, members: Sequence[NewMember]) -> tuple[Group, bool]:
        """Write the members' content, then the group; the group, and whether it is new. The group is the commit.

        Whoever commits an id first wins; the other's content is removed again.
        """
        await self.announce(group.id, group.created_at)
        if group.title:
            await self._store.put(TITLE, _listing(group), {"group": group.id}, if_rev=0)
        group = await self._with_content(group, members)
        if await self._store.put(GROUP, group.id, _body(group), if_rev=0) is not None:
            return group, True
        await self._drop_content(_chunk_name(group))
        first = await self.find(group.id)
        if first is None:
            raise StoreUnavailable("The group was removed while it was being made; try again.")
        return first, False

    async def _with_content(self, group: Group, members: Sequence[NewMember]) -> Group:
        group = replace(group, content=secrets.token_hex(4))
        for number, chunk in enumerate(_chunks(members)):
            await self._store.put(CONTENT, _chunk_name(group, number), {"members": chunk}, if_rev=0)
        return group

    async def revise(self, known: Group, changed: Group, members: Sequence[NewMember], now: datetime) -> Group | None:
        """Write what is to be made, then the group over exactly `known`; None: it is another one meanwhile."""
        await self.announce(known.id, now)
        changed = await self._with_content(changed, members)
        document = await self._store.document(GROUP, known.id)
        same = document is not None and _read(document) == known
        rev = document.rev if document is not None and same else -1
        if same and await self._store.put(GROUP, known.id, _body(changed), if_rev=rev) is not None:
            await self._drop_content(_chunk_name(known))
            return changed
        await self._drop_content(_chunk_name(changed))
        return None

    async def titled(self, owner: str, kind: str, *, after: str, limit: int) -> tuple[list[Group], str | None]:
        """Return an owner's groups of a kind that have titles, in order of these, behind the title `after`.

        And the title behind which there may be more; None: these are all. An entry may be there before its group, or after it.
        """
        start = f"{owner}\x1f{kind}\x1f"
        found = await self._store.documents(TITLE, after=start + after, limit=limit)
        own = [entry for entry in found if entry.name.startswith(start)]
        groups = [await self.find(entry.body["group"]) for entry in own]
        more = own[-1].name.removeprefix(start) if len(own) == limit else None
        return [group for group in groups if group is not None], more

    async def change(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        """Replace the group by what `change` makes of it, over exactly that; the group then.

        `change` may run again on a newer one, and raises Conflict to refuse. Raises NotFound.
        """
        for _ in range(CHANGE_TRIES):
            document = await self._store.document(GROUP, group_id)
            if document is None:
                raise NotFound("There is no such group.")
            group = _read(document)
            changed = change(group)
            if changed == group:
                return group
            if await self._store.put(GROUP, group_id, _body(changed), if_rev=document.rev) is not None:
                return changed
        raise Conflict("The group is being changed by too many at once; try again.")

    async def content(self, group: Group) -> AsyncIterator[list[NewMember]]:
        """Yield what the members are made from, in order, a document's worth at a time."""
        async for document in self._documents(CONTENT, _chunk_name(group)):
            yield _members.validate_python(document.body["members"])

    async def announce(self, group_id: str, now: datetime) -> None:
        """Name a group as one with work left. Comes before the work, so that no crash can hide it.

        Every announcement is another one: who has seen an earlier one only does not remove this. Raises Conflict.
        """
        body = {"at": now.isoformat(), "token": secrets.token_hex(4)}
        for _ in range(ANNOUNCE_TRIES):
            entry = await self._store.document(WORK, group_id)
            if await self._store.put(WORK, group_id, body, if_rev=entry.rev if entry is not None else 0) is not None:
                return
        raise Conflict("The group is being changed by too many at once; try again.")

    async def at_work(self, *, after: str, limit: int) -> list[Document]:
        """Return the entries of groups with work left, named by their ids and in their order, behind `after`."""
        return await self._store.documents(WORK, after=after, limit=limit)

    async def rest(self, entry: Document) -> None:
        """Nothing was left to do for a group after its entry was read: remove that, unless it was announced again since."""
        await self._store.drop_unchanged(entry)

    async def abandon(self, entry: Document) -> None:
        """Remove what a crash before the commit left, where the group was not announced again.

        Whoever writes content announces it first: where the entry is the same after the content was read, that is nobody's.
        """
        left = [document.name async for document in self._documents(CONTENT, f"{entry.name}/")]
        if await self._store.document(WORK, entry.name) != entry:
            return
        for name in left:
            await self._store.drop(CONTENT, name)
        await self.rest(entry)

    async def enter_ended(self, group_id: str, at: datetime) -> None:
        """Note that a group had ended by then."""
        await self._store.put(ENDED, f"{int(at.timestamp()):012d}-{group_id}", {}, if_rev=0)

    async def ended(self, before: datetime, *, limit: int) -> list[Ended]:
        """Return the entries of groups that had ended before a moment, the oldest first."""
        entries = [_ended(document.name) for document in await self._store.documents(ENDED, limit=limit)]
        return [entry for entry in entries if entry.at < before]

    async def strike(self, entry: Ended) -> None:
        """Remove an entry of the list of ended groups."""
        await self._store.drop(ENDED, entry.name)

    async def remove(self, group_id: str) -> None:
        """Remove the group and its content; its members are gone already."""
        await self._drop_content(f"{group_id}/")
        await self._store.drop(WORK, group_id)
        group = await self.find(group_id)
        if group is not None and group.title:
            await self._store.drop(TITLE, _listing(group))
        await self._store.drop(GROUP, group_id)

    async def _drop_content(self, start: str) -> None:
        async for document in self._documents(CONTENT, start):
            await self._store.drop(CONTENT, document.name)

    async def _documents(self, kind: str, start: str) -> AsyncIterator[Document]:
        """Yield documents whose names begin with `start`, one after the other: each may be large."""
        after = start
        while True:
            page = await self._store.documents(kind, after=after, limit=1)
            if not page or not page[0].name.startswith(start):
                return
            yield page[0]
            after = page[0].name


def _chunks(members: Sequence[NewMember]) -> Iterator[list[Json]]:
    """Yield the members' JSON in pieces that fit into a document."""
    chunk: list[Json] = []
    size = 0
    for member in _members.dump_python(list(members), mode="json"):
        weight = len(json.dumps(member, ensure_ascii=False).encode())
        if chunk and size + weight > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(member)
        size += weight
    yield chunk


def _chunk_name(group: Group, number: int | None = None) -> str:
    """Return the name of a piece of a group's content, or how all their names begin."""
    return f"{group.id}/{group.content}/" + (f"{number:04d}" if number is not None else "")


def _listing(group: Group) -> str:
    return f"{group.owner}\x1f{group.kind}\x1f{group.title}"


def _read(document: Document) -> Group:
    if document.body.get("schema", 0) > SCHEMA:
        raise StoreUnavailable("This group was written by a newer version of the service; ask again after the update.")
    return _group.validate_python(document.body)


def _body(group: Group) -> Json:
    body: Json = _group.dump_python(group, mode="json")
    return body


def _ended(name: str) -> Ended:
    seconds, _, group_id = name.partition("-")
    return Ended(name=name, group_id=group_id, at=datetime.fromtimestamp(int(seconds), UTC))


def settled(entry: Document, now: datetime) -> bool:
    """Whether the work that was announced has been committed, or was refused."""
    return datetime.fromisoformat(entry.body["at"]) + COMMITTING <= now


def left_alone(entry: Document, now: datetime) -> bool:
    """Whether work was announced so long ago that whoever did must have ended."""
    return datetime.fromisoformat(entry.body["at"]) + ABANDONED <= now
