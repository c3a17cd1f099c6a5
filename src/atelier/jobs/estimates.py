"""How long jobs take: measured, kept for every process, and a table until there is something measured."""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from atelier.frozen import frozen
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

TENTH = 10
"""What is known of a pace is worked out again when a tenth of its samples is new."""


@frozen
class Estimate:
    """Seconds that half and nine tenths of jobs of a pace take from start to end; what that rests on.

    `steps`: the job's own pace so far.
    """

    p50: float
    p90: float
    basis: Literal["measured", "table", "steps"]
    samples: int


@frozen
class Outlook:
    """What is to be expected of a job that has not ended: how many start before it, and when it may be finished.

    `ahead` None: it does not wait for a slot.
    """

    ahead: int | None
    eta: Estimate


def remaining(job: Job, whole: Estimate, turns: int, now: datetime) -> Estimate:
    """Return the seconds a job may still take: its wait for a time, for so many turns of its slots, and its own work.

    Of a job that runs, what its pace leaves over is what remains; one that is late takes as long again as it is over.
    Its own steps say more from the second on, unless earlier attempts waited in between.
    """
    if job.step is not None and job.step.step > 1 and job.attempt == 1 and job.started_at is not None:
        done = (now - job.started_at).total_seconds()
        left = round(done * (100 - job.progress) / job.progress, 1)
        return replace(whole, p50=left, p90=round(left * SPREAD, 1), basis="steps", samples=job.step.step)
    queue = job.step.queue if job.step is not None else None
    if queue is not None and queue.seconds is not None:  # the provider's own word for it
        whole = replace(whole, p50=queue.seconds + whole.p50, p90=queue.seconds * SPREAD + whole.p90)
        return replace(whole, p50=round(whole.p50, 1), p90=round(whole.p90, 1))
    wait = max((job.run_at - now).total_seconds(), 0.0) if job.run_at is not None else 0.0
    done = (now - job.started_at).total_seconds() if job.started_at is not None and job.run_at is None else 0.0
    p50 = round(wait + turns * whole.p50 + _left(whole.p50, done), 1)
    p90 = max(p50, round(wait + turns * whole.p50 + _left(whole.p90, done), 1))
    return Estimate(p50=p50, p90=p90, basis=whole.basis, samples=whole.samples)


def _left(whole: float, done: float) -> float:
    return whole - done if done < whole else min(done - whole, whole)


@dataclass(slots=True)
class Typical:
    """What was worked out of a pace's samples: seconds, of how many, and how many have come since."""

    p50: float
    p90: float
    samples: int
    since: int = 0


class Estimates:
    """Durations by pace: what this process measured and what the others did, exchanged now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Typical] = {}
        self._shared: dict[str, tuple[float, ...]] = {}
        self._fresh: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SAMPLES))

    def measured(self, job: Job, seconds: float) -> None:
        """Take in how long a job took that ran through in one attempt."""
        if job.pace:
            self._fresh[job.pace].append(round(max(seconds, 0.0), 3))
            self._grow_old(job.pace)

    def of(self, job: Job) -> Estimate:
        """Return what jobs like this one take."""
        return self.typical(job.pace, job.expected)

    def typical(self, pace: str, expected: float) -> Estimate:
        """Return what jobs of a pace take; `expected` seconds until some were measured."""
        known = self._known.get(pace)
        if known is None:
            known = self._known[pace] = self._worked_out(pace)
        if known.samples < ENOUGH:
            return Estimate(p50=expected, p90=expected * SPREAD, basis="table", samples=known.samples)
        return Estimate(p50=known.p50, p90=known.p90, basis="measured", samples=known.samples)

    def _grow_old(self, pace: str) -> None:
        """Note that a pace has a sample more: they are not all put in order again for each."""
        known = self._known.get(pace)
        if known is not None:
            known.since += 1
            if known.since * TENTH >= known.samples:
                del self._known[pace]

    def _worked_out(self, pace: str) -> Typical:
        samples = (*self._shared.get(pace, ()), *self._fresh.get(pace, ()))[-SAMPLES:]
        if len(samples) < ENOUGH:
            return Typical(0.0, 0.0, len(samples))
        tenths = statistics.quantiles(samples, n=10, method="inclusive")
        return Typical(round(tenths[4], 3), round(tenths[8], 3), len(samples))

    async def exchange(self) -> None:
        """Add to the store what was measured here, and read what was measured everywhere."""
        for pace in [pace for pace, fresh in self._fresh.items() if fresh]:
            await self._hand_in(pace)
        after = ""
        while page := await self._store.documents(KIND, after=after):
            self._shared |= {document.name: tuple(document.body["seconds"]) for document in page}
            after = page[-1].name
        self._known.clear()

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
