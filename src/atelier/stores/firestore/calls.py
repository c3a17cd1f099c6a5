"""Calls of Firestore: each has an end, none is repeated behind our back, and what goes wrong is told in our words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from google.api_core import exceptions as google

from atelier import metrics
from atelier.errors import StoreUnavailable

T = TypeVar("T")

CALL_SECONDS = 2.0
"""Longest wait for one answer."""

ONCE: dict[str, Any] = {"retry": None, "timeout": CALL_SECONDS}
"""What every call is made with: by itself the library repeats, for minutes."""

OPERATION_SECONDS = 4.0
"""Longest time for all a caller asks at once, with every repetition."""

CONCURRENT = 80
"""Most calls at once: a connection carries a hundred."""

PAUSE_SECONDS = 0.02
"""About how long to wait before the first repetition; the wait doubles with each, up to PAUSE_MOST."""

PAUSE_MOST = 0.5

LOST = (
    TimeoutError,
    google.Aborted,
    google.Cancelled,
    google.DeadlineExceeded,
    google.InternalServerError,
    google.ResourceExhausted,
    google.ServiceUnavailable,
    google.Unknown,
)
"""Errors after which a write may have been done or not, and a read may be tried again."""

MOVED = (google.FailedPrecondition, google.NotFound, google.AlreadyExists)
"""Errors of a batch that found something else than it was made for; nothing was written."""


class Calls:
    """Lets so many calls go out at once, and none wait for ever."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(CONCURRENT)

    async def once(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call once. Raises one of LOST or MOVED, or what else Google's client raises."""
        async with self._room, asyncio.timeout(CALL_SECONDS):
            return await call()

    async def read(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until there is an answer. Raises StoreUnavailable when there is none in time."""
        async with in_time():
            for pause in pauses():
                try:
                    return await self.once(call)
                except LOST:
                    await asyncio.sleep(pause)
        raise AssertionError  # the pauses have no end, the time has


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """End the block after OPERATION_SECONDS. Raises StoreUnavailable then, and for what Google's client raises in it."""
    with translated():
        async with asyncio.timeout(OPERATION_SECONDS):
            yield


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable for an error of Google's client; its own text may hold data."""
    try:
        yield
    except (TimeoutError, google.GoogleAPICallError) as error:
        metrics.store_error("unavailable").inc()
        raise StoreUnavailable(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Return in words what an error means."""
    match error:
        case google.Unauthenticated() | google.Forbidden():
            return "Firestore refuses the service's account: it needs the role roles/datastore.user in the project."
        case google.ResourceExhausted():
            return "Firestore's quota is used up for now."
        case google.FailedPrecondition():
            return "Firestore lacks an index, or is not in native mode: deploy firestore.indexes.json."
        case google.NotFound():
            return "The project has no Firestore database by the name (default)."
        case _:
            return "Firestore did not answer in time, or not well."


def pauses() -> Iterator[float]:
    """Yield waits that double, each spread by chance so that two who collided do not meet again; without end."""
    pause = PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, hides nothing
        pause = min(pause * 2, PAUSE_MOST)
