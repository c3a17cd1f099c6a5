"""Answers about jobs that have ended: they change no more, so each is written once and then sent as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pydantic import BaseModel

from atelier.jobs.estimates import Outlook
from atelier.jobs.models import Snapshot

REMEMBERED, CHARACTERS = 512, 8_000_000
"""Most answers kept, and most characters in them: a picture's has a few thousand, a post's a hundred thousand."""


class Endings:
    """The bodies of a dialect's answers, by the job's very version and the address it was asked for at."""

    def __init__(self, to_status: Callable[[Snapshot, Outlook | None, str], BaseModel]) -> None:
        self._to_status = to_status
        self._written: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._characters = 0

    def body(self, snapshot: Snapshot, base: str) -> str:
        """Return the answer about an ended job with its whole log. A retry is another version, a new job another moment."""
        job = snapshot.job
        version = (job.id, job.created_at, job.rev, base)
        written = self._written.get(version)
        if written is None:
            written = self._to_status(snapshot, None, base).model_dump_json()
            self._keep(version, written)
        return written

    def _keep(self, version: tuple[object, ...], written: str) -> None:
        """Keep an answer, and forget the oldest ones beyond the bounds."""
        self._written[version] = written
        self._characters += len(written)
        while len(self._written) > REMEMBERED or self._characters > CHARACTERS:
            _, forgotten = self._written.popitem(last=False)
            self._characters -= len(forgotten)
