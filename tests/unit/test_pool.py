"""Several keys as one: who may draw, who rests, and when they are back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.jobs import Clock
from tests.unit.test_rings import most_in_a_window
from tests.vendors import Desk, Shop, Vendor, image_request

from atelier.errors import (
    AtelierError,
    MaybeCharged,
    ProviderBadKey,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    ProviderWaits,
    StoreUnavailable,
)
from atelier.pipelines.keys import KeyState
from atelier.providers.rests import Rests
from atelier.stores.sqlite import SqliteStore

LIMITED = ProviderRateLimited("Too many.", retry_after=timedelta(seconds=20))


@pytest.fixture
def shop(store: SqliteStore, clock: Clock) -> Shop:
    return Shop(store, clock)


class Noteless(Rests):
    """A register that can be read and not be written."""

    async def rest(self, name: str, *, state: KeyState, until: datetime | None, why: str) -> None:  # noqa: ARG002 - as it is asked
        raise StoreUnavailable("The store did not answer in time.")


async def states(shop: Shop, *vendors: Vendor) -> list[str]:
    """Return the keys' states as another process reads them."""
    return [key.state for key in await Shop(shop.store, shop.clock).pool(*vendors).keys()]


async def test_a_limited_key_rests_and_another_draws_at_once(shop: Shop) -> None:
    called: list[str] = []
    one, two = Vendor("gemini", "a", called, lambda: LIMITED), Vendor("gemini", "b", called)
    pool, desk = shop.pool(one, two), Desk()
    image = await pool.generate(image_request(), desk)
    assert (image.provider, called, [call.key for call in desk.calls]) == ("gemini", ["a", "b"], ["alias-a", "alias-b"])
    report, other = await pool.keys()
    assert (report.state, report.until, other.state) == ("resting", shop.clock() + timedelta(seconds=20), "ok")
    await pool.generate(image_request(), desk)
    assert called == ["a", "b", "b"]
    shop.clock.pass_(seconds=21)
    one.trouble = lambda: None
    assert await states(shop, one, two) == ["ok", "ok"]
    for _ in range(15):
        await pool.generate(image_request(), desk)
    assert called.count("a") == 9, "it is back by itself"


async def test_keys_of_one_bucket_share_their_limit_and_their_rest(shop: Shop) -> None:
    called: list[str] = []
    vendors = [Vendor("gemini", key, called) for key in "ab"]
    pool = shop.pool(*vendors, buckets=("p", "p"))
    for _ in range(9):
        await pool.generate(image_request(), Desk())
    with pytest.raises(ProviderWaits) as waits:
        await pool.generate(image_request(), Desk())
    assert (waits.value.until, waits.value.for_key) == (shop.clock() + timedelta(seconds=60), False)
    assert len(called) == 9
    shop.clock.pass_(seconds=70)
    vendors[0].trouble = vendors[1].trouble = lambda: LIMITED
    with pytest.raises(ProviderWaits) as waits:
        await pool.generate(image_request(), Desk())
    assert waits.value.for_key
    assert len(called) == 10, "the other key has the same quota: it is not tried"


async def test_a_short_wait_is_waited_out(shop: Shop) -> None:
    pool, began = shop.pool(Vendor("gemini", "a", []), rpm=1), shop.clock()
    await pool.generate(image_request(), Desk())
    shop.clock.pass_(seconds=59.5)
    await pool.generate(image_request(), Desk())
    assert shop.clock() - began == timedelta(seconds=61)


async def test_a_start_that_comes_late_is_reserved_anew(shop: Shop) -> None:
    """A process that slept between slot and call does not call into somebody else's window."""
    pool = shop.pool(Vendor("gemini", "a", []), rpm=2)

    async def stalled(duration: timedelta) -> None:
        shop.clock.moment += duration + (timedelta(seconds=5) if lags.pop(0) else timedelta())

    lags, pool._pause = [True, False], stalled
    await pool.generate(image_request(), Desk())
    document = await shop.store.document("budget", "a")
    assert document is not None
    assert document.body["starts"] == [shop.clock().timestamp()], "the slot that was missed is given back"


