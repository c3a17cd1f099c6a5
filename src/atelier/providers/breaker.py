"""A source that is left alone for a while after it did not answer again and again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Generic

from atelier import logs
from atelier.errors import MaybeCharged, ProviderError, ProviderUnavailable, ProviderWaits
from atelier.jobs.background import going_on
from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import OrderDesk, Source
from atelier.pipelines.ports import AskedT, MadeT, OfferT
from atelier.providers.rests import Rest, Rests

DEAD = (ProviderUnavailable, MaybeCharged)
"""What a provider that does not answer fails with; anything else is an answer."""

PROBED_SOON = timedelta(seconds=10)
"""When to ask again whether somebody is back whom another caller tries now."""


class Breaker(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` around another: while that rests, it fails at once and nothing waits for it.

    All processes know of its failures, under its name or the one it is `known_as`; behind a rest one caller tries whether it
    is back. A `patient` one is waited for while it rests, which costs no attempt.
    """

    def __init__(
        self,
        source: Source[AskedT, MadeT, OfferT],
        *,
        rests: Rests,
        now: Clock,
        known_as: str = "",
        patient: bool = False,
    ) -> None:
        self.name, self.terms, self.offer = source.name, source.terms, source.offer
        self._source, self._rests, self._now, self._patient = source, rests, now, patient
        self._known_as = f"provider-{known_as or source.name}"

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Let it try, unless it rests; what became of it is remembered. An order that was placed is waited for always.

        While it rests: raises ProviderUnavailable, or ProviderWaits where it is patient.
        """
        if request.order_id is not None:
            return await self._source.generate(request, desk)
        known = await self._rests.some((self._known_as,))
        await self._try_again(known)
        try:
            made = await self._source.generate(request, desk)
        except ProviderWaits:
            raise
        except DEAD as error:
            with going_on("rest_not_noted"):
                await self._rests.failed(self._known_as, error.message)
            raise
        except ProviderError:
            await self._forget(known)
            raise
        await self._forget(known)
        return made

    async def ping(self) -> None:
        """Ask it, whether it rests or not."""
        await self._source.ping()

    async def close(self) -> None:
        """Close it."""
        await self._source.close()

    async def _try_again(self, known: Mapping[str, Rest]) -> None:
        """Raise what a rest means; behind it, one caller tries whether it is back."""
        rest, now = known.get(self._known_as), self._now()
        if rest is None or rest.state == "ok":
            return
        if rest.over(now) and await self._rests.probe(self._known_as, rest):
            logs.info("provider_probed", provider=self.name, failures=rest.failures)
            return
        why = f"{self.name} is left alone for a while: {rest.failures} calls in a row failed."
        left = rest.until - now if rest.until is not None and rest.until > now else None
        if self._patient:
            raise ProviderWaits(why, until=now + (left or PROBED_SOON))
        raise ProviderUnavailable(why, retry_after=left)

    async def _forget(self, known: Mapping[str, Rest]) -> None:
        """Note that it works; where that fails the call has still been made, and paid for."""
        if self._known_as in known:
            with going_on("rest_not_noted"):
                await self._rests.works(self._known_as)
