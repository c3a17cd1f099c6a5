"""Front door C's clients in tests: WebSockets that keep every message, and the POST beside them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

GENERATE = "/api/media/generate"
Json = dict[str, Any]

FIELDS = {
    "type": str,
    "task_id": str,
    "status": str,
    "current_step": int,
    "total_steps": int,
    "percentage": float,
    "current_stage": str,
    "elapsed_time": float,
    "estimated_remaining": float,
    "message": str,
    "timestamp": str,
    "seq": int,
}
"""What every message has, never null."""


class Watcher:
    """One socket and what it was told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[Json] = []
        self.raw: list[bytes] = []

    async def next(self, within: float = 60) -> Json:
        """Return the next message."""
        text = await asyncio.wait_for(self.connection.recv(decode=False), within)
        assert isinstance(text, bytes)
        self.raw.append(text)
        self.messages.append(json.loads(text))
        return self.messages[-1]

    async def until(self, status: str, within: float = 60) -> Json:
        """Return the first message of this status."""
        async with asyncio.timeout(within):
            while (message := await self.next(within))["status"] != status:
                pass
        return message

    async def rest(self, within: float = 60) -> int | None:
        """Read until the socket is closed; the code."""
        try:
            async with asyncio.timeout(within):
                while True:
                    await self.next(within)
        except ConnectionClosed:
            return self.connection.close_code


@asynccontextmanager
async def watching(
    base: str,
    task_id: str,
    *,
    protocols: list[str] | None = None,
    headers: dict[str, str] | None = None,
    origin: str | None = None,
    **query: str,
) -> AsyncIterator[Watcher]:
    """Open a socket for the length of the block."""
    url = f"{base.replace('http', 'ws')}/ws/image-generation/{task_id}" + (f"?{urlencode(query)}" if query else "")
    async with connect(
        url,
        subprotocols=[Subprotocol(each) for each in protocols] if protocols else None,
        additional_headers={**(headers or {}), **({"Origin": origin} if origin is not None else {})},
        proxy=None,
        compression=None,
    ) as connection:
        yield Watcher(connection)


def check(message: Json, task_id: str) -> None:
    """A progress message has all its fields, none of them null, and is short."""
    assert message["type"] == "progress"
    assert message["task_id"] == task_id
    for name, kind in FIELDS.items():
        assert isinstance(message[name], kind), (name, message)
    assert message["status"] in {"pending", "generating", "completed", "failed"}
    assert message["current_stage"] in {"base_model", "refiner_model"}
    assert 0 <= message["current_step"] <= message["total_steps"]
    assert 0 <= message["percentage"] <= 100
    assert ("error" in message) == (message["status"] == "failed")
    assert ("image_url" in message) == (message["status"] == "completed")
    assert len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()) <= 600


async def generate(client: httpx.AsyncClient, task_id: str | None, **body: Any) -> httpx.Response:
    """Ask for a picture and wait for it."""
    task = {"task_id": task_id} if task_id is not None else {}
    return await client.post(GENERATE, json={"prompt": "A hill", **task, **body}, timeout=60)