@pytest.mark.parametrize(
    ("error", "state", "back"),
    [
        (ProviderBadKey("No such key."), "bad", None),
        (ProviderNoCredit("Empty."), "no_credit", timedelta(hours=1)),
        (ProviderRateLimited("Slow."), "resting", timedelta(minutes=1)),
        (ProviderRateLimited("Done.", retry_after=timedelta(hours=7), daily=True), "resting", timedelta(hours=7)),
    ],
)
async def test_what_a_key_rests_for(shop: Shop, error: AtelierError, state: str, back: timedelta | None) -> None:
    called: list[str] = []
    one, two = Vendor("gemini", "a", called, lambda: error), Vendor("gemini", "b", called)
    await shop.pool(one, two).generate(image_request(), Desk())
    report, _ = await shop.pool(one, two).keys()
    assert (report.state, report.until) == (state, shop.clock() + back if back is not None else None)
    assert report.why == error.message
    shop.clock.pass_(days=400)
    assert (await states(shop, one, two))[0] == ("bad" if back is None else "ok")
    renewed = Vendor("gemini", "a-new", called)
    report, _ = await shop.pool(renewed, two).keys()
    assert (report.alias, report.state) == ("alias-a", "ok"), "another key under its name is another key"


async def test_a_key_whose_rest_cannot_be_noted_is_not_asked_again(shop: Shop) -> None:
    called: list[str] = []
    one, two = Vendor("gemini", "a", called, lambda: LIMITED), Vendor("gemini", "b", called)
    shop.rests = Noteless(shop.store, shop.clock)
    await shop.pool(one, two).generate(image_request(), Desk())
    assert called == ["a", "b"]
    two.trouble = lambda: LIMITED
    with pytest.raises(ProviderRateLimited, match="Too many"):
        await shop.pool(one, two).generate(image_request(), Desk())
    assert called == ["a", "b", "a", "b"], "each once, and nobody is told that the keys are bad"


async def test_when_none_is_left_the_error_says_what_to_wait_for(shop: Shop) -> None:
    one, two = (Vendor("gemini", key, []) for key in "ab")
    one.trouble, two.trouble = (lambda: ProviderBadKey("Bad.")), (lambda: LIMITED)
    with pytest.raises(ProviderWaits) as waits:
        await shop.pool(one, two).generate(image_request(), Desk())
    assert (waits.value.until, waits.value.for_key) == (shop.clock() + timedelta(seconds=20), True)
    assert waits.value.__cause__ is not None
    assert not isinstance(waits.value.__cause__, ProviderNoCredit), "there is money: its key has no room for now"
    two.trouble = lambda: ProviderNoCredit("Empty.")
    shop.clock.pass_(seconds=21)
    for _ in range(2):
        with pytest.raises(ProviderWaits) as waits:
            await shop.pool(one, two).generate(image_request(), Desk())
        assert isinstance(waits.value.__cause__, ProviderNoCredit)
    two.trouble = lambda: ProviderBadKey("Bad.")
    shop.clock.pass_(hours=2)
    for _ in range(2):
        with pytest.raises(ProviderBadKey):
            await shop.pool(one, two).generate(image_request(), Desk())


async def test_the_first_key_that_is_back_is_waited_for(shop: Shop) -> None:
    called: list[str] = []
    one, two = Vendor("gemini", "a", called, lambda: ProviderNoCredit("Empty.")), Vendor("gemini", "b", called)
    two.trouble = lambda: LIMITED
    for _ in range(2):
        with pytest.raises(ProviderWaits) as waits:
            await shop.pool(one, two).generate(image_request(), Desk())
        assert waits.value.until == shop.clock() + timedelta(seconds=20)
    assert called == ["a", "b"]


async def test_a_key_rests_until_it_has_credit_and_its_quota_room(shop: Shop) -> None:
    one, two = Vendor("gemini", "a", [], lambda: ProviderNoCredit("Empty.")), Vendor("gemini", "b", [])
    two.trouble = lambda: ProviderRateLimited("Done.", retry_after=timedelta(hours=7))
    pool = shop.pool(one, two, buckets=("p", "p"))
    with pytest.raises(ProviderWaits):
        await pool.generate(image_request(), Desk())
    report, other = await pool.keys()
    assert (report.state, report.until) == ("resting", shop.clock() + timedelta(hours=7)) == (other.state, other.until)


@pytest.mark.parametrize("error", [ProviderRefused("No."), ProviderUnavailable("Down."), MaybeCharged("Lost.")])
async def test_other_failures_are_not_the_key_s(shop: Shop, error: AtelierError) -> None:
    called: list[str] = []
    one, two = Vendor("gemini", "a", called, lambda: error), Vendor("gemini", "b", called)
    with pytest.raises(type(error)):
        await shop.pool(one, two).generate(image_request(), Desk())
    assert called == ["a"]
    assert await states(shop, one, two) == ["ok", "ok"]


