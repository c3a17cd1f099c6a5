"""Writing steps within a stage: the latest wins, and not every one is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from atelier.errors import AtelierError
from atelier.jobs.models import Step

STEP_INTERVAL = timedelta(seconds=1)
"""Steps of one part are written at most this often; the latest wins."""


class StepWriter:
    """Writes the latest step at most once a second, and at once where another part's turn has come; nothing after `stop`."""

    def __init__(self, write: Callable[[Step], Awaitable[None]]) -> None:
        self._write = write
        self._latest: Step | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last = float("-inf")

    def put(self, step: Step) -> None:
        """Remember `step` and see that it, or a later one, is written soon."""
        turned = self._latest is not None and _turn(step) != _turn(self._latest)
        self._latest = step
        if turned and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = loop.time() if turned else max(loop.time(), self._last + STEP_INTERVAL.total_seconds())
            self._timer = loop.call_at(due, self._flush)

    def stop(self) -> None:
        """Forget what was not written."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._latest = None

    def _flush(self) -> None:
        self._timer = None
        if self._latest is not None:
            self._last = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._attempt(self._latest, self._task))

    async def _attempt(self, step: Step, before: asyncio.Task[None] | None) -> None:
        """A lost step is no loss: the next one, or the stage's end, says more. None overtakes the one before it."""
        if before is not None and not before.done():
            await asyncio.wait({before})
        try:
            await self._write(step)
        except AtelierError:
            return


def _turn(step: Step) -> tuple[str, bool]:
    return step.part, step.queue is None
