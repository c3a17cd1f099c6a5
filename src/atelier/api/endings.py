"""Answers about jobs that have ended: they change no more, so each is written once and then sent as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pydantic import BaseModel

from atelier.jobs.estimates import Outlook
from atelier.jobs.models import Snapshot

REMEMBERED = 512
"""Most answers kept; a few kilobytes each."""


class Endings:
    """The bodies of a dialect's answers, by the job's very version and the address it was asked for at."""

    def __init__(self, to_status: Callable[[Snapshot, Outlook | None, str], BaseModel]) -> None:
        self._to_status = to_status
        self._written: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def body(self, snapshot: Snapshot, base: str) -> str:
        """Return the answer about an ended job with its whole log. A retry is another version, a new job another moment."""
        job = snapshot.job
        version = (job.id, job.created_at, job.rev, base)
        written = self._written.get(version)
        if written is None:
            written = self._written[version] = self._to_status(snapshot, None, base).model_dump_json()
            if len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
        return written
