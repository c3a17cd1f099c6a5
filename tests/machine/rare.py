"""Rare courses of events, composed: single steps in any order would hardly ever come to them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.machine.clients import Client
from tests.machine.ground import Ground, picks
from tests.machine.script import OUTCOMES

from atelier.errors import AlreadyTerminal, StoreUnavailable
from atelier.jobs.models import Status

MOST_WATCHERS = 8


class Rare(Ground):
    """Zombies, late sweeps, crossing writes, poison."""

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks, retaken=st.booleans(), outcome=st.sampled_from(OUTCOMES))
    def a_worker_oversleeps(self, pick: int, retaken: bool, outcome: str) -> None:  # noqa: FBT001 - drawn by name
        """Its lease runs out, another takes the job, and it goes on as if nothing had been."""
        halt = self.w.script.halts[pick % len(self.w.script.halts)]
        sleeper, job_id = halt.process, halt.job_id
        other = self._other(sleeper)
        sleeper.asleep = True
        self.w.pass_(31)
        self.w.sweep(other)
        self.w.settle()
        if retaken:
            self._take(job_id, other)
        if halt in self.w.script.halts:
            self.w.script.go(halt, outcome)
        self.w.heal(sleeper)

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks, then=st.sampled_from(["renewed", "retaken", "finished"]))
    def a_sweep_is_late(self, pick: int, then: str) -> None:
        """It reads that a lease is over, and writes when that is no longer so."""
        halt = self.w.script.halts[pick % len(self.w.script.halts)]
        worker, job_id = halt.process, halt.job_id
        other = self._other(worker)
        worker.asleep = True
        self.w.pass_(31)
        other.answers = 1
        self.w.sweep(other)
        self.w.settle()
        self.w.heal(worker)
        if then == "retaken":
            self._take(job_id, worker)
        elif then == "finished":
            self._work(worker, job_id)
        self.w.heal(other)

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def a_cancel_crosses_the_work(self, pick: int, outcome: str) -> None:
        """Another process, where somebody watches, asks before and writes after the worker has written."""
        halt = self._halt(pick)
        other = self._other(halt.process)
        self.w.heal(halt.process)
        for client in [one for one in self.w.clients if one.job_id == halt.job_id and not one.connected]:
            client.connect(other)
        self.w.settle()
        other.answers = 1  # it reads whose job it is
        asked = other.call(other.engine.cancel("ann", halt.job_id))
        self.w.settle()
        self._go(halt, outcome)
        self.w.heal(other)
        self.w.pass_(6)
        assert asked.done(), "I11: a cancel is answered"
        assert asked.exception() is None or isinstance(asked.exception(), AlreadyTerminal | StoreUnavailable)

    @precondition(lambda self: self.w.script.halts and len(self.w.clients) < MOST_WATCHERS)
    @rule(pick=picks)
    def a_watcher_comes_before_the_news(self, pick: int) -> None:
        """It has seen, in the worker's own process, what the one it moves to has not read yet."""
        halt = self._halt(pick)
        other = self._other(halt.process)
        self.w.heal(halt.process)
        mover, bystander = Client(halt.job_id), Client(halt.job_id)
        self.w.clients += [mover, bystander]
        mover.connect(halt.process)
        bystander.connect(other)
        self.w.settle()
        other.answers = 0
        self._go(halt, "ok")
        mover.cut()
        mover.connect(other)
        self.w.settle()
        self.w.heal(other)

    @precondition(lambda self: self._in({Status.QUEUED}))
    @rule(pick=picks)
    def every_attempt_is_lost(self, pick: int) -> None:
        """Whoever takes the job orders its picture and dies, once more than it has attempts."""
        job_id = self._job(pick, {Status.QUEUED}).id
        for _ in range(4):
            process = self.w.living[0]
            other = self._other(process)
            self.w.heal(process)
            self._take(job_id, process)
            for halt in [one for one in self.w.script.halts if one.job_id == job_id and one.stage == "sketch"]:
                self._go(halt, "ok")
            self.w.kill(process, store_done=True)
            self.w.pass_(31)
            self.w.sweep(other)
            self.w.settle()
