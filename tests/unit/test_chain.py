"""Several providers in order: who is passed over, who is left alone, and what never goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.jobs import Clock
from tests.unit.test_pool import on_a_store
from tests.vendors import Desk, Shop, Vendor, image_request

from atelier.errors import (
    AtelierError,
    MaybeCharged,
    OutOfMemory,
    ProviderBadKey,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    ProviderWaits,
    StoreUnavailable,
)
from atelier.providers.breaker import Breaker
from atelier.providers.chain import FirstThatWorks
from atelier.providers.rests import Rests
from atelier.stores.sqlite import SqliteStore

DOWN = ProviderUnavailable("Down.")
AWAY = "The store did not answer in time."


class Line:
    """A chain of vendors, each with one key without a limit."""

    def __init__(
        self, store: SqliteStore, clock: Clock, *names: str, after_refusal: bool = False, patient: bool = False
    ) -> None:
        self.called: list[str] = []
        self.vendors = {name: Vendor(name, name, self.called) for name in names}
        shop = Shop(store, clock)
        pools = [shop.pool(vendor, rpm=None) for vendor in self.vendors.values()]
        self.rests, self.clock = shop.rests, clock
        guarded = [Breaker(pool, rests=shop.rests, now=clock, patient=patient) for pool in pools]
        self.chain = FirstThatWorks("all", guarded, after_refusal=after_refusal)

    def fail(self, name: str, error: AtelierError | None) -> None:
        self.vendors[name].trouble = lambda: error

    async def draw(self, **fields: object) -> str:
        """Return who drew."""
        return (await self.chain.generate(image_request(**fields), Desk())).provider


@pytest.fixture
def line(store: SqliteStore, clock: Clock) -> Line:
    return Line(store, clock, "one", "two", "three")


@pytest.mark.parametrize(
    "error",
    [DOWN, ProviderRateLimited("Full."), ProviderNoCredit("Empty."), ProviderBadKey("Bad."), OutOfMemory("Small.")],
)
async def test_who_cannot_draw_is_passed_over_and_named(line: Line, error: AtelierError) -> None:
    line.fail("one", error)
    image = await line.chain.generate(image_request(), Desk())
    assert (image.provider, line.called) == ("two", ["one", "two"])
    (warning,) = image.warnings
    assert warning.startswith("one was passed over: ")


@pytest.mark.parametrize(
    "error", [ProviderRefused("No."), MaybeCharged("Lost."), ProviderInvalidRequest("What?"), ZeroDivisionError()]
)
async def test_nobody_else_is_asked_after_a_refusal_or_where_money_may_be_gone(line: Line, error: Exception) -> None:
    line.vendors["one"].trouble = lambda: error  # type: ignore[assignment,return-value]
    with pytest.raises(type(error)):
        await line.draw()
    assert line.called == ["one"]


async def test_a_refusal_goes_on_where_that_is_wanted(store: SqliteStore, clock: Clock) -> None:
    line = Line(store, clock, "one", "two", after_refusal=True)
    line.fail("one", ProviderRefused("No."))
    assert await line.draw() == "two"


async def test_a_dead_provider_is_left_alone_and_tried_again_by_one(line: Line) -> None:
    line.fail("one", DOWN)
    for _ in range(5):
        assert await line.draw() == "two"
    assert line.called.count("one") == 3, "after three failures it costs nobody its timeout"
    line.clock.pass_(seconds=61)
    await asyncio.gather(*(line.draw() for _ in range(5)))
    assert line.called.count("one") == 4, "one caller looks whether it is back"
    line.clock.pass_(seconds=119)
    await line.draw()
    assert line.called.count("one") == 4, "it rests twice as long now"
    line.clock.pass_(seconds=2)
    line.fail("one", None)
    assert await line.draw() == "one"
    assert (await line.rests.all()) == {}
    line.fail("one", DOWN)
    await line.draw()
    assert line.called.count("one") == 6, "it counts anew"


async def test_a_provider_that_is_away_for_days_is_tried_every_ten_minutes(line: Line) -> None:
    for _ in range(50):
        await line.rests.failed("provider-one", "Down.")
    rest = (await line.rests.all())["provider-one"]
    assert (rest.until, rest.failures) == (line.clock() + timedelta(minutes=10), 50)


async def test_a_probe_that_is_lost_does_not_close_the_door(line: Line) -> None:
    line.fail("one", DOWN)
    for _ in range(3):
        await line.draw()
    line.clock.pass_(seconds=61)
    assert await line.rests.probe("provider-one", (await line.rests.all())["provider-one"])
    line.fail("one", None)
    assert await line.draw() == "two"
    line.clock.pass_(minutes=4)
    assert await line.draw() == "one"


async def test_a_provider_that_answers_is_not_dead(line: Line) -> None:
    for error in (DOWN, DOWN, ProviderRefused("No."), DOWN, DOWN):
        line.fail("one", error)
        if isinstance(error, ProviderRefused):
            with pytest.raises(ProviderRefused):
                await line.draw()
        else:
            await line.draw()
    line.fail("one", None)
    assert await line.draw() == "one"


async def test_what_none_of_them_can_do(line: Line) -> None:
    for name in line.vendors:
        line.fail(name, ProviderBadKey("Bad."))
    with pytest.raises(ProviderBadKey):
        await line.draw()
    line.fail("two", None)
    with pytest.raises(ProviderBadKey):
        await line.draw()  # a bad key stays away until it is replaced


async def test_the_first_who_has_room_again_is_waited_for(line: Line) -> None:
    for name, seconds in (("one", 50), ("two", 20), ("three", 80)):
        line.fail(name, ProviderRateLimited("Full.", retry_after=timedelta(seconds=seconds)))
    with pytest.raises(ProviderWaits) as waits:
        await line.draw()
    assert waits.value.until == line.clock() + timedelta(seconds=20)


async def test_those_to_avoid_are_avoided(line: Line) -> None:
    assert await line.draw(avoid=frozenset({"one"})) == "two"
    with pytest.raises(ProviderNotConfigured):
        await line.draw(avoid=frozenset(line.vendors))


async def test_the_time_is_shared_by_those_who_may_still_be_asked(store: SqliteStore, clock: Clock) -> None:
    vendors = [Vendor(name, name, [], lambda: DOWN) for name in ("one", "two", "three", "four")]
    pools = [Shop(store, clock).pool(vendor, rpm=None) for vendor in vendors]
    wanted = image_request(until=clock() + timedelta(seconds=60), avoid=frozenset({"three"}))
    with pytest.raises(ProviderUnavailable):
        await FirstThatWorks("all", pools, clock=clock).generate(wanted, Desk())
    given = [[request.patience for request in vendor.requests] for vendor in vendors]
    assert given == [[timedelta(seconds=20)], [timedelta(seconds=30)], [], [None]]


async def test_an_order_is_attached_to_where_it_was_placed(line: Line) -> None:
    assert await line.draw(order_id="o-1", placed_with="three") == "three"
    assert line.called == ["three"]


async def test_an_order_is_waited_for_while_its_provider_is_left_alone(line: Line) -> None:
    for _ in range(3):
        await line.rests.failed("provider-three", "Down.")
    assert await line.draw(order_id="o-1", placed_with="three") == "three"


async def test_who_is_left_alone_says_for_how_long(line: Line) -> None:
    for name in line.vendors:
        for _ in range(3):
            await line.rests.failed(f"provider-{name}", "Down.")
    line.clock.pass_(seconds=20)
    with pytest.raises(ProviderUnavailable) as down:
        await line.draw()
    assert down.value.retry_after == timedelta(seconds=40)


OUTCOMES: dict[str, AtelierError | None] = {
    "well": None,
    "down": DOWN,
    "lost": MaybeCharged("Lost."),
    "full": ProviderRateLimited("Full.", retry_after=timedelta(seconds=30)),
    "refuses": ProviderRefused("No."),
}
ACTIONS = some.one_of(
    some.tuples(some.sampled_from(sorted(OUTCOMES)), some.sampled_from(["one", "two"])),
    some.tuples(some.just("pass"), some.sampled_from([1, 40, 700])),
    some.tuples(some.just("draw"), some.integers(1, 4)),
)


@settings(max_examples=30, deadline=None)
@given(actions=some.lists(ACTIONS, max_size=30))
def test_whatever_providers_do_somebody_well_draws_and_the_dead_cost_little(
    actions: list[tuple[str, int | str]],
) -> None:
    """Sequential draws: the last provider is always well, so that only a refusal or a lost order ends a draw without it."""

    async def live(store: SqliteStore, clock: Clock) -> None:
        line = Line(store, clock, "one", "two", "three")
        failing = dict.fromkeys(("one", "two"), 0)
        for action, value in actions:
            if action == "pass":
                clock.pass_(seconds=float(value))
                failing = dict.fromkeys(failing, 0)
            elif action == "draw":
                for _ in range(int(value)):
                    await drawn(line, failing)
            else:
                line.fail(str(value), OUTCOMES[action])

    async def drawn(line: Line, failing: dict[str, int]) -> None:
        line.called.clear()
        try:
            who = await line.draw()
        except (ProviderRefused, MaybeCharged):
            assert line.called[-1] != "three"
        else:
            assert line.called[-1] == who
        for name, before in failing.items():
            dead = isinstance(line.vendors[name].trouble(), ProviderUnavailable | MaybeCharged)
            failing[name] = now = before + line.called.count(name) if dead else 0
            assert now <= 3, "without time passing nobody is asked a fourth time"

    asyncio.run(on_a_store(live))


async def test_who_is_patient_waits_for_one_that_is_left_alone(store: SqliteStore, clock: Clock) -> None:
    line = Line(store, clock, "one", patient=True)
    line.fail("one", DOWN)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            await line.draw()
    with pytest.raises(ProviderWaits) as waits:
        await line.draw()
    assert waits.value.until == clock() + timedelta(minutes=1)
    assert line.called == ["one"] * 3, "nobody is asked, and no attempt is used up"
    clock.pass_(minutes=1)
    line.fail("one", None)
    assert await line.draw() == "one"


class Noteless(Rests):
    """A register that can be read and not be written."""

    async def failed(self, name: str, why: str) -> None:  # noqa: ARG002 - as it is asked
        raise StoreUnavailable(AWAY)

    async def works(self, name: str) -> None:  # noqa: ARG002 - as it is asked
        raise StoreUnavailable(AWAY)


@pytest.mark.parametrize("error", [None, DOWN, MaybeCharged("Lost."), ProviderRefused("No.")])
async def test_a_call_stands_although_it_cannot_be_noted(
    store: SqliteStore, clock: Clock, error: AtelierError | None
) -> None:
    shop, vendor = Shop(store, clock), Vendor("one", "one", [], lambda: error)
    await shop.rests.failed("provider-one", "Down.")
    breaker = Breaker(shop.pool(vendor, rpm=None), rests=Noteless(store, clock), now=clock)
    if error is None:
        assert (await breaker.generate(image_request(), Desk())).provider == "one"
        return
    with pytest.raises(type(error)):
        await breaker.generate(image_request(), Desk())
