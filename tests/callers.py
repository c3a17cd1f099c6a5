"""Callers of a test: owners with keys of their own, and the table of the app's routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from tests.live import Live

from atelier.api.keys import Keys


def keys_of(live: Live) -> Keys:
    """Return the keys of a running app."""
    found: Keys = live.app.state.surroundings.access.keys
    return found


async def bearer(live: Live, owner: str) -> dict[str, str]:
    """Return the header of a new key of `owner`."""
    return {"Authorization": f"Bearer {await keys_of(live).create(owner)}"}


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and route of everything the app answers over HTTP."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIWebSocketRoute):
            continue
        for method in sorted(route.methods or {"MOUNT"}):
            if method != "HEAD":
                yield method, str(route.path), route
