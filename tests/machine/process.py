"""A process that is simulated: the real store and engine on an event loop whose time and turns are the test's."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from tests.jobs import Clock

from atelier.jobs.engine import JobEngine
from atelier.jobs.ports import Queue, Store
from atelier.jobs.runner import AnyPipeline
from atelier.jobs.sweeper import Retention
from atelier.jobs.verdicts import Limits, Policy
from atelier.stores.sqlite import SqliteStore
from atelier.stores.sqlite.threads import Reader, StoreThread
from atelier.stores.sqlite.writer import Writer

LEASE = timedelta(seconds=30)
ATTEMPTS = 3
DEADLINES = {"long": timedelta(hours=2), "quick": timedelta(seconds=100)}
SLOTS = {"long": 2, "quick": 1}
LOOK_SECONDS = 0.05
UNTIL_DEAD = 20
"""Rounds of cancelling within which everything of a buried process lets go."""

Outcome = Callable[["asyncio.Task[Any]"], None]


class _Selector(selectors.DefaultSelector):
    """Where a loop would sleep, it stops it and remembers for how long; it waits only for answers from outside."""

    loop: Loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= self.loop.RESOLUTION):
            return ready
        if self.loop.awaits():
            return super().select(LOOK_SECONDS)
        self.loop.sleeps = timeout
        self.loop.stop()
        return ready


class Loop(asyncio.SelectorEventLoop):
    """An event loop that runs until nothing is ready, at a moment that the test sets."""

    RESOLUTION = 1e-6

    def __init__(self, moment: float) -> None:
        self.moment, self.sleeps = moment, None
        self.awaits: Callable[[], bool] = lambda: False
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = self.RESOLUTION

    sleeps: float | None

    def time(self) -> float:
        return self.moment


class _ByHand(ThreadPoolExecutor):
    """Keeps what it is to run until it is told to."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._chores: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._chores.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def turn(self) -> None:
        chores, self._chores = self._chores, []
        for chore in chores:
            chore()


begin_commit = Writer._hand_over


def turned_by_hand() -> contextlib.AbstractContextManager[Any]:
    """Start no threads in here, and let no loop begin a commit: processes turn those of their stores."""
    patches = contextlib.ExitStack()
    for of in (StoreThread, Writer):
        patches.enter_context(mock.patch.object(of, "start", create=True))
    patches.enter_context(mock.patch.object(Writer, "_hand_over"))
    return patches


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all processes share."""

    path: Path
    clock: Clock
    queue: Callable[[Store], Queue]
    pipelines: Callable[[Process], Mapping[str, AnyPipeline]]
    gone: Callable[[], frozenset[str]]


class Process:
    """One worker and web process. `settle` lets it do what it can at this moment."""

    def __init__(self, name: str, around: Surroundings, moment: float) -> None:
        self.name, self._around = name, around
        self.loop, self._chores = Loop(moment), _ByHand()
        self.dead = self.asleep = self.stopping = False
        self.answers: int | None = None
        """How many more operations the store answers; None: all of them."""
        self.broken: list[str] = []
        self._calls: list[tuple[asyncio.Task[Any], Outcome]] = []
        self.loop.set_exception_handler(lambda _, what: self.broken.append(f"{name}: {what}"))
        self.loop.set_default_executor(self._chores)
        self.store = self._opened()
        self.queue = around.queue(self.store)
        self.engine = self._engine()

    def _opened(self) -> Any:
        """Return this process's store, open."""
        store = SqliteStore(self._around.path, self._around.clock)
        self._do(store.open())
        for thread in store._open_threads():
            thread._connection.execute("PRAGMA synchronous = OFF")  # no power is cut here
        return store

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something to its end, threads' chores too, while no time passes."""
        doing = self.call(work)
        while not doing.done():
            self.loop.run_forever()
            self._chores.turn()
        return doing.result()

    def _engine(self) -> JobEngine:
        return JobEngine(
            store=self.store,
            queue=self.queue,
            presence=self,
            pipelines=self._around.pipelines(self),
            limits=Limits(max_attempts=ATTEMPTS, deadlines=DEADLINES, slots=SLOTS, queue=1000),
            policy=Policy(lease=LEASE, retry_base=timedelta(seconds=2)),
            retention=Retention(kinds=(), keep=None),
            secret=b"secret",
            now=self._around.clock,
        )

    async def gone(self) -> frozenset[str]:
        """Be this process's presence, too."""
        return self._around.gone()

    async def forget(self, name: str) -> None:
        """Keep it: dead processes stay dead."""

    @property
    def well(self) -> bool:
        return not self.asleep and self.answers is None

    def call(self, work: Coroutine[Any, Any, Any], then: Outcome | None = None) -> asyncio.Task[Any]:
        """Begin to do something; `then` is handed the task when it is done, unless the process dies before."""
        task = self.loop.create_task(work)
        if then is not None:
            self._calls.append((task, then))
        return task

    def settle(self) -> bool:
        """Do all that can be done at this moment; whether the store was needed for it."""
        moved = False
        self.loop.run_forever()
        while self.turn() or self._asked:
            moved = True
            self.loop.run_forever()
        return self._tell() or moved

    @property
    def _asked(self) -> bool:
        """Whether news from another process made this one ask its store."""
        self.loop.run_forever()
        return self.answers != 0 and any(map(_wanted, self.store._open_threads()))

    def turn(self) -> bool:
        """Let the store do what lies before it; whether there was anything."""
        writer, reader = self.store._open_threads()
        worked = self._serve(reader)
        worked = self._serve(writer) or worked
        self.loop.call_soon(writer.look)
        return worked

    def _serve(self, thread: Reader | Writer) -> bool:
        if not _wanted(thread) or self.answers == 0:
            return False
        if self.answers is not None:
            self.answers -= 1
        if isinstance(thread, Writer):
            begin_commit(thread)
        while not thread._inbox.empty():
            chore = thread._inbox.get()
            assert chore is not None
            chore()
        return True

    def _tell(self) -> bool:
        done = [(task, then) for task, then in self._calls if task.done()]
        self._calls = [(task, then) for task, then in self._calls if not task.done()]
        for task, then in done:
            if not task.cancelled():
                then(task)
        return bool(done)

    def kill(self, *, store_done: bool) -> None:
        """End at once; `store_done`: what lies before the store's threads is still done, but nobody hears of it."""
        if store_done:
            self.answers = None
            while self.turn():
                pass
        self.dead = True
        self._let_go()

    def _let_go(self) -> None:
        for thread in self.store._open_threads():
            thread._connection.close()
        self.store._threads = None
        self.store._remembered.close()

    def bury(self) -> None:
        """Let go of everything, so that nothing of this process is heard of in another test."""
        if not self.dead:
            self.kill(store_done=False)
        for _ in range(UNTIL_DEAD):
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_forever()
            self.loop.moment += 60
            if not tasks:
                break
        self._leave()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def _leave(self) -> None:
        """Do what is left when everything was cancelled."""


def _wanted(thread: Reader | Writer) -> bool:
    if isinstance(thread, Reader):
        return not thread._inbox.empty()
    return bool(thread._collected or thread._alone) and not thread._under_way


def awake(processes: list[Process]) -> Iterator[Process]:
    """Yield the processes that live and are not asleep."""
    return (process for process in processes if not (process.dead or process.asleep))
