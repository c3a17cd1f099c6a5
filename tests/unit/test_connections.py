"""When the bytes of an answer leave: its head with the first of its body where that is about to come, else at once."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Receive, Scope, Send
from tests.unit.apps import App, serving

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SOON = 0.3
"""Seconds in which what was sent is certainly here."""


def answering(
    *parts: bytes, length: int | None = None, status: int = 200, held: asyncio.Event | None = None, reads: bool = False
) -> App:
    """Return an app that sends a head, waits where it is held, and sends its body in parts."""
    headers = [] if length is None else [(b"content-length", str(length).encode())]

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        if reads:
            await receive()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if held is not None:
            await held.wait()
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


async def arrived(reader: asyncio.StreamReader) -> bytes:
    """Return what comes next in one piece; nothing where nothing comes."""
    try:
        return await asyncio.wait_for(reader.read(100_000), SOON)
    except TimeoutError:
        return b""


async def test_a_head_leaves_with_the_body_that_it_announces() -> None:
    held = asyncio.Event()
    async with serving(answering(b"pic", b"ture", length=7, held=held)) as (reader, writer):
        writer.write(GET)
        assert await arrived(reader) == b"", "the head waits"
        held.set()
        head, _, body = (await asyncio.wait_for(reader.readuntil(b"ture"), 60)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"picture"


async def test_the_head_of_a_stream_goes_ahead() -> None:
    held = asyncio.Event()
    async with serving(answering(b"event", held=held)) as (reader, writer):
        writer.write(GET)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert b"transfer-encoding: chunked" in head
        held.set()
        assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 60) == b"5\r\nevent\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "length"),
    [(GET, 204, None), (GET, 304, None), (GET, 200, 0), (GET.replace(b"GET", b"HEAD"), 200, 7)],
    ids=["no content", "not modified", "empty", "HEAD"],
)
async def test_a_head_without_a_body_waits_for_none(request_: bytes, status: int, length: int | None) -> None:
    held = asyncio.Event()
    async with serving(answering(length=length, status=status, held=held)) as (reader, writer):
        for _ in range(2):
            writer.write(request_)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert head.startswith(f"HTTP/1.1 {status}".encode())
            held.set()


async def test_answers_in_a_row_on_one_connection_are_whole() -> None:
    async with serving(answering(b"a" * 300_000, b"end", length=300_003)) as (reader, writer):
        writer.write(GET * 3)
        for _ in range(3):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert head.count(b"HTTP/1.1") == 1
            assert await asyncio.wait_for(reader.readexactly(300_003), 60) == b"a" * 300_000 + b"end"


async def test_who_leaves_with_requests_waiting_is_missed_by_the_one_that_is_answered() -> None:
    begun, left, served = asyncio.Event(), asyncio.Event(), 0

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        nonlocal served
        served += 1
        await receive()
        begun.set()
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"late"})
        left.set()

    async with serving(app) as (_, writer):
        writer.write(GET * 5)
        await asyncio.wait_for(begun.wait(), 60)
        writer.transport.abort()
        await asyncio.wait_for(left.wait(), 60)
        await asyncio.sleep(0.05)
    assert served == 1, "nobody waits for the others"


async def test_who_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with serving(answering(b"thanks", length=6, reads=True)) as (reader, writer):
        writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await asyncio.wait_for(reader.readuntil(b"thanks"), 60)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_that_breaks_behind_its_head_ends_as_it_is() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
        raise ValueError

    async with serving(app) as (reader, writer):
        writer.write(GET)
        told = await asyncio.wait_for(reader.read(), 60)
    assert told.endswith(b"content-length: 7\r\n\r\n"), "who asked can tell that something is missing"


@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: 28", GET), (b"Transfer-Encoding: chunked", b"1c\r\n" + GET + b"\r\n0\r\n\r\n")],
    ids=["length", "chunks"],
)
async def test_a_request_for_another_protocol_is_whole_wherever_it_is_cut(framing: bytes, body: bytes) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        found, more = b"", True
        while more:
            message = await receive()
            found, more = found + message.get("body", b""), message["more_body"]
        names = [name for name, _ in scope["headers"]]
        told = b"%s %s %s %s!" % (scope["method"].encode(), scope["raw_path"], b",".join(names), found)
        headers = [(b"content-length", str(len(told)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    head = b"POST /y HTTP/1.1\r\nHost:a\r\nX-Empty:\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n\r\n"
    names = b"host,x-empty,connection," + framing.partition(b":")[0].lower()
    async with serving(echo) as (reader, writer):
        for cut in range(len(head + body)):
            writer.write((head + body)[:cut])
            await asyncio.sleep(0.002)
            writer.write((head + body)[cut:] + GET)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert await asyncio.wait_for(reader.readuntil(b"!"), 60) == b"POST /y " + names + b" " + GET + b"!"
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert await asyncio.wait_for(reader.readuntil(b"!"), 60) == b"GET /x host !"
