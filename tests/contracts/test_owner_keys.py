"""What owners bring of provider keys, on both stores: sealed, each owner's own, and of no use to a thief."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tests.canaries import WATCH, canary
from tests.jobs import Monotonic
from tests.stores import Backend, backend, store

from atelier.errors import OwnKeysOff, StartRefused
from atelier.jobs.ports import Document, Store
from atelier.stores import owner_keys
from atelier.stores.owner_keys import CACHE_SECONDS, CHECK_KIND, KIND, OwnerKeys, Rotated

__all__ = ["backend", "store"]

OLD, NEW, STRANGER = (Fernet.generate_key().decode() for _ in range(3))
ANNS, BOBS, TOKEN = canary(("ann's key",)), canary(("bob's key",)), "hf_" + canary(("ann's token",))
for secret in (ANNS, BOBS, TOKEN, OLD, NEW):
    WATCH.know(secret, "a key in the tests of owners' keys")


@pytest.fixture
def time() -> Monotonic:
    return Monotonic()


@pytest.fixture
def keys(store: Store, time: Monotonic) -> OwnerKeys:
    return OwnerKeys(store, (OLD,), time)


@asynccontextmanager
async def another(backend: Backend) -> AsyncIterator[Store]:
    """Open the store in one more process."""
    store = backend.process()
    await store.open()
    yield store
    await store.close()


async def text(keys: OwnerKeys, owner: str, vendor: str) -> str | None:
    found = await keys.key(owner, vendor)
    return found.text if found is not None else None


async def everything(store: Store) -> list[Document]:
    return [*await store.documents(KIND), *await store.documents(CHECK_KIND)]


async def test_what_was_brought_is_read_by_whoever_has_the_encryption_key(
    backend: Backend, store: Store, keys: OwnerKeys
) -> None:
    assert await keys.change("ann", {"stable_horde": ANNS, "hugging_face": TOKEN}) == {"stable_horde", "hugging_face"}
    await keys.change("bob", {"stable_horde": BOBS})
    async with another(backend) as elsewhere:
        theirs = OwnerKeys(elsewhere, (OLD,))
        await theirs.check()
        assert await text(theirs, "ann", "stable_horde") == ANNS
        assert await text(theirs, "ann", "hugging_face") == TOKEN
        assert await text(theirs, "bob", "stable_horde") == BOBS
        assert await text(theirs, "bob", "hugging_face") is None
        assert await theirs.vendors("bob") == {"stable_horde"}
        assert (await theirs.vendors("cy"), await theirs.key("cy", "stable_horde")) == (frozenset(), None)
    for document in await everything(store):
        assert not [key for key in (ANNS, BOBS, TOKEN, OLD) if key.rstrip("=") in json.dumps(document.body)]


async def test_a_key_that_is_shown_as_a_value_shows_no_text(keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS})
    found = await keys.key("ann", "stable_horde")
    assert ANNS not in repr(found)


async def test_what_is_not_named_stays_and_none_removes(keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS, "hugging_face": TOKEN})
    first = await keys.key("ann", "stable_horde")
    assert await keys.change("ann", {}) == {"stable_horde", "hugging_face"}
    assert await keys.change("ann", {"hugging_face": None}) == {"stable_horde"}
    assert await keys.key("ann", "hugging_face") is None
    assert await keys.key("ann", "stable_horde") == first
    await keys.change("ann", {"stable_horde": ANNS})
    again = await keys.key("ann", "stable_horde")
    assert first is not None
    assert again is not None
    assert (again.text, again.id != first.id) == (first.text, True), "brought anew, it is another one"
    assert await keys.change("ann", {"stable_horde": None}) == frozenset()


async def test_removing_what_is_not_there_writes_nothing(store: Store, keys: OwnerKeys) -> None:
    assert await keys.change("ann", {"stable_horde": None}) == frozenset()
    await keys.forget("ann")
    assert await everything(store) == []


async def test_a_removed_key_is_used_nowhere_after_three_seconds(
    backend: Backend, keys: OwnerKeys, time: Monotonic
) -> None:
    await keys.change("ann", {"stable_horde": ANNS})
    async with another(backend) as elsewhere:
        theirs = OwnerKeys(elsewhere, (OLD,), time)
        for remove in (theirs.forget("ann"), theirs.change("ann", {"stable_horde": None})):
            await keys.change("ann", {"stable_horde": ANNS})
            assert await text(keys, "ann", "stable_horde") == ANNS
            time.now += CACHE_SECONDS - 0.1
            await remove
            assert await text(theirs, "ann", "stable_horde") is None, "where it was removed, at once"
            assert await text(keys, "ann", "stable_horde") == ANNS
            time.now += 0.1
            assert await text(keys, "ann", "stable_horde") is None
            assert await keys.vendors("ann") == frozenset()
    assert CACHE_SECONDS == 3, "as the documents say"


async def test_nothing_is_left_in_the_store_of_an_owner_who_removed_all(store: Store, keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS})
    await keys.forget("ann")
    assert await store.documents(KIND) == []


async def test_what_is_read_while_it_is_changed_is_not_believed_afterwards(
    store: Store, time: Monotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = OwnerKeys(store, (OLD,), time)
    await keys.change("ann", {"stable_horde": ANNS})
    read, going_on = store.document, asyncio.Event()

    async def slowly(kind: str, name: str) -> Document | None:
        found = await read(kind, name)
        await going_on.wait()
        return found

    monkeypatch.setattr(store, "document", slowly)
    reading = asyncio.create_task(keys.key("ann", "stable_horde"))
    await asyncio.sleep(0.05)
    monkeypatch.undo()
    await keys.forget("ann")
    going_on.set()
    await reading
    assert await keys.key("ann", "stable_horde") is None


async def test_changes_at_the_same_time_are_all_kept(backend: Backend, store: Store) -> None:
    vendors = [f"vendor_{number}" for number in range(6)]
    async with another(backend) as elsewhere:
        rings = [OwnerKeys(store, (OLD,)), OwnerKeys(elsewhere, (OLD,))]
        await asyncio.gather(
            *(rings[number % 2].change("ann", {vendor: f"{ANNS}{number}"}) for number, vendor in enumerate(vendors))
        )
        for number, vendor in enumerate(vendors):
            assert await text(OwnerKeys(store, (OLD,)), "ann", vendor) == f"{ANNS}{number}"


async def test_a_document_that_is_moved_opens_nothing(store: Store, keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS, "hugging_face": TOKEN})
    await keys.change("bob", {"stable_horde": BOBS})
    anns, bobs = await store.documents(KIND)
    await store.put(KIND, "bob", anns.body, if_rev=bobs.rev)
    swapped = {"stable_horde": anns.body["keys"]["hugging_face"], "hugging_face": anns.body["keys"]["stable_horde"]}
    await store.put(KIND, "ann", {"keys": swapped}, if_rev=anns.rev)
    fresh = OwnerKeys(store, (OLD,))
    for owner in ("ann", "bob"):
        assert await fresh.vendors(owner) == frozenset()
        for vendor in ("stable_horde", "hugging_face"):
            assert await fresh.key(owner, vendor) is None


@pytest.mark.parametrize("place", [0, 20, 60, -20, -8])
async def test_a_document_that_was_changed_opens_nothing(store: Store, keys: OwnerKeys, place: int) -> None:
    await keys.change("ann", {"stable_horde": ANNS})
    (found,) = await store.documents(KIND)
    sealed = list(found.body["keys"]["stable_horde"])
    sealed[place] = "A" if sealed[place] != "A" else "B"
    await store.put(KIND, "ann", {"keys": {"stable_horde": "".join(sealed)}}, if_rev=found.rev)
    assert await OwnerKeys(store, (OLD,)).key("ann", "stable_horde") is None


@pytest.mark.parametrize("encryption", [(STRANGER,), (STRANGER, NEW), ()])
async def test_without_the_encryption_key_a_start_is_refused_and_nothing_changed(
    store: Store, keys: OwnerKeys, encryption: tuple[str, ...]
) -> None:
    await OwnerKeys(store, encryption).check()  # as long as nothing was brought, any will do
    await keys.change("ann", {"stable_horde": ANNS})
    before = await everything(store)
    strange = OwnerKeys(store, encryption)
    with pytest.raises(StartRefused) as refused:
        await strange.check()
    assert "ATELIER_ENCRYPTION_KEYS" in refused.value.message
    assert not [key for key in (*encryption, OLD) if key in refused.value.message]
    assert await strange.key("ann", "stable_horde") is None
    with pytest.raises(OwnKeysOff):
        await strange.change("bob", {"stable_horde": BOBS})
    with pytest.raises((StartRefused, OwnKeysOff)):
        await strange.rotate(forget_unreadable=False)
    assert await everything(store) == before
    await keys.check()


async def test_old_encryption_keys_stay_good_until_everything_is_rotated(store: Store, keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS, "hugging_face": TOKEN})
    await keys.change("bob", {"stable_horde": BOBS})
    both = OwnerKeys(store, (NEW, OLD))
    await both.check()
    assert await text(both, "ann", "stable_horde") == ANNS
    await both.change("ann", {"hugging_face": TOKEN})
    alone = OwnerKeys(store, (NEW,))
    assert await text(alone, "ann", "stable_horde") == ANNS, "what is written is encrypted anew, as a whole"
    assert await text(alone, "bob", "stable_horde") is None
    with pytest.raises(StartRefused):
        await alone.check()
    ids = [await both.key(owner, "stable_horde") for owner in ("ann", "bob")]
    assert await both.rotate(forget_unreadable=False) == Rotated(keys=3, unreadable=0)
    alone = OwnerKeys(store, (NEW,))
    await alone.check()
    assert [await alone.key(owner, "stable_horde") for owner in ("ann", "bob")] == ids
    with pytest.raises(StartRefused):
        await OwnerKeys(store, (OLD,)).check()
    assert await OwnerKeys(store, (OLD,)).key("ann", "stable_horde") is None


async def test_many_owners_are_rotated(store: Store, keys: OwnerKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_keys, "CACHE_SIZE", 20)
    for number in range(120):
        await keys.change(f"owner-{number}", {"stable_horde": f"{ANNS}{number}"})
    assert (await OwnerKeys(store, (NEW, OLD)).rotate(forget_unreadable=False)).keys == 120
    alone = OwnerKeys(store, (NEW,))
    for number in range(120):
        assert await text(alone, f"owner-{number}", "stable_horde") == f"{ANNS}{number}"
    assert len(alone._cache) <= 20


async def test_a_rotation_beside_changes_loses_none(backend: Backend, store: Store, keys: OwnerKeys) -> None:
    for number in range(20):
        await keys.change(f"owner-{number}", {"stable_horde": ANNS})
    async with another(backend) as elsewhere:
        both, busy = OwnerKeys(store, (NEW, OLD)), OwnerKeys(elsewhere, (NEW, OLD))

        async def bring() -> None:
            for number in range(20):
                await busy.change(f"owner-{number}", {"hugging_face": TOKEN})
                if number % 5 == 0:
                    await busy.forget(f"owner-{number}")

        await asyncio.gather(both.rotate(forget_unreadable=False), bring())
    alone = OwnerKeys(store, (NEW,))
    for number in range(20):
        assert len(await alone.vendors(f"owner-{number}")) == (0 if number % 5 == 0 else 2), number


async def test_what_nobody_can_read_goes_only_when_that_is_said(store: Store, keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS})
    lost = OwnerKeys(store, (NEW,))
    assert await lost.rotate(forget_unreadable=True) == Rotated(keys=0, unreadable=1)
    await OwnerKeys(store, (NEW,)).check()
    assert await lost.change("ann", {"stable_horde": BOBS}) == {"stable_horde"}
    assert await text(OwnerKeys(store, (NEW,)), "ann", "stable_horde") == BOBS


async def test_an_unreadable_key_stays_beside_a_new_one_and_can_be_removed(store: Store, keys: OwnerKeys) -> None:
    await keys.change("ann", {"stable_horde": ANNS, "hugging_face": TOKEN})
    (found,) = await store.documents(KIND)
    spoiled = {**found.body["keys"], "hugging_face": "gAAAAA"}
    await store.put(KIND, "ann", {"keys": spoiled}, if_rev=found.rev)
    fresh = OwnerKeys(store, (OLD,))
    assert await fresh.change("ann", {"stable_horde": BOBS}) == {"stable_horde"}
    assert await OwnerKeys(store, (OLD,)).rotate(forget_unreadable=False) == Rotated(keys=1, unreadable=1)
    (found,) = await store.documents(KIND)
    assert set(found.body["keys"]) == {"stable_horde", "hugging_face"}
    await fresh.change("ann", {"hugging_face": None})
    left: Any = (await store.documents(KIND))[0].body["keys"]
    assert set(left) == {"stable_horde"}
