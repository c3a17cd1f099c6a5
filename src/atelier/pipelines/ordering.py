"""How something is ordered: what a call of a provider is surrounded with, so that no order is ever forgotten."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from atelier.frozen import frozen
from atelier.pipelines.ports import (
    AskedT_contra,
    Desk,
    GeneratedImage,
    ImageRequest,
    MadeT_co,
    Offer,
    Offered,
    OfferT,
    Terms,
)


@frozen
class Call:
    """One call of one provider: with which key (its alias; empty: none), on what terms, and what it offers."""

    provider: str
    key: str
    terms: Terms
    offer: Offered


class OrderDesk(Desk, Protocol):
    """The desk of those who choose who is asked."""

    def ordering(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Surround the call. Where it may cost money, that it is made is durable before it begins.

        What comes out of the block is kept too: an order that may have been charged is remembered and told.
        """


class Source(Protocol[AskedT_contra, MadeT_co, OfferT]):
    """Somewhere things come from: a provider, its keys, or several providers in order.

    Raises ProviderError and its kin; ProviderWaits where nothing can be ordered before a moment.
    """

    name: str
    terms: Terms
    offer: OfferT

    async def generate(self, request: AskedT_contra, desk: OrderDesk) -> MadeT_co:
        """Have something made; as the provider sent it, not yet checked."""

    async def ping(self) -> None:
        """Answer if something could be ordered now; nothing is. Raises ProviderError."""

    async def close(self) -> None:
        """Let go of connections and processes."""


ImageSource = Source[ImageRequest, GeneratedImage, Offer]
"""Somewhere pictures come from."""
