"""A server whose store never returns from writes that put a job into a named place: jobs stay there until it is killed.

A job with the tag blog_id `hold-PLACE` is held at `claimed`, or once it has entered the stage PLACE.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import uvicorn

from atelier import settings, wiring
from atelier.app import create_app
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Decide
from atelier.stores.sqlite import SqliteStore


class HoldingStore(SqliteStore):
    """The real store; what it writes is durable, only the answer is kept back."""

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        snapshot = await super().write(job_id, decide)
        if snapshot is not None and place_of(snapshot.job) == snapshot.job.tags.get("blog_id"):
            await asyncio.Event().wait()
        return snapshot


def place_of(job: Job) -> str:
    claimed = job.status is Status.PROCESSING and job.stage == "queued"
    return "hold-claimed" if claimed else f"hold-{job.stage}"


def main() -> None:
    config = settings.read()
    adapters = wiring.build_adapters(config)
    holding = replace(adapters, store=HoldingStore(config.data_dir / "atelier.db", wiring.utc_now))
    uvicorn.run(create_app(config, holding), port=config.port, log_config=None)


if __name__ == "__main__":
    main()
