"""The store itself: what is asked of it, handed to who reads, who writes and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from atelier.errors import StoreUnavailable
from atelier.frozen import frozen
from atelier.jobs import lifecycle
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Json, Snapshot
from atelier.jobs.ports import Clock, Decide, Document, Due, Find, Heard, Members, Touch, Turns, Waiting
from atelier.stores.firestore import documents
from atelier.stores.firestore.calls import Calls
from atelier.stores.firestore.connection import Connection, Interceptors, connect
from atelier.stores.firestore.documents import DocumentWriter
from atelier.stores.firestore.following import Following
from atelier.stores.firestore.headers import RESULT, Expiry
from atelier.stores.firestore.reads import Reader
from atelier.stores.firestore.writes import Change, Writer

T = TypeVar("T")

PING = Document(kind="ping", name="ping", rev=1, body={})
"""Written to see that writing works; nobody reads it."""


@frozen
class Rooms:
    """What an open store works through."""

    connection: Connection
    reader: Reader
    writer: Writer
    documents: DocumentWriter
    following: Following


class FirestoreStore:
    """`jobs.ports.Store` in one Firestore database, shared by any number of processes on any number of machines.

    `keep` says for each kind of job how long Firestore keeps what the sweeper should have removed; other kinds stay for
    good. `emulator`: host and port of an emulator, instead of Google's service. `interceptors` see every call.
    """

    def __init__(
        self,
        project: str,
        now: Clock,
        *,
        keep: Mapping[str, timedelta],
        emulator: str = "",
        interceptors: Interceptors = (),
    ) -> None:
        self._project, self._now, self._emulator, self._interceptors = project, now, emulator, interceptors
        self._expiry = Expiry(keep)
        self._rooms: Rooms | None = None
        self._writing: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Connect, and see that the database answers."""
        connection = await connect(self._project, self._emulator, self._interceptors)
        calls, client = Calls(), connection.client
        reader = Reader(client, calls)
        self._rooms = Rooms(
            connection=connection,
            reader=reader,
            writer=Writer(client, calls, self._expiry),
            documents=DocumentWriter(client, calls),
            following=Following(reader),
        )

    async def close(self) -> None:
        """Finish what was accepted and let go of the connection."""
        if self._rooms is None:
            return
        rooms, self._rooms = self._rooms, None
        await rooms.following.close()
        if self._writing:
            await asyncio.wait(self._writing)
        await rooms.connection.close()

    async def ping(self) -> None:
        """Write a document."""
        known = await self._open.documents.read(PING.kind, PING.name)
        await self.put(PING.kind, PING.name, {}, if_rev=known.rev if known is not None else 0)

    async def create(self, job: Job, events: Sequence[Event], params: Json) -> tuple[Snapshot, bool]:
        """Create, or return the job that has this id already."""
        after, records = lifecycle.play(job, events, self._now())
        return await self._finished(self._create(Change(job=after, records=records, parts={"params": params})))

    async def _create(self, change: Change) -> tuple[Snapshot, bool]:
        rooms = self._open
        header, new = await rooms.writer.create(change)
        snapshot = Snapshot(job=change.job, records=change.records)
        if new:
            rooms.following.tell(snapshot, header.version)
            return snapshot, True
        existing = await rooms.reader.whole(header, 0)
        if existing is None:
            raise StoreUnavailable("The job was removed while it was being made; try again.")
        return existing, False

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        """Decide on a header and write over exactly that."""

        def plan(job: Job) -> Change | None:
            decision = decide(job)
            if not decision.events:
                return None
            after, records = lifecycle.play(job, decision.events, self._now())
            return Change(job=after, records=records, parts=decision.parts)

        return await self._finished(self._write(job_id, plan))

    async def touch(self, touch: Touch) -> Job | None:
        """Renew, fenced."""

        def plan(job: Job) -> Change:
            after = lifecycle.touch(
                job, fence=touch.fence, lease_until=touch.lease_until, step=touch.step, now=self._now()
            )
            return Change(job=after)

        snapshot = await self._finished(self._write(touch.job_id, plan))
        return snapshot.job if snapshot is not None else None

    async def _write(self, job_id: str, plan: Callable[[Job], Change | None]) -> Snapshot | None:
        rooms = self._open
        written = await rooms.writer.write(job_id, plan)
        if written is None:
            return None
        before, after, change = written.before, written.after, written.change
        if after is None or change is None:
            return Snapshot(job=before.job)
        snapshot = Snapshot(job=change.job, records=change.records, result=change.parts.get(RESULT))
        rooms.following.tell(snapshot, after.version)
        return snapshot

    async def get(self, job_id: str) -> Job | None:
        """Read the header."""
        header = await self._open.writer.load(job_id)
        return header.job if header is not None else None

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Read all parts."""
        return await self._open.reader.parts(job_id)

    async def read(self, job_id: str, *, after: int) -> Snapshot | None:
        """Read the header, then what it does not carry itself: that never changes any more."""
        header = await self._open.writer.load(job_id)
        return await self._open.reader.whole(header, after) if header is not None else None

    def listen(self, job_id: str, heard: Heard) -> Callable[[], None]:
        """Hear of commits: this process's as they are made, another's within a second."""
        return self._open.following.listen(job_id, heard)

    def listen_to_members(self, group: str, heard: Heard) -> Callable[[], None]:
        """Hear of a group's in the same way."""
        return self._open.following.listen_to_members(group, heard)

    async def find(self, query: Find) -> list[Snapshot]:
        """List, newest first."""
        return await self._open.reader.find(query)

    async def due(self, kind: str, now: datetime, *, limit: int, after: str) -> Due:
        """Read the line of a kind."""
        return await self._open.reader.due(kind, now, limit, after)

    async def waiting(self, kind: str, now: datetime) -> Waiting:
        """Count the line."""
        return await self._open.reader.waiting(kind, now)

    async def queued_of(self, kind: str, owner: str) -> int:
        """Count an owner's part of the line."""
        return await self._open.reader.queued_of(kind, owner)

    async def rank(self, job: Job) -> int:
        """Count the line before the job."""
        return await self._open.reader.rank(job)

    async def overdue(self, now: datetime, *, limit: int) -> list[Job]:
        """Read what the sweeper has to look at."""
        return await self._open.reader.overdue(now, limit)

    async def held_by(self, processes: frozenset[str]) -> list[Job]:
        """Read the jobs that name one of these processes."""
        return await self._open.reader.held_by(sorted(processes))

    async def finished(self, kinds: Sequence[str], before: datetime, *, limit: int) -> list[str]:
        """Read what may be forgotten."""
        return await self._open.reader.finished(kinds, before, limit)

    async def members(self, group: str, *, since: str) -> Members:
        """Read what changed, by Firestore's time and with room for what came in late; now and then all."""
        return await self._open.reader.members(group, since, self._now())

    async def turns(self, group: str, *, by: datetime, limit: int, lane: str = "") -> Turns:
        """Count and list as of one moment."""
        return await self._open.reader.turns(group, lane, by, limit)

    async def delete(self, job_id: str) -> None:
        """Remove a terminal job."""
        rooms = self._open
        await self._finished(rooms.writer.delete(job_id))
        rooms.following.tell_removed(job_id)

    async def document(self, kind: str, name: str) -> Document | None:
        """Read one."""
        return await self._open.documents.read(kind, name)

    async def documents(self, kind: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Read a page of them."""
        return [documents.load(found) for found in await self._open.reader.listed(kind, after, limit)]

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        """Write over exactly that revision."""
        document = Document(kind=kind, name=name, rev=if_rev + 1, body=body)
        return await self._finished(self._open.documents.put(document))

    async def drop(self, kind: str, name: str) -> None:
        """Remove one."""
        await self._open.documents.drop(kind, name)

    async def drop_unchanged(self, document: Document) -> None:
        """Remove exactly that revision."""
        await self._open.documents.drop_unchanged(document)

    @property
    def _open(self) -> Rooms:
        if self._rooms is None:
            raise StoreUnavailable("The store is not open.")
        return self._rooms

    async def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a write to its end even where the caller leaves: half of it may be done already."""
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: asyncio.Task[Any]) -> None:
        """Forget a write; what broke it was told to the caller, if there still is one."""
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()
