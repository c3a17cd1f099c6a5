"""The process's clock never goes back, follows what goes forward, and is caught up with."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.jobs import Clock, Monotonic

from atelier.wiring import utc_now
from atelier.wiring.clock import PACE, ForwardClock

HOUR = timedelta(hours=1)


class Machine:
    """A wall clock that is set now and then, and the seconds that really pass."""

    def __init__(self) -> None:
        self.wall, self.monotonic = Clock(), Monotonic()
        self.clock = ForwardClock(self.wall, self.monotonic)

    def set(self, **by: float) -> datetime:
        """Set the wall clock; what is told then."""
        self.wall.pass_(**by)
        return self.clock()

    def passes(self, seconds: float) -> datetime:
        self.wall.pass_(seconds=seconds)
        self.monotonic.now += seconds
        return self.clock()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def slowly(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * PACE)


def test_it_tells_what_the_wall_clock_tells(machine: Machine) -> None:
    assert [machine.passes(1), machine.passes(0), machine.passes(2.5)] == [
        datetime(2026, 1, 1, 0, 0, second, micro, UTC) for second, micro in ((1, 0), (1, 0), (3, 500_000))
    ]
    assert abs(utc_now() - datetime.now(UTC)) < HOUR


def test_a_step_forward_is_followed(machine: Machine) -> None:
    before = machine.clock()
    assert machine.set(hours=1) == before + HOUR


def test_behind_a_step_back_it_goes_on_slowly_until_it_is_caught_up_with(machine: Machine) -> None:
    before = machine.passes(5)
    assert machine.set(hours=-1) == before
    assert [machine.passes(10), machine.passes(90)] == [before + slowly(10), before + slowly(100)]
    left = HOUR.total_seconds() / (1 - PACE) - 100
    told = [machine.passes(left / 1000) for _ in range(900)]
    assert told[-1] == before + slowly(100 + 0.9 * left) > machine.wall()
    told += [machine.passes(left / 1000) for _ in range(101)]
    assert told[-1] == machine.wall()
    assert told == sorted(told)
    assert machine.passes(7) == machine.wall()


def test_the_next_step_back_is_counted_from_there(machine: Machine) -> None:
    """Neither what passed before it, nor what passed behind the first one, is counted again."""
    first = machine.passes(1)
    machine.set(minutes=-1)
    assert machine.passes(20) == first + slowly(20)
    assert machine.set(minutes=-1) == first + slowly(20), "while it is behind already"
    assert machine.passes(20) == first + slowly(40)
    ahead = machine.set(hours=1)
    assert ahead == machine.wall()
    assert machine.set(minutes=-1) == ahead
    assert machine.passes(5) == ahead + slowly(5)


def test_nobody_asked_until_the_wall_clock_had_caught_up(machine: Machine) -> None:
    before = machine.set(seconds=-10)
    assert machine.passes(15) == machine.wall() == before + timedelta(seconds=5)


def test_moments_too_short_to_be_told_are_not_lost(machine: Machine) -> None:
    before = machine.set(hours=-1)
    for _ in range(10_000):
        machine.monotonic.now += 1e-7
        machine.clock()
    assert machine.clock() - before == pytest.approx(slowly(1e-3), abs=timedelta(microseconds=2))


def test_a_first_look_from_the_future_holds(machine: Machine) -> None:
    """What it told when it was made counts as told: the step may come before the first question."""
    before = machine.wall()
    assert machine.set(seconds=-1) == before


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def overtaken() -> float:
    """Return the seconds that have passed, after others had their turns."""
    now = time.monotonic()
    time.sleep(0)
    return now


@pytest.mark.usefixtures("hasty")
def test_threads_that_ask_behind_a_step_are_told_times_in_order() -> None:
    """No moment is earlier than one that was told to anybody before it was asked for, and together they count no second twice."""
    began = time.monotonic()
    steps = [timedelta()]
    clock = ForwardClock(lambda: datetime.now(UTC) - steps[-1], overtaken)
    told: list[datetime] = [clock()]
    broken: list[tuple[datetime, datetime]] = []

    def ask() -> None:
        for _ in range(1_000):
            before, now = told[-1], clock()
            told.append(now)
            if now < before:
                broken.append((before, now))

    steps.append(HOUR)
    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(60)
    assert (len(told), broken) == (4_001, [])
    assert clock() - told[0] <= timedelta(seconds=time.monotonic() - began)
