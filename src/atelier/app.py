"""The app: routers, middleware, error handlers, and the life of everything behind them."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

from fastapi import APIRouter, FastAPI

from atelier import logs, metrics, production, settings, wiring
from atelier.api import errors, health, openapi, pictures, studio, ticket_routes, worker
from atelier.api import metrics as scrapes
from atelier.api.access import Access
from atelier.api.blog import routes as blog
from atelier.api.deps import Surroundings
from atelier.api.images import routes as images
from atelier.api.images.batches import routes as batches
from atelier.api.keys import ANONYMOUS, Keys
from atelier.api.limits import DailyCap, Rate, Streams
from atelier.api.media import routes as media
from atelier.api.media import sockets as media_sockets
from atelier.api.origins import LOCAL, Origins, PageRules, names_of
from atelier.api.own_keys import OwnKeys
from atelier.api.requests import RequestContext
from atelier.api.settings import routes as own_settings
from atelier.api.stories import routes as stories
from atelier.api.stories.illustrators import Illustrators
from atelier.api.storyboards import routes as storyboards
from atelier.api.tickets import Tickets
from atelier.errors import AtelierError
from atelier.jobs.background import every
from atelier.settings import Settings
from atelier.wiring import Adapters, Services

TIDY_SECONDS = 3600
SHARE_SECONDS = 10
HEADERS_IN = ["Content-Type", "Authorization", "Prefer", "If-None-Match", "Idempotency-Key", "Last-Event-ID"]
HEADERS_OUT = [
    "Location", "ETag", "Retry-After", "X-Job-Id", "X-Request-Id", "Idempotency-Replayed", "Preference-Applied", "WWW-Authenticate",
]  # fmt: skip


def create_app(config: Settings, adapters: Adapters | None = None) -> FastAPI:
    """Build the app. `adapters` replace those the settings name: tests bring failing ones."""
    settings.check_origins(config)
    settings.check_backends(config)
    settings.check_files(config)
    production.check(config)
    services = wiring.build_services(config, adapters or wiring.build_adapters(config))
    surroundings = _surroundings(config, services)
    app = FastAPI(
        title="atelier",
        version="0.1.0",
        description="Pictures, posts, storyboards and stories as durable jobs, watched live. Every error is a problem document with a published code.",
        lifespan=_lifespan(config, services),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics has ours; asking costs each request
        redirect_slashes=False,
        openapi_url=None,  # ours is made once
        docs_url=None,  # ours says something without the internet, too
        redoc_url=None,
    )
    app.state.surroundings = surroundings
    errors.install(app)
    _add_middleware(app, surroundings.origins)
    studio.add_document(app)
    _add(app, health.router, scrapes.router, worker.router)
    if config.role != "worker":
        _add_front_doors(app)
    openapi.describe(app, config.access)
    return app


def _surroundings(config: Settings, services: Services) -> Surroundings:
    adapters = services.adapters
    store, storage = adapters.store, adapters.storage
    checks = {"store": store.ping, "storage": storage.ping}
    if config.role != "web":
        checks |= {"spool": adapters.spool.ping, "queue": services.queue.ping}
    own = OwnKeys(
        keyring=services.keyring,
        vendors=config.brought if services.keyring.ready else (),
        painters={name: each.offer for name, each in services.brought.painters.items()},
        writers={name: each.offer for name, each in services.brought.writers.items()},
    )
    return Surroundings(
        engine=services.engine,
        access=_access(config, services),
        streams=Streams(config.streams_per_owner),
        socket_wait=timedelta(seconds=config.media.ws_wait_seconds),
        cap=DailyCap(store, ANONYMOUS, config.limits.anonymous_daily_cost, services.now),
        pictures=adapters.pictures,
        providers=services.providers,
        writers=services.writers,
        pools=services.pools,
        projects=adapters.projects,
        illustrators=Illustrators(
            order=services.illustrating,
            own=own,
            sandbox=config.sandbox_on,
            stand_in=config.sandbox_on and config.access == "open",
        ),
        sync_wait=timedelta(seconds=config.blog.sync_wait_seconds),
        own=own,
        deliveries=services.deliveries if config.role != "web" else None,
        slots=config.slots.image,
        origins=_origins(config),
        checks=checks,
        body_bytes=config.limits.body_bytes,
        data_dir=config.data_dir,
        now=services.now,
    )


def _origins(config: Settings) -> Origins:
    known = names_of([config.public_url, config.queue.worker_url, *(config.cors_origins or ())])
    return Origins(
        configured=config.cors_origins,
        public_url=str(config.public_url) if config.public_url else None,
        names=known if config.access == "open" else None,
    )


def _access(config: Settings, services: Services) -> Access:
    adapters, rate = services.adapters, config.rate_per_minute
    return Access(
        mode=config.access,
        keys=Keys(adapters.store, services.now),
        tickets=Tickets(adapters.secret, services.now),
        rate=Rate(rate, time.monotonic) if rate is not None else None,
        anonymous_rate=Rate(config.limits.anonymous_rate_per_minute, time.monotonic),
    )


def _add_middleware(app: FastAPI, origins: Origins) -> None:
    app.add_middleware(
        PageRules,
        allow_origins=origins.configured or (),
        allow_origin_regex=LOCAL if origins.configured is None else None,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=HEADERS_IN,
        expose_headers=HEADERS_OUT,
    )
    app.add_middleware(RequestContext, origins=origins)


def _add(app: FastAPI, *routers: APIRouter) -> None:
    """Make the routers' routes the app's own, before those that are there: FastAPI looks through an included router twice.

    Routes are tried in order: what is asked for most is added last.
    """
    app.router.routes[:0] = [route for router in routers for route in router.routes]


def _add_front_doors(app: FastAPI) -> None:
    doors = (images, batches, blog, storyboards, media, media_sockets, stories, ticket_routes, own_settings, pictures)
    _add(app, *(door.router for door in doors))
    studio.add_pages(app)


def _lifespan(config: Settings, services: Services) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        logs.info("starting", environment=config.environment, role=config.role, auth=config.access)
        await _open_store(config, services)
        working = config.role != "web"
        if working:
            await services.adapters.presence.open()
            services.queue.start(services.engine.deliver)
        watching = asyncio.create_task(metrics.watch_loop(), name="loop watcher")
        chores = [watching, *_chores(config, services, working=working)]
        stop = Shutdown(config, services)
        with stop.at_signal():
            yield
        await stop.finish()
        for chore in chores:
            chore.cancel()
        for provider in services.providers.values():
            await provider.close()
        for keys in services.adapters.pool_keys.values():
            for key in keys:
                await key.provider.close()
        for writer in services.writers.values():
            await writer.close()
        for illustrator in services.illustrators.values():
            await illustrator.close()
        for source in services.adapters.sources:
            await source.close()
        await services.own.close()
        await services.queue.close()
        await services.adapters.presence.close()
        await services.adapters.store.close()

    return lifespan


async def _open_store(config: Settings, services: Services) -> None:
    """Open it, and see that what owners have brought can be read. Raises StartRefused, with nothing left open."""
    try:
        await services.adapters.store.open()
        await wiring.check_owner_keys(config, services.keyring)
    except AtelierError as error:
        logs.error("start_failed", reason=error.message)
        await services.adapters.store.close()
        raise


def _chores(config: Settings, services: Services, *, working: bool) -> list[asyncio.Task[None]]:
    """Start sharing what jobs take; where jobs run, sweeping, and once an hour removing files whose time is over."""
    sharing = every(SHARE_SECONDS, services.engine.exchange_estimates, "estimates_not_shared")
    if not working:
        return [asyncio.create_task(sharing, name="estimates")]
    sweeping = every(config.sweep_seconds, services.engine.sweep, "sweep_failed")
    tidying = every(TIDY_SECONDS, partial(wiring.tidy, config, services), "tidy_failed")
    chores = {"sweeper": sweeping, "tidier": tidying, "estimates": sharing}
    return [asyncio.create_task(chore, name=name) for name, chore in chores.items()]


class Shutdown:
    """Begins at the signal, long before the server has closed its connections: streams say goodbye, jobs drain."""

    def __init__(self, config: Settings, services: Services) -> None:
        self._config, self._services = config, services
        self._signalled = False
        self._draining: asyncio.Task[None] | None = None

    @contextmanager
    def at_signal(self) -> Iterator[None]:
        """Begin as soon as SIGTERM or SIGINT arrives, and do what the server does with it.

        A second SIGINT makes the server leave without asking us: it hears of it when the jobs were given back.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def on_signal(number: int, frame: FrameType | None) -> None:
            servers = before[signal.Signals(number)]
            assert callable(servers), "others are not replaced"  # noqa: S101 - narrows the type
            if self._signalled:
                loop.call_soon_threadsafe(self.hurry, partial(servers, number, frame))
            else:
                self._signalled = True
                loop.call_soon_threadsafe(self.begin)
                servers(number, frame)

        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, on_signal)
        yield

    async def finish(self) -> None:
        """Wait until every job has ended or was given back."""
        if self._draining is None:
            self.begin()
        if self._draining is not None:
            await self._draining

    def begin(self) -> None:
        """Start no more jobs, end the streams, drain. Once is enough."""
        if self._draining is None:
            logs.info("stopping", grace_seconds=self._config.grace_seconds)
            self._services.engine.close()
            self._draining = asyncio.create_task(self._drain())

    def hurry(self, then: Callable[[], object]) -> None:
        """Give running jobs back now; when that is done, call `then`."""
        self.begin()
        self._services.engine.release()
        if self._draining is not None:
            self._draining.add_done_callback(lambda _: then())

    async def _drain(self) -> None:
        await self._services.queue.stop()
        await self._services.engine.drain(self._config.grace)
