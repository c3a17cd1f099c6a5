"""The whole visit: settings and data directory, then every part behind its port, then the service as callers reach it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from atelier import production, settings, wiring
from atelier.doctor import address
from atelier.doctor.findings import Check, Finding, Verdict, finding, ill, well
from atelier.errors import StartRefused, StoreUnavailable
from atelier.pipelines.ports import Spool
from atelier.settings import PREFIX, Settings
from atelier.wiring import Services

LEAST_FREE = 200_000_000
"""Bytes below which a disk counts as full: a busy hour's pictures."""

CLOSE_SECONDS = 5.0
NOBODY = "doctor"
"""Whose bytes are spooled for a moment; no job has this id."""


async def examine(config: Settings, url: str | None) -> AsyncIterator[Finding]:
    """Yield a finding for each part, as each is known. `url`: the service's address as callers have it."""
    yield await finding("settings", partial(_settings, config))
    yield await finding("data directory", partial(_data, config.data_dir))
    try:
        services = await asyncio.to_thread(_build, config)
    except StartRefused as refusal:
        yield Finding(name="parts", verdict=ill(refusal.message))
    else:
        async for found in _parts(config, services):
            yield found
    yield await finding("clock", partial(address.clock, list(_clocks(config, url))))
    if url is not None:
        yield await finding("address", partial(address.ready, url))
        yield await finding("stream", partial(address.stream, url))


def _build(config: Settings) -> Services:
    return wiring.build_services(config, wiring.build_adapters(config))


async def _parts(config: Settings, services: Services) -> AsyncIterator[Finding]:
    try:
        for name, check in _checks(config, services):
            yield await finding(name, check)
    finally:
        await _close(services)


def _checks(config: Settings, services: Services) -> Iterator[tuple[str, Check]]:
    store, storage = services.adapters.store, services.adapters.storage

    async def open_store() -> None:
        await store.open()
        await store.ping()

    yield "store", partial(_asked, open_store, f"{config.store.kind} reads and writes")
    yield "own keys", partial(_own_keys, config, services)
    if config.queue.kind != "embedded":  # that one is part of the serving process
        yield "queue", partial(_asked, services.queue.ping, f"{config.queue.kind} answers")
    yield "storage", partial(_asked, storage.ping, f"{config.storage.kind} takes pictures")
    yield "spool", partial(_spool, services.adapters.spool)
    for name, provider in services.providers.items():
        itself = services.adapters.image_providers.get(name)
        if isinstance(itself, Examined):
            yield f"provider {name}", partial(_examined, itself)
        else:
            yield f"provider {name}", partial(_asked, provider.ping, "can be asked")
    for name, writer in services.writers.items():
        yield f"text provider {name}", partial(_asked, writer.ping, "can be asked")
    if services.adapters.search is not None:
        yield "search", partial(_asked, services.adapters.search.ping, f"{', '.join(config.searchers)} can be asked")


async def _asked(ping: Callable[[], Awaitable[None]], seen: str) -> Verdict:
    """Say what was seen where a part answers; what it raises is the finding."""
    await ping()
    return well(seen)


@runtime_checkable
class Examined(Protocol):
    """A provider that can say more than that it is well."""

    async def examine(self) -> str:
        """Return what it works with, as a sentence, without ordering anything. Raises ProviderError."""


async def _examined(provider: Examined) -> Verdict:
    """Say what a provider says of itself; what it raises is the finding."""
    return well(await provider.examine())


async def _own_keys(config: Settings, services: Services) -> Verdict:
    """Say for whom owners may bring keys, once the encryption keys were tried on what they have brought."""
    try:
        await wiring.check_owner_keys(config, services.keyring)
    except StoreUnavailable:
        return well("not looked at: the store does not answer")
    if not services.keyring.ready:
        return well(f"owners bring none: {PREFIX}ENCRYPTION_KEYS is not set")
    if not config.brought:
        return well(f"owners bring none: {PREFIX}OWN_KEYS is none")
    return well(f"what owners bring of {', '.join(config.brought)} can be read")


async def _spool(spool: Spool) -> Verdict:
    """Keep, read and drop a few bytes as a drawing would: mounted volumes do not all take every step of that."""
    await spool.keep(NOBODY, 0, b"ready", {})
    kept = await spool.read(NOBODY, 0)
    await spool.drop(NOBODY, 0)
    return well("keeps bytes") if kept == (b"ready", {}) else ill("does not give back what it was given.")


async def _close(services: Services) -> None:
    """Let go of everything; what hangs is left behind."""
    closing = [provider.close() for provider in services.providers.values()]
    closing += [writer.close() for writer in services.writers.values()]
    closing += [source.close() for source in services.adapters.sources]
    tasks = [asyncio.ensure_future(one) for one in (*closing, services.queue.close(), services.adapters.store.close())]
    await asyncio.wait(tasks, timeout=CLOSE_SECONDS)


async def _settings(config: Settings) -> Verdict:
    settings.check_origins(config)
    settings.check_backends(config)
    await asyncio.to_thread(settings.check_files, config)
    production.check(config)
    unknown = await asyncio.to_thread(settings.unknown_names)
    if unknown:
        return ill(f"{', '.join(unknown)}: there is no such setting; docs/configuration.md lists all. Misspelt?")
    return well(f"{config.environment}, {config.access}, {config.store.kind} and {config.queue.kind}")


async def _data(folder: Path) -> Verdict:
    try:
        free = await asyncio.to_thread(_free_after_writing, folder)
    except OSError as error:
        return ill(
            f"{folder} cannot be written: {error.strerror}. Let the user of this process own it, or set"
            f" {PREFIX}DATA_DIR to a folder of its own."
        )
    if free < LEAST_FREE:
        return ill(
            f"only {free / 1e6:.0f} MB are left on the disk of {folder}. Make room, or let old things go by"
            f" {PREFIX}RETENTION__JOBS_DAYS and {PREFIX}RETENTION__PICTURES_DAYS."
        )
    return well(f"{folder} is writable, {free / 1e9:.1f} GB are free")


def _free_after_writing(folder: Path) -> int:
    """Return the free bytes of a folder's disk, once a file was written there. Blocking; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"ready")
        file.flush()
    return shutil.disk_usage(folder).free


def _clocks(config: Settings, url: str | None) -> Iterator[str]:
    """Yield addresses whose answers carry a date: those where a wrong clock would be noticed first."""
    if config.storage.kind == "cloudinary":
        yield str(config.storage.upload_prefix)
    if config.queue.kind == "cloud_tasks" and config.queue.worker_url is not None:
        yield str(config.queue.worker_url)
    if url is not None:
        yield url
