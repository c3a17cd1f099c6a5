"""The nursery that forks the servers of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.process.servers import Nursery


@pytest.fixture(scope="session", autouse=True)
def nursery() -> Iterator[None]:
    with Nursery.open():
        yield
