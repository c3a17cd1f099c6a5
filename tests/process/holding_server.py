"""A server that holds jobs at a named place until it is killed: its store, or its storage, never answers them.

A job with the tag blog_id `hold-PLACE` is held at `claimed`, or once it has entered the stage `generating` or `uploading`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import uvicorn

from atelier import settings, wiring
from atelier.app import create_app
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Decide, Store
from atelier.media import Content
from atelier.pipelines.ports import Storage, Stored


class HoldingStore:
    """The real store; what it writes is durable, only the answer is kept back."""

    def __init__(self, inner: Store) -> None:
        self._inner: Any = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        snapshot: Snapshot | None = await self._inner.write(job_id, decide)
        if snapshot is not None and place_of(snapshot.job) == snapshot.job.tags.get("blog_id"):
            await asyncio.Event().wait()
        return snapshot


class HoldingStorage:
    """The real storage, which never comes to the pictures of jobs that are to be held."""

    def __init__(self, inner: Storage, store: Store) -> None:
        self._inner: Any = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        job = await self._store.get(job_id)
        if job is not None and job.tags.get("blog_id") == "hold-uploading":
            await asyncio.Event().wait()
        stored: Stored = await self._inner.save(job_id, number, content, alt=alt, shared=shared)
        return stored


def place_of(job: Job) -> str:
    claimed = job.status is Status.PROCESSING and job.stage == "queued"
    return "hold-claimed" if claimed else f"hold-{job.stage}" if job.stage == "generating" else ""


def main() -> None:
    config = settings.read()
    adapters = wiring.build_adapters(config)
    store = cast("Store", HoldingStore(adapters.store))
    storage = cast("Storage", HoldingStorage(adapters.storage, store))
    holding = replace(adapters, store=store, storage=storage)
    uvicorn.run(create_app(config, holding), port=config.port, log_config=None)


if __name__ == "__main__":
    main()
