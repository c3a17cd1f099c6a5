"""WebSockets: who may open one, how its messages are sent, and with which code it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from fastapi import WebSocket, WebSocketDisconnect

from atelier import logs, metrics
from atelier.api.access import BEARER
from atelier.api.deps import Surroundings, address_of, surroundings
from atelier.api.keys import ANONYMOUS
from atelier.api.streams import compact
from atelier.errors import AtelierError, RateLimited, StoreUnavailable, TooManyStreams, Unauthorized

__all__ = ["KEEP_ALIVE", "SILENCE", "Close", "Ended", "Message", "Socket", "Visitor", "attend", "paced"]

Socket = WebSocket
Message = dict[str, Any]
T = TypeVar("T")

SEND_SECONDS = 10.0
"""A client that takes nothing of what it is sent for this long is let go."""

KEEP_ALIVE: Message = {"type": "keep-alive"}


class Close(IntEnum):
    """Why a socket ends: codes below 4000 are the protocol's own."""

    DONE = 1000
    REFUSED = 1008
    RESTART = 1012
    """Come back, with the last cursor."""
    LATER = 1013
    NEVER_CAME = 4404


LATER = (RateLimited, TooManyStreams, StoreUnavailable)


class Ended(Exception):
    """Ends a socket before what it shows has ended."""

    def __init__(self, code: Close, reason: str = "") -> None:
        super().__init__(f"{code.name} {reason}")
        self.code, self.reason = code, reason


class Silence:
    """Stands where nothing came for a while."""


SILENCE = Silence()


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who opened a socket: on whose behalf, at which address of the service, and with which cursor."""

    around: Surroundings
    owner: str
    base: str
    after: int | None


Show = Callable[[Visitor], AsyncGenerator[Message]]
"""Begins to show a visitor what they came for: the messages in order. May raise Ended and any AtelierError."""


async def attend(socket: Socket, show: Show) -> None:
    """Serve one socket to its end. It is accepted before it is refused: a page is told no status, but the code of a close."""
    with suppress(WebSocketDisconnect):
        await socket.accept(subprotocol=BEARER if BEARER in socket.scope["subprotocols"] else None)
        code, reason = Close.DONE, ""
        try:
            visitor = await _let_in(socket)
            with visitor.around.streams.place(visitor.owner), metrics.OPEN_STREAMS.track_inprogress():
                await _send_all(socket, show(visitor))
        except Ended as ended:
            code, reason = ended.code, ended.reason
        except AtelierError as error:
            code, reason = Close.LATER if isinstance(error, LATER) else Close.REFUSED, error.code
        await socket.close(code, reason)


async def _let_in(socket: Socket) -> Visitor:
    """Find out who comes. Raises Unauthorized, for requests without a key too, and RateLimited."""
    around = surroundings(socket)
    owner = await around.access.admit(socket, by_ticket=True)
    if owner == ANONYMOUS:
        raise Unauthorized("This needs an API key.")
    after = socket.query_params.get("after", "")
    base = (around.origins.public_url or address_of(socket)).rstrip("/")
    cursor = int(after[:15]) if after.isascii() and after.isdigit() else None
    return Visitor(around=around, owner=owner, base=base, after=cursor)


async def _send_all(socket: Socket, messages: AsyncGenerator[Message]) -> None:
    """Send everything while what comes in is thrown away. Raises WebSocketDisconnect where the client leaves, or does not read."""
    sending = asyncio.create_task(_send_each(socket, messages))
    hearing = asyncio.create_task(_hear_out(socket))
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        (sending if sending.done() else hearing).result()
    finally:
        for task in (sending, hearing):
            task.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)


async def _send_each(socket: Socket, messages: AsyncGenerator[Message]) -> None:
    """Send the messages in turn. While one is not taken none is fetched: of what happens meanwhile only the latest is sent."""
    async with aclosing(messages):
        async for message in messages:
            await _send(socket, compact(message))


async def _send(socket: Socket, text: str) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await socket.send_text(text)
    except TimeoutError as error:
        logs.warning("client_reads_nothing", seconds=SEND_SECONDS)
        raise WebSocketDisconnect from error


async def _hear_out(socket: Socket) -> None:
    """Throw away what comes until the client has left."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect


async def paced(updates: AsyncGenerator[T], patience: Callable[[], float]) -> AsyncIterator[T | Silence]:
    """Yield the updates, and SILENCE wherever none has come for `patience()` seconds; no update is lost by that."""
    end = Silence()
    coming: asyncio.Future[T | Silence] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(updates, end))
            await asyncio.wait({coming}, timeout=patience())
            if not coming.done():
                yield SILENCE
                continue
            update, coming = coming.result(), None
            if update is end:
                return
            yield update
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})
        await updates.aclose()
