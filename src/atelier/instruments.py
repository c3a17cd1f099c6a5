"""Counters and histograms for what is counted two dozen times for each job: the client library's own take a lock each time.

They belong to one thread, the event loop's; what other threads count, the library counts. Any thread may read them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1.0) -> None:
        """Let it grow."""
        self.value += by


class Series:
    """How often what was observed lay below each bound and above the one before, and the `total` of it."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self._counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, amount: float) -> None:
        """Take it in."""
        self._counts[bisect_left(self._bounds, amount)] += 1
        self.total += amount

    def buckets(self) -> list[tuple[str, float]]:
        """Return how often it lay below each bound, as Prometheus counts it."""
        names = (*(str(float(bound)) for bound in self._bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


One = TypeVar("One")


class _Instrument(ABC, Generic[One]):
    """A metric of a registry: one of its kind for each combination of labels that was asked for."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._known: dict[tuple[str, ...], One] = {}
        registry.register(self)

    def labels(self, *values: str) -> One:
        """Return the one with these labels, in their order; from now on it is told of."""
        return self._known.setdefault(values, self._new())

    @abstractmethod
    def collect(self) -> Iterator[Metric]:
        """Tell all of it, as the client library writes it."""

    @abstractmethod
    def _new(self) -> One: ...


class Counter(_Instrument[Count]):
    """How often something happened."""

    def collect(self) -> Iterator[Metric]:
        """Tell all of it."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in list(self._known.items()):
            family.add_metric(values, count.value)
        yield family

    def _new(self) -> Count:
        return Count()


class Histogram(_Instrument[Series]):
    """How large something was, in buckets up to `bounds`."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str], registry: CollectorRegistry, bounds: Sequence[float]
    ) -> None:
        self._bounds = bounds
        super().__init__(name, meaning, labels, registry)

    def collect(self) -> Iterator[Metric]:
        """Tell all of it."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, series in list(self._known.items()):
            family.add_metric(values, series.buckets(), series.total)
        yield family

    def _new(self) -> Series:
        return Series(self._bounds)
