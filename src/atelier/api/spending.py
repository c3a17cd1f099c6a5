"""Submitting jobs within what anonymous callers may cost a day."""

from __future__ import annotations

from atelier.api.deps import Call
from atelier.errors import AtelierError, StoreUnavailable
from atelier.jobs.engine import NewJob, Submitted


def price(call: Call, provider: str, quality: str) -> float:
    """Return the list price of a picture in US dollars; a quality without a price costs as much as the dearest."""
    prices = call.around.providers[provider].terms.prices
    return prices.get(quality, max(prices.values(), default=0.0))


async def submit(call: Call, new: NewJob, cost: float) -> Submitted:
    """Submit a job; an anonymous one reserves its cost of the day first. Raises RateLimited, then nothing is accepted.

    A job that its idempotency key made before costs nothing again, even when the day is used up.
    """
    engine, cap = call.around.engine, call.around.cap
    if not call.anonymous or cost == 0 or await engine.made(new):
        return await engine.submit(new)
    day = await cap.reserve(cost)
    try:
        submitted = await engine.submit(new)
    except StoreUnavailable:
        raise  # it may have been accepted
    except AtelierError:
        await cap.give_back(day, cost)
        raise
    if submitted.replayed:
        await cap.give_back(day, cost)
    return submitted
