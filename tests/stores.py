"""Both stores, for tests that hold for each: what a process opens, and what may be done to its data behind its back."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.emulator import Emulator
from tests.indexes import Watchman
from tests.jobs import Clock, tamper

from atelier.jobs.ports import Store
from atelier.stores.firestore import FirestoreStore
from atelier.stores.sqlite import SqliteStore

KEEP = timedelta(days=30)


class Backend(ABC):
    """One store's data, and as many processes on it as a test wants."""

    @abstractmethod
    def process(self) -> Store:
        """Return the store of one more process, not open yet."""

    @abstractmethod
    async def spoil_header(self, job_id: str, old: str, new: str) -> None:
        """Replace text in a job's header."""

    @abstractmethod
    async def spoil_log(self, job_id: str) -> None:
        """Make a job's records unreadable."""

    @abstractmethod
    async def spoil_params(self, job_id: str) -> None:
        """Make a job's params something else than params."""


@asynccontextmanager
async def on_file(folder: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    """Open the store of a folder, as each of its processes does."""
    store = SqliteStore(folder / "atelier.db", clock)
    await store.open()
    yield store
    await store.close()


class Sqlite(Backend):
    """A file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock

    def process(self) -> SqliteStore:
        return SqliteStore(self._path, self._clock)

    async def spoil_header(self, job_id: str, old: str, new: str) -> None:
        await tamper(self._path, f"UPDATE jobs SET header = replace(header, '{old}', '{new}') WHERE id = '{job_id}'")  # noqa: S608 - a test's own words

    async def spoil_log(self, job_id: str) -> None:
        await tamper(self._path, f"UPDATE records SET body = '[]' WHERE {_of(job_id)}")  # noqa: S608 - a test's own words

    async def spoil_params(self, job_id: str) -> None:
        await tamper(self._path, f"UPDATE parts SET body = '[]' WHERE key = 'params' AND {_of(job_id)}")  # noqa: S608 - a test's own words


def _of(job_id: str) -> str:
    return f"job = (SELECT number FROM jobs WHERE id = '{job_id}')"  # noqa: S608 - a test's own words


class Firestore(Backend):
    """A project of its own in the emulator. Queries without an index are refused, as Google does and the emulator does not."""

    def __init__(self, emulator: Emulator, clock: Clock) -> None:
        self.emulator, self._clock = emulator, clock
        self.project, self.watchman = f"test-{secrets.token_hex(6)}", Watchman()
        self._opened: list[FirestoreStore] = []

    def process(self, **given: Any) -> FirestoreStore:
        values: dict[str, Any] = {
            "keep": {"image": KEEP},
            "emulator": self.emulator.address,
            "interceptors": self.watchman.interceptors,
        }
        store = FirestoreStore(self.project, self._clock, **(values | given))
        self._opened.append(store)
        return store

    @property
    def client(self) -> Any:
        """Some open store's client."""
        return next(store._rooms.connection.client for store in self._opened if store._rooms is not None)

    async def spoil_header(self, job_id: str, old: str, new: str) -> None:
        place = self.client.document("jobs", job_id)
        header = (await place.get()).get("header")
        await place.update({"header": header.replace(old, new)})

    async def spoil_log(self, job_id: str) -> None:
        await self.client.document("jobs", job_id).update({"tail": ["[]"]})

    async def spoil_params(self, job_id: str) -> None:
        await self.client.document("jobs", job_id, "parts", "params").update({"body": "[]"})


@contextmanager
def deaf(store: Store) -> Iterator[None]:
    """Let nobody who listens hear of anything."""
    teller: Any = store._open.following if isinstance(store, FirestoreStore) else store
    teller._wake = lambda *_: None
    yield
    del teller._wake


@pytest.fixture(params=["sqlite", "firestore"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Backend:
    """Return each backend in turn."""
    if request.param == "sqlite":
        return Sqlite(tmp_path / "atelier.db", clock)
    return Firestore(request.getfixturevalue("emulator"), clock)


@pytest.fixture
async def store(backend: Backend) -> AsyncIterator[Store]:
    """Return the store of one process."""
    store = backend.process()
    await store.open()
    yield store
    await store.close()
