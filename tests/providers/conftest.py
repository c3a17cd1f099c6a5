"""A vendor on loopback for each test, and a Horde that is looked at more often than one may."""

from __future__ import annotations

import pytest
from tests.canaries import WATCH
from tests.providers.fakes import fake, impatience
from tests.providers.subjects import KEY

__all__ = ["fake", "impatience"]


@pytest.fixture(autouse=True)
def the_key_is_searched_for() -> None:
    WATCH.know(KEY, "the key of a vendor")
