"""A storage that is away: jobs wait for it with what was drawn, and no longer than they may."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.test_money import Painter
from tests.images import ROOT
from tests.live import Live, Serve
from tests.vendors import PAID

from atelier.errors import StorageError, StorageFull
from atelier.jobs.models import Json
from atelier.media import Content
from atelier.pipelines.ports import Stored
from atelier.settings import Settings
from atelier.storage.disk import DiskStorage
from atelier.storage.spool import DiskSpool
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


class Wedged(DiskSpool):
    """Takes nothing until it is back; `answers`: as if it took something, as a disk with a few bytes left does."""

    error: StorageError | None = StorageError("The spool cannot be written.")
    answers = False

    async def keep(self, job_id: str, number: int, data: bytes, note: Json) -> None:
        if self.error is not None:
            raise self.error
        await super().keep(job_id, number, data, note)

    async def ping(self) -> None:
        if self.error is not None and not self.answers:
            raise self.error


async def bought(data: Path) -> tuple[Painter, Wedged, Away, Adapters]:
    """Return adapters with a painter who wants money, a spool that takes nothing, and a storage that is there."""
    storage, adapters = await away(data, StorageError("Away."))
    storage.error = None
    painter, spool = Painter("gemini", "k"), Wedged(data / "spool")
    return painter, spool, storage, replace(adapters, image_providers={"gemini": painter}, spool=spool)


async def test_nothing_is_bought_while_the_spool_could_not_keep_it(serve: Serve, tmp_path: Path) -> None:
    painter, spool, _, adapters = await bought(tmp_path / "data")
    async with serve(adapters, max_attempts=1) as live:
        job_id = await order(live)
        waiting = await until(live, job_id, "state_reason", "storing")
        assert (waiting["status"], waiting["attempt"], painter.requests) == ("queued", 0, [])
        ready = await live.client.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["spool"]) == (503, "The spool cannot be written.")
        spool.error = None
        done = await until(live, job_id, "status", "completed")
        assert (done["cost"], done["warnings"], len(painter.requests)) == (0.04, [], 1)
        assert (await live.client.get("/ready")).json()["checks"]["spool"] == "ok"


async def test_what_is_free_needs_no_spool(serve: Serve, tmp_path: Path) -> None:
    painter, _, _, adapters = await bought(tmp_path / "data")
    painter.terms = replace(PAID, billed="no")
    async with serve(adapters, max_attempts=1) as live:
        await until(live, await order(live), "status", "completed")


async def test_a_bought_picture_that_the_spool_does_not_take_is_stored_nevertheless(
    serve: Serve, tmp_path: Path
) -> None:
    painter, spool, _, adapters = await bought(tmp_path / "data")
    spool.answers = True
    async with serve(adapters, max_attempts=1) as live:
        done = await until(live, await order(live), "status", "completed")
    assert (done["cost"], done["warnings"], len(painter.requests)) == (0.04, [], 1)


@pytest.mark.parametrize("error", [StorageError("Away."), StorageFull("Full.")])
async def test_a_bought_picture_that_lies_nowhere_is_held_until_somebody_takes_it(
    serve: Serve, tmp_path: Path, error: StorageError
) -> None:
    painter, spool, storage, adapters = await bought(tmp_path / "data")
    spool.answers, storage.error = True, error
    async with serve(adapters, max_attempts=1) as live:
        job_id = await order(live)
        async with asyncio.timeout(60):
            while storage.tries < 2:
                await asyncio.sleep(0.05)
        held = await until(live, job_id, "status", "processing")
        assert (held["cost"], held["current_stage"]) == (0.04, "uploading")
        storage.error = None
        done = await until(live, job_id, "status", "completed")
    assert (done["cost"], done["attempt"], len(painter.requests)) == (0.04, 1, 1)


async def test_a_held_picture_is_put_off_when_the_spool_takes_it(serve: Serve, tmp_path: Path) -> None:
    painter, spool, storage, adapters = await bought(tmp_path / "data")
    spool.answers, storage.error = True, StorageError("Away.")
    async with serve(adapters, max_attempts=1) as live:
        job_id = await order(live)
        await until(live, job_id, "current_stage", "uploading")
        spool.error = None
        await until(live, job_id, "state_reason", "storing")
        storage.error = None
        done = await until(live, job_id, "status", "completed")
    assert (done["cost"], len(painter.requests)) == (0.04, 1)


async def test_what_may_lie_in_a_spool_that_cannot_be_read_is_not_drawn_again(serve: Serve, tmp_path: Path) -> None:
    class Unread(DiskSpool):
        error: StorageError | None = StorageError("The spool cannot be read.")
        reads = 0

        async def read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
            self.reads += 1
            if self.error is not None:
                raise self.error
            return await super().read(job_id, number)

    data = tmp_path / "data"
    painter, _, storage, adapters = await bought(data)
    spool, storage.error = Unread(data / "spool"), StorageError("Away.")
    async with serve(replace(adapters, spool=spool), max_attempts=1) as live:
        job_id = await order(live)
        await until(live, job_id, "state_reason", "storing")
        storage.error = None
        async with asyncio.timeout(60):
            while spool.reads < 2:
                await asyncio.sleep(0.05)
        spool.error = None
        done = await until(live, job_id, "status", "completed")
    assert (done["cost"], len(painter.requests)) == (0.04, 1)


async def test_a_picture_that_cannot_be_read_now_is_a_503(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with serve() as live:
        job_id = await order(live)
        picture = (await until(live, job_id, "status", "completed"))["result"]["images"][0]["image_url"]
        storage = live.app.state.surroundings.pictures
        preview = live.base + (await storage.save_preview(job_id, 1, b"jpeg"))
        opened = Path.open

        def refuse(path: Path, *args: Any, **kwargs: Any) -> Any:
            if path.is_relative_to(tmp_path / "data" / "pictures"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return opened(path, *args, **kwargs)

        with monkeypatch.context() as broken:
            broken.setattr(Path, "open", refuse)
            for address in (picture, preview):
                answer = await live.client.get(address)
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        for address in (picture, preview):
            answer = await live.client.get(address)
            assert (answer.status_code, int(answer.headers["content-length"])) == (200, len(answer.content))


async def test_a_job_whose_removal_was_refused_says_that_it_is_being_deleted(serve: Serve, tmp_path: Path) -> None:
    class Kept(DiskStorage):
        async def remove(self, job_id: str) -> None:  # noqa: ARG002 - as it is asked
            raise StorageError("The pictures cannot be removed.")

    _, adapters = await away(tmp_path / "data", StorageError("Away."))
    async with serve(replace(adapters, storage=Kept(tmp_path / "data" / "pictures", b"secret"))) as live:
        job_id = await order(live)
        done = await until(live, job_id, "status", "completed")
        assert (await live.client.delete(f"{ROOT}/jobs/{job_id}")).status_code == 503
        told = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
        assert (done["message"], told["status"]) == ("Completed", "completed")
        assert told["message"].startswith("Being deleted:")
        again = await live.client.post(f"{ROOT}/jobs/{job_id}/retry")
        assert (again.status_code, again.json()["detail"]) == (409, "The job is being deleted.")
