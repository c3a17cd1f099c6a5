"""Who may draw stories' pictures for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from atelier.api.own_keys import OwnKeys
from atelier.api.stories.orders import Painters


@dataclass(frozen=True, kw_only=True)
class Illustrators:
    """Who draws, in order, and whether for everybody or for owners with a key of their own.

    `sandbox`: it may be asked for; `stand_in`: it draws where nobody else can.
    """

    order: Mapping[str, bool]
    own: OwnKeys
    sandbox: bool
    stand_in: bool

    async def of(self, owner: str) -> Painters:
        """Return who draws for an owner. Raises StoreUnavailable."""
        wanting = {name: None for name, everybody in self.order.items() if not everybody and name in self.own.vendors}
        theirs = await self.own.of(owner, wanting)
        names = tuple(name for name, everybody in self.order.items() if everybody or name in theirs)
        return Painters(names=names, sandbox=self.sandbox, stand_in=self.stand_in)
