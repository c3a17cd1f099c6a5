"""Somebody who watches a job, is cut off, and comes back with the cursor: nothing may be missing or come twice."""

from __future__ import annotations

import asyncio

from tests.machine.process import Process

from atelier.jobs.models import Job, Record, Update


class Client:
    """One watcher of one job, over however many connections."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.process: Process | None = None
        self.last: Record | None = None
        self.wrongs: list[str] = []
        self._state: Job | None = None
        self._fresh = False
        self._task: asyncio.Task[None] | None = None

    @property
    def cursor(self) -> int:
        return self.last.seq if self.last is not None else 0

    @property
    def connected(self) -> bool:
        return self.process is not None

    def connect(self, process: Process) -> None:
        self.process, self._fresh, self._state = process, True, None
        self._task = process.call(self._follow(process), self._ended)

    def cut(self) -> None:
        """The connection is lost."""
        if self._task is not None and self.process is not None and not self.process.dead:
            self._task.cancel()
        self.process = self._task = None

    async def _follow(self, process: Process) -> None:
        async for update in process.engine.follow(self.job_id, after=self.cursor):
            self._see(update)

    def _see(self, update: Update) -> None:
        state, self._state = self._state, update.job
        if state is not None and (update.job.rev < state.rev or _falls(state, update.job)):
            self.wrongs.append(f"I4: the state goes back from {state} to {update.job}")
        if update.record is not None:
            self._read(update.record, update)

    def _read(self, record: Record, update: Update) -> None:
        last, fresh = self.last, self._fresh
        self.last, self._fresh = record, False
        if record.seq > update.job.seq or (update.result is not None) != (update.job.status == "completed"):
            self.wrongs.append(f"I6: {record} was shown with {update}")
        if last is None or (fresh and record.run > last.run):
            begins = record.stage == "queued" or (last is None and record.seq == 1)
            if not begins:
                self.wrongs.append(f"I4: a run begins with {record}")
        elif record.seq != last.seq + 1 or not _follows(last, record):
            self.wrongs.append(f"I4: {record} came after {last}")

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task is not self._task or self.process is None:
            return
        stopping, self.process, self._task = self.process.stopping, None, None
        if task.exception() is not None:
            self.wrongs.append(f"a stream broke: {task.exception()!r}")
        elif not stopping and (self.last is None or not self.last.status.terminal):
            self.wrongs.append(f"I4: a stream ended without an end, at {self.last}")


def _follows(last: Record, record: Record) -> bool:
    return record.run > last.run or not (last.status.terminal or record.progress < last.progress)


def _falls(before: Job, after: Job) -> bool:
    return after.run == before.run and after.progress < before.progress
