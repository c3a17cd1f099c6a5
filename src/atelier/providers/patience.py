"""A bound on one provider's call, so that the next one in order still has time."""

from __future__ import annotations

import asyncio

from atelier.errors import MaybeCharged, ProviderError, ProviderUnavailable
from atelier.pipelines.ports import AskedT, Desk, MadeT, OfferT, Provider


async def within(provider: Provider[AskedT, MadeT, OfferT], request: AskedT, desk: Desk) -> MadeT:
    """Have the provider work for as long as the request has patience, then abort the call.

    Raises ProviderUnavailable where an aborted call costs nothing, else MaybeCharged.
    """
    if request.patience is None:
        return await provider.generate(request, desk)
    seconds = request.patience.total_seconds()
    try:
        async with asyncio.timeout(seconds) as bound:
            return await provider.generate(request, desk)
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise _late(provider, seconds) from error


def _late(provider: Provider[AskedT, MadeT, OfferT], seconds: float) -> ProviderError:
    told = f"{provider.name} took more than its share of the time, {seconds:.0f} seconds."
    return (
        ProviderUnavailable(told)
        if provider.terms.abort_billed == "no"
        else MaybeCharged(f"{told} It may be paid for.")
    )
