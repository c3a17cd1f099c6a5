"""Waiting for a storage or spool that is away, without using attempts up: what is to be stored lies in the spool."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

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
    until = _again_at(run, error)
    if until < stops_at(run.job):
        run.snooze(until, Reason.STORING)


async def hold(run: ImageRun, error: StorageError) -> None:
    """Wait for another try, slot and all: what was paid for lies nowhere else yet, so a full storage is waited for, too.

    Raises the error where waiting does not help.
    """
    until = _again_at(run, error)
    if not error.retryable or until >= stops_at(run.job):
        raise error
    await asyncio.sleep((until - run.now).total_seconds())


def _again_at(run: ImageRun, error: StorageError) -> datetime:
    taken = run.now - (run.job.started_at or run.now)
    return run.now + max(min(taken / 2, LONGEST), SHORTEST, error.retry_after or timedelta())
