"""The worker's route, which Cloud Tasks calls with a signed token. API keys never work here."""

from __future__ import annotations

from fastapi import APIRouter

from atelier.errors import Unauthorized

router = APIRouter(include_in_schema=False)


@router.post("/api/v1/worker")
@router.post("/api/v1/images/worker")
@router.post("/api/v1/blog/worker")
async def deliver() -> None:
    """Refuse: no token issuer is configured, and the embedded queue calls the worker in process."""
    raise Unauthorized("Deliveries need a signed token of the configured queue; none is configured here.")
