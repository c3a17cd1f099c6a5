"""Both pairs of store and queue under real processes: what servers are started with, and where deliveries go."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.cloud_tasks.issuer import EMAIL, Issuer
from tests.cloud_tasks.server import CloudTasks
from tests.emulator import Emulator
from tests.process import servers
from tests.process.balancer import Balancer
from tests.process.faults import Constants
from tests.process.servers import Process, Server, free_port

LEASE_SECONDS = 3.0
"""Where nobody knows that a process has ended its jobs wait for their leases; so long, unless a test says otherwise."""

UNLOST: dict[str, Any] = {"lease_seconds": 100}
"""For those who are neither killed nor stopped: a lease that no busy machine loses."""

UNHURRIED: dict[str, Any] = {
    "stores__firestore__calls__CALL_SECONDS": 30,
    "stores__firestore__calls__ONCE": {"timeout": 30},
    "stores__firestore__calls__OPERATION_SECONDS": 60,
    "queues__cloud_tasks__TRY_SECONDS": 30,
}
"""Constants of the faulty server's: a store and a queue are not taken to be away because the machine is busy."""

BOTH = pytest.mark.parametrize("pair", ["embedded", "cloud"], indirect=True)
"""Both pairs in every run. Without it the cloud's is left to the soak."""


class Pair:
    """SQLite and the embedded queue: servers on one data directory."""

    in_cloud = False
    shortest_lease = 1.0
    """Seconds of a lease that is soon over. Where much is to do it may be lost without a reason."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"

    async def start(self, *, port: int, **how: Any) -> Process:
        """Start a server; its process."""
        return await servers.start(self.data, port=port, **how)

    def running(self, *, port: int | None = None, **how: Any) -> AbstractAsyncContextManager[Server]:
        """Run a server for the length of the block."""
        return servers.running(self.data, port=port or free_port(), **how)

    def leave(self, port: int) -> None:
        """Send nothing more to a server that will not take it: a front end notices."""

    def lose(self, port: int) -> None:
        """Do the same with a server that stands still, and wait for none of its answers."""
        self.leave(port)

    def join(self, port: int) -> None:
        """Send to it again."""


class CloudPair(Pair):
    """Firestore's emulator and the Cloud Tasks server: a project of its own, deliveries to whichever worker takes them."""

    in_cloud = True
    shortest_lease = 2.0

    def __init__(self, folder: Path, emulator: Emulator, tasks: CloudTasks, balancer: Balancer) -> None:
        super().__init__(folder)
        self.emulator, self.tasks, self.balancer = emulator, tasks, balancer
        self.project = f"test-{secrets.token_hex(6)}"
        Constants(folder).set(**UNHURRIED)

    async def start(self, *, port: int, **how: Any) -> Process:
        self._expect(port, how)
        return await super().start(port=port, **{**self.settings, **how})

    def running(self, *, port: int | None = None, **how: Any) -> AbstractAsyncContextManager[Server]:
        port = port or free_port()
        self._expect(port, how)
        return super().running(port=port, **{**self.settings, **how})

    def _expect(self, port: int, how: dict[str, Any]) -> None:
        if how.get("role") != "web" and port not in self.balancer.workers:
            self.balancer.workers.append(port)

    def leave(self, port: int) -> None:
        self.balancer.workers.remove(port)

    def lose(self, port: int) -> None:
        self.leave(port)
        self.balancer.cut(port)

    def join(self, port: int) -> None:
        self.balancer.workers.append(port)

    @property
    def settings(self) -> dict[str, Any]:
        project, location, name = self.tasks.queue.config.name.split("/")[1::2]
        return {
            "firestore_emulator_host": self.emulator.address,
            "store__kind": "firestore",
            "store__project": self.project,
            "queue__kind": "cloud_tasks",
            "queue__project": project,
            "queue__location": location,
            "queue__name": name,
            "queue__worker_url": f"http://127.0.0.1:{self.balancer.port}",
            "queue__endpoint": self.tasks.endpoint,
            "oidc__email": EMAIL,
            "oidc__certs_url": self.tasks.issuer.certs_url,
            "lease_seconds": LEASE_SECONDS,
        }


@contextlib.asynccontextmanager
async def in_cloud(folder: Path, emulator: Emulator) -> AsyncIterator[CloudPair]:
    """Run what servers of the cloud's pair stand on."""
    async with (
        Issuer().serving() as issuer,
        CloudTasks(issuer).serving() as tasks,
        Balancer().serving() as balancer,
    ):
        tasks.configure(min_backoff=1, max_backoff=10)
        yield CloudPair(folder, emulator, tasks, balancer)


@pytest.fixture
def pair_emulator(request: pytest.FixtureRequest) -> Emulator | None:
    """Return the emulator where the test is run with it; begun outside of every loop."""
    chosen = request.node.callspec.params.get("pair")
    found: Emulator | None = request.getfixturevalue("emulator") if chosen == "cloud" else None
    return found


@pytest.fixture(params=["embedded", pytest.param("cloud", marks=pytest.mark.soak)])
async def pair(
    request: pytest.FixtureRequest,  # noqa: ARG001 - its parameter is read above
    pair_emulator: Emulator | None,
    tmp_path: Path,
) -> AsyncIterator[Pair]:
    """Return each pair in turn."""
    if pair_emulator is None:
        yield Pair(tmp_path)
        return
    async with in_cloud(tmp_path, pair_emulator) as found:
        yield found


@pytest.fixture
async def cloud(emulator: Emulator, tmp_path: Path) -> AsyncIterator[CloudPair]:
    """Return the cloud's pair alone."""
    async with in_cloud(tmp_path, emulator) as found:
        yield found
