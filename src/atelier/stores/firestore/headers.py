"""A job's header as a document: its JSON text, and beside it the few fields that queries ask for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from google.cloud.firestore_v1 import SERVER_TIMESTAMP

from atelier.frozen import frozen
from atelier.jobs.models import Job, Json
from atelier.jobs.ports import process_of
from atelier.stores import serialisation as codec
from atelier.stores.firestore.layout import Found

TAIL_BYTES = 16 * 1024
"""How much of the end of its log a header carries, so that most readers need nothing else."""

RESULT_BYTES = 32 * 1024
"""Largest result that a header carries; a larger one is a part."""

RESULT = "result"
"""The part that a completed job shows; its first document has this id, too."""

TOKENS = 16
"""How many of the latest writes a header knows by their tokens: more than can happen while one waits for its answer."""

MARGIN = timedelta(days=7)
"""How long after its time Firestore itself removes what the sweeper should have."""

SLACK = timedelta(days=1)
"""How far a deadline may move before that moment moves with it: it stands in every document of the job."""

Fields = dict[str, Any]


@frozen
class Header:
    """A job's header document as it was at one version."""

    job: Job
    tail: tuple[str, ...] = ()
    """Its last records as JSON."""
    result: Json | None = None
    parts: tuple[str, ...] = ()
    """Ids of the documents of its parts."""
    tokens: tuple[str, ...] = ()
    expires_at: datetime | None = None
    version: datetime | None = None
    """Firestore's time of its last change: what a write is made over. None before it was written."""

    @property
    def whole_result(self) -> bool:
        """Whether the result, if there is one, is here."""
        return RESULT not in self.parts

    def covers(self, after: int) -> bool:
        """Whether the tail has every record behind `after`."""
        return after >= self.before_tail

    @property
    def before_tail(self) -> int:
        """The number of the last record that the tail has not."""
        return self.job.seq - len(self.tail)

    def behind(self, after: int) -> tuple[str, ...]:
        """Return the tail's records behind `after`, as JSON."""
        return self.tail[max(after - self.before_tail, 0) :]


class Expiry:
    """When Firestore may remove a job by itself: jobs of some kinds are kept for a time, all others for good."""

    def __init__(self, keep: Mapping[str, timedelta]) -> None:
        self._keep = keep

    def of(self, job: Job, before: datetime | None = None) -> datetime | None:
        """Return an upper bound of its time; `before` is what was said last. Unlisted jobs belong to something kept."""
        keep = self._keep.get(job.kind)
        if keep is None or not job.listed:
            return None
        bound = job.must_finish_by + keep + MARGIN
        return before if before is not None and bound <= before + SLACK else bound


def new_token() -> str:
    """Return what a write is known by."""
    return secrets.token_hex(8)


def dump(header: Header) -> Fields:
    """Return the document."""
    job = header.job
    return {
        "header": codec.dump_job(job),
        "tail": list(header.tail),
        "result": codec.dump_part(header.result) if header.result is not None else None,
        "parts": list(header.parts),
        "tokens": list(header.tokens),
        "id": job.id,
        "owner": job.owner,
        "kind": job.kind,
        "status": job.status.value,
        "listed": job.listed,
        "found_by": list(_found_by(job.tags)),
        "group": job.group,
        "place": job.place,
        "lane": job.lane,
        "dispatch": job.dispatch,
        "rev": job.rev,
        "held_by": process_of(job.worker) if job.worker is not None else None,
        "run_at": job.run_at,
        "attention_at": job.attention_at,
        "created_at": job.created_at,
        "completed_at": job.completed_at,
        "expires_at": header.expires_at,
        "changed": SERVER_TIMESTAMP,
    }


def load(document: Found) -> Header:
    """Return the header. Raises StoreUnavailable for one that cannot be read."""
    fields = document.to_dict() or {}
    result = fields.get("result")
    return Header(
        job=codec.load_job(fields["header"]),
        tail=tuple(fields["tail"]),
        result=codec.load_part(result) if result is not None else None,
        parts=tuple(fields["parts"]),
        tokens=tuple(fields["tokens"]),
        expires_at=fields["expires_at"],
        version=document.update_time,
    )


def tail_of(lines: Sequence[str]) -> tuple[str, ...]:
    """Return as many of the last lines as a header carries."""
    size, kept = 0, 0
    for line in reversed(lines):
        size += len(line.encode())
        if size > TAIL_BYTES:
            break
        kept += 1
    return tuple(lines[len(lines) - kept :])


def found_by(tags: Mapping[str, str]) -> str:
    """Return the one entry by which a job with all of these tags is found."""
    return "\x1f".join(f"{name}={value}" for name, value in sorted(tags.items()))


def _found_by(tags: Mapping[str, str]) -> Iterator[str]:
    """Yield an entry for every choice of tags: Firestore asks for one entry of a list in a query, not for two."""
    for number in range(1, len(tags) + 1):
        for some in combinations(sorted(tags.items()), number):
            yield found_by(dict(some))
