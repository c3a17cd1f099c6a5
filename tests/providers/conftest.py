"""A vendor on loopback for each test, and a Horde that is looked at more often than one may."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.canaries import WATCH
from tests.providers.fakes import Fake, faking
from tests.providers.subjects import KEY

from atelier.providers import stable_horde


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with faking() as server:
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable_horde, "LEAST_PAUSE", 0.01)
    monkeypatch.setattr(stable_horde, "MOST_PAUSE", 0.02)


@pytest.fixture(autouse=True)
def the_key_is_searched_for() -> None:
    WATCH.know(KEY, "the key of a vendor")
