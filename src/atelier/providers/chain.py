"""Several providers in order: the first that works is the one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Generic

from atelier import logs
from atelier.errors import (
    MaybeCharged,
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
from atelier.providers.rests import Rest, Rests

PASSED_OVER = (ProviderUnavailable, ProviderRateLimited, ProviderNoCredit, ProviderBadKey, OutOfMemory)
DEAD = (ProviderUnavailable, MaybeCharged)
"""What a provider that does not answer fails with; anything else is an answer."""

PROBED_SOON = timedelta(seconds=10)
"""When to ask again whether somebody is back whom another caller tries now."""


class FirstThatWorks(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` that tries providers in order, and leaves those alone that do not answer.

    It goes on where nothing was paid: to the next behind one that is down, has no room, no credit or no valid key.
    A refusal ends it unless it is made with `after_refusal`; so does an order that may have been charged. Made `patient` it waits
    for those who are left alone, which costs no attempt.
    """

    def __init__(
        self,
        name: str,
        sources: Sequence[Source[AskedT, MadeT, OfferT]],
        *,
        rests: Rests,
        now: Clock,
        after_refusal: bool = False,
        patient: bool = False,
    ) -> None:
        self._patient = patient
        self.name, self.terms, self.offer = name, sources[0].terms, sources[0].offer
        self._sources, self._rests, self._now = sources, rests, now
        self._goes_on = (*PASSED_OVER, ProviderRefused) if after_refusal else PASSED_OVER

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Have the first make it that can; who was passed over and why is among the warnings."""
        if request.order_id is not None:
            return await self._holder(request.placed_with).generate(request, desk)
        failures: list[tuple[str, ProviderError]] = []
        for source in self._sources:
            if source.name in request.avoid:
                continue
            try:
                made = await self._ask(source, request, desk)
            except self._goes_on as error:
                failures.append((source.name, error))
            else:
                return replace(made, warnings=(*(_passed_over(*each) for each in failures), *made.warnings))
        raise self._verdict([error for _, error in failures])

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

    async def _ask(self, source: Source[AskedT, MadeT, OfferT], request: AskedT, desk: OrderDesk) -> MadeT:
        """Let one try, unless it rests; what became of it is remembered."""
        name = f"provider-{source.name}"
        known = await self._rests.all()
        await self._try_again(source, name, known)
        try:
            made = await source.generate(request, desk)
        except ProviderWaits:
            raise
        except DEAD as error:
            await self._rests.failed(name, error.message)
            raise
        except ProviderError:
            await self._forget(name, known)
            raise
        await self._forget(name, known)
        return made

    async def _try_again(self, source: Source[AskedT, MadeT, OfferT], name: str, known: Mapping[str, Rest]) -> None:
        """Raise ProviderUnavailable while it rests; behind that, one caller tries whether it is back."""
        rest, now = known.get(name), self._now()
        if rest is None or rest.state == "ok":
            return
        if rest.over(now) and await self._rests.probe(name, rest):
            logs.info("provider_probed", provider=source.name, failures=rest.failures)
            return
        why = f"{source.name} is left alone for a while: {rest.failures} calls in a row failed."
        left = rest.until - now if rest.until is not None and rest.until > now else None
        if self._patient:
            raise ProviderWaits(why, until=now + (left or PROBED_SOON))
        raise ProviderUnavailable(why, retry_after=left)

    async def _forget(self, name: str, known: Mapping[str, Rest]) -> None:
        if name in known:
            await self._rests.works(name)

    def _verdict(self, failures: Sequence[ProviderError]) -> ProviderError:
        """Return what having failed with all of them means: to come back when the first has room, else to try again if that can help."""
        if not failures:
            return ProviderNotConfigured("There is no other provider for this.")
        waits = [error for error in failures if isinstance(error, ProviderWaits)]
        if waits:
            return min(waits, key=lambda error: error.until)
        return next((error for error in failures if error.retryable), failures[-1])


def _passed_over(name: str, error: ProviderError) -> str:
    return f"{name} was passed over: {error.message}"
