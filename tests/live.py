"""A live server in the test's own loop, and what a test may find missing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from tests.canaries import WATCH, watched, with_planted
from tests.documented import checked
from tests.loopback import TRUSTS_NOBODY

from atelier.api.connections import Connection
from atelier.app import create_app
from atelier.settings import Settings
from atelier.wiring import Adapters

ROOT = Path(__file__).parent.parent
"""The repository."""


def needs(found: object, what: str) -> None:
    """Skip on a laptop that lacks something, with the reason; fail in CI."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI skips nothing")
    pytest.skip(f"{what} is not installed here")


class Live:
    """A running server and a client of it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, server: uvicorn.Server, port: int) -> None:
        self.app, self.client, self.server, self.port = app, client, server, port
        self.base = f"http://127.0.0.1:{port}"


Serve = Callable[..., AbstractAsyncContextManager[Live]]


@contextlib.contextmanager
def listener(port: int = 0) -> Iterator[socket.socket]:
    """Listen on a free port, or on this one; its protocol is named, or the loop leaves Nagle's 40 ms in every answer."""
    with socket.socket(proto=socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        bound.listen(512)
        yield bound


@contextlib.asynccontextmanager
async def serving(
    data: Path, adapters: Adapters | None = None, *, port: int = 0, **settings: object
) -> AsyncIterator[Live]:
    """Serve for the length of the block."""
    ours = {"data_dir": data, "grace_seconds": 1, "story_providers": ("sandbox",)}  # vendors have planted keys
    config = Settings(**with_planted({**ours, **settings}))
    WATCH.know_all(config)
    app = await asyncio.to_thread(create_app, config, adapters)
    with listener(port) as bound:
        shape = uvicorn.Config(
            watched(app), http=Connection, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=3
        )
        server = uvicorn.Server(shape)
        running = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            assert not running.done(), running.exception()
            await asyncio.sleep(0.01)
        port = bound.getsockname()[1]
        base = f"http://127.0.0.1:{port}"
        hooks = {"response": [checked(app)]}
        async with httpx.AsyncClient(base_url=base, timeout=60, verify=TRUSTS_NOBODY, event_hooks=hooks) as client:
            yield Live(app, client, server, port)
        app.state.surroundings.engine.close()
        server.should_exit = True
        await running
