"""What Prometheus scrapes: open like /health, since it holds nobody's data."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse, Response

from atelier import metrics
from atelier.api.deps import Around
from atelier.errors import StoreUnavailable
from atelier.jobs.engine import JobEngine

router = APIRouter(tags=["service"])

PATIENCE_SECONDS = 2.0
"""How long a scrape waits for the store; without its word the rest is still worth having."""


@router.get("/metrics", summary="How is it doing? For Prometheus", response_class=PlainTextResponse)
async def scrape(around: Around) -> Response:
    """Return counts, times and states in Prometheus' text format."""
    await _ask(around.engine)
    text = await asyncio.to_thread(_text, around.data_dir)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def _ask(engine: JobEngine) -> None:
    """Set what is only known when asked; a store that does not answer leaves the depth out, not at an old value."""
    metrics.RUNNING.set(engine.running)
    metrics.FOLLOWED.set(engine.followed)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiting = await engine.waiting()
    except (StoreUnavailable, TimeoutError):
        metrics.QUEUE_DEPTH.clear()
        return
    for kind, count in waiting.items():
        metrics.QUEUE_DEPTH.labels(kind).set(count)


def _text(data_dir: Path) -> bytes:
    with contextlib.suppress(OSError):
        metrics.DISK_FREE.set(shutil.disk_usage(data_dir).free)
    return metrics.text()
