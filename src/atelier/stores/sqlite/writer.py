"""Commits: the event loop decides and writes, a thread waits for the lock and for the disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from atelier import metrics
from atelier.errors import AtelierError, StoreRefused
from atelier.stores.sqlite import queries
from atelier.stores.sqlite.schema import BUSY_SECONDS, OpenFile
from atelier.stores.sqlite.threads import Errand, StoreThread, carried, settle, unavailable
from atelier.stores.sqlite.transaction import Transaction

GONE = "The store's file was removed or replaced while the service ran: put it back, or start the service anew."

T = TypeVar("T")
Errands = Sequence[Errand[Transaction]]

BATCH = 256
"""Most operations in one commit."""

POLL_SECONDS = 0.05
"""How often is looked whether another process has written."""


class Writer(StoreThread[Transaction]):
    """Runs operations many to a commit, one commit after the other, and tells when another process has written.

    An operation either refuses before it writes, which undoes nobody's work, or breaks: then all of its commit is undone
    and each is done again in a commit of its own.
    """

    def __init__(
        self, connection: sqlite3.Connection, file: OpenFile, seen: int, changed: Callable[[list[str]], None]
    ) -> None:
        """Write on `connection` while `file` is in place; `changed` is told what other processes write to after the change `seen`."""
        super().__init__(connection, "atelier-store-writer")
        self._file, self._in_place = file, True
        self._transaction = Transaction(connection)
        self._alone: deque[Errand[Transaction]] = deque()
        self._under_way = False
        self._seen, self._changed = seen, changed
        self._version, self._look_at = -1, 0.0
        self._next_look: asyncio.TimerHandle | None = None
        _wait_for_locks(connection, 0.0)

    def start(self) -> None:
        """Start, and look for what others write from now on."""
        super().start()
        self._look_again()

    async def stop(self) -> None:
        """Finish what was asked for, then end."""
        if self._next_look is not None:
            self._next_look.cancel()
        await super().stop()

    def _hand_over(self) -> None:
        """Begin the next commit, where none is under way."""
        if self._under_way or self._closed:
            return
        errands = self._next()
        if errands:
            self._under_way = True
            self._begin(errands)

    def _next(self) -> Errands:
        if self._alone:
            return [self._alone.popleft()]
        errands = self._collected[:BATCH]
        del self._collected[:BATCH]
        return errands

    def _begin(self, errands: Errands) -> None:
        """Take the write lock here where it is free, as it is but for other processes; else let the thread wait for it."""
        began = time.perf_counter()
        if not self._in_place:
            metrics.store_error("unavailable").inc()
            self._answer(errands, [StoreRefused(GONE)] * len(errands))
            return
        try:
            self._transaction.begin()
        except sqlite3.Error as error:
            if _locked(error):
                self._inbox.put(partial(self._lock, errands, began))
            else:
                self._refuse(errands, error)
        else:
            self._run(errands, began)

    def _lock(self, errands: Errands, began: float) -> None:
        """In the thread: wait for the lock."""
        _wait_for_locks(self._connection, BUSY_SECONDS)
        try:
            self._transaction.begin()
        except sqlite3.Error as error:
            then = partial(self._refuse, errands, error)
        else:
            then = partial(self._run, errands, began)
        _wait_for_locks(self._connection, 0.0)
        self.call(then)

    def _refuse(self, errands: Errands, error: sqlite3.Error) -> None:
        """Answer everybody that the file cannot be written now."""
        self._transaction.undo()
        self._answer(errands, [StoreRefused(unavailable(error).message)] * len(errands))

    def _run(self, errands: Errands, began: float) -> None:
        """Do the operations, which see what those before them did."""
        try:
            outcomes = [_refusable(work, self._transaction) for work, _, _ in errands]
            self._transaction.seal()
        except Exception as error:  # noqa: BLE001 - whatever broke, it is found out again one by one
            self._undo(errands, error)
        else:
            self._inbox.put(partial(self._commit, errands, outcomes, began))

    def _commit(self, errands: Errands, outcomes: list[Any], began: float) -> None:
        """In the thread: wait for the disk."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.call(self._undo, errands, error)
        else:
            self.call(self._committed, errands, outcomes, time.perf_counter() - began)

    def _committed(self, errands: Errands, outcomes: list[Any], seconds: float) -> None:
        self._transaction.keep()
        metrics.COMMIT_SECONDS.observe(seconds)
        metrics.BATCH.observe(len(errands))
        self._answer(errands, outcomes)

    def _undo(self, errands: Errands, error: Exception) -> None:
        """Take back what broke; who was not alone is tried alone, in the same order, before those who came later."""
        self._transaction.undo()
        if len(errands) == 1:
            self._answer(errands, [carried(error)])
        else:
            self._alone.extend(errands)
            self._answer((), ())

    def _answer(self, errands: Errands, outcomes: Sequence[Any]) -> None:
        """Answer, and begin the next commit when those who are answered have asked for what they want next."""
        self._under_way = False
        try:
            self.look()
            settle(errands, outcomes)
        finally:
            self._loop.call_soon(self._hand_over)

    def look(self) -> None:
        """See whether another process has written, where that was not seen to for a while, and tell what it changed."""
        now = self._loop.time()
        if self._under_way or self._closed or now < self._look_at:
            return
        self._look_at = now + POLL_SECONDS
        self._in_place = self._file.in_place()
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                changed, self._seen = queries.changed_since(self._connection, self._seen)
                self._version = version
                self._changed(changed)
            else:
                self._seen = max(self._seen, self._transaction.reached or 0)
        except sqlite3.Error:
            return  # the next look sees it

    def _look_again(self) -> None:
        self._next_look = self._loop.call_later(POLL_SECONDS, self._look_again)
        self.look()


def _wait_for_locks(connection: sqlite3.Connection, seconds: float) -> None:
    """Say how long a statement waits for what another process has locked."""
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")


def _locked(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _refusable(work: Callable[[Transaction], T], transaction: Transaction) -> T | AtelierError:
    try:
        return work(transaction)
    except AtelierError as refusal:
        return refusal
