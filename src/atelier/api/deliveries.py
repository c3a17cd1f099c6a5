"""Who may deliver jobs to this process, and how many of them run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from atelier.errors import RateLimited

PATIENCE_SECONDS = 10.0
"""How long a delivery waits for a free slot before it is sent back."""

COME_BACK = timedelta(seconds=5)


class Issuer(Protocol):
    """Knows the tokens of whoever may deliver."""

    async def check(self, authorization: str | None) -> None:
        """Let an `Authorization` header pass. Raises Unauthorized, and QueueUnavailable where that cannot be told."""


class Deliveries:
    """The door for deliveries: a token lets in, a slot lets run."""

    def __init__(self, *, issuer: Issuer, slots: int) -> None:
        self._issuer, self._slots = issuer, asyncio.Semaphore(slots)

    async def admit(self, authorization: str | None) -> None:
        """Let in who has a token. Raises Unauthorized and QueueUnavailable."""
        await self._issuer.check(authorization)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot, having waited a while for it. Raises RateLimited: the sender shall send less at once."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise RateLimited("Every slot of this worker is taken.", retry_after=COME_BACK) from error
        try:
            yield
        finally:
            self._slots.release()
