"""Engine, queue and the door for deliveries on top of the adapters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from atelier import metrics
from atelier.api.deliveries import Deliveries, Slots
from atelier.api.images.batches.translate import KIND as BATCH
from atelier.api.storyboards.orders import KIND as STORYBOARD
from atelier.jobs.engine import JobEngine
from atelier.jobs.ports import Clock, Deliver, Queue, Store
from atelier.jobs.sweeper import Retention
from atelier.jobs.verdicts import Limits, Policy
from atelier.pipelines.blog.models import KIND as BLOG
from atelier.pipelines.blog.pipeline import BlogPipeline
from atelier.pipelines.image import ImagePipeline
from atelier.pipelines.ordering import ImageSource
from atelier.pipelines.pictures import KIND
from atelier.pipelines.story.models import KIND as STORY
from atelier.pipelines.story.models import PICTURES
from atelier.pipelines.story.pipeline import StoryPipeline
from atelier.providers.listed import PoolOfStyle
from atelier.queues.embedded import EmbeddedQueue
from atelier.settings import Settings
from atelier.stores.owner_keys import OwnerKeys
from atelier.wiring.adapters import Adapters, days
from atelier.wiring.clock import utc_now
from atelier.wiring.keys import DEFAULT
from atelier.wiring.own import OwnVendors
from atelier.wiring.team import Brought, Painter, Writer, build_team

WINDOW = 4
"""How many members of a group are handed over for each slot: enough that none is ever idle."""

FEW = 4
"""How many more beats of a style are handed over than its keys can start in a minute: they wait for their turns already."""

LONGEST_DELIVERY = timedelta(minutes=30)
"""How long Cloud Tasks waits for a delivery's answer, at most."""

HAND_BACK = timedelta(minutes=1)
"""How long before that a job that still runs is handed back: time to wait for a slot, to let go and to write."""


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
    providers: Mapping[str, Painter]
    writers: Mapping[str, Writer]
    keyring: OwnerKeys
    own: OwnVendors
    brought: Brought
    pools: Mapping[str, PoolOfStyle]
    illustrators: Mapping[str, ImageSource]
    illustrating: Mapping[str, bool]
    queue: Carrier
    deliveries: Deliveries | None
    engine: JobEngine
    now: Clock


def build_services(settings: Settings, adapters: Adapters) -> Services:
    """Put engine and queue on top of the adapters."""
    queue = build_queue(settings, adapters.store)
    keyring = OwnerKeys(adapters.store, adapters.encryption)
    own = OwnVendors(settings, keyring, adapters.store, utc_now)
    team = build_team(adapters, own, utc_now)
    metrics.providers((*team.listed, *team.writers))
    images = ImagePipeline(
        sources=team.sources, storage=adapters.storage, spool=adapters.spool, projects=adapters.projects
    )
    blogs = BlogPipeline(sources=team.texts, search=adapters.search, reader=adapters.reader)
    stories = StoryPipeline(sources=team.texts, albums=lambda: engine.groups)
    engine = JobEngine(
        store=adapters.store,
        queue=queue,
        presence=adapters.presence,
        pipelines={KIND: images, BLOG: blogs, STORY: stories},
        limits=_limits(settings, team.pools),
        policy=Policy(
            lease=settings.lease,
            retry_base=timedelta(seconds=settings.retry_base_seconds),
            longest_run=LONGEST_DELIVERY - HAND_BACK if settings.queue.kind == "cloud_tasks" else None,
        ),
        retention=Retention(kinds=(KIND,), groups=(BATCH,), keep=days(settings.retention.jobs_days)),
        secret=adapters.secret,
        now=utc_now,
    )
    return Services(
        adapters=adapters,
        providers=team.listed,
        writers=team.writers,
        keyring=keyring,
        own=own,
        brought=team.brought,
        pools=team.pools,
        illustrators=team.illustrators,
        illustrating=team.illustrating,
        queue=queue,
        deliveries=build_deliveries(settings, adapters.store),
        engine=engine,
        now=utc_now,
    )


def _limits(settings: Settings, pools: Mapping[str, PoolOfStyle]) -> Limits:
    usual = WINDOW * settings.slots.image
    lanes = {name: _window(pool, usual) for name, pool in pools.items()}
    return Limits(
        max_attempts=settings.max_attempts,
        deadlines=_deadlines(settings),
        slots=slots_of(settings),
        queue=settings.limits.queue,
        queue_per_owner=settings.queue_per_owner,
        windows={BATCH: usual, PICTURES: usual, STORYBOARD: lanes[DEFAULT]},
        lanes=lanes,
    )


def _window(pool: PoolOfStyle, usual: int) -> int:
    """Return how many beats of a style are handed over at a time: what its pool can start in the next minute, and a few."""
    return usual if pool.per_minute is None else math.ceil(pool.per_minute) + FEW


def slots_of(settings: Settings) -> dict[str, int]:
    """Return how many jobs of each kind run at once in this process."""
    return {KIND: settings.slots.image, BLOG: settings.slots.blog, STORY: settings.slots.story}


def _deadlines(settings: Settings) -> dict[str, timedelta]:
    """Return how long jobs and groups of each kind may take from their acceptance."""
    granted = settings.deadlines
    seconds = {
        KIND: granted.image_seconds,
        BATCH: granted.batch_seconds,
        BLOG: granted.blog_seconds,
        STORYBOARD: granted.beat_seconds,
        STORY: granted.story_seconds,
        PICTURES: granted.story_seconds,
    }
    return {kind: timedelta(seconds=each) for kind, each in seconds.items()}


def build_queue(settings: Settings, store: Store) -> Carrier:
    """Make the queue the settings name."""
    if settings.queue.kind == "embedded":
        return EmbeddedQueue(store=store, slots=slots_of(settings), now=utc_now)
    from atelier.queues.cloud_tasks import CloudTasksQueue, Target  # noqa: PLC0415 - google is imported where it is used

    target = Target(
        url=f"{_worker_url(settings)}/api/v1/worker",
        email=settings.oidc.email,
        audience=settings.oidc.audience or _worker_url(settings),
        longest=LONGEST_DELIVERY,
    )
    place = f"projects/{settings.queue_project}/locations/{settings.queue.location}/queues/{settings.queue.name}"
    return CloudTasksQueue(queue=place, target=target, endpoint=settings.queue.endpoint, now=utc_now)


def build_deliveries(settings: Settings, store: Store) -> Deliveries | None:
    """Make the door for deliveries from outside; None where jobs are carried inside."""
    if settings.queue.kind == "embedded":
        return None
    from atelier.api.tokens import Certificates, Tokens  # noqa: PLC0415 - google is imported where it is used

    tokens = Tokens(
        certificates=Certificates(str(settings.oidc.certs_url), utc_now),
        issuer=settings.oidc.issuer,
        audience=settings.oidc.audience or _worker_url(settings),
        email=settings.oidc.email,
        now=utc_now,
    )

    async def kind_of(job_id: str) -> str | None:
        job = await store.get(job_id)
        return job.kind if job is not None else None

    return Deliveries(
        issuer=tokens,
        slots={kind: Slots(count, patient=kind == KIND) for kind, count in slots_of(settings).items()},
        kind_of=kind_of,
    )


def _worker_url(settings: Settings) -> str:
    return str(settings.queue.worker_url or "").rstrip("/")
