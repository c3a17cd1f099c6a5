"""Everything around the rules: one file, one clock, processes that come and go, a queue that loses, people who watch."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.jobs import Clock
from tests.machine.carrier import Carrier, Name
from tests.machine.clients import Client
from tests.machine.history import History, judge_log
from tests.machine.process import ATTEMPTS, SLOTS, Process, Surroundings, awake, turned_by_hand
from tests.machine.script import Script, pipelines

from atelier.errors import StoreUnavailable
from atelier.jobs.models import Job, Snapshot
from atelier.jobs.ports import Deliver, Delivery, Queue, Store
from atelier.queues.embedded import EmbeddedQueue
from atelier.stores import serialisation
from atelier.stores.sqlite import queries, schema
from atelier.stores.sqlite.writer import POLL_SECONDS

SWEEP = 5
"""Seconds between two sweeps when nothing is broken any more."""

PATIENCE = timedelta(minutes=6)
"""Within which everything has ended then: attempts with their leases and pauses, the queue's minute, a few sweeps."""


class World:
    """Drives simulated processes on one store file. `carried`: by a queue that loses, else by the embedded one."""

    def __init__(self, template: Path, path: Path, *, carried: bool, presence: bool) -> None:
        self._path, self._presence = path, presence
        self.clock, self.elapsed, self.skew = Clock(), 0.0, timedelta()
        self.carrier = Carrier() if carried else None
        self.script = Script()
        self.history = self._new_history()
        self.processes: list[Process] = []
        self.clients: list[Client] = []
        self.under_way: list[tuple[Name, Process]] = []
        self._read: tuple[int, list[Job]] = (-1, [])
        self._looking: dict[str, asyncio.Task[float]] = {}
        self._patches = ExitStack()
        self._patches.enter_context(turned_by_hand())
        self.history.begin()
        self._patches.callback(self.history.end)
        self._open(template)
        for _ in range(2):
            self.start()

    def start(self) -> Process:
        """Start a process."""
        around = Surroundings(
            path=self._path,
            clock=self.clock,
            queue=self._queue,
            pipelines=lambda process: pipelines(self.script, process),
            gone=self._gone,
        )
        self.processes.append(self._new_process(f"p{len(self.processes)}", around))
        return self.processes[-1]

    def _new_history(self) -> History:
        return History(self._gone)

    def _new_process(self, name: str, around: Surroundings) -> Process:
        return Process(name, around, self.elapsed)

    def _open(self, template: Path) -> None:
        """Make the store, empty, and look into it from outside."""
        shutil.copy(template, self._path)
        self._file = schema.connect(self._path)

    def _close(self) -> None:
        """Remove it."""
        self._file.close()
        for name in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + name).unlink(missing_ok=True)

    def _queue(self, store: Store) -> Queue:
        return self.carrier or EmbeddedQueue(store=store, slots=SLOTS, now=self.clock)

    def _gone(self) -> frozenset[str]:
        return frozenset(one.name for one in self.processes if one.dead) if self._presence else frozenset()

    @property
    def living(self) -> list[Process]:
        return [one for one in self.processes if not one.dead]

    @property
    def awake(self) -> list[Process]:
        return list(awake(self.processes))

    def settle(self) -> None:
        """Let every process that is awake do all it can at this moment."""
        moved = True
        while moved:
            moved = False
            for process in self.awake:
                self.history.writer = process.name
                moved = process.settle() or moved

    def meet(self) -> None:
        """Let who collides in the store try again: nobody does, where writes take turns."""
        self.settle()

    def hear(self) -> None:
        """Let every process hear what others wrote: where they share a file, within the writer's poll."""
        self.pass_(2 * POLL_SECONDS)

    def pass_(self, seconds: float) -> None:
        """Let time pass for everybody who is awake, from one timer to the next."""
        target = self.elapsed + seconds
        self.settle()
        while self.elapsed < target:
            timers = [one.loop.moment + one.loop.sleeps for one in self.awake if one.loop.sleeps is not None]
            step = max(min([target, *timers]) - self.elapsed, 1e-3)
            self.elapsed += step
            self.clock.pass_(seconds=step)
            for process in self.awake:
                process.loop.moment = self.elapsed
            self.settle()

    def jump(self, seconds: float) -> None:
        """Set the clock, while no time passes."""
        self.clock.pass_(seconds=seconds)
        self.skew += timedelta(seconds=seconds)
        self.settle()

    def heal(self, process: Process) -> None:
        """Let a process go on that slept, its timers late, and its store answer."""
        process.asleep, process.answers, process.loop.moment = False, None, self.elapsed
        self.settle()

    @property
    def busy(self) -> bool:
        """Whether anything is under way that can be interrupted."""
        return bool(self.script.halts or self.under_way)

    def kill(self, process: Process, *, store_done: bool) -> None:
        """Kill -9: clients are cut off, what was delivered is not acknowledged; another process is started."""
        self.history.writer = process.name
        process.kill(store_done=store_done)
        self.script.forget(process)
        self.under_way = [one for one in self.under_way if one[1] is not process]
        for client in self.clients:
            if client.process is process:
                client.cut()
        self.start()
        self.settle()

    def deliver(self, name: Name, process: Process, *, heard: bool = True) -> None:
        """Carry a task to a process; `heard`: its answer comes back."""
        self.under_way.append((name, process))

        def answered(task: asyncio.Task[Delivery]) -> None:
            self.under_way.remove((name, process))
            settled = task.exception() is None and task.result() is Delivery.SETTLED
            if self.carrier is not None and settled and heard:
                self.carrier.tasks.pop(name, None)

        process.call(process.engine.deliver(*name), answered)

    def look(self, process: Process) -> None:
        """Let the embedded dispatcher of a process look once, unless it is still at it."""
        assert isinstance(process.queue, EmbeddedQueue)
        looking = self._looking.get(process.name)
        if looking is None or looking.done():
            look = look_at_all(process.queue, process.engine.deliver)
            self._looking[process.name] = process.call(look, may_find_the_store_away)

    def sweep(self, process: Process) -> None:
        """Let a process sweep once."""
        process.call(process.engine.sweep(), may_find_the_store_away)

    def snapshot(self, job_id: str) -> Snapshot | None:
        """Read the file as it is."""
        whole = queries.whole(self._file, job_id)
        return whole.snapshot if whole is not None else None

    def jobs(self) -> list[Job]:
        """Return every header, in order of creation."""
        version = self._file.execute("PRAGMA data_version").fetchone()[0]
        if version != self._read[0]:
            rows = self._file.execute("SELECT header FROM jobs ORDER BY number").fetchall()
            self._read = version, [serialisation.load_job(header) for (header,) in rows]
        return self._read[1]

    def delete(self, job_id: str) -> None:
        """Forget what was known of a job that was deleted."""
        self.history.forget(job_id)
        for client in self.clients:
            if client.job_id == job_id:
                client.cut()
        self.clients = [client for client in self.clients if client.job_id != job_id]
        self.script.orders = [order for order in self.script.orders if order[0] != job_id]

    def judge(self) -> None:
        """Fail if anything is wrong at this moment."""
        wrongs = [*self.history.wrongs, *(wrong for client in self.clients for wrong in client.wrongs)]
        wrongs += [wrong for process in self.living for wrong in process.broken]
        assert not wrongs, "\n".join(wrongs)
        for order, times in Counter(self.script.orders).items():
            assert times <= ATTEMPTS + self.history.given_back[order], f"I5: {order} was ordered {times} times"
        for job_id in sorted(self.history.touched):
            snapshot = self.snapshot(job_id)
            assert snapshot is not None, "I1: a job is gone that nobody deleted"
            assert snapshot.job == self.history.present[job_id], "what was played is what was written"
            judge_log(snapshot, kept=self._keeps_result(job_id))
        self.history.touched.clear()

    def _keeps_result(self, job_id: str) -> bool:
        found = "SELECT 1 FROM parts JOIN jobs ON number = job WHERE id = ? AND key = 'result'"
        return self._file.execute(found, (job_id,)).fetchone() is not None

    def mend(self) -> None:
        """Stop every fault: processes are awake, stores answer, the clock is right, tasks arrive, providers deliver."""
        self.jump(-self.skew.total_seconds())
        if self.carrier is not None:
            self.carrier.losses = []
        self.script.halting = False
        for halt in tuple(self.script.halts):
            self.script.go(halt, "ok")
        for process in self.living:
            self.heal(process)
        for client in self.clients:
            if not client.connected:
                client.connect(self.living[0])
        self.settle()

    def live_on(self, longest: timedelta) -> None:
        """Sweep and deliver as in a sound installation until everything has ended, or for so long."""
        until = self.elapsed + longest.total_seconds()
        while self.elapsed < until and self._unfinished():
            process = self.living[0]
            self.sweep(process)
            self.settle()
            for each in self.living:
                self._carry(each)
            self.pass_(SWEEP)

    def _unfinished(self) -> bool:
        return any(not job.status.terminal for job in self.jobs())

    def _carry(self, process: Process) -> None:
        if self.carrier is None:
            self.look(process)
            self.settle()
            return
        due = [name for name, at in self.carrier.tasks.items() if at <= self.clock()]
        for name in due:
            if name not in [one for one, _ in self.under_way]:
                self.deliver(name, process)
                self.settle()

    def end(self) -> None:
        """Let go of everything."""
        for process in self.processes:
            process.bury()
        self._close()
        self._patches.close()


def may_find_the_store_away(task: asyncio.Task[Any]) -> None:
    """Accept what a chore that goes on lives with."""
    assert task.exception() is None or isinstance(task.exception(), StoreUnavailable), task.exception()


async def look_at_all(queue: EmbeddedQueue, deliver: Deliver) -> None:
    """Let a dispatcher look for jobs of every kind, whenever it looked last."""
    for kind in SLOTS:
        await queue._look_for(kind, deliver)
