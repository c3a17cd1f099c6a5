"""Callers' keys on a real store."""

from __future__ import annotations

import re

import pytest
from tests.jobs import Clock, Monotonic

from atelier.api import keys as module
from atelier.api.keys import CACHE_SECONDS, KIND, Keys
from atelier.errors import InvalidInput, Unauthorized
from atelier.stores.sqlite import SqliteStore


@pytest.fixture
def time() -> Monotonic:
    return Monotonic()


@pytest.fixture
def keys(store: SqliteStore, clock: Clock, time: Monotonic) -> Keys:
    return Keys(store, clock, time)


async def test_a_key_is_long_and_only_its_hash_is_kept(keys: Keys, store: SqliteStore) -> None:
    made = {await keys.create("ann@example.org") for _ in range(20)}
    assert len(made) == 20
    for key in made:
        assert re.fullmatch(r"atelier_[0-9a-f]{16}_[\w-]{43}", key), "256 bits behind the id"
        assert await keys.owner_of(f"Bearer {key}") == "ann@example.org"
        secret = key.split("_", 2)[2]
        for document in await store.documents(KIND):
            assert secret not in str(document.body)
            assert key not in str(document.body)


@pytest.mark.parametrize(
    "owner", ["", " ", "a b", "-a", ".a", "a/b", "a|b", "a\n", "é", "x" * 65, "a\x1fb", "Local", "local", "ANONYMOUS"]
)
async def test_names_that_cannot_be_owners(keys: Keys, owner: str) -> None:
    with pytest.raises(InvalidInput):
        await keys.create(owner)
    assert [key async for key in keys.listed()] == []


@pytest.mark.parametrize("scheme", ["", "Basic", "Token", "Bearer,", "Bearer Bearer"])
async def test_a_key_counts_as_a_bearer_s_only(keys: Keys, scheme: str) -> None:
    key = await keys.create("ann")
    with pytest.raises(Unauthorized):
        await keys.owner_of(f"{scheme} {key}")
    assert await keys.owner_of(f"bEARER {key}") == "ann", "a scheme's name is of any case"


async def test_one_wrong_character_is_refused(keys: Keys) -> None:
    key = await keys.create("ann")
    for place in range(len(key)):
        wrong = key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :]
        with pytest.raises(Unauthorized):
            await keys.owner_of(f"Bearer {wrong}")
    assert await keys.owner_of(f"Bearer {key}") == "ann"


async def test_a_revocation_made_elsewhere_holds_after_the_cache(
    keys: Keys, store: SqliteStore, clock: Clock, time: Monotonic
) -> None:
    header = f"Bearer {await keys.create('ann')}"
    assert await keys.owner_of(header) == "ann"
    (made,) = [key async for key in keys.listed()]
    assert await Keys(store, clock).revoke(made.id)
    assert await keys.owner_of(header) == "ann", "believed for a few seconds"
    time.now += CACHE_SECONDS
    with pytest.raises(Unauthorized):
        await keys.owner_of(header)
    assert not await keys.revoke(made.id)


async def test_a_key_made_elsewhere_works_at_once(keys: Keys, store: SqliteStore, clock: Clock) -> None:
    key = await keys.create("ann")
    (made,) = [key async for key in keys.listed()]
    await keys.revoke(made.id)
    with pytest.raises(Unauthorized):
        await keys.owner_of(f"Bearer {key}")
    other = await Keys(store, clock).create("bob")
    assert await keys.owner_of(f"Bearer {other}") == "bob"


async def test_the_cache_is_bounded_and_every_key_is_listed(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 5)
    for number in range(120):
        key = await keys.create(f"owner-{number}")
        assert await keys.owner_of(f"Bearer {key}") == f"owner-{number}"
    assert len(keys._cache) == 5
    assert len({key.owner async for key in keys.listed()}) == 120
