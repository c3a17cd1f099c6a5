"""Stored pictures, for every page of the web: unguessable names, fixed types, cached for good."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import FileResponse

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


@router.api_route("/pictures/{folder}/{name}", methods=["GET", "HEAD"])
async def picture(folder: str, name: str, around: Around) -> FileResponse:
    """Return a picture's file. Only names the storage makes are looked for."""
    found = around.pictures.find(f"{folder}/{name}")
    if found is None or not await asyncio.to_thread(found[0].is_file):
        raise NotFound("There is no such picture.")
    path, content_type = found
    caching = FOR_NOW if name.startswith("preview-") else FOR_GOOD
    return FileResponse(path, media_type=content_type, headers={**HEADERS, "Cache-Control": caching})
