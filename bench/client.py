"""A load client that costs little: raw asyncio protocols; what arrives is stamped first and understood later."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

HOST = "127.0.0.1"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
END = (b'"stage":"completed"', b'"stage":"error"')


def request(method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    """Return the bytes of a request."""
    content = json.dumps(body).encode() if body is not None else b""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= size and self._answer is not None:
            self._buffer = body[size:]
            self._answer.set_result(body[:size])

    async def ask(self, raw: bytes) -> dict[str, Any]:
        """Send a request and return its JSON answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(raw)
        answer: dict[str, Any] = json.loads(await self._answer)
        return answer


class Stream(asyncio.Protocol):
    """One event stream: its packets and when they came."""

    first_mark, end_marks = b"data: ", END

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.packets: list[tuple[float, bytes]] = []
        self.began = time.time()
        self.first: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.packets.append((time.time(), data))
        if not self.first.done() and self.first_mark in data:
            self.first.set_result(None)
        if not self.ended.done() and any(mark in data for mark in self.end_marks):
            self.ended.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def events(self) -> list[tuple[float, dict[str, Any]]]:
        """Return each event with the moment its packet came."""
        found = []
        for moment, packet in self.packets:
            lines = [line for line in packet.split(b"\n") if line.startswith(b"data: ")]
            found += [(moment, json.loads(line[6:])) for line in lines]
        return found

    def lags(self, since: float) -> list[float]:
        """Return how long after being recorded each event came, of those recorded after `since`."""
        stamped = [(moment, datetime.fromisoformat(event["timestamp"]).timestamp()) for moment, event in self.events()]
        return [moment - recorded for moment, recorded in stamped if recorded > since]


class Socket(Stream):
    """One WebSocket: it only listens."""

    first_mark, end_marks = b'"type"', (*END, b'"status":"completed"', b'"status":"failed"')

    @property
    def first_at(self) -> float:
        """When the first message came; it may be in one packet with the handshake's end."""
        return next(moment for moment, packet in self.packets if self.first_mark in packet)

    def whole(self) -> bool:
        """Whether it was told that its picture is done."""
        return any(b"completed" in packet for _, packet in self.packets)


async def open_socket(port: int, task: str) -> Socket:
    """Connect, and return when the first message is there."""
    _, socket = await asyncio.get_running_loop().create_connection(Socket, HOST, port)
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
    head = f"GET /ws/image-generation/{task} HTTP/1.1\r\nHost: {HOST}\r\n{upgrade}\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    socket.transport.write(head.encode())
    async with asyncio.timeout(60):
        await socket.first
    return socket


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Open keep-alive connections for the length of the block."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, HOST, port))[1] for _ in range(count)]
    yield opened
    for connection in opened:
        connection.transport.close()


async def open_stream(port: int, raw: bytes) -> Stream:
    """Connect, send the request, and return when the first event is there."""
    _, stream = await asyncio.get_running_loop().create_connection(Stream, HOST, port)
    stream.transport.write(raw)
    async with asyncio.timeout(60):
        await stream.first
    return stream
