"""A vendor for whom an owner's own key goes before the service's; what works with such keys is kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Generic

from atelier.errors import (
    ProviderBadKey,
    ProviderError,
    ProviderNoCredit,
    ProviderNotConfigured,
    ProviderRateLimited,
)
from atelier.pipelines.keyring import OWN, Keyring, OwnKey
from atelier.pipelines.ordering import OrderDesk, Source
from atelier.pipelines.ports import AskedT, MadeT, OfferT, Terms

MOST = 32
"""Of so many owners' keys of a vendor what works with them is kept."""

NOT_USED = (ProviderBadKey, ProviderNoCredit, ProviderRateLimited)
"""What an own key fails with where another key may do."""


@dataclass(eq=False, slots=True)
class _Kept(Generic[AskedT, MadeT, OfferT]):
    """What works with an owner's key, how many calls it has under way, and whether it goes when those are over."""

    key_id: str
    source: Source[AskedT, MadeT, OfferT]
    calls: int = 0
    dropped: bool = False


class OwnSources(Generic[AskedT, MadeT, OfferT]):
    """One vendor with each owner's own key, made when it is wanted. The longest unused goes first; none while it is called."""

    def __init__(
        self,
        vendor: str,
        keyring: Keyring,
        make: Callable[[OwnKey], Source[AskedT, MadeT, OfferT]],
        *,
        most: int = MOST,
    ) -> None:
        self._vendor, self._keyring, self._make, self._most = vendor, keyring, make, most
        self._kept: OrderedDict[str, _Kept[AskedT, MadeT, OfferT]] = OrderedDict()

    @asynccontextmanager
    async def of(self, owner: str) -> AsyncIterator[Source[AskedT, MadeT, OfferT] | None]:
        """Hold what works with the owner's own key for the length of a call; None where there is no key."""
        key = await self._keyring.key(owner, self._vendor) if owner else None
        kept = await self._found(owner, key)
        if kept is None:
            yield None
            return
        kept.calls += 1
        try:
            yield kept.source
        finally:
            kept.calls -= 1
            if kept.dropped and not kept.calls:
                await kept.source.close()

    async def close(self) -> None:
        """Let go of everything."""
        for owner in list(self._kept):
            await self._drop(owner)

    async def _found(self, owner: str, key: OwnKey | None) -> _Kept[AskedT, MadeT, OfferT] | None:
        kept = self._kept.get(owner)
        if kept is not None and (key is None or kept.key_id != key.id):
            await self._drop(owner)
            kept = None
        if key is None:
            return None
        if kept is None:
            kept = self._kept[owner] = _Kept(key_id=key.id, source=self._make(key))
        self._kept.move_to_end(owner)
        kept.calls += 1  # it must not go while others do
        try:
            while len(self._kept) > self._most:
                await self._drop(next(iter(self._kept)))
        finally:
            kept.calls -= 1
        return kept

    async def _drop(self, owner: str) -> None:
        kept = self._kept.pop(owner)
        kept.dropped = True
        if not kept.calls:
            await kept.source.close()


class OwnFirst(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` that is one vendor: with the owner's own key, else with the service's, if it has one.

    `absent` is what an owner is told where there is neither. An own key that is refused, has no credit or no room makes way for the service's, as keys of a pool do.
    """

    def __init__(
        self,
        *,
        name: str,
        terms: Terms,
        offer: OfferT,
        own: OwnSources[AskedT, MadeT, OfferT],
        service: Source[AskedT, MadeT, OfferT] | None,
        absent: str,
    ) -> None:
        self.name, self.terms, self.offer = name, terms, offer
        self._own, self._service, self._absent = own, service, absent

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Have it made with the first key that may. Raises ProviderNotConfigured where there is none for this owner."""
        async with self._own.of(request.owner) as own:
            if own is None:
                return await self._by_service(request, desk)
            if request.order_id is not None:
                holder = own if request.placed_key == OWN or self._service is None else self._service
                return await holder.generate(request, desk)
            try:
                return await own.generate(request, desk)
            except NOT_USED as error:
                told = f"Your own key of {self.name} was not used: {error.message}"
                if self._service is None:
                    error.message = told
                    raise
        return await self._instead(request, desk, told)

    async def ping(self) -> None:
        """Ask with the service's key; owners' own are theirs."""
        if self._service is not None:
            await self._service.ping()

    async def close(self) -> None:
        """Close what works with any key."""
        await self._own.close()
        if self._service is not None:
            await self._service.close()

    async def _by_service(self, request: AskedT, desk: OrderDesk) -> MadeT:
        if self._service is None:
            raise ProviderNotConfigured(self._absent)
        return await self._service.generate(request, desk)

    async def _instead(self, request: AskedT, desk: OrderDesk, told: str) -> MadeT:
        try:
            made = await self._by_service(request, desk)
        except ProviderError as error:
            error.message = f"{told} {error.message}"
            raise
        return replace(made, warnings=(told, *made.warnings))
