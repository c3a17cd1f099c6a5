"""What is done with the wired parts outside of requests and jobs: trying them at start, tidying up, the keys' commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from atelier import logs
from atelier.api.keys import Keys
from atelier.errors import AtelierError, OwnKeysOff, StartRefused, StorageError, StoreUnavailable
from atelier.jobs.background import going_on
from atelier.pipelines.ports import Storage
from atelier.settings import Settings
from atelier.stores.owner_keys import OwnerKeys, Rotated
from atelier.wiring.adapters import build_adapters, build_store, days
from atelier.wiring.clock import utc_now
from atelier.wiring.secret import encryption_keys_of
from atelier.wiring.services import Services

EX_TEMPFAIL = 75
LEFTOVERS = timedelta(days=30)
"""How long files are kept that only a job which ended badly can have left."""


async def check_start(settings: Settings) -> None:
    """Try store, presence, storage and spool, so that a refusal is a sentence and not a failed start-up of the server.

    Raises StartRefused, as passing where the store only does not answer.
    """
    adapters = build_adapters(settings)
    try:
        await adapters.store.open()
        await check_owner_keys(settings, OwnerKeys(adapters.store, adapters.encryption))
        await adapters.presence.open()
        await check_storage(settings, adapters.storage)
        if settings.role != "web":
            await adapters.spool.ping()
    except StartRefused:
        raise
    except StoreUnavailable as error:
        raise StartRefused(error.message, exit_code=EX_TEMPFAIL) from error
    except AtelierError as error:
        raise StartRefused(error.message) from error
    finally:
        await adapters.presence.close()
        await adapters.store.close()


async def check_owner_keys(settings: Settings, keyring: OwnerKeys) -> None:
    """Raise StartRefused where owners' keys were kept that the encryption keys do not open. Changes nothing."""
    if settings.brought:
        await keyring.check()


async def check_storage(settings: Settings, storage: Storage) -> None:
    """Raise what must be mended. Somebody else's service that is only down comes back, and uploads wait for it."""
    try:
        await storage.ping()
    except StorageError as error:
        if settings.storage.kind == "disk" or not error.retryable:
            raise
        logs.warning("storage_away", reason=error.message)


async def tidy(settings: Settings, services: Services) -> None:
    """Remove previews of jobs long ended, bytes nobody came for, and pictures past their retention (default: none).

    What fails keeps nothing else from being removed.
    """
    now, storage = services.now(), services.adapters.storage
    with going_on("tidy_failed"):
        await storage.expire_previews(now - LEFTOVERS)
    with going_on("tidy_failed"):
        await _tidy_spool(services, now - (days(settings.retention.jobs_days) or LEFTOVERS))
    pictures = days(settings.retention.pictures_days)
    if pictures is not None:
        with going_on("tidy_failed"):
            await storage.expire(now - pictures)


async def _tidy_spool(services: Services, before: datetime) -> None:
    """Remove what was spooled before a moment for jobs that ended before it, too, or are gone. A live job may wait for days."""
    store = services.adapters.store

    async def over(job_id: str) -> bool:
        job = await store.get(job_id)
        return job is None or (job.status.terminal and job.updated_at < before)

    await services.adapters.spool.expire(before, over)


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Open the store for the length of the block, to make, list and revoke keys. Raises StartRefused."""
    store = build_store(settings)
    try:
        await store.open()
        yield Keys(store, utc_now)
    except StoreUnavailable as error:
        raise StartRefused(error.message, exit_code=EX_TEMPFAIL) from error
    finally:
        await store.close()


async def rotate_keys(settings: Settings, *, forget_unreadable: bool) -> Rotated:
    """Encrypt all that owners have brought with the first encryption key. Raises StartRefused."""
    store = build_store(settings)
    try:
        await store.open()
        return await OwnerKeys(store, encryption_keys_of(settings)).rotate(forget_unreadable=forget_unreadable)
    except OwnKeysOff as error:
        raise StartRefused(error.message) from error
    except StoreUnavailable as error:
        raise StartRefused(error.message, exit_code=EX_TEMPFAIL) from error
    finally:
        await store.close()
