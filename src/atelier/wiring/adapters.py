"""Which adapter is behind which port of the settings' choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from atelier.errors import StartRefused
from atelier.jobs.ports import Store
from atelier.pipelines.pictures import KIND
from atelier.pipelines.ports import ImageProvider, Spool, Storage
from atelier.pipelines.projects import Projects
from atelier.pipelines.sources import Reader, SearchProvider
from atelier.pipelines.texts import TextProvider
from atelier.providers.pool import ImageKey, TextKey
from atelier.queues.presence import DiskPresence, DistantPresence
from atelier.settings import Settings
from atelier.storage.cloudinary.account import Account
from atelier.storage.disk import ROUTE, DiskStorage
from atelier.storage.projects.disk import DiskProjects
from atelier.storage.spool import DiskSpool
from atelier.stores.sqlite import SqliteStore
from atelier.wiring.clock import utc_now
from atelier.wiring.illustrators import only_for_stories, story_order
from atelier.wiring.keys import check_pools, keys_of, pool_keys_of
from atelier.wiring.own import check_brought
from atelier.wiring.searching import build_reader, build_search
from atelier.wiring.secret import encryption_keys_of, secret_of
from atelier.wiring.vendors import DRAWING
from atelier.wiring.writers import WRITING


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """What stands behind the ports. Tests replace some of them."""

    store: Store
    presence: DiskPresence | DistantPresence
    storage: Storage
    spool: Spool
    pictures: DiskStorage
    projects: Projects
    image_providers: Mapping[str, ImageProvider]
    image_keys: Mapping[str, tuple[ImageKey, ...]] = field(default_factory=dict)
    """The keys of those that have several, or a budget."""

    pool_keys: Mapping[str, tuple[ImageKey, ...]] = field(default_factory=dict)
    """The keys of each pool that draws, by the pool's name."""
    story_painters: Mapping[str, ImageProvider] = field(default_factory=dict)
    """Those who draw stories' pictures and nothing else, and the sandbox wherever it is on."""
    story_order: tuple[str, ...] = ()
    """Who shall draw stories' pictures, with or without a key."""

    text_providers: Mapping[str, TextProvider] = field(default_factory=dict)
    text_keys: Mapping[str, tuple[TextKey, ...]] = field(default_factory=dict)

    search: SearchProvider | None = None
    reader: Reader
    secret: bytes
    encryption: tuple[str, ...] = field(default=(), repr=False)
    """What owners' own keys are encrypted with."""

    @property
    def sources(self) -> tuple[SearchProvider | Reader, ...]:
        """Those who look into the web."""
        return (self.reader,) if self.search is None else (self.search, self.reader)


def build_adapters(settings: Settings) -> Adapters:
    """Make the adapters the settings name. Touches only the data directory."""
    secret = secret_of(settings)
    files = DiskStorage(settings.data_dir / "pictures", secret)
    storage, projects = _places(settings, files, secret)
    check_pools(settings)
    encryption = encryption_keys_of(settings)
    check_brought(settings, encryption)
    painters, writers = settings.painters, settings.writers
    others = only_for_stories(settings)
    image_keys = keys_of(DRAWING, (*painters, *others), settings, utc_now)
    text_keys = keys_of(WRITING, writers, settings, utc_now)
    return Adapters(
        store=build_store(settings),
        presence=build_presence(settings),
        storage=storage,
        spool=DiskSpool(settings.data_dir / "spool"),
        projects=projects,
        pictures=files,  # those of earlier days are served, wherever new ones go
        image_providers=_painters(painters, image_keys, settings),
        image_keys=image_keys,
        pool_keys=pool_keys_of(DRAWING, settings, utc_now),
        story_painters=_painters(others, image_keys, settings),
        story_order=story_order(settings),
        text_providers={
            name: text_keys[name][0].provider if name in text_keys else WRITING.keyless[name](settings)
            for name in writers
        },
        text_keys=text_keys,
        search=build_search(settings, utc_now),
        reader=build_reader(settings, utc_now),
        secret=secret,
        encryption=encryption,
    )


def _projects(settings: Settings, files: DiskStorage) -> Projects:
    """Make the folders of storyboards' projects."""
    return DiskProjects(
        settings.projects_dir,
        locks=settings.data_dir / "locks",
        pictures=files.find,
        route=ROUTE,
        style=settings.storyboards.style_reference,
        now=utc_now,
    )


def _painters(
    names: tuple[str, ...], keys: Mapping[str, tuple[ImageKey, ...]], settings: Settings
) -> dict[str, ImageProvider]:
    return {name: keys[name][0].provider if name in keys else DRAWING.keyless[name](settings) for name in names}


def build_store(settings: Settings) -> Store:
    """Make the store the settings name, not opened yet."""
    if settings.store.kind == "sqlite":
        return SqliteStore(settings.data_dir / "atelier.db", utc_now)
    from atelier.stores.firestore import FirestoreStore  # noqa: PLC0415 - Google's libraries are loaded where they are used

    keep = days(settings.retention.jobs_days)
    return FirestoreStore(
        settings.store_project,
        utc_now,
        keep={KIND: keep} if keep is not None else {},
        emulator=settings.firestore_emulator_host,
    )


def build_presence(settings: Settings) -> DiskPresence | DistantPresence:
    """Make what knows of ended processes: those on this machine, where the store is on it."""
    if settings.store.kind == "sqlite":
        return DiskPresence(settings.data_dir / "workers")
    return DistantPresence()


def _places(settings: Settings, files: DiskStorage, secret: bytes) -> tuple[Storage, Projects]:
    """Make where pictures go, and where storyboards' copies of them do. Raises StartRefused."""
    projects = _projects(settings, files)
    if settings.storage.kind == "disk":
        return files, projects
    url = settings.storage_url.get_secret_value() if settings.storage_url is not None else ""
    account = Account.of(url, str(settings.storage.upload_prefix))
    try:
        from atelier.storage.cloudinary.storage import CloudinaryStorage  # noqa: PLC0415 - only where it is used
        from atelier.storage.projects.cloudinary import CloudinaryProjects  # noqa: PLC0415 - the same
    except ValueError as error:  # the SDK reads its own name in the environment, used or not
        raise StartRefused("CLOUDINARY_URL must look like cloudinary://key:secret@cloud, or not be set.") from error
    storage = CloudinaryStorage(account, secret)
    return storage, CloudinaryProjects(projects, storage)


def days(number: float) -> timedelta | None:
    """Return how long something is kept; None, for good, where the setting is 0."""
    return timedelta(days=number) if number else None
