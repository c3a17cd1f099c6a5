"""A Cloud Tasks server, a worker, and a client of Google's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from google.cloud.tasks_v2 import CloudTasksAsyncClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from tests.cloud_tasks.issuer import Issuer
from tests.cloud_tasks.receiver import Receiver
from tests.cloud_tasks.server import CloudTasks


@pytest.fixture
async def server() -> AsyncIterator[CloudTasks]:
    async with CloudTasks(Issuer()).serving() as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serving() as running:
        yield running


@pytest.fixture
async def client(server: CloudTasks) -> AsyncIterator[CloudTasksAsyncClient]:
    transport = CloudTasksGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(server.endpoint))
    yield CloudTasksAsyncClient(transport=transport)
    await transport.close()  # type: ignore[no-untyped-call]
