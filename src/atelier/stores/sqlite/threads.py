"""The store's threads wait for locks and for the disk; who asks, asks in the event loop and is answered there."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from atelier import metrics
from atelier.errors import AtelierError, StoreFull, StoreUnavailable

T = TypeVar("T")
On = TypeVar("On")
"""What an operation works on."""

Errand = tuple[Callable[[On], Any], asyncio.Future[Any], Callable[[Any], None] | None]
"""What to do, who waits for it, and who is told of it."""

ANSWER_SECONDS = 15.0
"""Longest wait of a caller; the busy timeout inside is shorter."""

CLOSED = "The service is ending; ask again when it has started anew."

WATCH_SECONDS = 1.0
"""How often waiting callers are looked at; one timer for all of them costs less than one each."""


class StoreThread(threading.Thread, ABC, Generic[On]):
    """Answers operations in order of arrival, on one connection of its own."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._collected: list[Errand[On]] = []
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._ending = self._closed = False

    def do(self, work: Callable[[On], T], then: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Do `work`; its result, once durable, or StoreUnavailable when it takes too long.

        `then` is handed the result in the event loop even when the caller has not waited for it.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        if self._ending:
            future.set_exception(StoreUnavailable(CLOSED))
            return future
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._waiting.append((self._loop.time() + ANSWER_SECONDS, future))
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look_at_callers)
        if not self._collected:
            self._loop.call_soon(self._hand_over)
        self._collected.append((work, future, then))
        return future

    @abstractmethod
    def _hand_over(self) -> None:
        """Begin with all that came in this turn of the loop: who is woken by the first of it only waits for the interpreter."""

    async def stop(self) -> None:
        """Take no more, finish what was asked for, then end. The connection is closed when nobody uses it any more."""
        self._ending, until = True, self._loop.time() + ANSWER_SECONDS
        unanswered = [future for _, future in self._waiting if not future.done()]
        if unanswered:
            await asyncio.wait(unanswered, timeout=ANSWER_SECONDS)
        self._closed = True
        self._inbox.put(None)
        await asyncio.to_thread(self.join, max(WATCH_SECONDS, until - self._loop.time()))
        if self._watch is not None:
            self._watch.cancel()
        if not self.is_alive():
            await asyncio.to_thread(self._connection.close)

    def run(self) -> None:
        """Do what the loop hands over, until stopped."""
        while (chore := self._inbox.get()) is not None:
            chore()
            del chore  # it holds who asked, and the next may be long in coming

    def call(self, done: Callable[..., None], *args: object) -> None:
        """Run `done` in the event loop; silent when the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(done, *args)

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
    """Runs reads in its thread, each as of one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, "atelier-store-reader")

    def _hand_over(self) -> None:
        self._inbox.put(partial(self._read, tuple(self._collected)))
        self._collected.clear()

    def _read(self, errands: Sequence[Errand[sqlite3.Connection]]) -> None:
        self.call(settle, errands, [_attempt(work, self._connection) for work, _, _ in errands])


def settle(errands: Sequence[Errand[Any]], outcomes: Sequence[Any]) -> None:
    """Answer who waits: a result or an exception for each."""
    for (_, future, then), outcome in zip(errands, outcomes, strict=True):
        if isinstance(outcome, Exception):
            if not future.done():
                future.set_exception(outcome)
            continue
        if then is not None:
            then(outcome)
        if not future.done():
            future.set_result(outcome)


def _attempt(work: Callable[[On], T], on: On) -> T | Exception:
    """Return what `work` returns or raises: the exception is handed to the caller, the thread lives on."""
    try:
        return work(on)
    except Exception as error:  # noqa: BLE001 - carried to the caller, as an executor does
        return carried(error)


def carried(error: Exception) -> Exception:
    """Return what a caller is told of an error."""
    return unavailable(error) if isinstance(error, sqlite3.Error) else error


def unavailable(error: sqlite3.Error) -> AtelierError:
    """Translate SQLite's error; its text names no data."""
    full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    metrics.store_error("full" if full else "unavailable").inc()
    if full:
        return StoreFull("The disk is full; nothing was written.")
    return StoreUnavailable(f"The store cannot be used now: {error}.")
