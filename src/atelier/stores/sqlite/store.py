"""The store itself: each operation is one function on a connection, run by a thread of the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from atelier.errors import StoreUnavailable
from atelier.jobs import lifecycle
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Json, Snapshot
from atelier.jobs.ports import Clock, Decide, Document, Due, Find, Touch
from atelier.stores.sqlite import documents, queries, schema
from atelier.stores.sqlite.threads import Done, StoreThread, Writer


class SqliteStore:
    """`jobs.ports.Store` on one file. Several processes may share it."""

    def __init__(self, path: Path, now: Clock) -> None:
        self._path, self._now = path, now
        self._waiting: defaultdict[str, set[asyncio.Future[Snapshot | None]]] = defaultdict(set)
        self._seen_change = 0
        self._threads: tuple[Writer, StoreThread] | None = None

    async def open(self) -> None:
        """Check the file and start the threads."""
        self._seen_change = await asyncio.to_thread(schema.prepare, self._path)
        self._threads = Writer(self._path, self._foreign), StoreThread(self._path, "atelier-store-reader")
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

        def work(connection: sqlite3.Connection) -> tuple[Snapshot, bool]:
            existing = queries.load(connection, job.id)
            if existing is not None:
                return queries.snapshot(connection, existing, after=0), False
            queries.insert(connection, job)
            queries.keep_parts(connection, job.id, {"params": params})
            after, records = lifecycle.play(job, events, self._now())
            queries.save(connection, after, records)
            return Snapshot(job=after, records=records), True

        return await self._writer.do(work)

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        """Decide on the present header inside the writing transaction."""

        def work(connection: sqlite3.Connection) -> Snapshot | None:
            job = queries.load(connection, job_id)
            if job is None:
                return None
            decision = decide(job)
            if not decision.events:
                return Snapshot(job=job)
            after, records = lifecycle.play(job, decision.events, self._now())
            queries.save(connection, after, records)
            queries.keep_parts(connection, job_id, decision.parts)
            return Snapshot(job=after, records=records, result=queries.result_of(connection, after))

        snapshot = await self._writer.do(work)
        return self._tell(snapshot) if snapshot is not None else None

    async def touch(self, touch: Touch) -> Job | None:
        """Renew, fenced."""

        def work(connection: sqlite3.Connection) -> Job | None:
            job = queries.load(connection, touch.job_id)
            if job is None:
                return None
            after = lifecycle.touch(
                job, fence=touch.fence, lease_until=touch.lease_until, step=touch.step, now=self._now()
            )
            queries.save(connection, after, ())
            return after

        job = await self._writer.do(work)
        return self._tell(Snapshot(job=job)).job if job is not None else None

    async def get(self, job_id: str) -> Job | None:
        """Read the header."""
        return await self._reader.do(lambda connection: queries.load(connection, job_id))

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Read all parts."""
        return await self._reader.do(lambda connection: queries.parts(connection, job_id))

    async def changes(self, job_id: str, *, after: int, rev: int, wait: timedelta) -> Snapshot | None:
        """Read; where there is nothing newer, wait for this process's or another's commit and look again."""
        until = asyncio.get_running_loop().time() + wait.total_seconds()
        while True:
            with self._listening(job_id) as news:
                snapshot = await self._reader.do(lambda connection: queries.read(connection, job_id, after))
                if snapshot is None or snapshot.job.rev > rev or not await _told(news, until):
                    return snapshot
            told = news.result()
            if told is not None and queries.continues(told, after, rev):
                return told

    async def find(self, query: Find) -> list[Snapshot]:
        """List, newest first."""
        return await self._reader.do(lambda connection: queries.find(connection, query))

    async def due(self, kind: str, now: datetime, *, limit: int, after: str) -> Due:
        """Take turns over the lanes."""
        return await self._reader.do(lambda connection: queries.due(connection, kind, now, limit, after))

    async def overdue(self, now: datetime, *, limit: int) -> list[Job]:
        """Read what the sweeper has to look at."""
        return await self._reader.do(lambda connection: queries.overdue(connection, now, limit))

    async def held_by(self, processes: frozenset[str]) -> list[Job]:
        """Look through the jobs that run."""
        return await self._reader.do(lambda connection: queries.held_by(connection, processes))

    async def finished(self, kinds: Sequence[str], before: datetime, *, limit: int) -> list[str]:
        """Read what may be forgotten."""
        return await self._reader.do(lambda connection: queries.finished(connection, kinds, before, limit))

    async def delete(self, job_id: str) -> None:
        """Remove a terminal job."""
        await self._writer.do(lambda connection: queries.delete(connection, job_id))
        self._wake(job_id, None)

    async def document(self, kind: str, name: str) -> Document | None:
        """Read one."""
        return await self._reader.do(lambda connection: documents.load(connection, kind, name))

    async def documents(self, kind: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Read a page of them."""
        return await self._reader.do(lambda connection: documents.listed(connection, kind, after, limit))

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        """Compare and write inside the writing transaction."""
        return await self._writer.do(
            lambda connection: documents.put(connection, Document(kind=kind, name=name, rev=if_rev + 1, body=body))
        )

    async def drop(self, kind: str, name: str) -> None:
        """Remove one."""
        await self._writer.do(lambda connection: documents.drop(connection, kind, name))

    @property
    def _writer(self) -> Writer:
        return self._open_threads()[0]

    @property
    def _reader(self) -> StoreThread:
        return self._open_threads()[1]

    def _open_threads(self) -> tuple[Writer, StoreThread]:
        if self._threads is None:
            raise StoreUnavailable("The store is not open.")
        return self._threads

    @contextmanager
    def _listening(self, job_id: str) -> Iterator[asyncio.Future[Snapshot | None]]:
        """Hear of the job's next commit: its snapshot where this process wrote it, None where it is to be read."""
        news: asyncio.Future[Snapshot | None] = asyncio.get_running_loop().create_future()
        self._waiting[job_id].add(news)
        try:
            yield news
        finally:
            self._waiting[job_id].discard(news)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _tell(self, snapshot: Snapshot) -> Snapshot:
        """Wake who waits for this job: the commit is done."""
        self._wake(snapshot.job.id, snapshot)
        return snapshot

    def _wake(self, job_id: str, snapshot: Snapshot | None) -> None:
        for news in self._waiting.get(job_id, ()):
            if not news.done():
                news.set_result(snapshot)

    def _foreign(self, connection: sqlite3.Connection) -> Done:
        """In the writer's thread: find what another process changed; return the waking, to run in the loop."""
        job_ids, self._seen_change = queries.changed_since(connection, self._seen_change)

        def wake() -> None:
            for job_id in job_ids:
                self._wake(job_id, None)

        return wake


async def _told(news: asyncio.Future[Snapshot | None], until: float) -> bool:
    """Whether news came before the loop's clock showed `until`."""
    try:
        async with asyncio.timeout_at(until):
            await news
    except TimeoutError:
        return False
    return True
