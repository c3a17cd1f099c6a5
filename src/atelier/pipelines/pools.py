"""Pools of keys that draw the styles of storyboards, as callers are told of them."""

from __future__ import annotations

from typing import Protocol

from atelier.pipelines.keys import KeyReport
from atelier.pipelines.ports import Offer, Terms


class ListedPool(Protocol):
    """Who draws a storyboard's style, as callers are told of it. `per_minute`: pictures it can start; None: no limit."""

    name: str
    provider: str
    terms: Terms
    offer: Offer
    per_minute: float | None

    async def keys(self) -> tuple[KeyReport, ...]:
        """Return how its keys are; none where it needs none."""
