"""Slots: never more starts in a window than allowed, and hardly fewer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.jobs import Clock

from atelier.errors import StoreUnavailable
from atelier.jobs.models import Json
from atelier.jobs.ports import Document
from atelier.providers.budgets import Budgets, Slot
from atelier.providers.rings import GUARD, Allowance, Ring, choose
from atelier.stores.sqlite import SqliteStore

BEGIN = 1_700_000_000.0


def most_in_a_window(starts: list[float], per: float) -> int:
    """Return how many starts the fullest window of this length has, whoever counts."""
    ordered = sorted(starts)
    return max((sum(1 for other in ordered if start <= other <= start + per) for start in ordered), default=0)


@settings(deadline=None)
@given(
    allowed=some.integers(1, 20),
    keys=some.integers(1, 4),
    pauses=some.lists(some.floats(0, 40), min_size=1, max_size=120),
    lateness=some.lists(some.floats(0, 0.5), min_size=1, max_size=20),
    skew=some.lists(some.floats(-0.2, 0.2), min_size=1, max_size=5),
    wasted=some.lists(some.booleans(), min_size=1, max_size=5),
)
def test_no_window_has_more_starts_than_allowed(
    *, allowed: int, keys: int, pauses: list[float], lateness: list[float], skew: list[float], wasted: list[bool]
) -> None:
    """Whenever callers come, however late they start, if some give their slots back and clocks differ a little."""
    allowances = [Allowance(bucket=str(number), starts=allowed) for number in range(keys)]
    rings = {each.bucket: Ring() for each in allowances}
    starts: dict[str, list[float]] = {each.bucket: [] for each in allowances}
    now, unused = BEGIN, list[tuple[str, float]]()
    for number, pause in enumerate(pauses):
        now += pause
        clock = now + skew[number % len(skew)]
        if unused and number % 3:
            bucket, at = unused.pop()
            rings[bucket] = rings[bucket].without(at)
        chosen = choose(allowances, rings, clock)
        rings[chosen.bucket] = chosen.ring
        assert len(chosen.ring.starts) <= 2 * allowed
        assert len(chosen.ring.turns) <= allowed
        if chosen.reserved and wasted[number % len(wasted)]:
            unused.append((chosen.bucket, chosen.at))
        elif chosen.reserved:
            assert chosen.at - clock <= 2
            late = lateness[number % len(lateness)]
            starts[chosen.bucket].append(chosen.at - skew[number % len(skew)] + late)
    for each in starts.values():
        assert most_in_a_window(each, 60) <= allowed


@settings(max_examples=40, deadline=None)
@given(allowed=some.integers(1, 30), keys=some.integers(1, 4), callers=some.integers(1, 60))
def test_what_is_allowed_is_used(allowed: int, keys: int, callers: int) -> None:
    """Callers that come for their turns use 97 % of what is allowed, if there are enough of them."""
    allowances = [Allowance(bucket=str(number), starts=allowed) for number in range(keys)]
    rings = {each.bucket: Ring() for each in allowances}
    waiting, started, minutes = [BEGIN] * (callers + allowed * keys), 0, 10
    while (now := min(waiting)) < BEGIN + minutes * 60:
        waiting.remove(now)
        chosen = choose(allowances, rings, now)
        rings[chosen.bucket] = chosen.ring
        if chosen.reserved:
            started += chosen.at < BEGIN + minutes * 60
            waiting.append(chosen.at)
        else:
            assert chosen.at > now
            waiting.append(chosen.at - 1)
    assert started >= 0.97 * allowed * keys * minutes


def test_those_who_wait_are_not_all_called_at_once() -> None:
    """Turns are as far apart as slots: a crowd does not come back together for one free slot."""
    allowance = Allowance(bucket="b", starts=2)
    ring, turns = Ring(), []
    for _ in range(8):
        chosen = choose([allowance], {"b": ring}, BEGIN)
        ring = chosen.ring
        turns.append((chosen.reserved, round(chosen.at - BEGIN)))
    assert turns == [(True, 0), (True, 0), *((False, 61 * turn) for turn in (1, 1, 2, 2, 3, 3))]


def test_a_guard_is_between_windows() -> None:
    ring = Ring().started(Allowance(bucket="b", starts=1), BEGIN, BEGIN)
    assert ring.free_at(Allowance(bucket="b", starts=1), BEGIN) == BEGIN + 60 + GUARD.total_seconds()


def test_a_slot_that_is_given_back_does_not_hide_the_start_before_it() -> None:
    allowance = Allowance(bucket="b", starts=1)
    ring = Ring().started(allowance, BEGIN, BEGIN)
    ahead = choose([allowance], {"b": ring}, BEGIN + 59.5)
    assert (ahead.reserved, ahead.at) == (True, BEGIN + 61)
    assert ahead.ring.without(ahead.at).free_at(allowance, BEGIN + 59.6) == BEGIN + 61


class Crowded(SqliteStore):
    """A store where another process is always a little faster, for as many writes as the test says."""

    faster = 0

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        if self.faster > 0:
            self.faster -= 1
            other = Ring(starts=(*body["starts"][:-1], body["starts"][-1])).body()
            await super().put(kind, name, other, if_rev=if_rev)
        return await super().put(kind, name, body, if_rev=if_rev)


async def reserved(budgets: Budgets, allowance: Allowance, count: int) -> list[Slot]:
    return list(await asyncio.gather(*(budgets.reserve([allowance]) for _ in range(count))))


async def test_two_processes_never_share_a_slot(store: SqliteStore, clock: Clock) -> None:
    allowance = Allowance(bucket="b", starts=9)
    one, other = Budgets(store, clock), Budgets(store, clock)
    answers = await asyncio.gather(*(reserved(each, allowance, 10) for each in (one, other)))
    slots = [slot for answer in answers for slot in answer]
    assert sum(slot.reserved for slot in slots) == 9
    turns = sorted(round((slot.at - clock()).total_seconds()) for slot in slots if not slot.reserved)
    assert turns == [61] * 9 + [122] * 2


async def test_those_who_ask_together_are_served_by_one_write(store: SqliteStore, clock: Clock) -> None:
    await reserved(Budgets(store, clock), Allowance(bucket="b", starts=100), 50)
    document = await store.document("budget", "b")
    assert document is not None
    assert document.rev <= 3
    assert len(document.body["starts"]) == 50


async def test_who_stops_waiting_takes_no_slot(store: SqliteStore, clock: Clock) -> None:
    budgets, allowance = Budgets(store, clock), Allowance(bucket="b", starts=9)
    first, second = (asyncio.create_task(budgets.reserve([allowance])) for _ in range(2))
    await asyncio.sleep(0)  # both have asked, and one is being served
    second.cancel()
    await first
    await budgets.reserve([allowance])
    assert await starts_of("b", store) == [clock().timestamp()] * 2


async def test_a_slot_that_is_given_back_for_one_of_another_bucket_is_free(store: SqliteStore, clock: Clock) -> None:
    budgets = Budgets(store, clock)
    slot = await budgets.reserve([Allowance(bucket="b", starts=9)])
    await budgets.reserve([Allowance(bucket="c", starts=9)], instead_of=slot)
    assert [await starts_of(bucket, store) for bucket in "bc"] == [[], [clock().timestamp()]]


async def starts_of(bucket: str, store: SqliteStore) -> list[float]:
    """Return a bucket's starts as every process reads them."""
    document = await store.document("budget", bucket)
    assert document is not None
    return list(document.body["starts"])


async def test_another_s_writes_are_waited_for_and_not_for_ever(tmp_path: Path, clock: Clock) -> None:
    store, allowance = Crowded(tmp_path / "crowded.db", clock), Allowance(bucket="b", starts=20)
    await store.open()

    async def no_time(_: timedelta) -> None:
        """Nobody waits here."""

    store.faster = 5
    assert (await Budgets(store, clock, pause=no_time).reserve([allowance])).reserved
    document = await store.document("budget", "b")
    assert document is not None
    assert len(document.body["starts"]) == 6, "what the others wrote is not lost"
    store.faster = 10**6
    with pytest.raises(StoreUnavailable):
        await Budgets(store, clock, pause=no_time).reserve([allowance])
    await store.close()
