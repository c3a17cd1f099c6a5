"""A server that holds jobs at a named place until it is killed: its store, its spool or its storage never answers them.

A job with the tag blog_id `hold-PLACE` is held at `claimed`, or in the stage `generating`, drawn and not spooled, or `uploading`.
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
from atelier.pipelines.ports import Spool, Storage, Stored


class HoldingStore:
    """The real store; what it writes is durable, only the answer is kept back."""

    def __init__(self, inner: Store) -> None:
        self._inner: Any = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        snapshot: Snapshot | None = await self._inner.write(job_id, decide)
        if snapshot is not None and is_claimed(snapshot.job) and is_held(snapshot.job, "claimed"):
            await asyncio.Event().wait()
        return snapshot


class HoldingSpool:
    """The real spool, which never comes to what is to be held."""

    def __init__(self, inner: Spool, store: Store) -> None:
        self._inner: Any = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def keep(self, job_id: str, *content: Any) -> None:
        if is_held(await self._store.get(job_id), "generating"):
            await asyncio.Event().wait()
        await self._inner.keep(job_id, *content)


class HoldingStorage:
    """The real storage, which never comes to the pictures of jobs that are to be held."""

    def __init__(self, inner: Storage, store: Store) -> None:
        self._inner: Any = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        if is_held(await self._store.get(job_id), "uploading"):
            await asyncio.Event().wait()
        stored: Stored = await self._inner.save(job_id, number, content, alt=alt, shared=shared)
        return stored


def is_claimed(job: Job) -> bool:
    return job.status is Status.PROCESSING and job.stage == "queued"


def is_held(job: Job | None, place: str) -> bool:
    return job is not None and job.tags.get("blog_id") == f"hold-{place}"


def main() -> None:
    config = settings.read()
    adapters = wiring.build_adapters(config)
    store = cast("Store", HoldingStore(adapters.store))
    storage = cast("Storage", HoldingStorage(adapters.storage, store))
    spool = cast("Spool", HoldingSpool(adapters.spool, store))
    holding = replace(adapters, store=store, storage=storage, spool=spool)
    uvicorn.run(create_app(config, holding), port=config.port, log_config=None)


if __name__ == "__main__":
    main()
