"""The ledger of a job's orders: what was ordered and not heard of since, and what was paid for in vain."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from atelier.errors import PaymentUnclear
from atelier.jobs.pipeline import Run

UNCLEAR_MOST = 2
"""Nothing is ordered again in a run after so many orders of which nobody knows what became."""

AnyRun = Run[Any, Any]
"""A run whose state has a field `ledger`."""


class Placed(BaseModel):
    """An order whose outcome is not known: with whom, with which key, and the provider's name of it where it told one."""

    model_config = ConfigDict(frozen=True)

    provider: str
    key: str
    attempt: int
    order_id: str | None = None


class Spoiled(BaseModel):
    """Answers under one key that were paid for and of no use: how many in run `run`; tokens of all runs."""

    model_config = ConfigDict(frozen=True)

    run: int = 1
    times: int = 0
    read: int = 0
    written: int = 0
    cost: float = 0.0


class Ledger(BaseModel):
    """A job's orders by key: the number of a picture, the name of a text."""

    model_config = ConfigDict(frozen=True)

    open: dict[str, Placed] = Field(default_factory=dict)
    """Ordered, and nothing heard since."""
    unclear: int = 0
    """Orders of the present run of which nobody can tell whether they are paid for."""
    lost: dict[str, int] = Field(default_factory=dict)
    """The same by key."""
    spoiled: dict[str, Spoiled] = Field(default_factory=dict)
    run: int = 1


def ledger_of(run: AnyRun) -> Ledger:
    """Return the job's ledger; orders are counted anew in each run."""
    ledger: Ledger = run.state.ledger
    return (
        ledger
        if ledger.run == run.job.run
        else ledger.model_copy(update={"run": run.job.run, "unclear": 0, "lost": {}})
    )


def open_order(run: AnyRun, key: str, placed: Placed) -> None:
    """Put an order into the ledger."""
    ledger = ledger_of(run)
    _keep(run, ledger.model_copy(update={"open": {**ledger.open, key: placed}}))


def close_order(run: AnyRun, key: str) -> None:
    """Take an order out of the ledger, if it is there."""
    ledger = ledger_of(run)
    if key in ledger.open:
        left = {name: placed for name, placed in ledger.open.items() if name != key}
        _keep(run, ledger.model_copy(update={"open": left}))


async def write_off(run: AnyRun, key: str, *, product: str, each: bool = False) -> None:
    """Close an order of which nobody knows whether it is paid for, and say so: it brought no `product`.

    Raises PaymentUnclear after the second of the run, or, where `each` key is counted by itself, after the key's second.
    """
    placed = ledger_of(run).open[key]
    close_order(run, key)
    ledger = ledger_of(run)
    lost = {**ledger.lost, key: ledger.lost.get(key, 0) + 1}
    _keep(run, ledger.model_copy(update={"unclear": ledger.unclear + 1, "lost": lost}))
    if run.progress.billed == "no":
        run.progress.billed = "unknown"
    told = (
        f"An order with {placed.provider} in attempt {placed.attempt} brought no {product}; it may have been charged."
    )
    await run.note(warnings=(told,))
    if (lost[key] if each else ledger.unclear + 1) >= UNCLEAR_MOST:
        raise PaymentUnclear(f"Two orders brought no {product} and may have been charged; a third is not placed.")


def spoil(run: AnyRun, key: str, *, read: int, written: int, cost: float) -> None:
    """Close an order whose answer was of no use; what it took stays known."""
    close_order(run, key)
    ledger = ledger_of(run)
    before = spoiled_of(run, key)
    more = Spoiled(
        run=run.job.run,
        times=before.times + 1,
        read=before.read + read,
        written=before.written + written,
        cost=before.cost + cost,
    )
    _keep(run, ledger.model_copy(update={"spoiled": {**ledger.spoiled, key: more}}))


def spoiled_of(run: AnyRun, key: str) -> Spoiled:
    """Return what was paid for in vain under a key; how often is counted anew in each run."""
    spoiled = ledger_of(run).spoiled.get(key, Spoiled())
    return spoiled if spoiled.run == run.job.run else spoiled.model_copy(update={"run": run.job.run, "times": 0})


def _keep(run: AnyRun, ledger: Ledger) -> None:
    run.state = run.state.model_copy(update={"ledger": ledger})
