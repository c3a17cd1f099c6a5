"""A storage that is away: jobs wait for it with what was drawn, and no longer than they may."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.images import ROOT
from tests.live import Live, Serve

from atelier.errors import StorageError, StorageFull
from atelier.media import Content
from atelier.pipelines.ports import Stored
from atelier.settings import Settings
from atelier.storage.disk import DiskStorage
from atelier.wiring import Adapters, build_adapters

HILL = {"prompt": "A hill", "quality": "draft"}


class Away(DiskStorage):
    """Fails until it is back."""

    def __init__(self, folder: Path, error: StorageError) -> None:
        super().__init__(folder, b"secret")
        self.error: StorageError | None = error
        self.tries = 0

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        self.tries += 1
        if self.error is not None:
            raise self.error
        return await super().save(job_id, number, content, alt=alt, shared=shared)


async def away(data: Path, error: StorageError) -> tuple[Away, Adapters]:
    adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=data))
    storage = Away(data / "pictures", error)
    return storage, replace(adapters, storage=storage, pictures=storage)


async def until(live: Live, job_id: str, name: str, value: object) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
            if job[name] == value:
                return job
            await asyncio.sleep(0.05)


async def order(live: Live) -> str:
    return str((await live.client.post(f"{ROOT}/generate", json=HILL)).json()["job_id"])


async def test_a_picture_waits_for_its_storage_and_no_attempt_is_used_up(serve: Serve, tmp_path: Path) -> None:
    storage, adapters = await away(tmp_path / "data", StorageError("Away."))
    async with serve(adapters, max_attempts=1) as live:
        job_id = await order(live)
        waiting = await until(live, job_id, "state_reason", "storing")
        assert (waiting["status"], waiting["attempt"], waiting["progress_percentage"]) == ("queued", 0, 90.0)
        assert waiting["resume_at"] is not None
        storage.error = None
        done = await until(live, job_id, "status", "completed")
        assert (done["attempt"], storage.tries) == (1, 2)


async def test_it_waits_no_longer_than_it_may(serve: Serve, tmp_path: Path) -> None:
    _, adapters = await away(tmp_path / "data", StorageError("Away."))
    async with serve(adapters, max_attempts=1, deadlines={"image_seconds": 6}) as live:
        failed = await until(live, await order(live), "status", "failed")
    assert failed["error_code"] == "storage_unavailable"


async def test_a_full_storage_is_not_waited_for(serve: Serve, tmp_path: Path) -> None:
    storage, adapters = await away(tmp_path / "data", StorageFull("Full."))
    async with serve(adapters, max_attempts=2, retry_base_seconds=0.05) as live:
        failed = await until(live, await order(live), "status", "failed")
    assert (failed["error_code"], failed["attempt"], storage.tries) == ("storage_full", 2, 2)
