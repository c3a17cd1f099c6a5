"""firestore.indexes.json is what the store's queries need: no more, no less. The emulator would not tell."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from google.cloud.firestore_v1 import AsyncClient, FieldFilter
from tests.contracts.writing import always, claimed, create
from tests.emulator import Emulator
from tests.indexes import declared, exempt, needs, serves
from tests.jobs import Clock
from tests.stores import Firestore

from atelier.errors import StoreUnavailable
from atelier.jobs.events import Completed
from atelier.jobs.models import Status
from atelier.jobs.ports import Document, Find
from atelier.stores.firestore import FirestoreStore


@pytest.fixture
def backend(emulator: Emulator, clock: Clock) -> Firestore:
    return Firestore(emulator, clock)


@pytest.fixture
async def store(backend: Firestore) -> AsyncIterator[FirestoreStore]:
    store = backend.process()
    await store.open()
    yield store
    await store.close()


async def ask_everything(store: FirestoreStore, clock: Clock) -> None:
    """Run every query the store can make, in every shape."""
    job = (await create(store, clock, tags={"blog_id": "b", "blog_job_id": "j"}, group="g")).job
    tags: list[dict[str, str]] = [{}, {"blog_id": "b"}, {"blog_id": "b", "blog_job_id": "j"}]
    statuses: list[tuple[Status, ...]] = [(), (Status.QUEUED,), (Status.QUEUED, Status.FAILED), tuple(Status)]
    moments = [None, clock() - timedelta(days=1)]
    places = [None, (clock() + timedelta(days=1), "z")]
    for kinds, status, tag, after, before in itertools.product(
        [("image",), ("image", "blog")], statuses, tags, moments, places
    ):
        query = Find(owner="ann", kinds=kinds, statuses=status, tags=tag, created_after=after, before=before)
        assert [one.job for one in await store.find(query)] == [job]
    due = await store.due("image", clock(), limit=1, after="")
    await store.due("image", clock(), limit=1, after=due.cursor)
    await store.waiting("image", clock())
    await store.rank(job)
    await store.overdue(clock(), limit=9)
    await store.held_by(frozenset(f"p{number}" for number in range(40)))
    for kinds in (("image",), ("image", "blog")):
        await store.finished(kinds, clock(), limit=9)
    found = await store.members("g", since="")
    await store.members("g", since=found.cursor)
    for lane in ("", "a"):
        await store.turns("g", by=clock(), limit=9, lane=lane)
    await store._open.reader.changes("g")
    await store.put("kind", "name", {}, if_rev=0)
    await store.documents("kind", after="a")
    await store.write(job.id, always(claimed(clock), Completed(), result={"text": "x" * 100_000}))
    await store.read(job.id, after=0)
    await store.parts(job.id)
    await store.delete(job.id)
    await store.drop("kind", "name")
    await store.drop_unchanged(Document(kind="kind", name="name", rev=1, body={}))


async def test_the_file_has_the_indexes_that_are_needed_and_no_others(
    backend: Firestore, store: FirestoreStore, clock: Clock
) -> None:
    await ask_everything(store, clock)
    watchman, entries = backend.watchman, declared()["indexes"]
    missing = [index for index in watchman.needed if not any(serves(entry, index) for entry in entries)]
    useless = [entry for entry in entries if not any(serves(entry, index) for index in watchman.needed)]
    assert (missing, useless) == ([], [])


async def test_only_what_is_asked_for_alone_has_an_index_of_its_own(
    backend: Firestore, store: FirestoreStore, clock: Clock
) -> None:
    """An automatic index costs a write each time, and refuses a text of more than 1,500 bytes."""
    await ask_everything(store, clock)
    written = {(collection, name) for collection, name in backend.watchman.written if collection}
    asked = {(collection, name) for collection, name in backend.watchman.asked if name != "__name__"}
    assert written - exempt() == asked
    assert exempt() <= written, "nothing is declared that is not there"


def test_everything_of_a_job_is_declared_to_expire() -> None:
    expiring = {one["collectionGroup"] for one in declared()["fieldOverrides"] if one.get("ttl")}
    assert expiring == {"jobs", "records", "parts"}
    assert {one["fieldPath"] for one in declared()["fieldOverrides"] if one.get("ttl")} == {"expires_at"}


async def test_a_query_without_an_index_is_refused_here(backend: Firestore, store: FirestoreStore) -> None:
    jobs: Any = backend.client.collection("jobs")
    odd = jobs.where(filter=FieldFilter("owner", "==", "ann")).order_by("place")
    with pytest.raises(StoreUnavailable, match="index"):
        await store._open.reader._ask(odd)
    with pytest.raises(StoreUnavailable, match="index"):
        await store._open.reader._ask(jobs.where(filter=FieldFilter("place", ">", 1)))


def needed(*filters: tuple[str, str, Any], order: tuple[tuple[str, str], ...] = (), sums: tuple[str, ...] = ()) -> Any:
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

    query: Any = AsyncClient(project="p", credentials=AnonymousCredentials()).collection("jobs")  # type: ignore[no-untyped-call]
    for one in filters:
        query = query.where(filter=FieldFilter(*one))
    for name, direction in order:
        query = query.order_by(name, direction=direction)
    return needs(query.limit(1)._to_protobuf(), sums)


UP, DOWN = "ASCENDING", "DESCENDING"


def test_the_rules_by_which_indexes_are_derived() -> None:
    """As Firestore's documentation has them; see its page on index types."""
    assert needed(("a", "==", 1)).index is None
    assert needed(("a", "==", 1), ("b", "in", [1, 2])).index is None, "equality alone is merged"
    assert needed(order=(("a", DOWN), ("__name__", DOWN))).index is None
    assert needed(("a", ">", 1), order=(("a", UP),)).index is None
    ranged = needed(("a", "==", 1), ("b", ">", 1)).index
    assert (ranged.equal, ranged.order) == ({"a"}, (("b", UP),))
    listed = needed(("a", "==", 1), ("c", "array_contains", 2), order=(("b", DOWN), ("__name__", DOWN))).index
    assert (listed.equal, listed.contains, listed.order) == ({"a"}, {"c"}, (("b", DOWN),))
    assert needed(("a", "==", None), ("b", "<", 1)).index.equal == {"a"}
    assert needed(("a", "==", 1), sums=("b",)).index.order == (("b", UP),)
