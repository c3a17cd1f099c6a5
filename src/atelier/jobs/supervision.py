"""A run's work as seen from outside: how it is made to let go, and which event what it did amounts to."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from atelier import logs
from atelier.errors import AtelierError, JobConflict
from atelier.jobs.events import Completed
from atelier.jobs.models import Fault, Job
from atelier.jobs.pipeline import Product
from atelier.jobs.ports import GIVEN_BACK
from atelier.jobs.stages import Snooze
from atelier.jobs.verdicts import Ending, Policy, after_failure, after_snooze, fault_of

ABORT_SECONDS = 5


class Bell:
    """Rings when one of its futures is done: `asyncio.wait` for who waits for the same ones again and again, and is quick about it."""

    def __init__(self, *futures: asyncio.Future[Any]) -> None:
        self._rung = asyncio.Event()
        self._futures = futures
        for future in futures:
            future.add_done_callback(self._ring)

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, no longer than so many seconds."""
        late = asyncio.get_running_loop().call_later(seconds, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            late.cancel()
        self._rung.clear()

    def take_down(self) -> None:
        """Leave the futures: some live longer."""
        for future in self._futures:
            future.remove_done_callback(self._ring)

    def _ring(self, _: asyncio.Future[Any]) -> None:
        self._rung.set()


def broke(work: asyncio.Task[Product]) -> bool:
    """Whether work that is done made nothing: what becomes of it depends on the time left."""
    return work.cancelled() or work.exception() is not None


def ending_of(job: Job, work: asyncio.Task[Product], now: datetime, policy: Policy) -> Ending | None:
    """Translate what the work did into an event; None: it had lost its lease. The one place where any exception is caught."""
    try:
        product = work.result()
    except Snooze as snooze:
        return Ending(after_snooze(job, snooze.until, snooze.reason))
    except JobConflict:
        logs.info("lease_lost", fence=job.fence)
        return None
    except AtelierError as error:
        return Ending(after_failure(job, fault_of(error), error.retry_after, now, policy))
    except Exception as error:  # noqa: BLE001 - the edge of a run: whatever broke must not take the service along
        logs.error("job_broke", exc=error)
        fault = Fault(code="internal", message="Something broke inside the service.", retryable=True)
        return Ending(after_failure(job, fault, None, now, policy))
    return Ending(Completed(cost=product.cost, warnings=product.warnings), {"result": product.result})


async def let_go(work: asyncio.Task[Product], *, given_back: bool) -> None:
    """Cancel the work and wait until it has let go; its own words no longer count."""
    if not work.done():
        work.cancel(GIVEN_BACK if given_back else None)
        await asyncio.wait({work}, timeout=ABORT_SECONDS)
    if work.done() and not work.cancelled():
        work.exception()
