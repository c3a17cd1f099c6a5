"""Reading jobs: most of what is asked stands in the header; the rest is fetched behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from google.cloud.firestore_v1 import AsyncClient, AsyncDocumentReference, AsyncQuery
from google.cloud.firestore_v1.async_aggregation import AsyncAggregationQuery
from google.cloud.firestore_v1.base_aggregation import AggregationResult

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.jobs.models import Job, Json, Record, Snapshot
from atelier.jobs.ports import Due, Find, Members, Ready, Turns, Waiting
from atelier.stores import serialisation as codec
from atelier.stores.firestore import headers
from atelier.stores.firestore.calls import ONCE, Calls
from atelier.stores.firestore.headers import RESULT, Header
from atelier.stores.firestore.layout import Found, Layout
from atelier.stores.firestore.parts import join
from atelier.stores.firestore.queries import NUMBER, SUM, TOO_MANY, Queries

LATE = timedelta(seconds=10)
"""How far behind others a commit may come into view: Firestore's times are not the order of its commits."""

WHOLE = timedelta(seconds=30)
"""After this long a group is read whole, for what was later still."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TOGETHER = 300
"""Most documents asked for at once."""


class Reader:
    """The reads of one process."""

    def __init__(self, client: AsyncClient, calls: Calls) -> None:
        self._client, self._calls = client, calls
        self._layout = Layout(client)
        self._queries = Queries(self._layout)

    async def parts(self, job_id: str) -> dict[str, Json]:
        """Return by key what a run begins with."""
        found = join(await self._ask(self._layout.parts(job_id).order_by("__name__")))
        return {key: part for key, part in found.items() if key != RESULT}

    async def whole(self, header: Header, after: int) -> Snapshot | None:
        """Return a job with its records behind `after`. None: it was removed meanwhile."""
        records = await self._records(header, after)
        result = await self._result(header)
        if records is None or (result is None and not header.whole_result):
            return None
        return Snapshot(job=header.job, records=records, result=result)

    async def _records(self, header: Header, after: int) -> tuple[Record, ...] | None:
        lines: list[str] = []
        if not header.covers(after):
            found = await self.documents(self._layout.records(header.job.id, after + 1, header.before_tail))
            lines = [document.get("record") for document in found]
            if len(lines) != header.before_tail - after:
                return None
        return codec.load_records(f"[{','.join((*lines, *header.behind(after)))}]")

    async def _result(self, header: Header) -> Json | None:
        if header.whole_result:
            return header.result
        parts = self._layout.parts(header.job.id)
        pieces = [piece for piece in header.parts if piece == RESULT or piece.startswith(f"{RESULT}~")]
        return join(await self.documents([parts.document(piece) for piece in pieces])).get(RESULT)

    async def documents(
        self, places: Sequence[AsyncDocumentReference], fields: Iterable[str] | None = None
    ) -> list[Found]:
        """Return those of these documents that there are, in the same order, some hundreds at once."""
        lots = [places[start : start + TOGETHER] for start in range(0, len(places), TOGETHER)]
        found = await asyncio.gather(*(self._calls.read(partial(self._together, lot, fields)) for lot in lots))
        known = {document.reference.path: document for documents in found for document in documents}
        return [known[place.path] for place in places if place.path in known]

    async def _together(self, places: Sequence[AsyncDocumentReference], fields: Iterable[str] | None) -> list[Found]:
        found = self._client.get_all(list(places), field_paths=fields, **ONCE)
        return [document async for document in found if document.exists]

    async def find(self, find: Find) -> list[Snapshot]:
        """Return listed jobs with their results."""
        found = _readable(await self._ask(self._queries.find(find)))
        whole = await asyncio.gather(*(self.whole(header, header.job.seq) for header in found))
        return [snapshot for snapshot in whole if snapshot is not None]

    async def due(self, kind: str, now: datetime, limit: int, after: str) -> Due:
        """Take a lot from the line; the cursor is the place of its last, as long as there may be more."""
        seconds, _, place = after.partition("/")
        begin = (datetime.fromisoformat(seconds), place) if after else None
        found = await self._ask(self._queries.due(kind, now, begin, limit))
        jobs = [_ready(document) for document in found]
        more = len(found) == limit
        return Due(jobs=jobs, cursor=f"{found[-1].get('run_at').isoformat()}/{found[-1].id}" if more else "")

    async def waiting(self, kind: str, now: datetime) -> Waiting:
        """Count the line of a kind."""
        due, later = await asyncio.gather(
            self._count(self._queries.waits_until(kind, now)), self._count(self._queries.waits_longer(kind, now))
        )
        return Waiting(queued=due + later, due=due)

    async def queued_of(self, kind: str, owner: str) -> int:
        """Count an owner's part of the line."""
        return await self._count(self._queries.queued_of(kind, owner))

    async def rank(self, job: Job) -> int:
        """Count the line before a job."""
        return await self._count(self._queries.before(job))

    async def overdue(self, now: datetime, limit: int) -> list[Job]:
        """Return what the sweeper has to look at."""
        return [header.job for header in _readable(await self._ask(self._queries.overdue(now, limit)))]

    async def held_by(self, processes: Sequence[str]) -> list[Job]:
        """Return what these processes hold."""
        lots = [processes[start : start + TOO_MANY] for start in range(0, len(processes), TOO_MANY)]
        found = await asyncio.gather(*(self._ask(self._queries.held_by(lot)) for lot in lots))
        return [header.job for lot in found for header in _readable(lot)]

    async def finished(self, kinds: Sequence[str], before: datetime, limit: int) -> list[str]:
        """Return the ids of what may be forgotten."""
        return [document.get("id") for document in await self._ask(self._queries.finished(kinds, before, limit))]

    async def members(self, group: str, since: str, now: datetime) -> Members:
        """Return the members that changed; the cursor is Firestore's time of the last change, and when all were read."""
        changed, _, read = since.partition("/")
        if since and now - datetime.fromisoformat(read) < WHOLE:
            query = self._queries.changed(group, datetime.fromisoformat(changed) - LATE)
        else:
            query, changed, read = self._queries.members(group), EPOCH.isoformat(), now.isoformat()
        found = await self._ask(query)
        last = max([datetime.fromisoformat(changed), *(document.get("changed") for document in found)])
        loaded = [headers.load(document) for document in found]
        shown = await asyncio.gather(*(self.whole(header, max(header.job.seq - 1, 0)) for header in loaded))
        return Members(snapshots=[one for one in shown if one is not None], cursor=f"{last.isoformat()}/{read}")

    async def turns(self, group: str, lane: str, by: datetime, limit: int) -> Turns:
        """Count and list as of the moment of the first count."""
        queries, first = self._queries, await self._counts(self._queries.running(group, lane))
        at = first[0].read_time
        until, longer, pending = await asyncio.gather(
            self._count(queries.queued_until(group, lane, by), at),
            self._count(queries.queued_longer(group, lane, by), at),
            self._ask(queries.pending(group, lane, limit), at),
        )
        return Turns(
            active=int(first[0].value) + until, later=longer, pending=[document.get("id") for document in pending]
        )

    async def versions(self, job_ids: Sequence[str]) -> dict[str, datetime]:
        """Return by job when its header was written last; of jobs that are not there nothing."""
        places = {self._layout.job(job_id).path: job_id for job_id in job_ids}
        found = await self.documents([self._layout.job(job_id) for job_id in job_ids], ["rev"])
        return {places[document.reference.path]: document.update_time for document in found}

    async def changes(self, group: str) -> tuple[int, int]:
        """Return what any commit to a member moves: how many there are, and all their revisions together."""
        found = {one.alias: one.value for one in await self._counts(self._queries.changes(group))}
        return int(found[NUMBER]), int(found[SUM])

    async def listed(self, kind: str, after: str, limit: int) -> list[Found]:
        """Return documents of a kind in order of their names."""
        return await self._ask(self._queries.documents(kind, after, limit))

    async def _ask(self, query: AsyncQuery, at: datetime | None = None) -> list[Found]:
        return list(await self._calls.read(lambda: query.get(read_time=at, **ONCE)))

    async def _counts(self, query: AsyncAggregationQuery, at: datetime | None = None) -> list[AggregationResult]:
        return (await self._calls.read(lambda: query.get(read_time=at, **ONCE)))[0]

    async def _count(self, query: AsyncAggregationQuery, at: datetime | None = None) -> int:
        return int((await self._counts(query, at))[0].value)


def _readable(documents: Iterable[Found]) -> list[Header]:
    """Return the headers that can be read; one that cannot stands in nobody's way."""
    found = []
    for document in documents:
        try:
            found.append(headers.load(document))
        except StoreUnavailable as error:
            logs.warning("job_unreadable", reason=error.message)
    return found


def _ready(document: Found) -> Ready:
    return Ready(job_id=document.get("id"), dispatch=document.get("dispatch"), created_at=document.get("created_at"))
