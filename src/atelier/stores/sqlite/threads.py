"""The store's two threads: a writer that commits many operations at once, and a reader that never blocks it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from atelier import metrics
from atelier.errors import AtelierError, StoreFull, StoreUnavailable
from atelier.stores.sqlite.schema import connect
from atelier.stores.sqlite.transaction import Transaction

T = TypeVar("T")
On = TypeVar("On")
"""What an operation works on."""

Done = Callable[[], None]
Errand = tuple[Callable[[On], Any], asyncio.Future[Any], Callable[[Any], None] | None]
"""What to do, who waits for it, and who is told of it."""

BATCH = 256
"""Most operations in one commit."""

POLL_SECONDS = 0.05
"""How often the writer looks whether another process has written."""

ANSWER_SECONDS = 15.0
"""Longest wait of a caller; the busy timeout inside is shorter."""

WATCH_SECONDS = 1.0
"""How often waiting callers are looked at; one timer for all of them costs less than one each."""


class StoreThread(threading.Thread, ABC, Generic[On]):
    """Runs operations in order of arrival, a batch at a time, on one connection of its own."""

    def __init__(self, path: Path, name: str, *, poll: float | None = None) -> None:
        super().__init__(name=name, daemon=True)
        self._path, self._poll = path, poll
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[Errand[On] | None] = queue.SimpleQueue()
        self._collected: list[Errand[On]] = []
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._watch: asyncio.TimerHandle | None = None

    def do(self, work: Callable[[On], T], then: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Run `work` on the thread; its result, once durable, or StoreUnavailable when it takes too long.

        `then` is handed the result in the event loop even when the caller has not waited for it.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._waiting.append((self._loop.time() + ANSWER_SECONDS, future))
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look_at_callers)
        if not self._collected:
            self._loop.call_soon(self._hand_over)
        self._collected.append((work, future, then))
        return future

    def _hand_over(self) -> None:
        """Give the thread all that came in this turn of the loop: woken by the first of it, it would only wait for the interpreter."""
        for errand in self._collected:
            self._inbox.put(errand)
        self._collected.clear()

    async def stop(self) -> None:
        """Finish what is queued, then end."""
        self._hand_over()
        self._inbox.put(None)
        await asyncio.to_thread(self.join, ANSWER_SECONDS)
        if self._watch is not None:
            self._watch.cancel()

    def run(self) -> None:
        """Serve until stopped."""
        connection = connect(self._path)
        self.prepare(connection)
        running = True
        while running:
            batch, running = self._take()
            if batch:
                self.call(_settle, batch, self.serve([work for work, _, _ in batch]))
            self.look()
        connection.close()

    @abstractmethod
    def prepare(self, connection: sqlite3.Connection) -> None:
        """Take the connection, in the thread."""

    @abstractmethod
    def serve(self, works: list[Callable[[On], Any]]) -> list[Any]:
        """Run the operations; a result or an exception for each."""

    def look(self) -> None:
        """Use the moment between two batches, at least every `poll` seconds."""

    def call(self, done: Callable[..., None], *args: object) -> None:
        """Run `done` in the event loop; silent when the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(done, *args)

    def _take(self) -> tuple[list[Errand[On]], bool]:
        batch: list[Errand[On]] = []
        try:
            item = self._inbox.get(timeout=self._poll)
            while item is not None:
                batch.append(item)
                if len(batch) == BATCH:
                    return batch, True
                item = self._inbox.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _look_at_callers(self) -> None:
        """Answer those who have waited too long; they came in order, so the first are the oldest."""
        now, waiting = self._loop.time(), self._waiting
        while waiting and (waiting[0][1].done() or waiting[0][0] <= now):
            _, future = waiting.popleft()
            if not future.done():
                metrics.store_error("timeout").inc()
                future.set_exception(StoreUnavailable("The store did not answer in time."))
        self._watch = self._loop.call_later(WATCH_SECONDS, self._look_at_callers) if waiting else None


class Reader(StoreThread[sqlite3.Connection]):
    """Runs reads, each as of one moment."""

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Read on this connection."""
        self._connection = connection

    def serve(self, works: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        """Run them one by one."""
        return [attempt(work, self._connection) for work in works]


class Writer(StoreThread[Transaction]):
    """Commits batches, and tells when another process has written."""

    def __init__(self, path: Path, foreign: Callable[[sqlite3.Connection], Done]) -> None:
        super().__init__(path, "atelier-store-writer", poll=POLL_SECONDS)
        self._foreign = foreign
        self._version = -1
        self._look_at = 0.0

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Write on this connection."""
        self._connection, self._transaction = connection, Transaction(connection)

    def serve(self, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        """Run the operations in one transaction; callers are answered after its commit.

        An operation either refuses before it writes, which undoes nobody's work, or breaks: then all of it is undone
        and each runs in a transaction of its own.
        """
        began = time.perf_counter()
        try:
            self._transaction.begin()
        except sqlite3.Error as error:
            self._transaction.undo()
            return [unavailable(error)] * len(works)
        try:
            outcomes = [_refusable(work, self._transaction) for work in works]
            self._transaction.commit()
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
            metrics.BATCH.observe(len(works))
        except Exception as error:  # noqa: BLE001 - whatever broke, it is found out again one by one
            self._transaction.undo()
            return [_carried(error)] if len(works) == 1 else [self.serve([work])[0] for work in works]
        return outcomes

    def look(self) -> None:
        """See whether another process has written, and pass on what it changed."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + (self._poll or 0.0)
        with contextlib.suppress(sqlite3.Error):
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                self.call(self._foreign(self._connection))


def _refusable(work: Callable[[Transaction], T], transaction: Transaction) -> T | AtelierError:
    try:
        return work(transaction)
    except AtelierError as refusal:
        return refusal


def attempt(work: Callable[[On], T], on: On) -> T | Exception:
    """Return what `work` returns or raises: the exception is handed to the caller, the thread lives on."""
    try:
        return work(on)
    except Exception as error:  # noqa: BLE001 - carried to the caller, as an executor does
        return _carried(error)


def _carried(error: Exception) -> Exception:
    return unavailable(error) if isinstance(error, sqlite3.Error) else error


def unavailable(error: sqlite3.Error) -> AtelierError:
    """Translate SQLite's error; its text names no data."""
    full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    metrics.store_error("full" if full else "unavailable").inc()
    if full:
        return StoreFull("The disk is full; nothing was written.")
    return StoreUnavailable(f"The store cannot be used now: {error}.")


def _settle(batch: list[Errand[Any]], outcomes: list[Any]) -> None:
    for (_, future, then), outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Exception):
            if not future.done():
                future.set_exception(outcome)
            continue
        if then is not None:
            then(outcome)
        if not future.done():
            future.set_result(outcome)
