"""What routes are given: the engine and its surroundings, the caller's owner, JSON bodies, the service's address."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Protocol

import pydantic_core
from fastapi import Depends, HTTPException, Request
from starlette.datastructures import URL, QueryParams
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response

from atelier.api.access import Access
from atelier.api.deliveries import Deliveries
from atelier.api.keys import ANONYMOUS
from atelier.api.limits import DailyCap, Streams
from atelier.api.origins import Origins
from atelier.api.own_keys import OwnKeys
from atelier.api.stories.illustrators import Illustrators
from atelier.api.wire import json_of
from atelier.errors import Unauthorized
from atelier.jobs.engine import JobEngine
from atelier.jobs.ports import Clock
from atelier.pipelines.keyring import NO_KEY_WRITES, NOBODY_WRITES
from atelier.pipelines.pools import ListedPool
from atelier.pipelines.ports import ListedProvider, Offer
from atelier.pipelines.projects import Projects
from atelier.pipelines.texts import TextOffer

LONGEST_WAIT_SECONDS = 60
WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)
NO_QUERY = QueryParams()

Check = Callable[[], Awaitable[None]]


class PictureFiles(Protocol):
    """Pictures that are files of this machine."""

    def find(self, name: str) -> tuple[Path, str] | None:
        """Return the file behind a public name and its content type; None for a name that cannot be one."""


class Writes(Protocol):
    """Somebody who writes texts, as far as requests are concerned."""

    name: str
    offer: TextOffer


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the app hands to its routes."""

    engine: JobEngine
    access: Access
    streams: Streams
    socket_wait: timedelta
    cap: DailyCap
    pictures: PictureFiles
    providers: Mapping[str, ListedProvider]
    writers: Mapping[str, Writes]
    illustrators: Illustrators
    sync_wait: timedelta
    """How long a request that wants its result at once is kept waiting."""
    own: OwnKeys
    pools: Mapping[str, ListedPool]
    """Who draws the styles of storyboards, by the styles' names; `default` draws all others."""
    projects: Projects
    deliveries: Deliveries | None
    slots: int
    origins: Origins
    checks: Mapping[str, Check]
    body_bytes: int
    data_dir: Path
    now: Clock


def surroundings(connection: HTTPConnection) -> Surroundings:
    """Return what the app was made with."""
    found: Surroundings = connection.app.state.surroundings
    return found


def address_of(connection: HTTPConnection) -> str:
    """Return the address the caller used: `base_url`, remembered for each Host header; a WebSocket's service speaks HTTP, too."""
    host = connection.headers.get("host")
    scheme = connection.scope["scheme"].replace("ws", "http")
    return str(connection.base_url) if host is None else _address(scheme, host)


@lru_cache(maxsize=1024)
def _address(scheme: str, host: str) -> str:
    return str(URL(scope={"scheme": scheme, "path": "/", "headers": [(b"host", host.encode("latin-1"))]}))


async def around(request: Request) -> Surroundings:
    """Return what the app was made with, to routes that ask for it."""
    return surroundings(request)


Around = Annotated[Surroundings, Depends(around)]


class BodyTooLarge(HTTPException):
    """More than is taken; FastAPI lets only its own kind of exception through while it reads a body."""

    def __init__(self, allowed: int) -> None:
        sentence = f"The request's body is too large: {allowed:,} bytes are taken at most (ATELIER_LIMITS__BODY_BYTES)."
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)


class JsonRequest(Request):
    """A request whose body is JSON whatever its Content-Type says: a browser's plain `fetch` sends text/plain."""

    @property
    def query_params(self) -> QueryParams:
        """Return what is behind the question mark; most requests have nothing there."""
        return super().query_params if self.scope["query_string"] else NO_QUERY

    @property
    def cookies(self) -> dict[str, str]:
        """Return nothing: no route reads cookies, and FastAPI would look for them."""
        return {}

    async def body(self) -> bytes:
        """Return the body when all of it is here. Raises BodyTooLarge and ClientDisconnect."""
        if not hasattr(self, "_body"):
            self._body = await self._whole(surroundings(self).body_bytes)
        return self._body

    async def _whole(self, allowed: int) -> bytes:
        told = self.headers.get("content-length", "")
        declared, come, more = int(told) if told.isdecimal() else 0, 0, True
        parts: list[bytes] = []
        while more and max(declared, come) <= allowed:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            come, more = come + len(parts[-1]), message.get("more_body", False)
        if max(declared, come) > allowed:
            raise BodyTooLarge(allowed)
        return b"".join(parts)

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return the body's value; strict: no NaN, no lone surrogates, no bottomless nesting."""
        body = await self.body()
        try:
            return pydantic_core.from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


class Call(JsonRequest):
    """A request that was let in: what is there, who asks, and at which address (without a slash at the end)."""

    around: Surroundings
    owner: str
    base: str

    @property
    def anonymous(self) -> bool:
        """Whether it came without a key where one is not required."""
        return self.owner == ANONYMOUS

    async def let_in(self) -> None:
        """Find out who asks, at which address. Raises Unauthorized and RateLimited."""
        self.around = surroundings(self)
        self.owner = await self.around.access.admit(self, by_ticket=isinstance(self, Reader))
        self.base = (self.around.origins.public_url or address_of(self)).rstrip("/")

    async def painters(self) -> dict[str, Offer]:
        """Return who draws for this caller, and what: those it has brought a key for first, then the service's."""
        own = await self.around.own.of(self.owner, self.around.own.painters)
        return {**own, **{name: each.offer for name, each in self.around.providers.items()}}

    async def writers(self) -> tuple[str, ...]:
        """Return who writes for this caller, in the same way."""
        return (*await self.around.own.of(self.owner, self.around.own.writers), *self.around.writers)

    @property
    def nobody_writes(self) -> str:
        """What this caller is told where there is none: advice only where it can be followed."""
        own = self.around.own
        return NO_KEY_WRITES if own.may_bring(self.owner, own.writers) else NOBODY_WRITES


class Reader(Call):
    """One to a route that only shows the one thing its address names: `?ticket=` lets in, too."""


KEY_NEEDED = "This needs an API key. Without one, pictures under /api/v1/images and posts under /api/v1/blog can be made, read and cancelled."


class Keyed(Call):
    """One to a route that anonymous requests may not use."""

    async def let_in(self) -> None:
        """Let nobody in without a key."""
        await super().let_in()
        if self.anonymous:
            raise Unauthorized(KEY_NEEDED)


class KeyedReader(Reader, Keyed):
    """One that only shows the one thing its address names, and to nobody without a key or a ticket."""


async def stream_place(call: Call) -> AsyncIterator[None]:
    """Hold one of the owner's places for streams until the response has ended. Raises TooManyStreams."""
    with call.around.streams.place(call.owner):
        yield


STREAM = Depends(stream_place)
"""Stands in the `dependencies` of every route that answers with a stream."""


def wait_of(prefer: str | None) -> timedelta | None:
    """Return how long a `Prefer` header asks to wait, 60 seconds at most; None where it asks for nothing of ours."""
    found = WAIT.search(prefer or "")
    return timedelta(seconds=min(int(found.group(1)), LONGEST_WAIT_SECONDS)) if found else None


def answer(view: object, headers: Mapping[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return a model or typed dictionary as it is: nothing is checked on its way out."""
    return Response(json_of(view), status, headers, "application/json")
