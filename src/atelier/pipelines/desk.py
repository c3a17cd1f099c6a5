"""The desk of a job: what a provider tells becomes the run's steps, and every order stands in the job's ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from atelier import metrics
from atelier.errors import MaybeCharged, PaymentUnclear, ProviderError, ProviderRateLimited, ProviderUnavailable
from atelier.jobs.models import ProviderQueue
from atelier.pipelines.ordering import Call
from atelier.pipelines.pictures import ImageRun, Ledger, Order, Placed
from atelier.pipelines.ports import StepReport
from atelier.pipelines.previews import Previews

UNCLEAR_MOST = 2
"""A picture is not ordered again in a run after so many orders of which nobody knows what became."""


class JobDesk:
    """`pipelines.ordering.OrderDesk` for one drawing of a job."""

    def __init__(self, run: ImageRun, order: Order, previews: Previews) -> None:
        self._run, self._order, self._previews = run, order, previews
        self._counted: metrics.ProviderCall | None = None
        self.call: Call | None = None
        """The latest call."""

    def step(self, step: StepReport) -> None:
        """Tell the run."""
        self._previews.step(step)

    def queued(self, position: int | None, wait: timedelta | None) -> None:
        """Tell the run that it waits at the provider."""
        place = f": place {position}" if position is not None else ""
        queue = ProviderQueue(position=position, seconds=wait.total_seconds() if wait is not None else None)
        self._run.queued(queue, progress=self._order.span[0], message=f"Waiting in the provider's queue{place}")

    async def placed(self, order_id: str) -> None:
        """Keep the order's name, durably."""
        placed = ledger_of(self._run).open.get(self._order.number)
        if placed is not None and placed.order_id != order_id:
            open_order(self._run, self._order.number, placed.model_copy(update={"order_id": order_id}))
            await self._run.note()

    @asynccontextmanager
    async def ordering(self, call: Call) -> AsyncIterator[None]:
        """Write the order down before the call, where it may cost money or can be attached to; then what became of it."""
        run, number, terms = self._run, self._order.number, call.terms
        self.call, self._counted = call, metrics.ProviderCall(call.provider)
        durable = terms.billed != "no" or terms.reattaches
        attached = number in ledger_of(run).open
        if durable and not attached:
            open_order(run, number, Placed(provider=call.provider, key=call.key, attempt=run.job.attempt))
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
                close_order(run, number)
            raise

    async def close(self) -> None:
        """Wait for a preview that is being stored."""
        await self._previews.close()

    def judged(self, error: Exception | None) -> None:
        """Count the call, now that its picture was looked at."""
        if self._counted is not None:
            self._counted.end(error)

    def _placed(self) -> bool:
        placed = ledger_of(self._run).open.get(self._order.number)
        return placed is not None and placed.order_id is not None

    async def _ended(self, error: ProviderError) -> None:
        """Close the order. One that may have been charged is told of, and another is the last."""
        if isinstance(error, MaybeCharged):
            await write_off(self._run, self._order.number)
        else:
            close_order(self._run, self._order.number)
            await self._run.note()


def _goes_on(error: ProviderError, placed: bool, *, attached: bool) -> bool:  # noqa: FBT001 - private
    """Whether the provider still has the order, so that the next attempt can wait for it."""
    if not placed:
        return False
    known = isinstance(error, MaybeCharged | ProviderRateLimited)
    return known or (isinstance(error, ProviderUnavailable) and not attached)


def ledger_of(run: ImageRun) -> Ledger:
    """Return the job's ledger; orders are counted anew in each run."""
    ledger = run.state.ledger
    return ledger if ledger.run == run.job.run else ledger.model_copy(update={"run": run.job.run, "unclear": 0})


def open_order(run: ImageRun, number: int, placed: Placed) -> None:
    """Put an order into the ledger."""
    ledger = ledger_of(run)
    _keep(run, ledger.model_copy(update={"open": {**ledger.open, number: placed}}))


def close_order(run: ImageRun, number: int) -> None:
    """Take an order out of the ledger, if it is there."""
    ledger = ledger_of(run)
    if number in ledger.open:
        left = {key: placed for key, placed in ledger.open.items() if key != number}
        _keep(run, ledger.model_copy(update={"open": left}))


async def write_off(run: ImageRun, number: int) -> None:
    """Close an order of which nobody knows whether it is paid for, and say so. Raises PaymentUnclear after the second."""
    placed = ledger_of(run).open[number]
    close_order(run, number)
    ledger = ledger_of(run)
    _keep(run, ledger.model_copy(update={"unclear": ledger.unclear + 1}))
    if run.progress.billed == "no":
        run.progress.billed = "unknown"
    lost = f"An order with {placed.provider} in attempt {placed.attempt} brought no picture; it may have been charged."
    await run.note(warnings=(lost,))
    if ledger.unclear + 1 >= UNCLEAR_MOST:
        raise PaymentUnclear("Two orders brought no picture and may have been charged; a third is not placed.")


def _keep(run: ImageRun, ledger: Ledger) -> None:
    run.state = run.state.model_copy(update={"ledger": ledger})
