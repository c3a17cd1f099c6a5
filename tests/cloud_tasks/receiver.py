"""A worker that notes what it is sent and answers as the test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.live import listener


@dataclass
class Received:
    headers: dict[str, str]
    body: Any


Answer = Callable[[Received], Awaitable[Response]]


@dataclass
class Receiver:
    """Answers 200 unless `answers` says otherwise, then as its first one, which is taken away."""

    answers: list[Response] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    act: Answer | None = None
    url: str = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Receiver]:
        app = Starlette(routes=[Route("/work", self._work, methods=["POST", "GET"])])
        with listener() as socket:
            self.url = f"http://127.0.0.1:{socket.getsockname()[1]}/work"
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
            running = asyncio.create_task(server.serve(sockets=[socket]))
            try:
                yield self
            finally:
                server.should_exit = True
                await running

    async def until(self, count: int) -> list[Received]:
        """Wait until so many came."""
        async with asyncio.timeout(60):
            while len(self.received) < count:
                await asyncio.sleep(0.01)
        return self.received

    async def _work(self, request: Request) -> Response:
        body = await request.body()
        got = Received(headers=dict(request.headers), body=await request.json() if body else None)
        self.received.append(got)
        if self.act is not None:
            return await self.act(got)
        return self.answers.pop(0) if self.answers else Response()