async def test_an_order_is_attached_to_with_its_own_key_and_costs_no_start(shop: Shop) -> None:
    called: list[str] = []
    pool = shop.pool(*(Vendor("gemini", key, called) for key in "ab"))
    await pool.generate(image_request(order_id="o-1", placed_key="alias-b"), Desk())
    assert called == ["b"]
    assert await shop.store.document("budget", "b") is None


async def test_keys_without_a_limit_reserve_nothing(shop: Shop) -> None:
    await shop.pool(Vendor("hugging_face", "a", []), rpm=None).generate(image_request(), Desk())
    assert await shop.store.documents("budget") == []


class World:
    """Keys whose vendor enforces the limit, outsiders who use it too, and two processes that share the keys."""

    def __init__(self, store: SqliteStore, clock: Clock, keys: int) -> None:
        self.clock, self.called = clock, list[str]()
        self.starts: dict[str, list[float]] = {str(number): [] for number in range(keys)}
        self.taken: dict[str, list[float]] = {key: [] for key in self.starts}  # a call that is refused is a start, too
        self.rests_until: dict[str, datetime] = {}
        self.broken: dict[str, AtelierError] = {}
        self.own_429 = 0
        vendors = [Vendor("gemini", key, self.called, self.answer(key)) for key in self.starts]
        self.pools = [Shop(store, clock).pool(*vendors, rpm=2) for _ in range(2)]

    def answer(self, key: str) -> Callable[[], AtelierError | None]:
        def answered() -> AtelierError | None:
            now = self.clock()
            assert now >= self.rests_until.get(key, now), "a key that rests is left alone"
            self.taken[key].append(now.timestamp())
            error = self.broken.get(key)
            if error is not None:
                self.rests_until[key] = now + (error.retry_after or timedelta(hours=1))
                if isinstance(error, ProviderBadKey):
                    self.rests_until[key] = now + timedelta(days=999)
                return error
            self.starts[key].append(now.timestamp())
            self.own_429 += most_in_a_window(self.starts[key], 60) > 2
            return None

        return answered

    async def call(self, process: int) -> None:
        before = sum(map(len, self.starts.values()))
        try:
            await self.pools[process].generate(image_request(), Desk())
        except ProviderWaits as waits:
            until = waits.until
            assert until > self.clock() - timedelta(seconds=1)
            assert sum(map(len, self.starts.values())) == before
            assert not [key for key in self.starts if self.has_room(key)], "it waits only where nobody has room"
        except ProviderBadKey:
            assert all(isinstance(self.broken.get(key), ProviderBadKey) for key in self.starts)

    def has_room(self, key: str) -> bool:
        now = self.clock()
        well = key not in self.broken and now >= self.rests_until.get(key, now)
        return well and len([start for start in self.taken[key] if start > now.timestamp() - 62]) < 2


FAULTS = {"limited": LIMITED, "bad": ProviderBadKey("Bad."), "empty": ProviderNoCredit("Empty.")}
ACTIONS = some.one_of(
    some.tuples(some.just("call"), some.integers(0, 1)),
    some.tuples(some.just("pass"), some.integers(1, 90)),
    some.tuples(some.sampled_from(sorted(FAULTS)), some.integers(0, 2)),
    some.tuples(some.just("mend"), some.integers(0, 2)),
)


@settings(max_examples=40, deadline=None)
@given(keys=some.integers(1, 3), actions=some.lists(ACTIONS, max_size=40))
def test_whatever_happens_to_keys_the_pool_uses_the_well_ones_within_their_limits(
    keys: int, actions: list[tuple[str, int]]
) -> None:
    async def live(store: SqliteStore, clock: Clock) -> None:
        world = World(store, clock, keys)
        for action, number in actions:
            if action == "call":
                await world.call(number)
            elif action == "pass":
                clock.pass_(seconds=number)
            elif action == "mend" and not isinstance(world.broken.get(str(number)), ProviderBadKey):
                world.broken.pop(str(number), None)
            elif action in FAULTS and number < keys:
                world.broken.setdefault(str(number), FAULTS[action])
        assert world.own_429 == 0

    asyncio.run(on_a_store(live))


async def on_a_store(live: Callable[[SqliteStore, Clock], Awaitable[None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        store = SqliteStore(Path(folder) / "a.db", clock)
        await store.open()
        try:
            await live(store, clock)
        finally:
            await store.close()
