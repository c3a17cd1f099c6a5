"""What every test may use: a clock, the store, a live server; and what no test may do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from blockbuster import BlockBuster
from hypothesis import settings
from tests.canaries import WATCH, WatchedLog
from tests.emulator import Emulator, find_jar, running
from tests.jobs import Clock
from tests.live import Live, Serve, needs, serving
from tests.process.servers import Nursery
from tests.stores import on_file

from atelier.settings import FOREIGN, PREFIX
from atelier.stores.sqlite import SqliteStore

if (
    find_spec("sniffio") is None
):  # httpcore looks for it on the disk with every request, four times: a third of a request
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # this is how an import is told that there is none

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


WRITING = {"__init__", "_begin", "_run", "_undo", "_refuse", "look"}
"""What the store's writer does in the event loop: all but waiting for the lock and the commit."""

SLOW_ROOMS = ("process", "e2e", "providers", "api")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits longest: at the end no worker shall be alone with it."""
    order = {room: place for place, room in enumerate(SLOW_ROOMS)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


@pytest.fixture(scope="session", autouse=True)
def no_secret_leaves_the_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No canary is in any answer, log line, database or file of the whole run."""
    handler = WatchedLog()
    for name in ("", "atelier", "uvicorn", "uvicorn.error"):
        logging.getLogger(name).addHandler(handler)
    logging.getLogger("atelier").setLevel(logging.DEBUG)
    yield
    WATCH.search_files(tmp_path_factory.getbasetemp())
    assert not WATCH.seen, "\n".join(sorted(WATCH.seen))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the developer's environment nor their .env."""
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in FOREIGN:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours inside the event loop raises; what is written there and committed elsewhere does not block."""
    guard = BlockBuster(scanned_modules=["atelier"])
    guard.functions["os.stat"].can_block_in("atelier/stores/sqlite/writer.py", "look")
    for call in (name for name in guard.functions if name.startswith("sqlite3.")):
        guard.functions[call].can_block_in("atelier/stores/sqlite/remembered.py", "find")
        guard.functions[call].can_block_in("atelier/stores/sqlite/writer.py", WRITING)
    guard.activate()
    yield
    guard.deactivate()


async def _keep_grpc_alive() -> None:
    """Else it joins a thread of its own inside some test's loop, whenever the last channel happens to be collected."""
    grpc.aio.init_grpc_aio()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    jar = find_jar()
    needs(jar, "Google's Firestore emulator (gcloud with its component cloud-firestore-emulator, and java)")
    assert jar is not None
    asyncio.run(_keep_grpc_alive())
    with running(jar, tmp_path_factory.mktemp("emulator") / "log") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def nursery() -> Iterator[None]:
    """Let a worker's tests fork their server processes from one that has imported everything."""
    with Nursery.open():
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with on_file(tmp_path, clock) as store:
        yield store


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Return a function that starts a server with the given settings for the length of a `with` block."""
    return partial(serving, tmp_path / "data")


@pytest.fixture
async def live(serve: Serve) -> AsyncIterator[Live]:
    async with serve() as running:
        yield running
