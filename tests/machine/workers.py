"""What happens to workers: deliveries, providers' answers, deaths, delays and clocks."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.machine.ground import Ground, picks
from tests.machine.script import OUTCOMES

from atelier.jobs.models import Status


class Workers(Ground):
    """The queue, the processes and time."""

    @precondition(lambda self: self.w.carrier is not None and self.w.carrier.tasks)
    @rule(pick=picks, at=picks, heard=st.sampled_from([True, True, False]))
    def deliver(self, pick: int, at: int, heard: bool) -> None:  # noqa: FBT001 - drawn by name
        """Early, on time, or again while another delivery is under way."""
        assert self.w.carrier is not None
        names, process = list(self.w.carrier.tasks), self._awake(at)
        if process is not None:
            self.w.deliver(names[pick % len(names)], process, heard=heard)
            self.w.settle()

    @precondition(lambda self: self.w.jobs())
    @rule(pick=picks, at=picks, back=st.integers(0, 2))
    def deliver_what_is_stale_or_not_asked_for(self, pick: int, at: int, back: int) -> None:
        job, process = self._job(pick), self._awake(at)
        if process is not None:
            self.w.deliver((job.id, max(0, job.dispatch - back)), process)
            self.w.settle()

    @precondition(lambda self: self.w.carrier is None)
    @rule(at=picks)
    def the_dispatcher_looks(self, at: int) -> None:
        process = self._awake(at)
        if process is not None:
            self.w.look(process)
            self.w.settle()

    @precondition(lambda self: self.w.carrier is not None)
    @rule(made=st.booleans())
    def the_queue_will_lose_a_task(self, made: bool) -> None:  # noqa: FBT001 - drawn by name
        assert self.w.carrier is not None
        self.w.carrier.losses = [made]

    @precondition(lambda self: self.w.carrier is not None and self.w.carrier.tasks)
    @rule(pick=picks)
    def the_queue_gives_up_a_task(self, pick: int) -> None:
        assert self.w.carrier is not None
        names = list(self.w.carrier.tasks)
        del self.w.carrier.tasks[names[pick % len(names)]]

    @precondition(lambda self: self._in({Status.QUEUED}))
    @rule(pick=picks, at=picks)
    def take(self, pick: int, at: int) -> None:
        """Take a job that waits when it is due."""
        process = self._awake(at)
        if process is not None:
            self._take(self._job(pick, {Status.QUEUED}).id, process)

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def go_on(self, pick: int, outcome: str) -> None:
        self._go(self._halt(pick), outcome)

    @precondition(lambda self: self._drawing())
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def the_provider_answers(self, pick: int, outcome: str) -> None:
        drawing = self._drawing()
        self._go(drawing[pick % len(drawing)], outcome)

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks)
    def work_to_the_end(self, pick: int) -> None:
        halt = self._halt(pick)
        self._work(halt.process, halt.job_id)

    @rule(at=picks)
    def sweep(self, at: int) -> None:
        process = self._awake(at)
        if process is not None:
            self.w.sweep(process)
            self.w.settle()

    @precondition(lambda self: self.w.busy)
    @rule(pick=picks, store_done=st.booleans())
    def a_process_is_killed(self, pick: int, store_done: bool) -> None:  # noqa: FBT001 - drawn by name
        """Kill -9; another is started."""
        self.w.kill(self.w.living[pick % len(self.w.living)], store_done=store_done)

    @precondition(lambda self: self.w.script.halts)
    @rule(pick=picks)
    def a_process_stops_in_order(self, pick: int) -> None:
        """SIGTERM without a grace: what runs is given back, watchers come again elsewhere."""
        process = self._halt(pick).process
        self.w.heal(process)
        process.stopping = True
        process.engine.close()
        draining = process.call(process.engine.drain(timedelta()))
        self.w.meet()
        assert draining.done(), "I11: who lets go at once is not waited for"
        assert not [halt for halt in self.w.script.halts if halt.process is process]
        self.w.kill(process, store_done=True)

    @precondition(lambda self: self.w.busy and all(one.well for one in self.w.living))
    @rule(pick=picks, answers=st.sampled_from([None, None, 0, 1, 2]))
    def a_process_falls_ill(self, pick: int, answers: int | None) -> None:
        """It sleeps, or its store answers so many times more."""
        process = self.w.living[pick % len(self.w.living)]
        process.asleep, process.answers = answers is None, answers

    @precondition(lambda self: not all(one.well for one in self.w.living))
    @rule()
    def all_processes_recover(self) -> None:
        for process in self.w.living:
            self.w.heal(process)

    @rule(seconds=st.sampled_from([1, 3, 11, 31, 70]))
    def time_passes(self, seconds: int) -> None:
        self.w.pass_(seconds)

    @rule(seconds=st.sampled_from([-40, -5, 5, 40]))
    def the_clock_is_set(self, seconds: int) -> None:
        self.w.jump(seconds)
