"""Stored pictures, for every page of the web: unguessable names, fixed types, cached for good."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from atelier.api.deps import Around
from atelier.api.freshness import is_unmodified
from atelier.errors import NotFound, StorageError

router = APIRouter(include_in_schema=False)

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_NOW = "no-store"
PREVIEW = "preview-"
NOTHING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@router.api_route("/pictures/{folder}/{name}", methods=["GET", "HEAD"])
async def picture(folder: str, name: str, around: Around, request: Request) -> Response:
    """Return a picture's file, unless the caller has it. Only names the storage makes are looked for."""
    named = around.pictures.find(f"{folder}/{name}")
    if named is None:
        raise _not_found()
    path, content_type = named
    if name.startswith(PREVIEW):
        return await _preview(path, content_type)
    with _read():
        found = await asyncio.to_thread(_readable, path)
    response = FileResponse(
        path, media_type=content_type, headers={**HEADERS, "Cache-Control": FOR_GOOD}, stat_result=found
    )
    if not is_unmodified(response.headers, request.headers):
        return response
    kept = {name: response.headers[name] for name in ("cache-control", "etag", "last-modified")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**HEADERS, **kept})


async def _preview(path: Path, content_type: str) -> Response:
    """Read it at once: it may be gone in the next moment."""
    with _read():
        content = await asyncio.to_thread(path.read_bytes)
    return Response(content, media_type=content_type, headers={**HEADERS, "Cache-Control": FOR_NOW})


def _readable(path: Path) -> os.stat_result:
    """Return what is known of a file that can be opened: once its answer has begun, that it cannot is too late to say."""
    with path.open("rb") as file:
        return os.fstat(file.fileno())


@contextmanager
def _read() -> Iterator[None]:
    """Translate what the disk says of a picture. Raises NotFound and StorageError."""
    try:
        yield
    except NOTHING as error:
        raise _not_found() from error
    except OSError as error:
        raise StorageError(f"The picture cannot be read: {error.strerror}.") from error


def _not_found() -> NotFound:
    return NotFound("There is no such picture.")
