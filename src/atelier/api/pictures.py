"""Stored pictures, for every page of the web: unguessable names, fixed types, cached for good."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from atelier.api.deps import Around
from atelier.errors import NotFound

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


@router.api_route("/pictures/{folder}/{name}", methods=["GET", "HEAD"])
async def picture(folder: str, name: str, around: Around) -> Response:
    """Return a picture's file. Only names the storage makes are looked for."""
    found = around.pictures.find(f"{folder}/{name}")
    if found is None:
        raise _not_found()
    path, content_type = found
    if name.startswith(PREVIEW):
        return await _preview(path, content_type)
    if not await asyncio.to_thread(path.is_file):
        raise _not_found()
    return FileResponse(path, media_type=content_type, headers={**HEADERS, "Cache-Control": FOR_GOOD})


async def _preview(path: Path, content_type: str) -> Response:
    """Read it at once: it may be gone in the next moment."""
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError as error:
        raise _not_found() from error
    return Response(content, media_type=content_type, headers={**HEADERS, "Cache-Control": FOR_NOW})


def _not_found() -> NotFound:
    return NotFound("There is no such picture.")
