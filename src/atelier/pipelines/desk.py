"""The desk of a job: every order stands in the job's ledger, and what a provider tells of a picture becomes the run's steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

from atelier import metrics
from atelier.errors import (
    MaybeCharged,
    ProviderError,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderUnavailable,
    ProviderWaits,
)
from atelier.jobs.models import ProviderQueue, Reason
from atelier.jobs.verdicts import stops_at
from atelier.pipelines.ledger import AnyRun, Placed, close_order, ledger_of, open_order, write_off
from atelier.pipelines.ordering import Call
from atelier.pipelines.pictures import STORY_ORDER, ImageRun, Order
from atelier.pipelines.ports import Spool, StepReport
from atelier.pipelines.previews import Previews


class LedgerDesk:
    """`pipelines.ordering.OrderDesk` for the order that a job's ledger knows by `key`. Steps and places are not shown.

    `product` is what orders bring, in one word. `each`: lost orders are counted for each key by itself.
    """

    def __init__(self, run: AnyRun, key: str, *, product: str, each: bool = False) -> None:
        self._run, self._key, self._product, self._each = run, key, product, each
        self._counted: metrics.ProviderCall | None = None
        self.call: Call | None = None
        """The latest call."""

    def step(self, step: StepReport) -> None:
        """Show nothing."""

    def queued(self, position: int | None, wait: timedelta | None) -> None:
        """Show nothing."""

    async def placed(self, order_id: str) -> None:
        """Keep the order's name, durably."""
        placed = ledger_of(self._run).open.get(self._key)
        if placed is not None and placed.order_id != order_id:
            open_order(self._run, self._key, placed.model_copy(update={"order_id": order_id}))
            await self._run.note()

    @asynccontextmanager
    async def ordering(self, call: Call) -> AsyncIterator[None]:
        """Write the order down before the call, where it may cost money or can be attached to; then what became of it."""
        run, terms = self._run, call.terms
        durable = terms.billed != "no" or terms.reattaches
        placed = ledger_of(run).open.get(self._key)
        attached = placed is not None and placed.provider == call.provider
        if not attached:
            await self._allow(call)
        self.call, self._counted = call, metrics.ProviderCall(call.provider)
        self._begins(call)
        if durable and not attached:
            open_order(run, self._key, Placed(provider=call.provider, key=call.key, attempt=run.job.attempt))
        try:
            async with run.ordering(abort=terms.abort, billed=terms.abort_billed, price=terms.billed, durable=durable):
                yield
        except ProviderError as error:
            self._counted.end(error)
            if durable and not (terms.reattaches and _goes_on(error, self._placed(), attached=attached)):
                await self._ended(error)
            raise
        except BaseException as error:
            self._counted.end(error)
            if terms.abort_billed == "no" and not terms.reattaches:
                close_order(run, self._key)
            raise

    async def _allow(self, call: Call) -> None:
        """Raise what stands in the way of a new order."""

    def _begins(self, call: Call) -> None:
        """Take notice that a call begins."""

    def judged(self, error: Exception | None) -> None:
        """Count the call, now that what it brought was looked at."""
        if self._counted is not None:
            self._counted.end(error)

    def _placed(self) -> bool:
        placed = ledger_of(self._run).open.get(self._key)
        return placed is not None and placed.order_id is not None

    async def _ended(self, error: ProviderError) -> None:
        """Close the order. One that may have been charged is told of, and another is the last."""
        if isinstance(error, MaybeCharged):
            await write_off(self._run, self._key, product=self._product, each=self._each)
        else:
            close_order(self._run, self._key)
            await self._run.note()


class JobDesk(LedgerDesk):
    """`pipelines.ordering.OrderDesk` for one drawing of a job. Nothing that costs is ordered while the spool could not keep it."""

    def __init__(self, run: ImageRun, order: Order, previews: Previews, spool: Spool) -> None:
        super().__init__(run, order.key, product="picture")
        self._order, self._previews, self._spool = order, previews, spool

    def step(self, step: StepReport) -> None:
        """Tell the run."""
        self._previews.step(step)

    def queued(self, position: int | None, wait: timedelta | None) -> None:
        """Tell the run that it waits at the provider."""
        place = f": place {position}" if position is not None else ""
        queue = ProviderQueue(position=position, seconds=wait.total_seconds() if wait is not None else None)
        self._run.queued(queue, progress=self._order.span[0], message=f"Waiting in the provider's queue{place}")

    async def _allow(self, call: Call) -> None:
        """Try the spool. Raises StorageError."""
        if call.terms.billed != "no":
            await self._spool.ping()

    def _begins(self, call: Call) -> None:
        """Tell the run who is asked, where that is news."""
        run, low = self._run, self._order.span[0]
        run.asked = call.provider
        if run.params.provider == STORY_ORDER:
            run.step(0, 0, span=(low, low), message=f"Asking {call.provider}", preview=None)

    async def close(self) -> None:
        """Wait for a preview that is being stored."""
        await self._previews.close()


def come_back(run: AnyRun, waits: ProviderWaits) -> NoReturn:
    """Give the slot back until something can be ordered. Raises ProviderNoCredit where that is too late, for want of money."""
    if isinstance(waits.__cause__, ProviderNoCredit) and waits.until >= stops_at(run.job):
        raise waits.__cause__ from waits
    run.snooze(waits.until, Reason.WAITING_FOR_KEY if waits.for_key else Reason.RATE_LIMITED)


def _goes_on(error: ProviderError, placed: bool, *, attached: bool) -> bool:  # noqa: FBT001 - private
    """Whether the provider still has the order, so that the next attempt can wait for it."""
    if not placed:
        return False
    known = isinstance(error, MaybeCharged | ProviderRateLimited)
    return known or (isinstance(error, ProviderUnavailable) and not attached)
