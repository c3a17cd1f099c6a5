"""Who may open front door C's WebSocket, and what nobody may do with one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.callers import bearer
from tests.canaries import WATCH
from tests.images import NOOP
from tests.live import Live, Serve
from tests.sockets import Watcher, generate, watching
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from atelier.api import socket_connections, sockets
from atelier.api.media import sockets as media_sockets
from atelier.api.socket_connections import FRAME_BYTES, FRAMES, SocketConnection

SCRIPT: dict[str, Any] = {"sandbox": NOOP["sandbox"]}
SPARE = 10


@pytest.fixture
async def guarded(serve: Serve) -> AsyncIterator[Live]:
    async with serve(auth="keys") as running:
        yield running


async def closed(watcher: Watcher) -> tuple[int | None, str | None]:
    """Return code and reason of a socket that tells nothing."""
    with pytest.raises(ConnectionClosed):
        await watcher.next()
    return watcher.connection.close_code, watcher.connection.close_reason


async def ticket_for(live: Live, task_id: str, headers: dict[str, str]) -> str:
    answer = await live.client.post("/api/v1/tickets", json={"task_id": task_id}, headers=headers)
    assert answer.status_code == 200, answer.text
    WATCH.know(answer.json()["ticket"])
    return str(answer.json()["ticket"])


async def refused_with(live: Live, origin: str | None) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as caught:
        async with watching(live.base, "task-1", origin=origin):
            pass
    return caught.value.response.status_code, json.loads(caught.value.response.body or b"")


async def test_without_a_good_key_it_is_accepted_and_then_closed(guarded: Live) -> None:
    """A page is told the code of a close, and no status."""
    garbage = "atelier_0123456789abcdef_" + "A" * 43
    for headers in ({}, {"Authorization": f"Bearer {garbage}"}, {"Authorization": "Basic eDp5"}):
        async with watching(guarded.base, "task-1", headers=headers) as watcher:
            assert await closed(watcher) == (1008, "unauthorized")
    for protocols in (["bearer", garbage], ["bearer", "a.b"], ["bearer"], ["bearer", "x"]):
        async with watching(guarded.base, "task-1", protocols=protocols) as watcher:
            assert watcher.connection.subprotocol == "bearer", "else the browser would not open it at all"
            assert await closed(watcher) == (1008, "unauthorized")
    async with watching(guarded.base, "task-1", ticket="x.y") as watcher:
        assert await closed(watcher) == (1008, "unauthorized")


async def test_header_ticket_and_subprotocol_let_in(guarded: Live) -> None:
    ann = await bearer(guarded, "ann")
    key = ann["Authorization"].removeprefix("Bearer ")
    ticket = await ticket_for(guarded, "task-1", ann)
    ways: list[dict[str, Any]] = [
        {"headers": ann}, {"ticket": ticket}, {"protocols": ["bearer", key]}, {"protocols": ["bearer", ticket]},
    ]  # fmt: skip
    for number, way in enumerate(ways):
        async with watching(guarded.base, "task-1", **way) as watcher:
            first = await watcher.next()
            assert first["status"] == ("pending" if number == 0 else "completed"), way
            protocol = Subprotocol("bearer") if "protocols" in way else None
            assert watcher.connection.subprotocol == protocol, "never the key"
            if number == 0:
                answer = await guarded.client.post(
                    "/api/media/generate", json={"prompt": "A hill", "task_id": "task-1", **SCRIPT}, headers=ann
                )
                assert answer.json()["success"]
            assert await watcher.rest() == 1000


async def test_a_ticket_shows_its_task_and_nothing_else(guarded: Live) -> None:
    ann = await bearer(guarded, "ann")
    ticket = await ticket_for(guarded, "task-0", ann)
    async with watching(guarded.base, "task-2", ticket=ticket) as watcher:
        assert await closed(watcher) == (1008, "unauthorized")
    for way in ({"params": {"ticket": ticket}}, {"headers": {"Authorization": f"Bearer {ticket}"}}):
        answer = await guarded.client.post("/api/media/generate", json={"prompt": "x"}, **way)  # type: ignore[arg-type]
        assert answer.status_code == 401
    key = ann["Authorization"].removeprefix("Bearer ")
    async with watching(guarded.base, "task-0", ticket=key) as watcher:
        assert await closed(watcher) == (1008, "unauthorized"), "a key is never taken from an address"
    for body in ({"task_id": "a b"}, {"task_id": ""}, {"task_id": "x", "job_id": "y"}):
        assert (await guarded.client.post("/api/v1/tickets", json=body, headers=ann)).status_code == 422


async def test_two_owners_may_use_the_same_name(guarded: Live) -> None:
    ann, bob = await bearer(guarded, "ann"), await bearer(guarded, "bob")
    async with watching(guarded.base, "task-1", headers=bob) as watcher:
        await watcher.next()
        body = {"prompt": "A hill", "task_id": "task-1", **SCRIPT}
        anns = (await guarded.client.post("/api/media/generate", json=body, headers=ann)).json()
        await asyncio.sleep(0.1)
        other = {**body, "prompt": "Another hill"}
        bobs = (await guarded.client.post("/api/media/generate", json=other, headers=bob)).json()
        assert await watcher.rest() == 1000
    assert anns["job_id"] != bobs["job_id"]
    assert {message.get("job_id") for message in watcher.messages} == {None, bobs["job_id"]}


async def test_it_needs_a_key_where_others_need_none(serve: Serve) -> None:
    async with serve(auth="anonymous") as live:
        async with watching(live.base, "task-1") as watcher:
            assert await closed(watcher) == (1008, "unauthorized")
        assert (await generate(live.client, "task-1")).status_code == 401
        refused = await live.client.post("/api/v1/tickets", json={"task_id": "task-1"})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        async with watching(live.base, "task-1", headers=await bearer(live, "ann")) as watcher:
            assert (await watcher.next())["status"] == "pending"


async def test_in_open_mode_tokens_of_other_apps_are_ignored(live: Live) -> None:
    async with watching(live.base, "task-1", protocols=["bearer", "of.another.app"]) as watcher:
        assert watcher.connection.subprotocol == "bearer"
        assert (await watcher.next())["status"] == "pending"
    async with watching(live.base, "task-1", protocols=["chat"]) as watcher:
        assert watcher.connection.subprotocol is None
        assert (await watcher.next())["status"] == "pending"


async def test_pages_of_foreign_origins_are_refused_before_it_is_accepted(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://"):
        status, problem = await refused_with(live, origin)
        assert (status, problem["code"]) == (403, "origin_refused"), origin
    for origin in ("http://localhost:3000", f"http://127.0.0.1:{live.port}"):
        async with watching(live.base, "task-1", origin=origin) as watcher:
            assert (await watcher.next())["status"] == "pending"
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR], "it is the page's fault alone"


async def test_names_that_are_none_and_addresses_without_a_socket(live: Live) -> None:
    for task_id in ("a%20b", "%00", "x" * 129, "a%0d%0ab", "%F0%9F%98%80", "..%5c"):
        async with watching(live.base, task_id) as watcher:
            assert await closed(watcher) == (1008, "validation_error"), task_id
    with pytest.raises(InvalidStatus) as caught:
        async with watching(live.base, "a/b"):
            pass
    assert caught.value.response.status_code == 404
    assert json.loads(caught.value.response.body or b"")["code"] == "not_found"


async def test_places_for_streams_are_places_for_sockets(serve: Serve) -> None:
    async with serve(limits={"streams_per_owner": 2}) as live:
        async with watching(live.base, "task-1") as one, watching(live.base, "task-1") as two:
            await one.next()
            await two.next()
            async with watching(live.base, "task-2") as third:
                assert await closed(third) == (1013, "too_many_streams")
            refused = await generate(live.client, "task-1")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        streams = live.app.state.surroundings.streams
        async with asyncio.timeout(60):
            while streams.opened("local"):
                await asyncio.sleep(0.01)
        async with watching(live.base, "task-2") as third:
            assert (await third.next())["status"] == "pending"


REQUEST = (
    "GET /ws/image-generation/task-1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@asynccontextmanager
async def raw(live: Live, request: str = REQUEST) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, send a request, and leave everything else to the test."""
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port, limit=1 << 20)
    try:
        writer.write(request.encode() + b"\r\n")
        yield reader, writer
    finally:
        writer.transport.abort()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)


