"""A score that says what it was made from: checks, each with its weight, its share and its evidence."""

from __future__ import annotations

from collections.abc import Iterable

from atelier.frozen import frozen


@frozen
class Check:
    """One thing that was looked at: how much it weighs, how far it holds (0 to 1), and what was seen."""

    name: str
    weight: float
    share: float
    evidence: str


@frozen
class Score:
    """0 to 100, one decimal, and the checks it is the weighted mean of."""

    value: float
    checks: tuple[Check, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was seen, the weightiest shortcoming first."""
        return tuple(
            check.evidence for check in sorted(self.checks, key=lambda check: check.weight * (check.share - 1))
        )


def scored(checks: Iterable[Check]) -> Score:
    """Return the weighted mean of the shares times 100; without any weight 0."""
    looked = tuple(checks)
    weight = sum(check.weight for check in looked)
    value = sum(check.weight * check.share for check in looked) / weight * 100 if weight else 0.0
    return Score(value=round(value, 1), checks=looked)


def within(value: float, low: float, high: float) -> float:
    """Return how far a value lies in a range: 1 inside; below it value/low, above it high/value."""
    if value < low:
        return max(value, 0.0) / low
    return high / value if value > high else 1.0
