"""A server that holds jobs at a named place until it is killed: its store, or its storage, never answers them.

A job with the tag blog_id `hold-PLACE` is held at `claimed`, or once it has entered the stage `generating` or `uploading`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import uvicorn

from atelier import settings, wiring
from atelier.app import create_app
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Decide
from atelier.media import Content
from atelier.pipelines.ports import Stored
from atelier.storage.disk import DiskStorage
from atelier.stores.sqlite import SqliteStore


class HoldingStore(SqliteStore):
    """The real store; what it writes is durable, only the answer is kept back."""

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        snapshot = await super().write(job_id, decide)
        if snapshot is not None and place_of(snapshot.job) == snapshot.job.tags.get("blog_id"):
            await asyncio.Event().wait()
        return snapshot


class HoldingStorage(DiskStorage):
    """The real storage, which never comes to the pictures of jobs that are to be held."""

    def __init__(self, store: SqliteStore, config: settings.Settings, secret: bytes) -> None:
        super().__init__(config.data_dir / "pictures", secret)
        self._store = store

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        job = await self._store.get(job_id)
        if job is not None and job.tags.get("blog_id") == "hold-uploading":
            await asyncio.Event().wait()
        return await super().save(job_id, number, content, alt=alt, shared=shared)


def place_of(job: Job) -> str:
    claimed = job.status is Status.PROCESSING and job.stage == "queued"
    return "hold-claimed" if claimed else f"hold-{job.stage}" if job.stage == "generating" else ""


def main() -> None:
    config = settings.read()
    adapters = wiring.build_adapters(config)
    store = HoldingStore(config.data_dir / "atelier.db", wiring.utc_now)
    holding = replace(adapters, store=store, storage=HoldingStorage(store, config, adapters.secret))
    uvicorn.run(create_app(config, holding), port=config.port, log_config=None)


if __name__ == "__main__":
    main()
