"""Answers about jobs that have ended: they change no more, so each is written once and then sent as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from atelier.api.wire import json_of
from atelier.jobs.estimates import Outlook
from atelier.jobs.models import Snapshot

REMEMBERED, BYTES = 512, 8_000_000
"""Most answers kept, and most bytes in them: a picture's has a few thousand, a post's a hundred thousand."""


class Endings:
    """The bodies of a dialect's answers, by the job's very version and the address it was asked for at."""

    def __init__(self, to_status: Callable[[Snapshot, Outlook | None, str], object]) -> None:
        self._to_status = to_status
        self._written: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._bytes = 0

    def body(self, snapshot: Snapshot, base: str) -> bytes:
        """Return the answer about an ended job with its whole log. A retry is another version, a new job another moment."""
        job = snapshot.job
        version = (job.id, job.created_at, job.rev, base)
        written = self._written.get(version)
        if written is None:
            written = json_of(self._to_status(snapshot, None, base))
            self._keep(version, written)
        return written

    def _keep(self, version: tuple[object, ...], written: bytes) -> None:
        """Keep an answer, and forget the oldest ones beyond the bounds."""
        self._written[version] = written
        self._bytes += len(written)
        while len(self._written) > REMEMBERED or self._bytes > BYTES:
            _, forgotten = self._written.popitem(last=False)
            self._bytes -= len(forgotten)
