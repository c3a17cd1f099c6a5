"""A desk that notes what a provider says of its call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from atelier.pipelines.ports import StepReport


class Noted:
    """`pipelines.ports.Desk` for a call without a job."""

    def __init__(self, stepped: Callable[[StepReport], object] | None = None) -> None:
        self._stepped = stepped
        self.places: list[tuple[int | None, timedelta | None]] = []
        self.orders: list[str] = []

    def step(self, step: StepReport) -> None:
        if self._stepped is not None:
            self._stepped(step)

    def queued(self, position: int | None, wait: timedelta | None) -> None:
        self.places.append((position, wait))

    async def placed(self, order_id: str) -> None:
        self.orders.append(order_id)
