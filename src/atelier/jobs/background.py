"""Work that goes on for as long as the process lives, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from atelier import logs
from atelier.errors import AtelierError


@contextmanager
def going_on(action: str) -> Iterator[None]:
    """Log what breaks inside the block and go on behind it."""
    try:
        yield
    except AtelierError as error:
        logs.warning(action, reason=error.message)
    except Exception as error:  # noqa: BLE001 - a dispatcher or sweeper that died silently would strand every job
        logs.error(action, exc=error)


async def every(seconds: float, chore: Callable[[], Awaitable[object]], action: str) -> None:
    """Do a chore again and again; one that fails is only late."""
    while True:
        with going_on(action):
            await chore()
        await asyncio.sleep(seconds)
