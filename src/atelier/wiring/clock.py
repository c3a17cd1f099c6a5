"""The process's clock: the wall clock's time, except that it never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

PACE = 0.9
"""Seconds told for each that passes while the wall clock is behind: so it is caught up with, and nothing waits much longer."""


class ForwardClock:
    """Tells the time to everything that runs. What was due stays due: a moment that was told once lies in the past for good.

    A step forward is followed. Behind a step back time passes more slowly until the wall clock has caught up: a step of ten
    minutes is made up for in a hundred. Any thread may ask; what two of them are told at once differs by no more than they do.
    """

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._latest = self._base = wall()
        self._since = 0.0
        self._behind: datetime | None = None
        """What was told last while the wall clock was behind: as long as it is the latest, `_base` and `_since` hold."""
        self._turn = threading.RLock()  # a finaliser may ask in the middle of an answer

    def __call__(self) -> datetime:
        """Return the present moment in UTC."""
        moment = self._wall()
        if moment >= self._latest:
            self._latest = moment
            return moment
        return self._slowly()

    def _slowly(self) -> datetime:
        with self._turn:
            now = self._monotonic()
            if self._behind is not self._latest:
                self._base, self._since = self._latest, now
            passed = timedelta(seconds=(now - self._since) * PACE)
            self._latest = self._behind = self._base + passed
            return self._latest


utc_now = ForwardClock(partial(datetime.now, UTC), time.monotonic)
"""The present moment, for all of this process."""
