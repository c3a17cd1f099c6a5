"""How a picture is ordered: what a call of a provider is surrounded with, so that no order is ever forgotten."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of one provider: with which key (its alias; empty: none), on what terms, and what it can draw."""

    provider: str
    key: str
    terms: Terms
    offer: Offer


class OrderDesk(Desk, Protocol):
    """The desk of those who choose who draws."""

    def ordering(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Surround the call. Where it may cost money, that it is made is durable before it begins.

        What comes out of the block is kept too: an order that may have been charged is remembered and told.
        """


class ImageSource(Protocol):
    """Somewhere pictures come from: a provider, its keys, or several providers in order.

    Raises ProviderError and its kin; ProviderWaits where nothing can be ordered before a moment.
    """

    name: str
    terms: Terms
    offer: Offer

    async def generate(self, request: ImageRequest, desk: OrderDesk) -> GeneratedImage:
        """Have a picture made; its bytes as the provider sent them, not yet checked."""

    async def ping(self) -> None:
        """Answer if pictures could be ordered now; none is. Raises ProviderError."""

    async def close(self) -> None:
        """Let go of connections and processes."""
