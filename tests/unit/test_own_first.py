"""Owners' own keys before the service's: whose key is asked with, what is remembered of it, and when it is let go of."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from tests.jobs import Clock
from tests.vendors import Desk, Shop, Vendor, image_request

from atelier.errors import (
    AtelierError,
    MaybeCharged,
    ProviderBadKey,
    ProviderNoCredit,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    ProviderWaits,
)
from atelier.pipelines.keyring import OWN, OwnKey
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Offer
from atelier.providers.breaker import Breaker
from atelier.providers.budgets import Budgets
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import Observed
from atelier.providers.own_first import OwnFirst, OwnSources
from atelier.providers.pool import Key, KeyPool, Member
from atelier.providers.rests import Rests
from atelier.providers.rings import Allowance
from atelier.stores.owner_keys import OwnerKeys
from atelier.stores.sqlite import SqliteStore

ABSENT = "There is no key of horde."
DOWN = ProviderUnavailable("Down.")


class Closing(Vendor):
    """A vendor that says when it was let go of, and can be held up."""

    closed = False
    gate: asyncio.Event | None = None

    async def generate(self, request: ImageRequest, desk: object) -> GeneratedImage:
        if self.gate is not None:
            await self.gate.wait()
        assert not self.closed, "closed while it is at work"
        return await super().generate(request, desk)  # type: ignore[arg-type]

    async def close(self) -> None:
        self.closed = True


class Town:
    """A vendor with the service's key and owners' own ones, on a real store."""

    def __init__(self, store: SqliteStore, clock: Clock, *, service: bool = True, most: int = 32) -> None:
        self.store, self.clock, self.shop = store, clock, Shop(store, clock)
        self.called: list[str] = []
        self.made: dict[str, Closing] = {}
        self.errors: dict[str, AtelierError | None] = {}
        self.keyring = OwnerKeys(store, (Fernet.generate_key().decode(),))
        self.service = self.vendor("service")
        pool = Breaker(self.shop.pool(self.service, rpm=None), rests=self.shop.rests, now=clock)
        self.own = OwnSources("horde", self.keyring, self.make, most=most)
        self.source = OwnFirst(
            name="horde",
            terms=self.service.terms,
            offer=self.service.offer,
            own=self.own,
            service=pool if service else None,
            absent=ABSENT,
        )

    def vendor(self, key: str) -> Closing:
        return Closing("horde", key, self.called, lambda: self.errors.get(key))

    def make(self, own: OwnKey) -> KeyPool[ImageRequest, GeneratedImage, Offer]:
        vendor = self.made[own.text] = self.vendor(own.text)
        quota = f"horde-own-{own.id}"
        allowance = Allowance(bucket=quota, starts=9)
        key = Key(
            alias=OWN, fingerprint=f"own-{own.id}", bucket=None, quota=quota, allowance=allowance, provider=vendor
        )
        return KeyPool(
            members=[Member(key=key, source=Observed(vendor, None, key=OWN))],
            budgets=Budgets(self.store, self.clock, pause=self.shop.pause),
            rests=Rests(self.store, self.clock, kind="own-rest"),
            now=self.clock,
            pause=self.shop.pause,
            alone=True,
        )

    def fail(self, key: str, error: AtelierError | None) -> None:
        self.errors[key] = error

    async def draw(self, owner: str = "ann", **more: object) -> GeneratedImage:
        return await self.source.generate(image_request(owner=owner, **more), Desk())


@pytest.fixture
def town(store: SqliteStore, clock: Clock) -> Town:
    return Town(store, clock)


@pytest.fixture
def bare(store: SqliteStore, clock: Clock) -> Town:
    return Town(store, clock, service=False)


async def test_the_owner_s_key_goes_first_then_the_service_s(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    await town.draw("ann")
    await town.draw("bob")
    await town.draw("")
    assert town.called == ["anns", "service", "service"]
    await town.keyring.change("ann", {"horde": None})
    await town.draw("ann")
    assert town.called[-1] == "service"


async def test_without_any_key_it_says_so(bare: Town) -> None:
    await bare.keyring.change("ann", {"other": "anns"})
    for owner in ("ann", "bob", ""):
        with pytest.raises(ProviderNotConfigured, match=ABSENT):
            await bare.draw(owner)
    assert bare.called == []


@pytest.mark.parametrize("error", [ProviderBadKey("Bad."), ProviderNoCredit("Empty."), ProviderRateLimited("Full.")])
async def test_an_own_key_that_is_of_no_use_makes_way_and_the_owner_is_told(town: Town, error: AtelierError) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    town.fail("anns", error)
    for _ in range(3):
        image = await town.draw()
        (warning,) = image.warnings
        assert warning.startswith("Your own key of horde was not used: ")
    assert town.called == ["anns", "service", "service", "service"], "it rests meanwhile"
    town.fail("anns", None)
    await town.keyring.change("ann", {"horde": "anns"})
    await town.draw()
    assert town.called[-1] == "anns", "brought again, it is asked with again"


async def test_a_bad_key_of_one_owner_is_no_other_s(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    await town.keyring.change("bob", {"horde": "bobs"})
    town.fail("anns", ProviderBadKey("Bad."))
    await town.draw("ann")
    town.called.clear()
    await town.draw("bob")
    await town.draw("cy")
    assert town.called == ["bobs", "service"]


async def test_where_the_service_s_key_fails_too_both_are_told(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    town.fail("anns", ProviderBadKey("Bad."))
    town.fail("service", DOWN)
    with pytest.raises(ProviderUnavailable) as down:
        await town.draw()
    assert down.value.message == "Your own key of horde was not used: No key of horde is valid. Down."


@pytest.mark.parametrize("error", [DOWN, MaybeCharged("Lost."), ProviderRefused("No.")])
async def test_what_another_key_would_not_mend_ends_it(town: Town, error: AtelierError) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    town.fail("anns", error)
    with pytest.raises(type(error)):
        await town.draw()
    assert town.called == ["anns"]


async def test_one_owner_s_trouble_closes_no_door_to_others(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    town.fail("anns", DOWN)
    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            await town.draw("ann")
    await town.draw("bob")
    assert town.called == ["anns"] * 5 + ["service"]
    assert await town.shop.rests.all() == {}
    assert (await town.shop.book.of("horde")).failed_at is None


async def test_an_own_key_has_a_budget_of_its_own(bare: Town) -> None:
    await bare.keyring.change("ann", {"horde": "anns"})
    await bare.keyring.change("bob", {"horde": "bobs"})
    for _ in range(9):
        await bare.draw("ann")
    with pytest.raises(ProviderWaits) as waits:
        await bare.draw("ann")
    assert waits.value.message.startswith("Your own key of horde was not used: ")
    assert waits.value.until > bare.clock()
    await bare.draw("bob")
    key = await bare.keyring.key("ann", "horde")
    assert key is not None
    assert {document.name for document in await bare.store.documents("budget")} > {f"horde-own-{key.id}"}
    assert not [one for one in await bare.store.documents("budget") if "anns" in str(one)]


async def test_an_order_is_attached_to_with_the_key_it_was_placed_with(town: Town, bare: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    await town.draw(order_id="o-1", placed_with="horde", placed_key=OWN)
    await town.draw(order_id="o-1", placed_with="horde", placed_key="alias-service")
    assert town.called == ["anns", "service"]
    await town.keyring.forget("ann")
    await town.draw(order_id="o-1", placed_with="horde", placed_key=OWN)
    assert town.called[-1] == "service", "gone meanwhile: whoever is left asks for it"
    with pytest.raises(ProviderNotConfigured):
        await bare.draw(order_id="o-1", placed_with="horde", placed_key=OWN)


async def test_an_own_key_is_announced_by_its_alias_and_nothing_of_it(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    desk = Desk()
    await town.source.generate(image_request(owner="ann"), desk)
    assert [(call.provider, call.key) for call in desk.calls] == [("horde", OWN)]


async def test_in_the_order_of_providers_who_has_no_key_is_passed_over_in_silence(
    town: Town, bare: Town, store: SqliteStore, clock: Clock
) -> None:
    last = Vendor("last", "last", bare.called)
    guarded = Breaker(Shop(store, clock).pool(last), rests=town.shop.rests, now=clock)
    line: FirstThatWorks[ImageRequest, GeneratedImage, Offer] = FirstThatWorks("all", [bare.source, guarded])
    image = await line.generate(image_request(owner="ann"), Desk())
    assert (image.provider, image.warnings, bare.called) == ("last", (), ["last"])
    await bare.keyring.change("ann", {"horde": "anns"})
    assert (await line.generate(image_request(owner="ann"), Desk())).provider == "horde"
    bare.fail("anns", ProviderBadKey("Bad."))
    image = await line.generate(image_request(owner="ann"), Desk())
    assert image.provider == "last"
    assert image.warnings == ("horde was passed over: Your own key of horde was not used: No key of horde is valid.",)
    with pytest.raises(ProviderNotConfigured, match=ABSENT):
        await FirstThatWorks("all", [bare.source]).generate(image_request(owner="bob"), Desk())


async def test_what_works_with_an_own_key_is_made_once_and_goes_with_the_key(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "first"})
    await town.draw()
    made = town.made["first"]
    await town.draw()
    assert (town.made["first"] is made, made.closed) == (True, False)
    await town.keyring.change("ann", {"horde": "second"})
    await town.draw()
    assert (made.closed, town.called[-1]) == (True, "second")
    await town.keyring.forget("ann")
    await town.draw()
    assert town.made["second"].closed


async def test_of_very_many_the_longest_unused_goes_but_none_at_work(store: SqliteStore, clock: Clock) -> None:
    town = Town(store, clock, most=3)
    for number in range(5):
        await town.keyring.change(f"owner-{number}", {"horde": f"key-{number}"})
    town.vendor("warm")
    await town.draw("owner-0")
    gate = town.made["key-0"].gate = asyncio.Event()
    at_work = asyncio.create_task(town.draw("owner-0"))
    await asyncio.sleep(0.05)
    for number in range(1, 5):
        await town.draw(f"owner-{number}")
    assert [town.made[f"key-{number}"].closed for number in range(5)] == [False, True, False, False, False]
    gate.set()
    await at_work
    assert town.made["key-0"].closed, "as soon as its work was done"
    await town.source.close()
    assert all(vendor.closed for vendor in (*town.made.values(), town.service))


async def test_a_key_that_is_removed_at_work_is_let_go_of_afterwards(town: Town) -> None:
    await town.keyring.change("ann", {"horde": "anns"})
    await town.draw()
    made = town.made["anns"]
    made.gate = asyncio.Event()
    at_work = asyncio.create_task(town.draw())
    await asyncio.sleep(0.05)
    await town.keyring.forget("ann")
    await town.draw()
    assert (made.closed, town.called[-1]) == (False, "service")
    made.gate.set()
    await at_work
    assert (made.closed, town.called[-1]) == (True, "anns")


async def test_a_provider_of_the_order_that_rests_is_tried_again(town: Town, clock: Clock) -> None:
    """Named by itself or in the order, it counts one failure a call, and one caller tries it when its rest is over."""
    line = FirstThatWorks("all", [town.source])
    town.fail("service", DOWN)
    for asked in (line, town.source, line):
        with pytest.raises(ProviderUnavailable):
            await asked.generate(image_request(), Desk())
    assert town.called == ["service"] * 3
    with pytest.raises(ProviderUnavailable, match="left alone"):
        await line.generate(image_request(), Desk())
    clock.moment += timedelta(seconds=61)
    town.fail("service", None)
    assert (await line.generate(image_request(), Desk())).provider == "horde"
