"""What is tidied up once an hour, and what is left alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts.test_storage import content
from tests.jobs import new_job

from atelier.errors import StartRefused, StorageError
from atelier.jobs.events import Event, Failed, Queued
from atelier.jobs.models import Fault
from atelier.settings import Settings
from atelier.storage.disk import DiskStorage
from atelier.storage.spool import DiskSpool
from atelier.wiring import Services, build_adapters, build_services
from atelier.wiring.upkeep import check_start, tidy

RETAINED = {"jobs_days": 1, "pictures_days": 2}
LONG_AGO, DAY = (0, 0), timedelta(days=1)
NO = Failed(fault=Fault(code="provider_refused", message="No.", retryable=False))


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", retention=RETAINED)


@pytest.fixture
async def services(config: Settings) -> AsyncIterator[Services]:
    services = await asyncio.to_thread(lambda: build_services(config, build_adapters(config)))
    await services.adapters.store.open()
    yield services
    await services.adapters.store.close()


def later(services: Services, time: timedelta) -> Services:
    return replace(services, now=lambda: datetime.now(UTC) + time)


async def spooled(services: Services, config: Settings, job_id: str, *events: Event) -> None:
    """Spool a picture for a job to which this has happened; without events there is no such job. The file is old."""
    if events:
        await services.adapters.store.create(new_job(services.now(), job_id), events, {})
    await services.adapters.spool.keep(job_id, 1, b"bytes", {})
    await asyncio.to_thread(os.utime, config.data_dir / "spool" / f"{job_id}-1.bytes", LONG_AGO)


async def left(services: Services, *job_ids: str) -> list[str]:
    return [job_id for job_id in job_ids if await services.adapters.spool.read(job_id, 1) is not None]


async def test_what_was_spooled_goes_some_time_after_its_job(config: Settings, services: Services) -> None:
    """A live job may wait for days, whatever its record's retention is; a failed one may be retried as long as it is kept."""
    now = services.now()
    await spooled(services, config, "live", Queued(run_at=now))
    await spooled(services, config, "failed", Queued(run_at=now), NO)
    await spooled(services, config, "gone")
    await tidy(config, services)
    assert await left(services, "live", "failed", "gone") == ["live", "failed"]
    await tidy(config, later(services, 1.1 * DAY))
    assert await left(services, "live", "failed") == ["live"]


async def test_pictures_and_previews_go_with_their_time(config: Settings, services: Services) -> None:
    storage = services.adapters.pictures
    stored = await storage.save("job-1", 1, content(), alt="", shared=False)
    preview = await storage.save_preview("job-1", 1, b"jpeg")
    files = [storage.find(place.removeprefix("/pictures/")) for place in (stored.location, preview or "")]
    picture, small = (found[0] for found in files if found is not None)
    await asyncio.to_thread(os.utime, small, LONG_AGO)
    await tidy(config, services)
    assert (picture.exists(), small.exists()) == (True, False)
    await tidy(config, later(services, 2.1 * DAY))
    assert not picture.exists()


class Stubborn(DiskStorage):
    """Removes no previews."""

    async def expire_previews(self, before: datetime) -> int:  # noqa: ARG002 - as it is asked
        raise StorageError("Away.")


class Wedged(DiskSpool):
    """Can be used for nothing."""

    async def expire(self, before: datetime, over: object) -> int:  # noqa: ARG002 - as it is asked
        raise StorageError("The spool cannot be read.")

    async def ping(self) -> None:
        raise StorageError("The spool cannot be written.")


async def test_what_cannot_be_removed_keeps_nothing_else(
    config: Settings, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Stubborn(config.data_dir / "pictures", b"secret")
    stored = await storage.save("job-1", 1, content(), alt="", shared=False)
    found = storage.find(stored.location.removeprefix("/pictures/"))
    assert found is not None
    adapters = replace(services.adapters, storage=storage, spool=Wedged(config.data_dir / "spool"))
    await tidy(config, later(replace(services, adapters=adapters), 3 * DAY))
    assert not found[0].exists()
    assert [record.message for record in caplog.records].count("tidy_failed") == 2


async def test_a_start_tries_the_spool_where_pictures_are_drawn(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = await asyncio.to_thread(build_adapters, config)
    monkeypatch.setattr("atelier.wiring.upkeep.build_adapters", lambda _: adapters)
    await check_start(config)
    adapters = replace(adapters, spool=Wedged(config.data_dir / "spool"))
    with pytest.raises(StartRefused, match="The spool cannot be written"):
        await check_start(config)
    await check_start(config.model_copy(update={"role": "web"}))
