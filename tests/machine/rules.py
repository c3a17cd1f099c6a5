"""Everything that may happen, in any order: people, workers, the queue, time and bad luck."""

from __future__ import annotations

from tests.machine.people import People
from tests.machine.rare import Rare
from tests.machine.workers import Workers


class Machine(People, Workers, Rare):
    """The engine under everything that can go wrong at once."""
