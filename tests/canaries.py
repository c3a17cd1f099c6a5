"""Secrets planted in every setting that can hold one, and the search for them in everything that leaves the service.

What is searched: every answer of a server in the test's own loop and what its app logs, as they happen; the answers of
servers in processes; at the end every file that tests have left: databases, pictures, spools, the processes' logs.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import types
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import httpx
from pydantic import BaseModel, SecretBytes, SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.loopback import TRUSTS_NOBODY

from atelier.logs import JsonFormatter
from atelier.settings import PREFIX, Settings

SHORTEST = 16
"""Secrets of fewer characters are not searched for: they would be found by chance."""

THEIR_OWN_FILES = {"secret.key", "encryption.key", ".env"}
Json = dict[str, Any]


def settings_with_secrets(model: type[BaseModel] = Settings) -> Iterator[tuple[str, ...]]:
    """Walk the tree of settings; the path to each that holds a secret, or a list of them."""
    for name, setting in model.model_fields.items():
        kinds = set(_kinds(setting.annotation))
        if kinds & {SecretStr, SecretBytes}:
            yield (name,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from ((name, *rest) for rest in settings_with_secrets(kind))


def _kinds(annotation: Any) -> Iterator[Any]:
    """Return the types a setting may have; of lists those of their items. What is named by the user is not entered."""
    if get_origin(annotation) in {Annotated, Union, types.UnionType, tuple, list}:
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield annotation


def canary(path: tuple[str, ...]) -> str:
    """Return the secret of a setting: 32 bytes in base64, which is a key where one is needed."""
    return base64.urlsafe_b64encode(hashlib.sha256("/".join(path).encode()).digest()).decode()


def planted() -> Json:
    """Return the settings with a canary in each place, as a tree."""
    tree: Json = {}
    for path in settings_with_secrets():
        place = tree
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = canary(path)
    return tree


def planted_names() -> dict[str, str]:
    """Return the same as names in the environment."""
    return {PREFIX + "__".join(path).upper(): canary(path) for path in settings_with_secrets()}


def with_planted(settings: Json) -> Json:
    """Return the settings of a test with a canary wherever it says nothing."""
    return _merged(planted(), settings)


def _merged(below: Json, above: Mapping[str, Any]) -> Json:
    both = {name: _merged(below[name], value) for name, value in above.items() if _are_trees(below.get(name), value)}
    return {**below, **above, **both}


def _are_trees(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def secrets_in(value: Any) -> Iterator[str]:
    """Walk settings as they were read; each secret in them."""
    if isinstance(value, SecretStr | SecretBytes):
        secret = value.get_secret_value()
        yield secret.decode() if isinstance(secret, bytes) else secret
    elif isinstance(value, BaseModel):
        yield from secrets_in([getattr(value, name) for name in type(value).model_fields])
    elif isinstance(value, Mapping):
        yield from secrets_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)


class Watch:
    """Knows the secrets of the whole run and where one was seen."""

    def __init__(self) -> None:
        self.secrets: dict[bytes, str] = {}
        self.seen: set[str] = set()
        self.searched = 0
        for path in settings_with_secrets():
            self.know(canary(path), "the setting " + "__".join(path).upper())

    def know(self, secret: str, name: str = "a secret of a test") -> None:
        """Search for this one from now on."""
        if len(secret) >= SHORTEST:
            self.secrets.setdefault(secret.rstrip("=").encode(), name)

    def know_all(self, settings: Settings) -> None:
        for secret in secrets_in(settings):
            self.know(secret)

    def search(self, data: bytes, where: str) -> None:
        """Note each secret that is in the data."""
        self.searched += len(data)
        for secret, name in self.secrets.items():
            if secret in data:
                test = os.environ.get("PYTEST_CURRENT_TEST", "the end of the run")
                self.seen.add(f"{name} is in {where} ({test})")

    def search_files(self, folder: Path) -> None:
        """Search every file below a folder and its name, but the ones that are there to hold a secret."""
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        for path in files:
            if path.name in {"secret.key", "encryption.key"} and path.stat().st_size < 1000:
                self.know(path.read_text(errors="replace"), "the secret made in a data directory")
        for path in files:
            self.search(str(path.relative_to(folder)).encode(), "the name of a file")
            if path.name not in THEIR_OWN_FILES:
                self.search(path.read_bytes(), f"the file {path.relative_to(folder)}")


WATCH = Watch()


def watched(app: ASGIApp) -> ASGIApp:
    """Return the app with everything it sends searched: headers, bodies, events, messages of WebSockets."""

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        tail = b""

        async def searched(message: Message) -> None:
            nonlocal tail
            sent = b"\n".join(name + b": " + value for name, value in message.get("headers", ()))
            for name in ("body", "bytes", "text", "reason"):
                part = message.get(name) or b""
                sent += part.encode() if isinstance(part, str) else part
            WATCH.search(tail + sent, f"an answer of {scope.get('path')}")
            tail = sent[-100:]
            await send(message)

        await app(scope, receive, searched)

    return watching


class WatchedTransport(httpx.AsyncHTTPTransport):
    """A client's transport that searches what it receives."""

    def __init__(self, **how: Any) -> None:
        super().__init__(verify=TRUSTS_NOBODY, **how)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        WATCH.search(str(response.headers.raw).encode(), f"the headers of {request.url.path}")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _WatchedStream(response.stream, request.url.path)
        return response


class _WatchedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, path: str) -> None:
        self._stream, self._path = stream, path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tail = b""
        async for piece in self._stream:
            WATCH.search(tail + piece, f"an answer of {self._path}")
            tail = piece[-100:]
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class WatchedLog(logging.Handler):
    """Searches every line as the service would write it; it never writes one."""

    def emit(self, record: logging.LogRecord) -> None:
        WATCH.search(_FORMAT.format(record).encode(errors="replace"), f"the log, {record.name} {record.msg}")


_FORMAT = JsonFormatter()
