"""Writing jobs: decide on a header, send one batch over exactly that header, and find out what became of it.

Every write leaves a token of its own in the header. After an answer that was lost the header is read again: with the
token in it the write was done. At the version it was made over it was not, and the same batch is sent again, of which
Firestore takes one at most. At any other version it was not, and never will be.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from google.cloud.firestore_v1 import AsyncClient, AsyncDocumentReference, AsyncWriteBatch

from atelier.errors import AtelierError
from atelier.frozen import frozen
from atelier.jobs.models import Job, Json, Record
from atelier.stores import serialisation as codec
from atelier.stores.firestore import headers
from atelier.stores.firestore.calls import LOST, MOVED, ONCE, Calls, in_time, pauses
from atelier.stores.firestore.headers import RESULT, RESULT_BYTES, TOKENS, Expiry, Fields, Header
from atelier.stores.firestore.layout import Layout
from atelier.stores.firestore.parts import check_sizes, cut

KNOWN = 2000
"""Most headers that are remembered, to be written over without a look."""

DELETES = 400
"""Most documents removed at once."""


@frozen
class Change:
    """What to write over a header: the next one, its new records and parts."""

    job: Job
    records: tuple[Record, ...] = ()
    parts: Mapping[str, Json] = field(default_factory=dict)


@frozen
class Written:
    """A header and what was written over it: the next one with this change, or nothing."""

    before: Header
    after: Header | None = None
    change: Change | None = None


Plan = Callable[[Job], Change | None]
"""Decides on a header. None: nothing is to be written. May run again on a newer one; what it raises is raised."""


class Writer:
    """The writes of one process; those to one job take turns."""

    def __init__(self, client: AsyncClient, calls: Calls, expiry: Expiry) -> None:
        self._client, self._calls, self._expiry = client, calls, expiry
        self._layout = Layout(client)
        self._known: OrderedDict[str, Header] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self, job_id: str) -> Header | None:
        """Read a header. Raises StoreUnavailable."""
        place = self._layout.job(job_id)
        document = await self._calls.read(lambda: place.get(**ONCE))
        if not document.exists:
            self._known.pop(job_id, None)
            return None
        return self._remember(headers.load(document))

    async def create(self, change: Change) -> tuple[Header, bool]:
        """Write a new job; it, or the one that has its id already, and whether it is new."""
        after = self._next(Header(job=change.job), change)
        async with in_time():
            found, done = await self._attempt(None, after, change)
        assert found is not None, "while there is none it is sent again"  # noqa: S101 - narrows the type
        return found, done

    async def write(self, job_id: str, plan: Plan) -> Written | None:
        """Decide and write. None: no such job. Raises what the plan raises, having written nothing."""
        async with in_time(), self._turn(job_id):
            header = self._known.get(job_id)
            change = _guess(plan, header) if header is not None else None
            if header is None or change is None:  # what an old header says is not believed
                header = await self.load(job_id)
                change = plan(header.job) if header is not None else None
            for pause in pauses():
                if header is None:
                    return None
                if change is None:
                    return Written(before=header)
                found, done = await self._attempt(header, self._next(header, change), change)
                if done:
                    return Written(before=header, after=found, change=change)
                await asyncio.sleep(pause)
                header, change = found, plan(found.job) if found is not None else None
        raise AssertionError  # the pauses have no end, the time has

    async def delete(self, job_id: str) -> None:
        """Remove an ended job with everything beside it."""
        async with in_time(), self._turn(job_id):
            for pause in pauses():
                header = await self.load(job_id)
                if header is None or not header.job.status.terminal:
                    return
                try:
                    await self._remove(header)
                except (*MOVED, *LOST):
                    await asyncio.sleep(pause)
                else:
                    self._known.pop(job_id, None)
                    return

    def _turn(self, job_id: str) -> asyncio.Lock:
        return self._turns.setdefault(job_id, asyncio.Lock())

    def _remember(self, header: Header) -> Header:
        self._known[header.job.id] = header
        self._known.move_to_end(header.job.id)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return header

    async def _attempt(self, before: Header | None, after: Header, change: Change) -> tuple[Header | None, bool]:
        """Send until the outcome is known: the header after it and True, or the one that was found instead."""
        for pause in pauses():
            try:
                results = await self._calls.once(lambda: self._batch(before, after, change).commit(**ONCE))
                return self._remember(replace(after, version=results[0].update_time)), True
            except (*MOVED, *LOST):
                found = await self.load(after.job.id)
            if found is not None and after.tokens[0] in found.tokens:
                return replace(after, version=found.version if found.tokens[0] == after.tokens[0] else None), True
            if _version(found) != _version(before):
                return found, False
            await asyncio.sleep(pause)
        raise AssertionError  # the pauses have no end, the time has

    def _next(self, before: Header, change: Change) -> Header:
        """Return the header after a change, with a token of its own."""
        result = change.parts.get(RESULT)
        carried = result if result is not None and len(codec.dump_part(result).encode()) <= RESULT_BYTES else None
        kept = {key: part for key, part in change.parts.items() if key != RESULT or carried is None}
        pieces = (place for place, _ in cut(kept))
        return Header(
            job=change.job,
            tail=headers.tail_of((*before.tail, *map(codec.dump_record, change.records))),
            result=carried,
            parts=tuple(dict.fromkeys((*before.parts, *pieces))),
            tokens=(headers.new_token(), *before.tokens)[:TOKENS],
            expires_at=self._expiry.of(change.job, before.expires_at),
        )

    def _batch(self, before: Header | None, after: Header, change: Change) -> AsyncWriteBatch:
        """Return all documents of a write; the header's is the first. Raises TooLarge."""
        job, batch, expires = after.job, self._client.batch(), {"expires_at": after.expires_at}
        fields, place = headers.dump(after), self._layout.job(job.id)
        kept = {key: part for key, part in change.parts.items() if key != RESULT or after.result is None}
        pieces = {piece: body | expires for piece, body in cut(kept)}
        lines = [{"record": codec.dump_record(record)} | expires for record in change.records]
        check_sizes([fields, *lines, *pieces.values()])
        if before is None:
            batch.create(place, fields)
        else:
            batch.update(place, fields, option=self._client.write_option(last_update_time=before.version))
            if before.expires_at != after.expires_at:
                self._postpone(batch, before, pieces.keys(), expires)
        for reference, line in zip(self._lines(job, change.records), lines, strict=True):
            batch.create(reference, line)
        for piece, body in pieces.items():
            batch.set(self._layout.parts(job.id).document(piece), body)
        return batch

    def _lines(self, job: Job, records: tuple[Record, ...]) -> list[AsyncDocumentReference]:
        return self._layout.records(job.id, records[0].seq, records[-1].seq) if records else []

    def _postpone(self, batch: AsyncWriteBatch, before: Header, written: Iterable[str], expires: Fields) -> None:
        """Let everything that is there stay as long as the header."""
        for reference in self._layout.records(before.job.id, 1, before.job.seq):
            batch.update(reference, expires)
        for piece in set(before.parts) - set(written):
            batch.update(self._layout.parts(before.job.id).document(piece), expires)

    async def _remove(self, header: Header) -> None:
        """Remove what is beside the header, and the header in the last batch, over this very version."""
        parts = self._layout.parts(header.job.id)
        beside = [
            *self._layout.records(header.job.id, 1, header.job.seq),
            *(parts.document(piece) for piece in header.parts),
        ]
        while beside:
            lot, beside = beside[:DELETES], beside[DELETES:]
            batch = self._client.batch()
            for reference in lot:
                batch.delete(reference)
            if not beside:
                option = self._client.write_option(last_update_time=header.version)
                batch.delete(self._layout.job(header.job.id), option=option)
            await self._calls.once(partial(batch.commit, **ONCE))


def _guess(plan: Plan, header: Header) -> Change | None:
    """Return what a plan makes of a header that may be old."""
    try:
        return plan(header.job)
    except AtelierError:  # the plan is asked again with the present header
        return None


def _version(header: Header | None) -> datetime | None:
    return header.version if header is not None else None
