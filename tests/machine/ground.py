"""The ground the rules stand on: a world to begin with, what must hold in it, and how it ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from tests.machine.clients import Client
from tests.machine.process import Process
from tests.machine.script import Halt, Order
from tests.machine.world import PATIENCE, World

from atelier.errors import IdempotencyMismatch, StoreUnavailable
from atelier.jobs.engine import NewJob, Submitted
from atelier.jobs.models import Job, Status

KEYS = ("red", "blue")

picks = st.integers(0, 11)
bodies = st.integers(1, 2)


class Ground(RuleBasedStateMachine):
    """What all rules share."""

    folder: ClassVar[Path]
    kind: ClassVar[type[World]] = World
    ended_well: ClassVar[int] = 0
    _numbers: ClassVar[itertools.count[int]] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.accepted: set[str] = set()
        self.keys: dict[str, tuple[str, int]] = {}
        self.world: World | None = None
        logging.disable(logging.CRITICAL)

    @initialize(
        carried=st.sampled_from([True, True, False]),
        presence=st.booleans(),
        lost=st.booleans(),
        taken=st.integers(0, 2),
    )
    def begin(self, carried: bool, presence: bool, lost: bool, taken: int) -> None:  # noqa: FBT001 - drawn by name
        """Two processes, two jobs, watched; some run, one may have been lost by the queue."""
        path = self.folder / f"{next(self._numbers)}.db"
        self.world = self.kind(self.folder / "template.db", path, carried=carried, presence=presence)
        self._submit("long", 1, KEYS[0], 0, None)
        self._submit("quick", 1, None, 1, None)
        if lost and self.w.carrier is not None:
            self.w.carrier.tasks.pop(next(iter(self.w.carrier.tasks)))
        for job in self.w.jobs():
            self.w.clients.append(Client(job.id))
        for number in range(taken):
            self._take(self.w.jobs()[number].id, self.w.living[number])

    @property
    def w(self) -> World:
        assert self.world is not None
        return self.world

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.world is not None:
            self.w.judge()

    def teardown(self) -> None:
        """Stop the faults: everything ends (I1), and everybody has seen it. Not looked at where something failed already."""
        if self.world is None:
            return
        try:
            if sys.exc_info()[0] is None:
                self._everything_ends()
                type(self).ended_well += 1
        finally:
            self.w.end()
            logging.disable(logging.NOTSET)

    def _everything_ends(self) -> None:
        longest = PATIENCE + abs(self.w.skew) + timedelta(seconds=100)
        self.w.mend()
        self.w.judge()
        self.w.live_on(longest)
        self.w.judge()
        jobs = {job.id: job for job in self.w.jobs()}
        assert self.accepted <= jobs.keys(), "I1: what was accepted is there"
        waiting = [job for job in jobs.values() if not job.status.terminal]
        assert not waiting, f"I1: every job ends within {longest}: {waiting}"
        for client in self.w.clients:
            if not client.connected and client.cursor < jobs[client.job_id].seq:
                client.connect(self.w.living[0])
        self.w.hear()
        self.w.judge()
        for process, job in itertools.product(self.w.living, jobs.values()):
            asked = process.call(process.engine.get("ann", job.id))
            self.w.settle()
            assert asked.result() == self.w.snapshot(job.id), "whoever is asked tells the same"
        for client in self.w.clients:
            assert (client.connected, client.cursor) == (False, jobs[client.job_id].seq), "I4: everybody sees the end"

    def _awake(self, pick: int) -> Process | None:
        awake = self.w.awake
        return awake[pick % len(awake)] if awake else None

    def _job(self, pick: int, among: set[Status] | None = None) -> Job:
        jobs = self._in(among or set(Status))
        return jobs[pick % len(jobs)]

    def _in(self, among: set[Status]) -> list[Job]:
        return [job for job in self.w.jobs() if job.status in among]

    def _submit(self, kind: str, body: int, key: str | None, pick: int, crash: int | None) -> None:
        process, known = self._awake(pick), self.keys.get(key or "")
        if process is None:
            return
        new = NewJob(kind=kind, owner="ann", params=Order(body=body), key=key, request=str(body))

        def answered(task: asyncio.Task[Submitted]) -> None:
            error, still = task.exception(), known is not None and self.keys.get(key or "") is known
            if error is not None:
                assert isinstance(error, StoreUnavailable | IdempotencyMismatch), error
                same = still and known is not None and known[1] == body
                assert not (same and isinstance(error, IdempotencyMismatch)), "I7: a key stands for its request"
                return
            job_id = task.result().snapshot.job.id
            assert not still or known == (job_id, body), (
                "I7: the same key and request are the same job, others are none"
            )
            self.accepted.add(job_id)
            if key is not None:
                self.keys[key] = known if known is not None and still else (job_id, body)

        if crash is None:
            process.call(process.engine.submit(new), answered)
            self.w.settle()
            return
        process.answers = crash
        process.call(process.engine.submit(new))
        self.w.settle()
        self.w.kill(process, store_done=False)

    def _work(self, process: Process, job_id: str) -> None:
        for _ in range(3):
            for halt in [one for one in self.w.script.halts if (one.process, one.job_id) == (process, job_id)]:
                self._go(halt, "ok")

    def _go(self, halt: Halt, outcome: str) -> None:
        if halt in self.w.script.halts:
            self.w.script.go(halt, outcome)
            self.w.settle()

    def _halt(self, pick: int) -> Halt:
        return self.w.script.halts[pick % len(self.w.script.halts)]

    def _drawing(self) -> list[Halt]:
        return [halt for halt in self.w.script.halts if halt.stage == "draw"]

    def _other(self, process: Process) -> Process:
        """Return another process, in good health."""
        other = next(one for one in self.w.living if one is not process)
        self.w.heal(other)
        return other

    def _take(self, job_id: str, process: Process) -> None:
        """Deliver the present dispatch of a job that waits, when it is due."""
        snapshot = self.w.snapshot(job_id)
        if snapshot is None or snapshot.job.status.terminal:
            return
        run_at = snapshot.job.run_at
        if run_at is not None and run_at > self.w.clock():
            self.w.pass_((run_at - self.w.clock()).total_seconds())
        self.w.deliver((job_id, snapshot.job.dispatch), process)
        self.w.settle()
