"""Which adapter is behind which port: the only module that knows."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from atelier import logs
from atelier.api.deliveries import Deliveries
from atelier.api.images.batches.translate import KIND as BATCH
from atelier.api.keys import Keys
from atelier.errors import AtelierError, StartRefused, StorageError, StoreUnavailable
from atelier.jobs.engine import JobEngine
from atelier.jobs.ports import Clock, Deliver, Queue, Store
from atelier.jobs.sweeper import Retention
from atelier.jobs.verdicts import Limits, Policy
from atelier.pipelines import image
from atelier.pipelines.ports import ImageProvider, Spool, Storage
from atelier.providers.health import Observed
from atelier.providers.sandbox import Sandbox
from atelier.queues.embedded import EmbeddedQueue
from atelier.queues.presence import DiskPresence, DistantPresence
from atelier.settings import PREFIX, Settings
from atelier.storage.cloudinary.account import Account
from atelier.storage.disk import DiskStorage
from atelier.storage.spool import DiskSpool
from atelier.stores.sqlite import SqliteStore

IMAGE_PROVIDERS = {"sandbox": Sandbox}

WINDOW = 4
"""How many members of a group are handed over for each slot: enough that none is ever idle."""

LONGEST_DELIVERY = timedelta(minutes=30)
"""How long Cloud Tasks waits for a delivery's answer, at most."""

HAND_BACK = timedelta(minutes=1)
"""How long before that a job that still runs is handed back: time to wait for a slot, to let go and to write."""

SECRET_BYTES = 32
LEFTOVERS = timedelta(days=30)
"""How long files are kept that only a job which ended badly can have left."""


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """What stands behind the ports. Tests replace some of them."""

    store: Store
    presence: DiskPresence | DistantPresence
    storage: Storage
    spool: Spool
    pictures: DiskStorage
    image_providers: Mapping[str, ImageProvider]
    secret: bytes


class Carrier(Queue, Protocol):
    """A queue with its life in this process."""

    def start(self, deliver: Deliver) -> None:
        """Begin to hand over jobs."""

    async def stop(self) -> None:
        """Hand over no more jobs; take them still."""

    async def close(self) -> None:
        """Let go of everything."""

    async def ping(self) -> None:
        """Answer if jobs are carried. Raises QueueUnavailable when not."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything the app runs on."""

    adapters: Adapters
    providers: Mapping[str, Observed]
    queue: Carrier
    deliveries: Deliveries | None
    engine: JobEngine
    now: Clock


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def build_store(settings: Settings) -> Store:
    """Make the store the settings name, not opened yet."""
    if settings.store.kind == "sqlite":
        return SqliteStore(settings.data_dir / "atelier.db", utc_now)
    from atelier.stores.firestore import FirestoreStore  # noqa: PLC0415 - Google's libraries are loaded where they are used

    keep = _days(settings.retention.jobs_days)
    return FirestoreStore(
        settings.store_project,
        utc_now,
        keep={image.KIND: keep} if keep is not None else {},
        emulator=settings.firestore_emulator_host,
    )


