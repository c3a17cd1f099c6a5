"""The store itself: each operation is one function on a connection, run by a thread of the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from atelier.errors import StoreUnavailable
from atelier.jobs import lifecycle
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Json, Snapshot
from atelier.jobs.ports import Clock, Decide, Document, Due, Find, Heard, Members, Touch, Turns, Waiting
from atelier.stores.sqlite import documents, members, queries, schema
from atelier.stores.sqlite.remembered import Remembered, Whole, Written
from atelier.stores.sqlite.threads import Reader
from atelier.stores.sqlite.transaction import Transaction
from atelier.stores.sqlite.writer import Writer


class SqliteStore:
    """`jobs.ports.Store` on one file. Several processes may share it."""

    def __init__(self, path: Path, now: Clock) -> None:
        self._path, self._now = path, now
        self._listening: defaultdict[str, list[Heard]] = defaultdict(list)
        self._remembered = Remembered()
        self._threads: tuple[Writer, Reader] | None = None

    async def open(self) -> None:
        """Check the file and start the threads."""
        seen = await asyncio.to_thread(schema.prepare, self._path)
        await asyncio.to_thread(self._remembered.open, self._path)
        connections = [await asyncio.to_thread(schema.connect, self._path) for _ in range(2)]
        file = await asyncio.to_thread(schema.OpenFile, self._path)
        self._threads = Writer(connections[0], file, seen, self._changed_elsewhere), Reader(connections[1])
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Finish what was accepted and end the threads."""
        if self._threads is not None:
            self._remembered.close()  # here, where it is looked at: never under somebody's look
            for thread in self._threads:
                await thread.stop()
            self._threads = None

    async def ping(self) -> None:
        """Write and commit."""
        await self._writer.do(lambda transaction: schema.prove_writable(transaction.connection))

    async def create(self, job: Job, events: Sequence[Event], params: Json) -> tuple[Snapshot, bool]:
        """Insert, or return the job that has this id already."""
        after, records = lifecycle.play(job, events, self._now())

        def work(transaction: Transaction) -> Written | Whole:
            written = transaction.insert(after, records, {"params": params})
            if written is not None:
                return written
            existing = queries.whole(transaction.connection, job.id)
            assert existing is not None, "its id is taken"  # noqa: S101 - narrows the type
            return existing

        made = await self._writer.do(work, self._tell)
        return made.snapshot, isinstance(made, Written)

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        """Decide on the present header inside the writing transaction."""

        def work(transaction: Transaction) -> Written | Snapshot | None:
            place = transaction.load(job_id)
            if place is None:
                return None
            decision = decide(place.job)
            if not decision.events:
                return Snapshot(job=place.job)
            after, records = lifecycle.play(place.job, decision.events, self._now())
            parts = {**transaction.parts(place), **decision.parts} if decision.reads else None
            snapshot = Snapshot(job=after, records=records, result=decision.parts.get("result"), parts=parts)
            return transaction.save(place, snapshot, decision.parts)

        written = await self._writer.do(work, self._tell)
        return written.snapshot if isinstance(written, Written) else written

    async def touch(self, touch: Touch) -> Job | None:
        """Renew, fenced."""

        def work(transaction: Transaction) -> Written | None:
            place = transaction.load(touch.job_id)
            if place is None:
                return None
            after = lifecycle.touch(
                place.job, fence=touch.fence, lease_until=touch.lease_until, step=touch.step, now=self._now()
            )
            return transaction.save(place, Snapshot(job=after), {})

        written = await self._writer.do(work, self._tell)
        return written.snapshot.job if written is not None else None

    async def get(self, job_id: str) -> Job | None:
        """Read the header."""
        known = self._remembered.find(job_id)
        return known.job if known is not None else await self._reader.do(lambda conn: queries.load(conn, job_id))

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Read all parts."""
        return await self._reader.do(lambda connection: queries.parts(connection, job_id))

    async def read(self, job_id: str, *, after: int) -> Snapshot | None:
        """Read in one statement, where it is not known."""
        snapshot = self._remembered.find(job_id) or await self._fresh(job_id)
        if snapshot is None or after == 0:
            return snapshot
        return replace(snapshot, records=tuple(record for record in snapshot.records if record.seq > after))

    async def _fresh(self, job_id: str) -> Snapshot | None:
        whole = await self._reader.do(lambda connection: queries.whole(connection, job_id))
        if whole is None:
            return None
        self._remembered.keep(whole)
        return whole.snapshot

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

    async def queued_of(self, kind: str, owner: str) -> int:
        """Count the owner's lanes."""
        return await self._reader.do(lambda connection: queries.queued_of(connection, kind, owner))

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

        def forget(_: None) -> None:
            self._remembered.forget(job_id)
            self._wake(job_id, None)

        await self._writer.do(lambda transaction: transaction.delete(job_id), forget)

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

    async def drop_unchanged(self, document: Document) -> None:
        """Compare and remove inside the writing transaction."""
        await self._writer.do(lambda transaction: documents.drop_unchanged(transaction.connection, document))

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

    def _tell(self, outcome: Written | Whole | Snapshot | None) -> None:
        """Pass on how a job is now, to who listens to it or to its group: after a commit, or where a decision changed nothing."""
        if isinstance(outcome, Written):
            self._remembered.follow(outcome)
        elif not isinstance(outcome, Snapshot):
            return
        snapshot = outcome.snapshot if isinstance(outcome, Written) else outcome
        self._wake(snapshot.job.id, snapshot)
        if snapshot.job.group is not None:
            self._wake(snapshot.job.group, snapshot)

    def _wake(self, of: str, snapshot: Snapshot | None) -> None:
        for heard in tuple(self._listening.get(of, ())):
            heard(snapshot)

    def _changed_elsewhere(self, to: list[str]) -> None:
        """Wake who listens to jobs and groups that another process changed."""
        for one in to:
            self._wake(one, None)