async def end_of(reader: asyncio.StreamReader, within: float = 60) -> bytes:
    """Return what is sent until the server ends the connection; it has to."""
    sent = b""
    async with asyncio.timeout(within):
        try:
            while piece := await reader.read(65_536):
                sent += piece
        except ConnectionError:
            pass
    return sent


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, masked: bool = True, size: int | None = None) -> bytes:
    """Return a frame, perhaps one that says another size than it has."""
    size = len(data) if size is None else size
    first, flag = (0x80 if fin else 0) | opcode, 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, flag | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    return head + (b"\x00" * 4 if masked else b"") + data


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

GARBAGE = {
    "16 MB": (frame(TEXT, b"x" * 100_000, size=16_000_000), 1009),
    "a little too long": (frame(TEXT, b"x" * (FRAME_BYTES + 1)), 1009),
    "too long in parts": (frame(TEXT, b"x" * 3000, fin=False) + frame(0, b"x" * 3000), 1009),
    "2^63": (frame(BINARY, size=2**63 - 1), 1009),
    "no mask": (frame(TEXT, b"hello", masked=False), 1002),
    "reserved opcode": (frame(3, b"x"), 1002),
    "reserved bits": (b"\xf1\x80\x00\x00\x00\x00", 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "part of nothing": (frame(0, b"x"), 1002),
    "no UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "a close that is none": (frame(CLOSE, b"x"), 1002),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5, 1002),
    "many texts": (frame(TEXT, b"{}") * (FRAMES + SPARE), 1008),
    "many pings": (frame(PING, b"?") * 20_000, 1008),
    "many pongs": (frame(PONG) * (FRAMES + SPARE), 1008),
    "many parts": (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * (FRAMES + SPARE), 1008),
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_what_should_not_come_in_closes_its_own_socket_only(live: Live, what: str) -> None:
    sent, code = GARBAGE[what]
    async with watching(live.base, "task-1") as other, raw(live) as (reader, writer):
        await other.next()
        assert (await head_of(reader)).startswith(b"HTTP/1.1 101")
        await reader.readexactly(10)
        writer.write(sent)
        told = await end_of(reader)
        assert struct.pack("!H", code) in told
        assert (await generate(live.client, "task-1", **SCRIPT)).json()["success"]
        assert await other.rest() == 1000
    assert live.app.state.surroundings.streams.opened("local") == 0


async def test_chance_closes_its_own_socket_only(live: Live) -> None:
    async with watching(live.base, "task-1") as other:
        await other.next()
        for _ in range(40):
            noise = os.urandom(300)
            async with raw(live) as (reader, writer):
                await head_of(reader)
                writer.write(noise)
                writer.write_eof()
                await end_of(reader)
            async with raw(live) as (reader, writer):
                writer.write(noise)  # before it is accepted
                writer.write_eof()
                await end_of(reader)
        assert (await generate(live.client, "task-1", **SCRIPT)).json()["success"]
        assert await other.rest() == 1000


HANDSHAKES = {
    "a version nobody speaks": (REQUEST.replace("Version: 13", "Version: 7"), 400),
    "no key": (REQUEST.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400),
    "a key that is none": (REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "sk-canary"), 400),
    "two keys": (REQUEST + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
    "many headers": (REQUEST + "X-Many: 1\r\n" * 200, 400),
    "a long header": (REQUEST + f"X-Long: {'a' * 9000}\r\n", 400),
    "a long address": (REQUEST.replace("task-1", "t" * 9000), 400),
    "two hosts": (REQUEST + "Host: evil.example\r\n", 400),
    "no host": (REQUEST.replace("Host: 127.0.0.1", "Host: <a>"), 400),
}


@pytest.mark.parametrize("what", HANDSHAKES)
async def test_a_handshake_that_is_none_is_answered_and_the_connection_ended(live: Live, what: str) -> None:
    request, status = HANDSHAKES[what]
    async with raw(live, request) as (reader, _):
        head, _, body = (await end_of(reader)).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}".encode()), head
    problem = json.loads(body)
    assert (problem["success"], problem["message"]) == (False, problem["detail"])
    assert b"canary" not in body


async def test_who_reads_nothing_is_let_go_and_harms_nobody(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small buffers and many messages, so that a second is enough."""
    monkeypatch.setattr(media_sockets, "TICK_SECONDS", 0.002)
    monkeypatch.setattr(sockets, "SEND_SECONDS", 0.5)
    monkeypatch.setattr(socket_connections, "END_SECONDS", 0.2)
    usual = SocketConnection.connection_made

    def with_small_buffers(self: SocketConnection, transport: Any) -> None:
        usual(self, transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        transport.set_write_buffer_limits(high=2048)

    monkeypatch.setattr(SocketConnection, "connection_made", with_small_buffers)
    asking = asyncio.create_task(generate(live.client, "task-1", sandbox={"scenario": "slow", "seconds": 3}))
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    lazy.setblocking(False)  # noqa: FBT003 - the standard library's
    async with watching(live.base, "task-1") as quick:
        await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", live.port))
        await asyncio.get_running_loop().sock_sendall(lazy, REQUEST.encode() + b"\r\n")
        streams = live.app.state.surroundings.streams
        most = 0
        async with asyncio.timeout(60):
            while quick.messages[-1:] == [] or quick.messages[-1]["status"] != "completed":
                await quick.next()
                most = max(most, streams.opened("local"))
                if most == 3 and streams.opened("local") == 2:
                    break
        assert most == 3, "two sockets and the request"
        assert streams.opened("local") == 2, "the lazy one was let go while it is still drawn"
        connections = live.server.server_state.connections
        async with asyncio.timeout(60):
            while sum(isinstance(each, SocketConnection) for each in connections) > 1:
                await asyncio.sleep(0.01)
        assert await quick.rest() == 1000
    lazy.close()
    assert (await asking).json()["success"]
