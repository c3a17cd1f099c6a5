"""The one connection of a process to Firestore, and whether it may start with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import google.auth
import grpc
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1 import AsyncClient
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from atelier.errors import StartRefused
from atelier.frozen import frozen
from atelier.stores.firestore.calls import CALL_SECONDS, LOST, sentence

EX_TEMPFAIL = 75

OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]
"""A store that comes back is found within a second; messages are as large as Firestore allows."""

Interceptors = Sequence[grpc.aio.ClientInterceptor]


@frozen
class Connection:
    """A client on a channel of our own: the library's has no bound on the pause between two tries to connect."""

    client: AsyncClient
    transport: FirestoreGrpcAsyncIOTransport

    async def close(self) -> None:
        """Let go of the channel."""
        await self.transport.grpc_channel.close()


def _channel(emulator: str, credentials: Credentials, interceptors: Interceptors) -> grpc.aio.Channel:
    if emulator:
        return grpc.aio.insecure_channel(emulator, options=OPTIONS, interceptors=interceptors)
    return FirestoreGrpcAsyncIOTransport.create_channel(
        credentials=credentials, options=OPTIONS, interceptors=interceptors
    )


async def connect(project: str, emulator: str, interceptors: Interceptors) -> Connection:
    """Find credentials, connect, and see that the database answers. Raises StartRefused in words."""
    credentials = await asyncio.to_thread(_credentials, anonymous=bool(emulator))
    transport = FirestoreGrpcAsyncIOTransport(channel=_channel(emulator, credentials, interceptors))
    connection = await asyncio.to_thread(_connection, project, credentials, transport)
    try:
        async with asyncio.timeout(5 * CALL_SECONDS):  # the first call makes the connection
            await connection.client.document("documents", "none").get(retry=None, timeout=5 * CALL_SECONDS)
    except (TimeoutError, exceptions.GoogleAPICallError) as error:
        await connection.close()
        raise _refusal(project, error) from error
    return connection


def _connection(project: str, credentials: Credentials, transport: FirestoreGrpcAsyncIOTransport) -> Connection:
    """Make the client, which looks for files; not in the loop."""
    client = AsyncClient(project=project, credentials=credentials)
    client._firestore_api_internal = FirestoreAsyncClient(transport=transport)  # noqa: SLF001 - there is no other way to bring a channel
    return Connection(client=client, transport=transport)


def _credentials(*, anonymous: bool) -> Credentials:
    if anonymous:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        credentials, _ = google.auth.default(scopes=AsyncClient.SCOPE)
    except GoogleAuthError as error:
        raise StartRefused(
            "There are no Google credentials: run where a service account is attached, or name a key file in"
            " GOOGLE_APPLICATION_CREDENTIALS."
        ) from error
    return credentials


def _refusal(project: str, error: Exception) -> StartRefused:
    passing = isinstance(error, LOST)
    return StartRefused(
        f"Firestore in project {project!r}: {sentence(error)}", exit_code=EX_TEMPFAIL if passing else 78
    )
