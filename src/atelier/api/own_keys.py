"""What callers may bring provider keys of their own for, and where those are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from atelier.api.keys import ANONYMOUS
from atelier.pipelines.keyring import Keyring
from atelier.pipelines.ports import Offer
from atelier.pipelines.texts import TextOffer

What = TypeVar("What")


@dataclass(frozen=True, kw_only=True)
class OwnKeys:
    """`vendors` are those that owners may bring keys for; none: this is off.

    `painters` draw with such keys only, `writers` write with them only: what they offer, by name.
    """

    keyring: Keyring
    vendors: tuple[str, ...]
    painters: Mapping[str, Offer]
    writers: Mapping[str, TextOffer]

    def may_bring(self, owner: str, some: Mapping[str, object]) -> bool:
        """Whether this owner can bring a key for one of some."""
        return owner != ANONYMOUS and not some.keys().isdisjoint(self.vendors)

    async def of(self, owner: str, some: Mapping[str, What]) -> dict[str, What]:
        """Return those of some for whom this owner has brought a key. Raises StoreUnavailable."""
        if not some or owner == ANONYMOUS:
            return {}
        brought = await self.keyring.vendors(owner)
        return {name: each for name, each in some.items() if name in brought}
