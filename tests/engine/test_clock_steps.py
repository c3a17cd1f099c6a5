"""The machine's clock is set while jobs wait: what was due stays due, in both stores, and what waits for a time does not wait much longer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.house import Count, House, Nothing, failing
from tests.jobs import Clock, Monotonic

from atelier.errors import ProviderUnavailable
from atelier.jobs.models import Status
from atelier.jobs.pipeline import Run
from atelier.wiring.clock import PACE, ForwardClock


class Stepped(Clock):
    """The process's clock over a wall clock that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self._monotonic = Monotonic()
        self._process = ForwardClock(lambda: self.moment, self._monotonic)

    def __call__(self) -> datetime:
        return self._process()

    def pass_(self, **duration: float) -> None:
        super().pass_(**duration)
        self._monotonic.now += timedelta(**duration).total_seconds()

    def step(self, **duration: float) -> None:
        """Set the wall clock; somebody asks before time passes."""
        self.moment += timedelta(**duration)
        self()


@pytest.fixture
def clock() -> Stepped:
    return Stepped()


async def due(house: House) -> list[str]:
    return [ready.job_id for ready in (await house.store.due("image", house.clock(), limit=10, after="")).jobs]


STEPS = [timedelta(hours=-1), timedelta(minutes=-10), timedelta(seconds=-1), timedelta(minutes=5)]


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_what_was_queued_before_a_step_is_due_behind_it(house: House, clock: Stepped, step: timedelta) -> None:
    waiting = await house.submit()
    clock.step(seconds=step.total_seconds())
    clock.pass_(seconds=0.1)
    new = await house.submit()
    assert await due(house) == [waiting.id, new.id], "in the order in which they came"
    for job in (waiting, new):
        assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_a_pause_between_attempts_is_not_longer_by_the_step(house: House, clock: Stepped) -> None:
    house.pipeline.acts["first"] = failing(ProviderUnavailable("Away.", retry_after=timedelta(seconds=30)))
    job = await house.submit()
    await house.deliver(job.id)
    clock.step(hours=-1)
    assert await due(house) == []
    clock.pass_(seconds=30 / PACE)
    assert await due(house) == [job.id]
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_a_step_back_while_a_job_runs_leaves_it_its_times_in_order(house: House, clock: Stepped) -> None:
    async def set_back(_: Run[Nothing, Count]) -> None:
        clock.step(hours=-1)
        clock.pass_(seconds=10)

    house.pipeline.acts["first"] = set_back
    done = await house.deliver((await house.submit()).id)
    assert done.started_at is not None
    assert done.completed_at is not None
    assert done.completed_at - done.started_at == timedelta(seconds=10 * PACE)
