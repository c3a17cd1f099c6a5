"""The store itself: each operation is one function on a connection, run by a thread of the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from atelier.errors import StoreUnavailable
from atelier.jobs import lifecycle
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Json, Snapshot
from atelier.jobs.ports import Clock, Decide, Document, Due, Find, Heard, Members, Touch, Turns, Waiting
from atelier.stores.sqlite import documents, members, queries, schema
from atelier.stores.sqlite.threads import Done, Reader, Writer
from atelier.stores.sqlite.transaction import Transaction


class SqliteStore:
    """`jobs.ports.Store` on one file. Several processes may share it."""

    def __init__(self, path: Path, now: Clock) -> None:
        self._path, self._now = path, now
        self._listening: defaultdict[str, list[Heard]] = defaultdict(list)
        self._snapshots = queries.Snapshots()
        self._seen_change = 0
        self._threads: tuple[Writer, Reader] | None = None

    async def open(self) -> None:
        """Check the file and start the threads."""
        self._seen_change = await asyncio.to_thread(schema.prepare, self._path)
        self._threads = Writer(self._path, self._foreign), Reader(self._path, "atelier-store-reader")
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Finish what was accepted and end the threads."""
        if self._threads is not None:
            for thread in self._threads:
                await thread.stop()
            self._threads = None

    async def ping(self) -> None:
        """Begin and commit an empty transaction."""
        await self._writer.do(lambda _: None)

    async def create(self, job: Job, events: Sequence[Event], params: Json) -> tuple[Snapshot, bool]:
        """Insert, or return the job that has this id already."""
        after, records = lifecycle.play(job, events, self._now())

        def work(transaction: Transaction) -> tuple[Snapshot, bool]:
            if transaction.insert(after, records, {"params": params}):
                return Snapshot(job=after, records=records), True
            existing = queries.Snapshots().read(transaction.connection, job.id, after=0)
            assert existing is not None, "its id is taken"  # noqa: S101 - narrows the type
            return existing, False

        return await self._writer.do(work, self._tell_created)

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        """Decide on the present header inside the writing transaction."""

        def work(transaction: Transaction) -> Snapshot | None:
            place = transaction.load(job_id)
            if place is None:
                return None
            decision = decide(place.job)
            if not decision.events:
                return Snapshot(job=place.job)
            after, records = lifecycle.play(place.job, decision.events, self._now())
            parts = {**transaction.parts(place), **decision.parts} if decision.reads else None
            transaction.save(place, after, records, decision.parts)
            return Snapshot(job=after, records=records, result=decision.parts.get("result"), parts=parts)

        return await self._writer.do(work, self._tell)

    async def touch(self, touch: Touch) -> Job | None:
        """Renew, fenced."""

        def work(transaction: Transaction) -> Snapshot | None:
            place = transaction.load(touch.job_id)
            if place is None:
                return None
            after = lifecycle.touch(
                place.job, fence=touch.fence, lease_until=touch.lease_until, step=touch.step, now=self._now()
            )
            transaction.save(place, after, (), {})
            return Snapshot(job=after)

        snapshot = await self._writer.do(work, self._tell)
        return snapshot.job if snapshot is not None else None

    async def get(self, job_id: str) -> Job | None:
        """Read the header."""
        return await self._reader.do(lambda connection: queries.load(connection, job_id))

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Read all parts."""
        return await self._reader.do(lambda connection: queries.parts(connection, job_id))

    async def read(self, job_id: str, *, after: int) -> Snapshot | None:
        """Read in one statement."""
        return await self._reader.do(lambda connection: self._snapshots.read(connection, job_id, after))

    def listen(self, job_id: str, heard: Heard) -> Callable[[], None]:
        """Hear of commits: this process's as they are told, another's within the writer's poll."""
        return self._listen(job_id, heard)

    def listen_to_members(self, group: str, heard: Heard) -> Callable[[], None]:
        """Hear of a group's in the same way."""
        return self._listen(group, heard)

    def _listen(self, to: str, heard: Heard) -> Callable[[], None]:
        self._listening[to].append(heard)

        def stop() -> None:
            self._listening[to].remove(heard)
            if not self._listening[to]:
                del self._listening[to]

        return stop

    async def find(self, query: Find) -> list[Snapshot]:
        """List, newest first."""
        return await self._reader.do(lambda connection: queries.find(connection, query))

    async def due(self, kind: str, now: datetime, *, limit: int, after: str) -> Due:
        """Take turns over the lanes."""
        return await self._reader.do(lambda connection: queries.due(connection, kind, now, limit, after))

    async def waiting(self, kind: str, now: datetime) -> Waiting:
        """Count the queue."""
        return await self._reader.do(lambda connection: queries.waiting(connection, kind, now))

    async def rank(self, job: Job) -> int:
        """Count what is before the job in its lane."""
        return await self._reader.do(lambda connection: queries.rank(connection, job))

    async def overdue(self, now: datetime, *, limit: int) -> list[Job]:
        """Read what the sweeper has to look at."""
        return await self._reader.do(lambda connection: queries.overdue(connection, now, limit))

    async def held_by(self, processes: frozenset[str]) -> list[Job]:
        """Look through the jobs that run."""
        return await self._reader.do(lambda connection: queries.held_by(connection, processes))

    async def finished(self, kinds: Sequence[str], before: datetime, *, limit: int) -> list[str]:
        """Read what may be forgotten."""
        return await self._reader.do(lambda connection: queries.finished(connection, kinds, before, limit))

    async def members(self, group: str, *, since: str) -> Members:
        """Read in one statement."""
        return await self._reader.do(lambda connection: members.changed(connection, group, int(since or 0)))

    async def turns(self, group: str, *, by: datetime, limit: int, lane: str = "") -> Turns:
        """Count and list in one statement."""
        return await self._reader.do(lambda connection: members.turns(connection, group, lane, by, limit))

    async def delete(self, job_id: str) -> None:
        """Remove a terminal job."""
        await self._writer.do(lambda transaction: transaction.delete(job_id), lambda _: self._wake(job_id, None))

    async def document(self, kind: str, name: str) -> Document | None:
        """Read one."""
        return await self._reader.do(lambda connection: documents.load(connection, kind, name))

    async def documents(self, kind: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Read a page of them."""
        return await self._reader.do(lambda connection: documents.listed(connection, kind, after, limit))

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        """Compare and write inside the writing transaction."""
        return await self._writer.do(
            lambda transaction: documents.put(
                transaction.connection, Document(kind=kind, name=name, rev=if_rev + 1, body=body)
            )
        )

    async def drop(self, kind: str, name: str) -> None:
        """Remove one."""
        await self._writer.do(lambda transaction: documents.drop(transaction.connection, kind, name))

    @property
    def _writer(self) -> Writer:
        return self._open_threads()[0]

    @property
    def _reader(self) -> Reader:
        return self._open_threads()[1]

    def _open_threads(self) -> tuple[Writer, Reader]:
        if self._threads is None:
            raise StoreUnavailable("The store is not open.")
        return self._threads

    def _tell(self, snapshot: Snapshot | None) -> None:
        """Pass on a commit of this process, to who listens to the job or to its group."""
        if snapshot is not None:
            self._wake(snapshot.job.id, snapshot)
            if snapshot.job.group is not None:
                self._wake(snapshot.job.group, snapshot)

    def _tell_created(self, created: tuple[Snapshot, bool]) -> None:
        """Pass on a new job: somebody may listen to its group, or await it."""
        if created[1]:
            self._tell(created[0])

    def _wake(self, of: str, snapshot: Snapshot | None) -> None:
        for heard in tuple(self._listening.get(of, ())):
            heard(snapshot)

    def _foreign(self, connection: sqlite3.Connection) -> Done:
        """In the writer's thread: find what another process changed; return the waking, to run in the loop."""
        job_ids, self._seen_change = queries.changed_since(connection, self._seen_change)

        def wake() -> None:
            for job_id in job_ids:
                self._wake(job_id, None)

        return wake
