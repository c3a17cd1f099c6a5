"""The service on Cloud Tasks, its store still a file: everything but the store as in the cloud."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cloud_tasks.issuer import EMAIL, Issuer
from tests.cloud_tasks.server import CloudTasks
from tests.live import Live, serving
from tests.process.servers import free_port

from atelier.jobs.ports import Due, Store
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest
from atelier.providers.sandbox import Sandbox
from atelier.settings import Settings
from atelier.wiring import build_adapters

WORKER = "/api/v1/worker"


class Counting(Sandbox):
    """The sandbox, which counts its calls and waits in each until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        self.calls += 1
        await self.gate.wait()
        return await super().generate(request, desk)


class Cloud:
    """A Cloud Tasks server, its issuer, and services that are carried by it."""

    def __init__(self, data: Path, server: CloudTasks, issuer: Issuer) -> None:
        self.data, self.server, self.issuer = data, server, issuer
        self.provider = Counting()
        self.port = free_port()
        """Where the worker is expected."""

    @property
    def audience(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bearer(self, **how: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(how.pop('audience', self.audience), **how)}"}

    @contextlib.asynccontextmanager
    async def service(self, role: str = "all", **settings: Any) -> AsyncIterator[Live]:
        """Serve; a worker where it is expected, anybody else anywhere."""
        adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=self.data))
        tell_when_made(adapters.store)
        own = replace(adapters, image_providers={"sandbox": self.provider})
        port = 0 if role == "web" else self.port
        async with serving(self.data, own, port=port, role=role, **self._settings(), **settings) as live:
            yield live

    def _settings(self) -> dict[str, Any]:
        project, location, name = self.server.queue.config.name.split("/")[1::2]
        queue = {"kind": "cloud_tasks", "project": project, "location": location, "name": name}
        return {
            "store": {"kind": "firestore", "project": project},
            "queue": {**queue, "worker_url": self.audience, "endpoint": self.server.endpoint},
            "oidc": {"email": EMAIL, "certs_url": self.issuer.certs_url},
        }


def tell_when_made(store: Store) -> None:
    """Let a file's `due` tell when jobs were made, as that of the store does which goes with Cloud Tasks."""
    due = store.due

    async def telling(kind: str, now: datetime, *, limit: int, after: str) -> Due:
        found = await due(kind, now, limit=limit, after=after)
        jobs = [(ready, await store.get(ready.job_id)) for ready in found.jobs]
        told = [replace(ready, created_at=job.created_at) for ready, job in jobs if job is not None]
        return replace(found, jobs=told)

    store.due = telling  # type: ignore[method-assign]


@contextlib.asynccontextmanager
async def cloud(data: Path, *, speed: float = 20) -> AsyncIterator[Cloud]:
    """Run a Cloud Tasks server and its issuer for the length of the block."""
    async with Issuer().serving() as issuer, CloudTasks(issuer, speed=speed).serving() as server:
        server.configure(min_backoff=1, max_backoff=10)
        yield Cloud(data, server, issuer)
