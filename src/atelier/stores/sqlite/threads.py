"""The store's two threads: a writer that commits many operations at once, and a reader that never blocks it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from atelier.errors import AtelierError, StoreFull, StoreUnavailable
from atelier.stores.sqlite.schema import connect

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Done = Callable[[], None]

BATCH = 256
"""Most operations in one commit."""

POLL_SECONDS = 0.05
"""How often an idle writer looks whether another process has written."""

ANSWER_SECONDS = 15.0
"""Longest wait of a caller; the busy timeout inside is shorter."""


class StoreThread(threading.Thread):
    """Runs operations in order of arrival, a batch at a time, on one connection of its own."""

    def __init__(self, path: Path, name: str, *, poll: float | None = None) -> None:
        super().__init__(name=name, daemon=True)
        self._path, self._poll = path, poll
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = queue.SimpleQueue()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the thread; its result, once durable. Raises StoreUnavailable when it takes too long."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put((work, future))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError as error:
            raise StoreUnavailable("The store did not answer in time.") from error

    async def stop(self) -> None:
        """Finish what is queued, then end."""
        self._inbox.put(None)
        await asyncio.to_thread(self.join, ANSWER_SECONDS)

    def run(self) -> None:
        """Serve until stopped."""
        connection = connect(self._path)
        running = True
        while running:
            batch, running = self._take()
            if batch:
                self._answer(batch, self.serve(connection, [work for work, _ in batch]))
            self.look(connection)
        connection.close()

    def serve(self, connection: sqlite3.Connection, works: list[Work]) -> list[Any]:
        """Run the operations; a result or an exception for each."""
        return [attempt(connection, work) for work in works]

    def look(self, connection: sqlite3.Connection) -> None:
        """Use the moment between two batches, at least every `poll` seconds."""

    def call(self, done: Callable[..., None], *args: object) -> None:
        """Run `done` in the event loop; silent when the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(done, *args)

    def _take(self) -> tuple[list[tuple[Work, asyncio.Future[Any]]], bool]:
        batch: list[tuple[Work, asyncio.Future[Any]]] = []
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

    def _answer(self, batch: list[tuple[Work, asyncio.Future[Any]]], outcomes: list[Any]) -> None:
        self.call(_settle, [future for _, future in batch], outcomes)


class Writer(StoreThread):
    """Commits batches, a savepoint for each operation, and tells when another process has written."""

    def __init__(self, path: Path, foreign: Callable[[sqlite3.Connection], Done]) -> None:
        super().__init__(path, "atelier-store-writer", poll=POLL_SECONDS)
        self._foreign = foreign
        self._version = -1

    def serve(self, connection: sqlite3.Connection, works: list[Work]) -> list[Any]:
        """Run the operations in one transaction; callers are answered after its commit."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = []
            for work in works:
                outcomes.append(_isolated(connection, work))
                if not connection.in_transaction:  # a full disk undoes everybody's work, not only this one's
                    return [outcomes[-1]] * len(works)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _rollback(connection)
            return [unavailable(error)] * len(works)
        return outcomes

    def look(self, connection: sqlite3.Connection) -> None:
        """See whether another process has written, and pass on what it changed."""
        with contextlib.suppress(sqlite3.Error):
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                self.call(self._foreign(connection))


def attempt(connection: sqlite3.Connection, work: Work) -> Any:  # noqa: ANN401 - a result or an exception
    """Return what `work` returns or raises: the exception is handed to the caller, the thread lives on."""
    try:
        return work(connection)
    except sqlite3.Error as error:
        return unavailable(error)
    except Exception as error:  # noqa: BLE001 - carried to the caller, as an executor does
        return error


def unavailable(error: sqlite3.Error) -> AtelierError:
    """Translate SQLite's error; its text names no data."""
    if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
        return StoreFull("The disk is full; nothing was written.")
    return StoreUnavailable(f"The store cannot be used now: {error}.")


def _isolated(connection: sqlite3.Connection, work: Work) -> Any:  # noqa: ANN401 - a result or an exception
    """Run one operation so that its failure undoes it alone."""
    connection.execute("SAVEPOINT one")
    outcome = attempt(connection, work)
    if isinstance(outcome, Exception) and connection.in_transaction:
        connection.execute("ROLLBACK TO one")
    if connection.in_transaction:
        connection.execute("RELEASE one")
    return outcome


def _rollback(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def _settle(futures: list[asyncio.Future[Any]], outcomes: list[Any]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
