"""The two pairs of store and queue that the servers of these tests stand on, which the nursery forks."""

from __future__ import annotations

import pytest
from tests.process.pairs import cloud, pair, pair_emulator

__all__ = ["cloud", "pair", "pair_emulator"]


@pytest.fixture(scope="session", autouse=True)
def forked(nursery: None) -> None:
    """Every server may be forked."""