def build_presence(settings: Settings) -> DiskPresence | DistantPresence:
    """Make what knows of ended processes: those on this machine, where the store is on it."""
    if settings.store.kind == "sqlite":
        return DiskPresence(settings.data_dir / "workers")
    return DistantPresence()


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Open the store for the length of the block, to make, list and revoke keys. Raises StartRefused."""
    store = build_store(settings)
    try:
        await store.open()
        yield Keys(store, utc_now)
    except StoreUnavailable as error:
        raise StartRefused(error.message, exit_code=75) from error
    finally:
        await store.close()


def build_adapters(settings: Settings) -> Adapters:
    """Make the adapters the settings name. Touches only the data directory."""
    secret = _secret(settings)
    files = DiskStorage(settings.data_dir / "pictures", secret)
    return Adapters(
        store=build_store(settings),
        presence=build_presence(settings),
        storage=_cloudinary(settings, secret) if settings.storage.kind == "cloudinary" else files,
        spool=DiskSpool(settings.data_dir / "spool"),
        pictures=files,  # those of earlier days are served, wherever new ones go
        image_providers={name: _image_provider(name, settings) for name in settings.image_providers},
        secret=secret,
    )


def build_services(settings: Settings, adapters: Adapters) -> Services:
    """Put engine and queue on top of the adapters."""
    queue = build_queue(settings, adapters.store)
    providers = {name: Observed(provider, utc_now) for name, provider in adapters.image_providers.items()}
    pipeline = image.ImagePipeline(providers=providers, storage=adapters.storage, spool=adapters.spool)
    engine = JobEngine(
        store=adapters.store,
        queue=queue,
        presence=adapters.presence,
        pipelines={image.KIND: pipeline},
        limits=Limits(
            max_attempts=settings.max_attempts,
            deadlines={
                image.KIND: timedelta(seconds=settings.deadlines.image_seconds),
                BATCH: timedelta(seconds=settings.deadlines.batch_seconds),
            },
            slots={image.KIND: settings.slots.image},
            queue=settings.limits.queue,
            windows={BATCH: WINDOW * settings.slots.image},
        ),
        policy=Policy(
            lease=settings.lease,
            retry_base=timedelta(seconds=settings.retry_base_seconds),
            longest_run=LONGEST_DELIVERY - HAND_BACK if settings.queue.kind == "cloud_tasks" else None,
        ),
        retention=Retention(kinds=(image.KIND,), groups=(BATCH,), keep=_days(settings.retention.jobs_days)),
        secret=adapters.secret,
        now=utc_now,
    )
    return Services(
        adapters=adapters,
        providers=providers,
        queue=queue,
        deliveries=build_deliveries(settings),
        engine=engine,
        now=utc_now,
    )


def build_queue(settings: Settings, store: Store) -> Carrier:
    """Make the queue the settings name."""
    if settings.queue.kind == "embedded":
        return EmbeddedQueue(store=store, slots={image.KIND: settings.slots.image}, now=utc_now)
    from atelier.queues.cloud_tasks import CloudTasksQueue, Target  # noqa: PLC0415 - google is imported where it is used

    target = Target(
        url=f"{_worker_url(settings)}/api/v1/worker",
        email=settings.oidc.email,
        audience=settings.oidc.audience or _worker_url(settings),
        longest=LONGEST_DELIVERY,
    )
    place = f"projects/{settings.queue_project}/locations/{settings.queue.location}/queues/{settings.queue.name}"
    return CloudTasksQueue(queue=place, target=target, endpoint=settings.queue.endpoint, now=utc_now)


def build_deliveries(settings: Settings) -> Deliveries | None:
    """Make the door for deliveries from outside; None where jobs are carried inside."""
    if settings.queue.kind == "embedded":
        return None
    from atelier.api.tokens import Certificates, Tokens  # noqa: PLC0415 - cryptography is imported where it is used

    tokens = Tokens(
        certificates=Certificates(str(settings.oidc.certs_url), utc_now),
        issuer=settings.oidc.issuer,
        audience=settings.oidc.audience or _worker_url(settings),
        email=settings.oidc.email,
        now=utc_now,
    )
    return Deliveries(issuer=tokens, slots=settings.slots.image)


def _worker_url(settings: Settings) -> str:
    return str(settings.queue.worker_url or "").rstrip("/")


async def tidy(settings: Settings, services: Services) -> None:
    """Remove previews of jobs long ended, bytes nobody came for, and pictures past their retention (default: none)."""
    now, storage = services.now(), services.adapters.storage
    await storage.expire_previews(now - LEFTOVERS)
    await services.adapters.spool.expire(now - (_days(settings.retention.jobs_days) or LEFTOVERS))
    pictures = _days(settings.retention.pictures_days)
    if pictures is not None:
        await storage.expire(now - pictures)


def _image_provider(name: str, settings: Settings) -> ImageProvider:
    if name not in IMAGE_PROVIDERS:
        known = ", ".join(IMAGE_PROVIDERS)
        raise StartRefused(f"{PREFIX}IMAGE_PROVIDERS: {name!r} is not a provider; known are {known}.")
    if name == Sandbox.name and not settings.sandbox_on:
        raise StartRefused(
            f"{PREFIX}IMAGE_PROVIDERS names the sandbox, but {PREFIX}SANDBOX is off, as it is in production unless it is"
            " set to on."
        )
    return IMAGE_PROVIDERS[name]()


def _cloudinary(settings: Settings, secret: bytes) -> Storage:
    """Make the storage at Cloudinary, whose SDK nobody else imports. Raises StartRefused."""
    url = settings.storage_url.get_secret_value() if settings.storage_url is not None else ""
    account = Account.of(url, str(settings.storage.upload_prefix))
    try:
        from atelier.storage.cloudinary.storage import CloudinaryStorage  # noqa: PLC0415 - only where it is used
    except ValueError as error:  # the SDK reads its own name in the environment, used or not
        raise StartRefused("CLOUDINARY_URL must look like cloudinary://key:secret@cloud, or not be set.") from error
    return CloudinaryStorage(account, secret)


def _days(days: float) -> timedelta | None:
    return timedelta(days=days) if days else None


def _secret(settings: Settings) -> bytes:
    """Return the configured secret, or the one made once in the data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / "secret.key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StartRefused(f"The data directory {settings.data_dir} cannot be used: {error.strerror}.") from error
    if len(secret) < SECRET_BYTES:
        raise StartRefused(f"The secret in {path} is too short; restore it, or delete the file to have a new one made.")
    return secret


def _make_secret(path: Path) -> None:
    """Create the file whole or not at all, so that two processes starting together agree on it."""
    if path.exists():
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.key")
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


async def check_start(settings: Settings) -> None:
    """Try store, presence and storage, so that a refusal is a sentence and not a failed start-up of the server."""
    adapters = build_adapters(settings)
    try:
        await adapters.store.open()
        await adapters.presence.open()
        await _check_storage(settings, adapters.storage)
    except AtelierError as error:
        raise StartRefused(error.message) from error
    finally:
        await adapters.presence.close()
        await adapters.store.close()


async def _check_storage(settings: Settings, storage: Storage) -> None:
    """Raise what must be mended. Somebody else's service that is only down comes back, and uploads wait for it."""
    try:
        await storage.ping()
    except StorageError as error:
        if settings.storage.kind == "disk" or not error.retryable:
            raise
        logs.warning("storage_away", reason=error.message)
