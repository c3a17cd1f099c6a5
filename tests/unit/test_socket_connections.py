"""A WebSocket's connection under apps that are slow: what clients do before it is accepted, and after it is closed on them."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.types import Receive, Scope, Send
from tests.unit.apps import serving

UPGRADE = (
    b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
NO_FRAME = b"\xf1\x80\x00\x00\x00\x00"


async def test_what_is_sent_before_it_is_accepted_refuses_it(caplog: pytest.LogCaptureFixture) -> None:
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go.wait()
        try:
            await send({"type": "websocket.accept"})
        finally:
            ended.set()
            assert (await receive())["type"] == "websocket.connect"
            assert (await receive())["type"] == "websocket.disconnect"

    async with serving(app) as (reader, writer):
        writer.write(UPGRADE)
        await asyncio.wait_for(begun.wait(), 60)
        writer.write(NO_FRAME)
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 400"), answer
        go.set()
        await asyncio.wait_for(ended.wait(), 60)
        await asyncio.sleep(0.05)
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


async def test_an_app_that_goes_on_sending_to_who_was_closed_on_is_told_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "{}"})
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async with serving(app) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(NO_FRAME)
        await asyncio.wait_for(ended.wait(), 60)
        await asyncio.sleep(0.05)
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


async def test_a_text_that_is_none_is_the_clients_fault(caplog: pytest.LogCaptureFixture) -> None:
    codes: list[int] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        codes.append((await receive())["code"])

    caplog.set_level(logging.INFO, "atelier")
    async with serving(app) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x81\x82\x00\x00\x00\x00\xff\xff")
        assert await asyncio.wait_for(reader.read(), 60) == b"\x88\x02\x03\xef", "1007"
    assert codes == [1007]
    assert [line.levelno for line in caplog.records if line.name.startswith(("atelier", "uvicorn.sockets"))] == [
        logging.INFO
    ]
