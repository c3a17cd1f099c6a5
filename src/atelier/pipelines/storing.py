"""Waiting for a storage that is away, without using attempts up: what is to be stored lies in the spool."""

from __future__ import annotations

from datetime import timedelta

from atelier.errors import StorageError, StorageFull
from atelier.jobs.models import Reason
from atelier.jobs.verdicts import stops_at
from atelier.pipelines.pictures import ImageRun

SHORTEST, LONGEST = timedelta(seconds=2), timedelta(minutes=1)
"""Pauses between two tries to store a picture; each is half of the time that the job has taken so far."""


def put_off(run: ImageRun, error: StorageError) -> None:
    """Give the slot back until another try; the attempt does not count.

    Returns where waiting does not help: the storage refuses or is full, or the job has to end before.
    """
    if not error.retryable or isinstance(error, StorageFull):
        return
    taken = run.now - (run.job.started_at or run.now)
    until = run.now + max(min(taken / 2, LONGEST), SHORTEST, error.retry_after or timedelta())
    if until < stops_at(run.job):
        run.snooze(until, Reason.STORING)
