"""Somebody else's service on loopback: it notes every request, and answers, drips, breaks off or says nothing as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.history import picture_of

from atelier.pipelines.ports import ImageRequest, Script
from atelier.providers import stable_horde

PNG = picture_of("A picture of somebody else's")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came, its header names in small letters."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer. `pause` drips it a byte at a time; `cut` breaks the connection before its end; `silent` sends nothing."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause: float = 0
    cut: bool = False
    silent: bool = False


def as_json(thing: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers={"content-type": "application/json", **named}, body=json.dumps(thing).encode())


def html(status: int = 200) -> Reply:
    page = b"<html><body><h1>Bad gateway</h1></body></html>"
    return Reply(status=status, headers={"content-type": "text/html"}, body=page)


def image(data: bytes = PNG, media_type: str = "image/png", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(headers={"content-type": media_type, **named}, body=data)


Answers = Callable[[Seen], Reply]


class Fake:
    """A server whose answers a test gives: one for all, one after the other, or as a function says."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.seen: list[Seen] = []
        self.answer: Answers = lambda _: Reply()

    def says(self, *replies: Reply) -> None:
        """Answer so, in this order; the last one for good."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (seen := await _request(reader)) is not None:
                self.seen.append(seen)
                if not await _send(writer, self.answer(seen)):
                    break


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, target=target, headers=headers, body=body)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Whether the connection may be used again."""
    if reply.silent:
        await asyncio.sleep(60)
    if reply.cut and not reply.body:
        return False
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {reply.status} Whatever\r\n{lines}\r\n".encode())
    for place in range(len(reply.body)) if reply.pause else ():
        writer.write(reply.body[place : place + 1])
        await writer.drain()
        await asyncio.sleep(reply.pause)
    if not reply.pause:
        writer.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
    await writer.drain()
    return not reply.cut


@contextlib.asynccontextmanager
async def faking() -> AsyncIterator[Fake]:
    """Serve for the length of the block; whoever is still being answered then is left alone."""
    fake = Fake("")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await fake.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def request(prompt: str = "a cat é", **more: Any) -> ImageRequest:
    """Return a request for a picture; what a test does not say is as callers leave it."""
    usual: dict[str, Any] = {
        "negative_prompt": "",
        "style": None,
        "aspect_ratio": "1:1",
        "quality": "standard",
        "seed": None,
        "output_format": "png",
        "script": Script(),
        "attempt": 1,
    }
    return ImageRequest(prompt=prompt, **{**usual, **more})


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with faking() as server:
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable_horde, "LEAST_PAUSE", 0.01)
    monkeypatch.setattr(stable_horde, "MOST_PAUSE", 0.02)
