"""The house that tests of the engine live in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.house import House
from tests.jobs import Clock
from tests.stores import backend, store

from atelier.jobs.ports import Store

__all__ = ["backend", "house", "store"]


@pytest.fixture
async def house(store: Store, clock: Clock) -> AsyncIterator[House]:
    house = House(store, clock)
    yield house
    await house.engine.drain(timedelta())
