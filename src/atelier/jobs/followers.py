"""Following the log: one reader per job and process, however many clients watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.jobs.background import going_on
from atelier.jobs.models import Job, Reason, Record, Snapshot, Status, Update
from atelier.jobs.ports import Store

SLOT_PATIENCE = 1.0
"""Seconds after which a watcher is told that a job waits for a slot; most are taken in a few milliseconds."""

PLACE_SECONDS = 5.0
"""How often it is told how many are before it now."""

RETRY_SECONDS = 1.0
"""Pause after a look that failed: the store may be down for a while, the watchers stay."""


class Follower:
    """One job as this process knows it, while anybody watches: read once, then told of each commit.

    `absent`: the latest look found no such job; it may be yet to come. `gone`: it was there, and is no more.
    """

    def __init__(self, store: Store, job_id: str, *, closed: bool) -> None:
        self.snapshot: Snapshot | None = None
        self.absent, self.gone, self.closed = False, False, closed
        self.watchers = 0
        self._store, self._job_id = store, job_id
        self._changed = asyncio.Event()
        self._unread, self._reader = False, None
        self._deafen = store.listen(job_id, self._heard)
        self._read_soon()

    _reader: asyncio.Task[None] | None

    def stop(self) -> None:
        """Listen no more: nobody watches."""
        self._deafen()
        if self._reader is not None:
            self._reader.cancel()

    @property
    def over(self) -> bool:
        """Whether there is nothing to watch: no such job, or none any more, or the process is about to end."""
        return self.absent or self.gone or self.closed

    def look_again(self) -> None:
        """See whether a job that was absent has come meanwhile; until that is known, it is not called absent."""
        if self.absent:
            self._read_soon()

    async def changed(self, seen: Snapshot | None, *, patience: float | None = None) -> bool:
        """Return when there is something newer than `seen`, or nothing to watch.

        False: nothing of that happened within `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                while self.snapshot is seen and not self.over:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def come(self) -> None:
        """Return when there is such a job, or watching has ended; absence is waited out."""
        while self.snapshot is None and not (self.gone or self.closed):
            await self._changed.wait()

    async def reaching(self, seq: int) -> Snapshot | None:
        """Return what is known; read again before a number is called unknown, which another process may just have given."""
        if self.snapshot is not None and self.snapshot.job.seq < seq:
            self._read_soon()
            if self._reader is not None:
                await asyncio.wait({self._reader})
        return self.snapshot

    def close(self) -> None:
        """Let go of whoever watches."""
        self.closed = True
        if self._reader is not None:
            self._reader.cancel()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _heard(self, told: Snapshot | None) -> None:
        """Take what the writer was handed where it follows what is known; else read."""
        known = self.snapshot
        if told is None or known is None or not _continues(told, known):
            self._read_soon()
        else:
            self._take(told)

    def _read_soon(self) -> None:
        self._unread, self.absent = True, False
        if self._reader is None and not self.gone:
            self._reader = asyncio.create_task(self._read())
            self._reader.add_done_callback(self._ended)

    async def _read(self) -> None:
        while self._unread:
            self._unread = False
            after = self.snapshot.job.seq if self.snapshot is not None else 0
            try:
                fresh = await self._store.read(self._job_id, after=after)
            except StoreUnavailable as error:
                logs.warning("follower_waits", job_id=self._job_id, reason=error.message)
                self._unread = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._take(fresh)

    def _take(self, fresh: Snapshot | None) -> None:
        known = self.snapshot
        if fresh is None:
            self.absent, self.gone = known is None, known is not None
        elif known is not None and fresh.job.rev <= known.job.rev:
            return
        else:
            self.snapshot = _merge(known, fresh)
        self._tell()

    def _ended(self, reader: asyncio.Task[None]) -> None:
        """Whatever broke the reader, nobody waits for it for ever."""
        self._reader = None
        if not reader.cancelled() and (error := reader.exception()) is not None:
            logs.error("follower_broke", exc=error, job_id=self._job_id)
            self.gone = True
            self._tell()
        elif self._unread and not reader.cancelled():
            self._read_soon()


class Followers:
    """The followers of this process, one per watched job."""

    def __init__(self, store: Store, ahead: Callable[[Job], Awaitable[int | None]]) -> None:
        self._store, self._backlog = store, ahead
        self._open: dict[str, Follower] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """How many jobs are being followed."""
        return len(self._open)

    def close(self) -> None:
        """End every `follow` and `wait`, as the process is about to end."""
        self._closed = True
        for follower in self._open.values():
            follower.close()

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[Follower]:
        """Share the job's follower for as long as the block lasts. Who comes to an absent job has it looked for again."""
        follower = self._open.get(job_id)
        if follower is None or follower.gone:
            follower = self._open[job_id] = Follower(self._store, job_id, closed=self._closed)
        follower.look_again()
        follower.watchers += 1
        try:
            yield follower
        finally:
            follower.watchers -= 1
            if follower.watchers == 0:
                follower.stop()
                if self._open.get(job_id) is follower:
                    del self._open[job_id]

    async def wait(self, job_id: str, condition: Callable[[Job], bool]) -> Job | None:
        """Return the first header that meets `condition`; None when the job is gone or the process is about to end."""
        async with self.watching(job_id) as follower:
            seen = None
            while not follower.over:
                await follower.changed(seen)
                seen = follower.snapshot
                if seen is not None and condition(seen.job):
                    return seen.job
        return None

    async def follow(self, job_id: str, after: int) -> AsyncGenerator[Update]:
        """Yield every record of the latest run behind `after`, and the present state between records; end with its end.

        A cursor of an earlier run starts at the latest run's first record; a run that is opened while somebody watches
        follows the one before without a gap. Ends early, between two updates, when the
        process is about to end or the job was removed.
        """
        async with self.watching(job_id) as follower:
            cursor, shown, seen, ahead = None, None, None, None
            while True:
                if not await follower.changed(seen, patience=_patience(seen, ahead)) and seen is not None:
                    told, ahead = ahead, await self._ahead(seen.job)
                    if ahead != told:
                        waiting = replace(seen.job, state_reason=Reason.WAITING_FOR_SLOT)
                        yield Update(job=waiting, record=None, ahead=ahead)
                        shown = _between_records(waiting)
                    continue
                seen = follower.snapshot if cursor is not None else await follower.reaching(after)
                if follower.over or seen is None:
                    return
                cursor = _start(seen, after) if cursor is None else cursor
                for record in _unseen(seen, cursor):
                    yield Update(job=seen.job, record=record, result=seen.result)
                    cursor, shown, ahead = record.seq, None, None
                if seen.job.status.terminal:
                    return
                state = _between_records(seen.job)
                unheard = shown is None and seen.job.seq == 0
                if unheard or state != (shown or _NOTHING):
                    yield Update(job=seen.job, record=None)
                shown = state

    async def expect(self, job_id: str, after: int | None) -> AsyncGenerator[Update | None]:
        """Yield as `follow` does, of a job that may be yet to come: None as long as it is not there, then its updates.

        Begins at once with what is behind `after`; with the present state where that is nothing, or there is no cursor. Of a job
        that has ended nothing is behind a cursor beyond its log.
        """
        async with self.watching(job_id) as follower:
            await follower.changed(None)
            if follower.absent:
                yield None
                await follower.come()
                after = after or 0
            seen = await follower.reaching(after or 0)
            if seen is not None and _is_all_told(seen.job, after) and not follower.over:
                yield Update(job=seen.job, record=None, result=seen.result)
                after = seen.job.seq
            async with aclosing(self.follow(job_id, after or 0)) as updates:
                async for update in updates:
                    yield update

    async def _ahead(self, job: Job) -> int:
        """Return how many start before the job; while the store is away, as if it were the next."""
        with going_on("place_unknown"):
            return await self._backlog(job) or 0
        return 0


_NOTHING = (None, None, None)


def _patience(seen: Snapshot | None, ahead: int | None) -> float | None:
    """Return how long silence needs no word: a job that is due and still not taken waits for a slot, which is told."""
    if seen is None or seen.job.status is not Status.QUEUED or seen.job.state_reason is not None:
        return None
    return SLOT_PATIENCE if ahead is None else PLACE_SECONDS


def _between_records(job: Job) -> tuple[object, ...]:
    """What may change without a record and is worth telling."""
    return (job.state_reason, job.resume_at, job.step)


def _is_all_told(job: Job, after: int | None) -> bool:
    """Whether no record is to be told to who comes now: there is no cursor, or nothing behind it."""
    return after is None or after == job.seq or (job.status.terminal and after > job.seq)


def _start(snapshot: Snapshot, after: int) -> int:
    """Return the cursor to begin with: that of the caller, but not before the latest run nor beyond the log."""
    before_run = min((record.seq for record in snapshot.records if record.run == snapshot.job.run), default=1) - 1
    return max(after, before_run) if after <= snapshot.job.seq else before_run


def _unseen(snapshot: Snapshot, cursor: int) -> tuple[Record, ...]:
    return tuple(record for record in snapshot.records if record.seq > cursor)


def _continues(told: Snapshot, known: Snapshot) -> bool:
    """Whether a commit's own words follow what is known without a gap, or are old: where only the header moved, they do."""
    first = told.records[0].seq - 1 if told.records else told.job.seq
    return told.job.rev <= known.job.rev or first <= known.job.seq


def _merge(known: Snapshot | None, fresh: Snapshot) -> Snapshot:
    """Append the fresh records. Earlier runs stay: who watched their end coming has to see it."""
    if known is None:
        return fresh
    return replace(fresh, records=(*known.records, *_unseen(fresh, known.job.seq)))
