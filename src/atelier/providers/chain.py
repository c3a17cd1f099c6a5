"""Several providers in order: the first that works is the one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Generic

from atelier.errors import (
    OutOfMemory,
    ProviderBadKey,
    ProviderError,
    ProviderNoCredit,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    ProviderWaits,
)
from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import OrderDesk, Source
from atelier.pipelines.ports import AskedT, MadeT, OfferT

PASSED_OVER = (ProviderUnavailable, ProviderRateLimited, ProviderNoCredit, ProviderBadKey, OutOfMemory)


class FirstThatWorks(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` that tries providers in order.

    It goes on where nothing was paid: to the next behind one that is down, has no room, no credit or no valid key.
    A refusal ends it unless it is made with `after_refusal`; so does an order that may have been charged. One that is not
    there for the owner who asks is no failure. With a `clock` none of them takes the time that the others need.
    """

    def __init__(
        self,
        name: str,
        sources: Sequence[Source[AskedT, MadeT, OfferT]],
        *,
        after_refusal: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.terms, self.offer = name, sources[0].terms, sources[0].offer
        self._sources, self._clock = sources, clock
        self._goes_on = (*PASSED_OVER, ProviderRefused) if after_refusal else PASSED_OVER

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Have the first make it that can; who was passed over and why is among the warnings."""
        if request.order_id is not None:
            holder = self._holder(request.placed_with)
            return await holder.generate(self._bounded(request, holder), desk)
        failures: list[tuple[str, ProviderError]] = []
        absent: ProviderNotConfigured | None = None
        for source in self._sources:
            if source.name in request.avoid:
                continue
            try:
                made = await source.generate(self._bounded(request, source), desk)
            except ProviderNotConfigured as error:
                absent = absent or error
            except self._goes_on as error:
                failures.append((source.name, error))
            else:
                return replace(made, warnings=(*(_passed_over(*each) for each in failures), *made.warnings))
        if failures:
            raise self._verdict([error for _, error in failures])
        raise absent or ProviderNotConfigured("There is no other provider for this.")

    async def ping(self) -> None:
        """Try every provider. Raises the first one's ProviderError."""
        for source in self._sources:
            await source.ping()

    async def close(self) -> None:
        """Close every provider."""
        for source in self._sources:
            await source.close()

    def _holder(self, name: str) -> Source[AskedT, MadeT, OfferT]:
        return next((source for source in self._sources if source.name == name), self._sources[0])

    def _bounded(self, request: AskedT, source: Source[AskedT, MadeT, OfferT]) -> AskedT:
        """Return the request with the source's share of the time left: as much as everybody's behind it; the last has all."""
        behind = [each for each in self._sources[self._sources.index(source) + 1 :] if each.name not in request.avoid]
        if self._clock is None or request.until is None or not behind:
            return request
        return replace(request, patience=max((request.until - self._clock()) / (len(behind) + 1), timedelta()))

    def _verdict(self, failures: Sequence[ProviderError]) -> ProviderError:
        """Return what having failed with all of them means: to come back when the first has room, else to try again if that can help."""
        waits = [error for error in failures if isinstance(error, ProviderWaits)]
        if waits:
            return min(waits, key=lambda error: error.until)
        return next((error for error in failures if error.retryable), failures[-1])


def _passed_over(name: str, error: ProviderError) -> str:
    return f"{name} was passed over: {error.message}"
