"""A Cloudinary on loopback: checks every signature for itself, knows each public id once, and can be in trouble."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLOUD, KEY, SECRET = "demo", "key-472981", "secret-of-the-loopback-cloud"
UNSIGNED = {"file", "cloud_name", "resource_type", "api_key", "signature"}
STALE_SECONDS = 3600
TROUBLES = {
    "limit": (420, {"error": {"message": "Rate Limit Exceeded. Limit of 500 api operations reached."}}),
    "limit_429": (429, {"error": {"message": "Too many requests"}}),
    "broken": (500, {"error": {"message": "General Error"}}),
    "bad": (400, {"error": {"message": "Invalid image file"}}),
    "forbidden": (403, {"error": {"message": "Not allowed"}}),
    "away": (503, {"message": "no error member, as proxies have it"}),
    "null": (200, None),
    "stranger": (
        200,
        {"public_id": "somebody/else", "secure_url": "https://res.cloudinary.com/x/image/upload/v1/a.png"},
    ),
}
Fields = dict[str, Any]


@dataclass(kw_only=True)
class Asset:
    """A stored picture."""

    data: bytes
    fields: Fields
    version: int
    created_at: datetime


@dataclass
class Cloudinary:
    """What it has, what it was asked, and what trouble comes next: one word a request, then `always` or none."""

    assets: dict[str, Asset] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The path of every request, those in trouble too."""
    uploads: list[str] = field(default_factory=list)
    """The public id of every upload that was taken, repeated ones too."""
    troubles: deque[str] = field(default_factory=deque)
    always: str = ""
    secret: str = SECRET
    now: Callable[[], float] = time.time
    base: str = ""

    @property
    def url(self) -> str:
        return f"cloudinary://{KEY}:{SECRET}@{CLOUD}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Cloudinary]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, _, rest = head.partition(b"\r\n")
                headers = {name.lower(): value for name, value in BytesParser(policy=HTTP).parsebytes(rest).items()}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self._answer(first.decode(), headers, body, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, first: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays."""
        method, target, _ = first.split(" ")
        self.asked.append(f"{method} {urlsplit(target).path}")
        trouble = self.troubles.popleft() if self.troubles else self.always
        if trouble == "hang":
            await asyncio.sleep(60)
        if trouble in {"drop", "hang"}:
            return False
        if trouble == "html":
            return await self._send(writer, 502, b"<html><h1>Bad gateway</h1></html>")
        if trouble in TROUBLES:
            status, answer = TROUBLES[trouble]
            return await self._send(writer, status, json.dumps(answer).encode())
        status, answer = self._route(method, target, headers, body)
        if trouble == "drop_after":
            return False
        sent = json.dumps(answer).encode()
        if trouble == "drip":
            return await drip(writer, sent)
        return await self._send(writer, status, sent)

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
        date = formatdate(self.now(), usegmt=True)
        head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\nDate: {date}\r\nX-Request-Id: r-1\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return True

    def _route(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Fields]:
        parts = urlsplit(target)
        if not parts.path.startswith(f"/v1_1/{CLOUD}/"):
            return refused(f"Invalid cloud_name {parts.path}")
        path = parts.path.removeprefix(f"/v1_1/{CLOUD}/")
        if path in {"image/upload", "image/destroy"}:
            fields, file = form(headers["content-type"], body)
            wrong = self._wrong(fields)
            if wrong is not None:
                return refused(wrong)
            return self._upload(fields, file) if path == "image/upload" else self._destroy(fields)
        login = base64.b64encode(f"{KEY}:{self.secret}".encode()).decode()
        if headers.get("authorization") != f"Basic {login}":
            return refused("Invalid credentials")
        return self._administer(method, path, parse_qs(parts.query), body)

    def _administer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Fields]:
        if method == "DELETE" and path == "resources/image/upload":
            return self._delete(json.loads(body))
        assert method == "GET", path
        if path == "resources/image/upload":
            return self._resources(query)
        assert path.rpartition("/")[0] == "resources/image/tags", path
        return self._list(path.rpartition("/")[2], query)

    def _wrong(self, fields: Fields) -> str | None:
        """Say what is wrong with a signature, as the real one does: with the text that was to be signed."""
        text = text_to_sign(fields)
        if abs(self.now() - int(fields["timestamp"])) > STALE_SECONDS:
            return f"Stale request - reported time is {fields['timestamp']} which is more than 1 hour ago"
        if fields.get("api_key") != KEY or fields.get("signature") != signature(fields, self.secret):
            return f"Invalid Signature {fields.get('signature')}. String to sign - '{text}'."
        return None

    def _upload(self, fields: Fields, file: bytes | None) -> tuple[int, Fields]:
        file = file or self._fetched(fields.get("file", ""))
        if not file:
            return 400, {"error": {"message": "Missing required parameter - file"}}
        copied = "file" in fields
        assert copied or (fields["overwrite"], fields["unique_filename"]) == ("0", "0")
        name = fields["public_id"]
        self.uploads.append(name)
        existing = name in self.assets
        if not existing or fields["overwrite"] == "1":
            version = 1_700_000_000 + (len(self.uploads) if existing else len(self.assets))
            made = datetime.fromtimestamp(self.now(), UTC)
            self.assets[name] = Asset(data=file, fields=fields, version=version, created_at=made)
        url = f"https://res.cloudinary.com/{CLOUD}/image/upload/v{self.assets[name].version}/{name}.png"
        return 200, {"public_id": name, "secure_url": url, "version": 1, **({"existing": True} if existing else {})}

    def _fetched(self, address: str) -> bytes | None:
        """Fetch a picture of its own by its address."""
        found = [one.data for name, one in self.assets.items() if address and f"/{name}." in address]
        return found[0] if found else None

    def _resources(self, query: dict[str, list[str]]) -> tuple[int, Fields]:
        """List what begins with a prefix, two at a time whatever is asked for."""
        names = sorted(name for name in self.assets if name.startswith(query["prefix"][0]))
        start = int(query.get("next_cursor", ["0"])[0])
        page = [
            {"public_id": name, "tags": self.assets[name].fields.get("tags", "").split(",")}
            for name in names[start : start + 2]
        ]
        more = {"next_cursor": str(start + 2)} if start + 2 < len(names) else {}
        return 200, {"resources": page, **more}

    def _destroy(self, fields: Fields) -> tuple[int, Fields]:
        return 200, {"result": "ok" if self.assets.pop(fields["public_id"], None) else "not found"}

    def _delete(self, asked: Fields) -> tuple[int, Fields]:
        prefix, names = asked.get("prefix"), asked.get("public_ids") or ()
        gone = [name for name in self.assets if name in names or (prefix and name.startswith(prefix))]
        for name in gone:
            del self.assets[name]
        return 200, {"deleted": dict.fromkeys(gone, "deleted"), "partial": False}

    def _list(self, tag: str, query: dict[str, list[str]]) -> tuple[int, Fields]:
        assert query["direction"] == ["asc"]
        found = [
            (one.created_at, name) for name, one in self.assets.items() if tag in one.fields.get("tags", "").split(",")
        ]
        listed = sorted(found)[: int(query["max_results"][0])]
        return 200, {"resources": [{"public_id": name, "created_at": at.isoformat()} for at, name in listed]}


def text_to_sign(fields: Fields) -> str:
    signed = sorted((name, value) for name, value in fields.items() if name not in UNSIGNED and value)
    return "&".join(f"{name}={value.replace('&', '%26')}" for name, value in signed)


def signature(fields: Fields, secret: str) -> str:
    return hashlib.sha1(f"{text_to_sign(fields)}{secret}".encode()).hexdigest()  # noqa: S324 - the vendor's choice


def refused(message: str) -> tuple[int, Fields]:
    return 401, {"error": {"message": message}}


def form(content_type: str, body: bytes) -> tuple[Fields, bytes | None]:
    """Parse a form: its fields, and the part `file` where it has one."""
    if not content_type.startswith("multipart/"):
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}, None
    parts = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    assert isinstance(parts, EmailMessage)
    fields: Fields = {}
    file = None
    for part in parts.iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if name == "file" and part.get_filename():
            file = content
        else:
            fields[name] = content.decode()
    return fields, file


async def drip(writer: asyncio.StreamWriter, body: bytes) -> bool:
    """Send the answer a byte at a time: no single wait is long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)
    return True
