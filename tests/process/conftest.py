"""The nursery that forks the servers of these tests, and the two pairs of store and queue they stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.process.pairs import cloud, pair, pair_emulator
from tests.process.servers import Nursery

__all__ = ["cloud", "nursery", "pair", "pair_emulator"]


@pytest.fixture(scope="session", autouse=True)
def nursery() -> Iterator[None]:
    with Nursery.open():
        yield
