"""Submitting jobs and groups within what anonymous callers may cost a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from atelier.api.deps import Call, Writes
from atelier.errors import AtelierError, StoreRefused, StoreUnavailable
from atelier.jobs.engine import NewJob, Submitted
from atelier.jobs.groups import Group, NewGroup
from atelier.pipelines.pictures import IN_ORDER
from atelier.pipelines.texts import Usage

T = TypeVar("T")
Who = TypeVar("Who")

MILLION = 1_000_000


def price(call: Call, provider: str, quality: str) -> float:
    """Return the list price of a picture in US dollars; a quality without a price costs as much as the dearest.

    Where the provider is not chosen yet, the dearest of them may draw it. One with the caller's own key costs us nothing.
    """
    return _dearest(call.around.providers, provider, lambda each: _price(each.terms.prices, quality))


def text_price(call: Call, provider: str, tokens: Usage) -> float:
    """Return the price of so many tokens in US dollars, at the dearest of those who may be asked."""

    def cost(writer: Writes) -> float:
        return (tokens.read * writer.offer.read_price + tokens.written * writer.offer.written_price) / MILLION

    return _dearest(call.around.writers, provider, cost)


def _dearest(known: Mapping[str, Who], provider: str, cost: Callable[[Who], float]) -> float:
    asked = known.values() if provider == IN_ORDER else [known[provider]] if provider in known else []
    return max(map(cost, asked), default=0.0)


def _price(prices: Mapping[str, float], quality: str) -> float:
    return prices.get(quality, max(prices.values(), default=0.0))


async def submit(call: Call, new: NewJob, cost: float) -> Submitted:
    """Submit a job; an anonymous one reserves its cost of the day first. Raises RateLimited, then nothing is accepted.

    A job that its idempotency key made before costs nothing again, even when the day is used up.
    """

    async def accept() -> tuple[Submitted, bool]:
        submitted = await call.around.engine.submit(new)
        return submitted, submitted.replayed

    return (await _spend(call, cost, lambda: call.around.engine.made(new), accept))[0]


async def create(call: Call, new: NewGroup, cost: float) -> tuple[Group, bool]:
    """Create a group in the same way; the group, and whether it was there before."""
    groups = call.around.engine.groups
    return await _spend(call, cost, lambda: groups.made(new), lambda: groups.create(new))


async def _spend(
    call: Call, cost: float, made: Callable[[], Awaitable[bool]], accept: Callable[[], Awaitable[tuple[T, bool]]]
) -> tuple[T, bool]:
    """Reserve the cost, then accept; give it back where nothing was accepted or it was there before."""
    if not call.anonymous or cost == 0 or await made():
        return await accept()
    day = await call.around.cap.reserve(cost)
    try:
        accepted, replayed = await accept()
    except AtelierError as error:
        if not isinstance(error, StoreUnavailable) or isinstance(error, StoreRefused):
            await call.around.cap.give_back(day, cost)
        raise  # else it may have been accepted
    if replayed:
        await call.around.cap.give_back(day, cost)
    return accepted, replayed
