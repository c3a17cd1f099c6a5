"""A configured provider as callers and operators are told of it."""

from __future__ import annotations

from typing import Generic

from atelier.pipelines.keys import KeyReport
from atelier.pipelines.ordering import ImageSource, Source
from atelier.pipelines.ports import AskedT, GeneratedImage, Health, ImageRequest, MadeT, Offer, OfferT
from atelier.providers.health import HealthBook
from atelier.providers.pool import KeyPool


class Listed(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ports.ListedProvider`: what a source offers, how its calls went, and how its keys are."""

    def __init__(
        self, source: Source[AskedT, MadeT, OfferT], book: HealthBook, pool: KeyPool[AskedT, MadeT, OfferT] | None
    ) -> None:
        self.name, self.terms, self.offer = source.name, source.terms, source.offer
        self._source, self._book, self._pool = source, book, pool

    async def health(self) -> Health:
        """Return how its calls went lately, in all processes. Raises StoreUnavailable."""
        return await self._book.of(self.name)

    async def keys(self) -> tuple[KeyReport, ...]:
        """Return how its keys are; none where it needs none. Raises StoreUnavailable."""
        return await self._pool.keys() if self._pool is not None else ()

    async def ping(self) -> None:
        """Answer if something could be ordered now. Raises ProviderError."""
        await self._source.ping()

    async def close(self) -> None:
        """Let go of connections and processes."""
        await self._source.close()


class PoolOfStyle:
    """`pipelines.pools.ListedPool`: who draws a storyboard's style, with which keys."""

    def __init__(
        self, name: str, source: ImageSource, pool: KeyPool[ImageRequest, GeneratedImage, Offer] | None
    ) -> None:
        self.name, self.provider, self.terms, self.offer = name, source.name, source.terms, source.offer
        self.source, self._pool = source, pool
        self.per_minute = pool.per_minute if pool is not None else source.offer.per_minute

    async def keys(self) -> tuple[KeyReport, ...]:
        """Return how its keys are; none where it needs none. Raises StoreUnavailable."""
        return await self._pool.keys() if self._pool is not None else ()
