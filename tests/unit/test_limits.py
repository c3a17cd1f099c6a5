"""Rates, streams and the day's cap, with time in the test's hands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jobs import Clock

from atelier.api import limits
from atelier.api.limits import CAP_KIND, DailyCap, Fading, Rate, Streams
from atelier.errors import RateLimited, StoreFull, TooManyStreams
from atelier.stores.sqlite import SqliteStore


class Monotonic:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admitted(rate: Rate, owner: str = "ann", method: str = "POST", path: str = "/x") -> bool:
    try:
        rate.charge(owner, method, path)
    except RateLimited:
        return False
    return True


def test_a_minute_s_requests_pass_at_once_then_evenly() -> None:
    time = Monotonic()
    rate = Rate(60, time)
    assert [admitted(rate) for _ in range(61)] == [True] * 60 + [False]
    with pytest.raises(RateLimited) as refused:
        rate.charge("ann", "POST", "/x")
    assert refused.value.retry_after == pytest.approx(timedelta(seconds=1), abs=timedelta(milliseconds=1))
    assert admitted(rate, "bob"), "each owner has a bucket"
    time.now += 1
    assert [admitted(rate) for _ in range(2)] == [True, False]
    time.now += 3600
    assert sum(admitted(rate) for _ in range(100)) == 60, "no more than a minute's worth is saved"


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=80))
def test_no_span_admits_more_than_the_bucket_and_what_flows_in(per_minute: int, pauses: list[float]) -> None:
    time = Monotonic()
    rate = Rate(per_minute, time)
    passed = []
    for pause in pauses:
        time.now += pause
        if admitted(rate):
            passed.append(time.now)
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= per_minute + (end - begin) * per_minute / 60 + 1e-3


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=80))
def test_who_comes_back_when_told_is_admitted(per_minute: int, pauses: list[float]) -> None:
    time = Monotonic()
    rate = Rate(per_minute, time)
    for pause in pauses:
        time.now += pause
        try:
            rate.charge("ann", "POST", "/x")
        except RateLimited as refused:
            time.now += (refused.retry_after or timedelta()).total_seconds() + 1e-5
            rate.charge("ann", "POST", "/x")


def test_reading_one_address_once_a_second_does_not_count() -> None:
    time = Monotonic()
    rate = Rate(1, time)
    assert admitted(rate)
    for tick in range(200):
        time.now = 1001 + tick + (0.2 if tick % 2 else 0.0)  # a network moves requests together
        assert admitted(rate, method="GET", path="/jobs/a")
        assert admitted(rate, method="GET", path="/jobs/a/stream"), "another address"
        assert not admitted(rate, method="POST", path="/generate") or tick >= 59


def test_what_others_read_counts_for_nobody_else() -> None:
    rate = Rate(1, Monotonic())
    for owner in ("ann", "bob", "cyd"):
        assert admitted(rate, owner, "GET", "/jobs/a")
        assert admitted(rate, owner, "POST", "/generate"), "the whole bucket is left"


def test_reading_one_address_faster_counts() -> None:
    time = Monotonic()
    rate = Rate(10, time)
    assert sum(admitted(rate, method="GET") for _ in range(30)) == 11, "one for free, then the bucket"
    time.now += 10
    slow, fast = Rate(1, time), 0
    for _ in range(100):
        time.now += 0.5
        fast += admitted(slow, method="GET")
    assert 50 <= fast <= 55, "half of them are free"


def test_scanning_addresses_counts() -> None:
    time = Monotonic()
    rate = Rate(1, time)
    assert sum(admitted(rate, method="GET", path=f"/jobs/{n}") for n in range(500)) == 101


def test_what_is_not_used_is_forgotten_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fading = Fading(10)
    for second in range(100):
        fading.get("x", second)
        fading.put(f"name-{second}", second)
    assert len(fading) <= 20
    assert fading.get("name-95", 100) == 95
    assert fading.get("name-50", 100) < 0
    assert fading.get("name-95", 1000) < 0
    fading.put("name-1000", 1000)
    assert fading.get("name-1000", 5000) < 0, "however long nobody asked"
    monkeypatch.setattr(limits, "ADDRESSES", 10)
    rate = Rate(1000, Monotonic())
    for number in range(100):
        assert admitted(rate, method="GET", path=str(number))
    assert len(rate._due) == 10


def test_streams_are_counted_for_each_owner_and_given_back_whatever_happens() -> None:
    streams = Streams(2)
    with streams.place("ann"), streams.place("ann"):
        with pytest.raises(TooManyStreams), streams.place("ann"):
            pytest.fail("A third place.")
        with streams.place("bob"):
            assert streams.opened("bob") == 1
    with pytest.raises(ZeroDivisionError), streams.place("ann"):
        raise ZeroDivisionError
    assert streams.opened("ann") == 0
    assert streams._open == {}


async def test_the_cap_is_exact_and_ends_at_midnight(store: SqliteStore, clock: Clock) -> None:
    clock.moment = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    cap = DailyCap(store, "anonymous", 0.3, clock)
    for _ in range(3):
        day = await cap.reserve(0.1)
    with pytest.raises(RateLimited) as refused:
        await cap.reserve(0.000001)
    assert refused.value.retry_after == timedelta(hours=1)
    await cap.give_back(day, 0.1)
    await cap.reserve(0.1)
    clock.pass_(hours=1)
    await cap.reserve(0.3)
    assert [document.name for document in await store.documents(CAP_KIND)] == ["anonymous-2026-03-02"]


async def test_what_cannot_be_given_back_now_is_with_the_next_reservation(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap = DailyCap(store, "anonymous", 0.3, clock)
    day = await cap.reserve(0.3)
    with monkeypatch.context() as full:
        full.setattr(store, "put", AsyncMock(side_effect=StoreFull("The disk is full; nothing was written.")))
        await cap.give_back(day, 0.1)
        with pytest.raises(StoreFull):
            await cap.reserve(0.1)
    with pytest.raises(RateLimited):
        await cap.reserve(0.2)
    await cap.reserve(0.1)
    with pytest.raises(RateLimited):
        await cap.reserve(0.1)


async def test_other_owners_days_are_left_alone(store: SqliteStore, clock: Clock) -> None:
    await DailyCap(store, "aaa", 1, clock).reserve(1)
    await DailyCap(store, "zzz", 1, clock).reserve(1)
    clock.pass_(days=1)
    await DailyCap(store, "anonymous", 1, clock).reserve(1)
    kept = [document.name for document in await store.documents(CAP_KIND)]
    assert kept == ["aaa-2026-01-01", "anonymous-2026-01-02", "zzz-2026-01-01"]


async def test_two_processes_share_the_cap_and_a_restart_remembers_it(tmp_path: Path, clock: Clock) -> None:
    stores = [SqliteStore(tmp_path / "atelier.db", clock) for _ in range(2)]
    for store in stores:
        await store.open()
    caps = [DailyCap(store, "anonymous", 1.0, clock) for store in stores]
    outcomes = await asyncio.gather(*(caps[n % 2].reserve(0.1) for n in range(16)), return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 6
    for store in stores:
        await store.close()
    again = SqliteStore(tmp_path / "atelier.db", clock)
    await again.open()
    with pytest.raises(RateLimited):
        await DailyCap(again, "anonymous", 1.0, clock).reserve(0.1)
    await again.close()
