"""Who may deliver jobs to this process, and how many of them run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from atelier.errors import RateLimited

PATIENCE_SECONDS = 10.0
"""How long a delivery waits for a free slot before it is sent back, where it waits at all."""

COME_BACK = timedelta(seconds=5)


class Issuer(Protocol):
    """Knows the tokens of whoever may deliver."""

    async def check(self, authorization: str | None) -> None:
        """Let an `Authorization` header pass. Raises Unauthorized, and QueueUnavailable where that cannot be told."""


KindOf = Callable[[str], Awaitable[str | None]]
"""Knows which kind of job an id is of; None: of none."""


class Slots:
    """So many jobs of a kind may run at once. `patient`: it pays to wait for a place, since they end within seconds.

    What waits holds a request of this instance: jobs that take minutes would leave no room for the others' deliveries.
    """

    def __init__(self, number: int, *, patient: bool) -> None:
        self._free, self._patient = asyncio.Semaphore(number), patient

    async def take(self) -> None:
        """Take a place. Raises RateLimited: the sender shall send less at once."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if self._patient else 0):
                await self._free.acquire()
        except TimeoutError as error:
            raise RateLimited("Every slot of this worker for such jobs is taken.", retry_after=COME_BACK) from error

    def give_back(self) -> None:
        """Leave the place to the next one."""
        self._free.release()


class Deliveries:
    """The door for deliveries: a token lets in, a slot of the job's kind lets run: long jobs take no place of short ones."""

    def __init__(self, *, issuer: Issuer, slots: Mapping[str, Slots], kind_of: KindOf) -> None:
        self._issuer, self._slots, self._kind_of = issuer, slots, kind_of

    async def admit(self, authorization: str | None) -> None:
        """Let in who has a token. Raises Unauthorized and QueueUnavailable."""
        await self._issuer.check(authorization)

    @asynccontextmanager
    async def slot(self, job_id: str, kind: str | None) -> AsyncIterator[None]:
        """Hold a slot of the job's kind; what is no job of ours needs none. Raises RateLimited.

        A kind that is not told, or not known here, is looked up.
        """
        slots = self._slots.get(kind or "") or self._slots.get(await self._kind_of(job_id) or "")
        if slots is None:
            yield
            return
        await slots.take()
        try:
            yield
        finally:
            slots.give_back()
