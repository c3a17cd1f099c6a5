"""How many calls a quota allows in a window, as arithmetic on the last starts. Pure; moments are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from atelier.frozen import frozen
from atelier.jobs.models import Json

GUARD = timedelta(seconds=1)
"""A slot is this much later than the window allows: half is for a start that comes late, half for the way to the provider."""

SAME = 1e-4
"""Seconds by which a moment differs from itself after it was written down."""

PATIENCE = timedelta(seconds=2)
"""Slots are reserved at most this far ahead; whoever would wait longer is told when its turn comes."""


@frozen
class Allowance:
    """At most `starts` calls begin in any window of length `per`, over all keys of the `bucket`."""

    bucket: str
    starts: int
    per: timedelta = timedelta(minutes=1)

    @property
    def per_minute(self) -> float:
        """Starts that a minute has room for."""
        return self.starts * 60 / self.per.total_seconds()

    @property
    def spacing(self) -> float:
        """Seconds from a start to the n-th after it."""
        return (self.per + GUARD).total_seconds()


@frozen
class Ring:
    """The last starts of a bucket, and the turns promised to callers who wait; both ascending.

    Twice as many starts are kept as a window allows: one that is given back shows what was before it.
    """

    starts: tuple[float, ...] = ()
    turns: tuple[float, ...] = ()

    def free_at(self, allowance: Allowance, now: float) -> float:
        """Return when the next call may start."""
        return _next(self.starts, allowance, now)

    def turn_at(self, allowance: Allowance, now: float) -> float:
        """Return when the next call may start once all who were promised a turn have had it."""
        return _next(sorted((*self.starts, *self._waiting(now))), allowance, now)

    def started(self, allowance: Allowance, at: float, now: float) -> Ring:
        """Return it with a call that starts at `at`; a turn promised for then is kept by it."""
        starts = tuple(sorted((*self.starts, at))[-2 * allowance.starts :])
        return Ring(starts=starts, turns=self._waiting(now))

    def without(self, at: float) -> Ring:
        """Return it without a start that did not take place."""
        left = list(self.starts)
        for start in self.starts:
            if abs(start - at) < SAME:
                left.remove(start)
                break
        return Ring(starts=tuple(left), turns=self.turns)

    def promised(self, allowance: Allowance, at: float, now: float) -> Ring:
        """Return it with a turn promised for `at`."""
        turns = tuple(sorted((*self._waiting(now), at))[-allowance.starts :])
        return Ring(starts=self.starts, turns=turns)

    def body(self) -> Json:
        """Return it as a document."""
        return {"starts": list(self.starts), "turns": list(self.turns)}

    def _waiting(self, now: float) -> tuple[float, ...]:
        """Those who come a moment early for their turn no longer wait for it."""
        return tuple(turn for turn in self.turns if turn > now + PATIENCE.total_seconds())


def ring_of(body: Json) -> Ring:
    """Read a document."""
    return Ring(starts=tuple(body["starts"]), turns=tuple(body["turns"]))


@frozen
class Chosen:
    """What a caller gets: the bucket, the moment, whether it is reserved (else it is a turn to come back for)."""

    bucket: str
    at: float
    reserved: bool
    ring: Ring


def choose(allowances: Sequence[Allowance], rings: Mapping[str, Ring], now: float) -> Chosen:
    """Reserve the earliest slot among the buckets; where all are more than a moment away, promise the earliest turn."""
    best = min(allowances, key=lambda each: rings[each.bucket].free_at(each, now))
    free = rings[best.bucket].free_at(best, now)
    if free - now <= PATIENCE.total_seconds():
        ring = rings[best.bucket].started(best, free, now)
        return Chosen(bucket=best.bucket, at=free, reserved=True, ring=ring)
    best = min(allowances, key=lambda each: rings[each.bucket].turn_at(each, now))
    turn = rings[best.bucket].turn_at(best, now)
    ring = rings[best.bucket].promised(best, turn, now)
    return Chosen(bucket=best.bucket, at=turn, reserved=False, ring=ring)


def _next(starts: Sequence[float], allowance: Allowance, now: float) -> float:
    if len(starts) < allowance.starts:
        return now
    return max(now, starts[-allowance.starts] + allowance.spacing)
