"""One job's header, watched for a moment that matters: what a run is raced against."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.jobs.models import Job, Snapshot
from atelier.jobs.ports import Store

RETRY_SECONDS = 1.0
"""Pause after a look that failed."""

Condition = Callable[[Job], bool]


class Watch:
    """Hears of every commit to a job from its beginning on, and keeps the first header that meets the condition."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id = store, job_id
        self._condition: Condition | None = None
        self._latest: Job | None = None
        self._unread = False
        self._looking: asyncio.Task[None] | None = None
        self.met: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        """Resolved with the header that meets the condition, or with None when the job is gone."""

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._stop = self._store.listen(self._job_id, self._heard)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Listen no more."""
        self._stop()
        del self._stop  # it holds this watch, which should be gone now, without the collector
        self.met.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def until(self, condition: Condition) -> asyncio.Future[Job | None]:
        """Judge what was heard already, and everything that comes."""
        self._condition = condition
        self._judge()
        return self.met

    def _heard(self, told: Snapshot | None) -> None:
        if told is None:
            self._unread = True
        else:
            self._latest = told.job
        self._judge()

    def _judge(self) -> None:
        if self._condition is None or self.met.done():
            return
        if self._latest is not None and self._condition(self._latest):
            self.met.set_result(self._latest)
        elif self._unread and self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        """Read the header as long as there may be news nobody has told."""
        while self._unread and not self.met.done():
            self._unread = False
            try:
                job = await self._store.get(self._job_id)
            except StoreUnavailable as error:
                logs.warning("watch_waits", job_id=self._job_id, reason=error.message)
                self._unread = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._latest = job
            if job is None and not self.met.done():
                self.met.set_result(None)

    def _looked(self, look: asyncio.Task[None]) -> None:
        """Whatever broke a look, the next news brings another."""
        self._looking = None
        if look.cancelled():
            return
        if (error := look.exception()) is not None:
            logs.error("watch_broke", exc=error, job_id=self._job_id)
        else:
            self._judge()
