"""How long jobs take: measured, kept for every process, and a table until there is something measured."""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Literal

from atelier.jobs.models import Job
from atelier.jobs.ports import Document, Store

KIND = "samples"
"""Documents of measured durations, by pace."""

SAMPLES = 200
"""Latest durations kept of a pace; older ones say nothing about today."""

ENOUGH = 5
"""Samples from which on they are believed."""

SPREAD = 2.0
"""The table's p90 is so many times its p50."""

TRIES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Seconds that half and nine tenths of jobs of a pace take from start to end; what that rests on."""

    p50: float
    p90: float
    basis: Literal["measured", "table"]
    samples: int


class Estimates:
    """Durations by pace: what this process measured and what the others did, exchanged now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shared: dict[str, tuple[float, ...]] = {}
        self._fresh: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SAMPLES))

    def measured(self, job: Job, seconds: float) -> None:
        """Take in how long a job took that ran through in one attempt."""
        if job.pace:
            self._fresh[job.pace].append(round(max(seconds, 0.0), 3))

    def of(self, job: Job) -> Estimate:
        """Return what jobs like this one take."""
        known = (*self._shared.get(job.pace, ()), *self._fresh.get(job.pace, ()))[-SAMPLES:]
        if len(known) < ENOUGH:
            return Estimate(p50=job.expected, p90=job.expected * SPREAD, basis="table", samples=len(known))
        tenths = statistics.quantiles(known, n=10, method="inclusive")
        return Estimate(p50=round(tenths[4], 3), p90=round(tenths[8], 3), basis="measured", samples=len(known))

    async def exchange(self) -> None:
        """Add to the store what was measured here, and read what was measured everywhere."""
        for pace in [pace for pace, fresh in self._fresh.items() if fresh]:
            await self._hand_in(pace)
        after = ""
        while page := await self._store.documents(KIND, after=after):
            self._shared |= {document.name: tuple(document.body["seconds"]) for document in page}
            after = page[-1].name

    async def _hand_in(self, pace: str) -> None:
        """Append to the shared samples; who loses a race appends to what the winner wrote."""
        for _ in range(TRIES):
            fresh = tuple(self._fresh[pace])
            kept = await self._store.document(KIND, pace) or Document(kind=KIND, name=pace, rev=0, body={"seconds": []})
            merged = (*kept.body["seconds"], *fresh)[-SAMPLES:]
            if await self._store.put(KIND, pace, {"seconds": list(merged)}, if_rev=kept.rev) is not None:
                self._shared[pace] = merged
                for _ in fresh:
                    self._fresh[pace].popleft()
                return
