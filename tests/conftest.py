"""What every test may use: a data directory, the store, a live server in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from blockbuster import BlockBuster
from fastapi import FastAPI

from atelier.app import create_app
from atelier.settings import Settings
from atelier.stores.sqlite import SqliteStore
from atelier.wiring import Adapters

ROOT = Path(__file__).parent.parent


def needs(found: object, what: str) -> None:
    """Skip on a laptop that lacks something, with the reason; fail in CI."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI skips nothing")
    pytest.skip(f"{what} is not installed here")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the developer's environment nor their .env."""
    for name in list(os.environ):
        if name.startswith("ATELIER_") or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours inside the event loop raises."""
    guard = BlockBuster(scanned_modules=["atelier"])
    guard.activate()
    yield
    guard.deactivate()


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "atelier.db", clock)
    await store.open()
    yield store
    await store.close()


class Live:
    """A running server and a client of it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, port: int) -> None:
        self.app, self.client, self.port = app, client, port
        self.base = f"http://127.0.0.1:{port}"


Serve = Callable[..., AbstractAsyncContextManager[Live]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Return a function that starts a server with the given settings for the length of a `with` block."""

    @contextlib.asynccontextmanager
    async def start(adapters: Adapters | None = None, **settings: object) -> AsyncIterator[Live]:
        config = Settings(**{"data_dir": tmp_path / "data", "grace_seconds": 1, **settings})  # type: ignore[arg-type]
        app = await asyncio.to_thread(create_app, config, adapters)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(512)
            server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, timeout_graceful_shutdown=3))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                assert not serving.done(), serving.exception()
                await asyncio.sleep(0.01)
            port = listener.getsockname()[1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield Live(app, client, port)
            app.state.surroundings.closing.set()
            server.should_exit = True
            await serving

    return start


@pytest.fixture
async def live(serve: Serve) -> AsyncIterator[Live]:
    async with serve() as running:
        yield running
