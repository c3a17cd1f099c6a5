"""Frames between the service and a process of its own: length, JSON, and behind that as many raw bytes as its `size` says."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import IO, Any, BinaryIO

LENGTH = struct.Struct(">I")


def packed(message: dict[str, Any]) -> bytes:
    """Return a frame without raw bytes."""
    text = json.dumps(message).encode()
    return LENGTH.pack(len(text)) + text


def send(out: IO[bytes], head: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame, raw bytes and all. Blocking."""
    out.write(packed({**head, "size": len(body)}) + body)
    out.flush()


def receive(source: BinaryIO) -> dict[str, Any] | None:
    """Read one frame without raw bytes; None at the end of input. Blocking."""
    prefix = source.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    message: dict[str, Any] = json.loads(source.read(LENGTH.unpack(prefix)[0]))
    return message


async def received(source: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """Read one frame and its raw bytes. Raises IncompleteReadError where the other side has ended."""
    head = json.loads(await source.readexactly(LENGTH.unpack(await source.readexactly(LENGTH.size))[0]))
    return head, await source.readexactly(head["size"])
