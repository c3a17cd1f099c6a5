"""A queue that delays, repeats, reorders and loses, and never takes a name twice: as Cloud Tasks may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from atelier.jobs.models import Job
from atelier.jobs.ports import Ready

Name = tuple[str, int]
"""A job and a dispatch number: the name of a task."""


class Carrier:
    """`jobs.ports.Queue` outside all processes; the test delivers."""

    def __init__(self) -> None:
        self.tasks: dict[Name, datetime] = {}
        self.losses: list[bool] = []
        """What becomes of the next tasks: lost before they were made (False), or made and lost (True)."""
        self._names: set[Name] = set()

    async def dispatch(self, job: Job) -> None:
        name = (job.id, job.dispatch)
        if name in self._names:
            return
        made = self.losses.pop(0) if self.losses else None
        if made is not False:
            self._names.add(name)
        if made is None and job.run_at is not None:
            self.tasks[name] = job.run_at

    async def lost(self, waiting: Sequence[Ready]) -> Sequence[Ready]:
        return [ready for ready in waiting if (ready.job_id, ready.dispatch) not in self.tasks]

    async def withdraw(self, job: Job) -> None:
        """Leave it to its delivery, which comes late and changes nothing."""
