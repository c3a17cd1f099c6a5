"""Every query there is. firestore.indexes.json has the indexes for exactly these; a test derives it from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.cloud.firestore_v1 import AsyncCollectionReference, AsyncQuery, FieldFilter, Query
from google.cloud.firestore_v1.async_aggregation import AsyncAggregationQuery

from atelier.jobs.models import Job, Status
from atelier.jobs.ports import Find
from atelier.stores.firestore.headers import found_by
from atelier.stores.firestore.layout import Layout

NUMBER, SUM = "number", "sum"
"""Names of what is counted and added up."""

TOO_MANY = 30
"""Firestore takes so many combinations of values in one query."""


class Queries:
    """Queries over one database, not run yet."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, find: Find) -> AsyncQuery:
        """Listed jobs, newest first."""
        query = _where(self._jobs(), ("owner", "==", find.owner), ("listed", "==", True), _among("kind", find.kinds))
        if find.statuses and len(set(find.statuses)) < len(Status):
            query = _where(query, _among("status", find.statuses))
        if find.tags:
            query = _where(query, ("found_by", "array_contains", found_by(find.tags)))
        if find.created_after is not None:
            query = _where(query, ("created_at", ">", find.created_after))
        query = query.order_by("created_at", direction=Query.DESCENDING).order_by(
            "__name__", direction=Query.DESCENDING
        )
        if find.before is not None:
            query = query.start_after({"created_at": find.before[0], "__name__": self._layout.job(find.before[1])})
        return query.limit(find.limit)

    def due(self, kind: str, now: datetime, after: tuple[datetime, str] | None, limit: int) -> AsyncQuery:
        """The line of a kind, the longest due first, behind a place in it."""
        query = _where(self._queued(kind), ("run_at", "<=", now)).order_by("run_at").order_by("__name__")
        if after is not None:
            query = query.start_after({"run_at": after[0], "__name__": self._layout.jobs.document(after[1])})
        return query.select(["id", "run_at", "dispatch", "created_at"]).limit(limit)

    def waits_until(self, kind: str, now: datetime) -> AsyncAggregationQuery:
        """How many of a kind are due by now."""
        return _counted(_where(self._queued(kind), ("run_at", "<=", now)))

    def waits_longer(self, kind: str, now: datetime) -> AsyncAggregationQuery:
        """How many of a kind are due later."""
        return _counted(_where(self._queued(kind), ("run_at", ">", now)))

    def queued_of(self, kind: str, owner: str) -> AsyncAggregationQuery:
        """How many of a kind are one owner's, in groups or not: in the order of the lists, whose index counts them."""
        query = _where(self._queued(kind), ("owner", "==", owner), ("listed", "in", [True, False]))
        return _counted(query.order_by("created_at", direction=Query.DESCENDING))

    def before(self, job: Job) -> AsyncAggregationQuery:
        """How many of a job's kind are due before it."""
        return _counted(_where(self._queued(job.kind), ("run_at", "<", job.run_at)))

    def overdue(self, now: datetime, limit: int) -> AsyncQuery:
        """Jobs to look at, the longest ago first."""
        return _where(self._jobs(), ("attention_at", "<=", now)).order_by("attention_at").limit(limit)

    def held_by(self, processes: Sequence[str]) -> AsyncQuery:
        """Jobs that these processes hold, thirty processes at most."""
        return _where(self._jobs(), _among("held_by", processes))

    def finished(self, kinds: Sequence[str], before: datetime, limit: int) -> AsyncQuery:
        """Jobs without a group that ended before a moment."""
        alone = _where(self._jobs(), ("group", "==", None), _among("kind", kinds), ("completed_at", "<", before))
        return alone.order_by("completed_at").select(["id"]).limit(limit)

    def members(self, group: str) -> AsyncQuery:
        """All members of a group."""
        return _where(self._jobs(), ("group", "==", group))

    def changed(self, group: str, since: datetime) -> AsyncQuery:
        """Members that changed at a moment or behind it, in that order."""
        return _where(self.members(group), ("changed", ">=", since)).order_by("changed")

    def changes(self, group: str) -> AsyncAggregationQuery:
        """How many members a group has, and all their revisions together: any commit to one of them moves that."""
        both = AsyncAggregationQuery(self.members(group))
        both.count(alias=NUMBER)
        both.sum("rev", alias=SUM)
        return both

    def running(self, group: str, lane: str) -> AsyncAggregationQuery:
        """How many members run, of a lane or (lane empty) of all."""
        return _counted(_where(self._lane(group, lane), ("status", "==", Status.PROCESSING.value)))

    def queued_until(self, group: str, lane: str, by: datetime) -> AsyncAggregationQuery:
        """How many queued members are due by a moment."""
        return _counted(_where(self._queued_members(group, lane), ("run_at", "<=", by)))

    def queued_longer(self, group: str, lane: str, by: datetime) -> AsyncAggregationQuery:
        """How many queued members are due later."""
        return _counted(_where(self._queued_members(group, lane), ("run_at", ">", by)))

    def pending(self, group: str, lane: str, limit: int) -> AsyncQuery:
        """The next members in order of their places."""
        waiting = _where(self._lane(group, lane), ("status", "==", Status.PENDING.value))
        return waiting.order_by("place").select(["id"]).limit(limit)

    def documents(self, kind: str, after: str, limit: int) -> AsyncQuery:
        """Documents of a kind in order of their names."""
        found = _where(self._layout.documents, ("kind", "==", kind), ("name", ">", after))
        return found.order_by("name").limit(limit)

    def _jobs(self) -> Asked:
        return self._layout.jobs

    def _queued(self, kind: str) -> AsyncQuery:
        return _where(self._jobs(), ("kind", "==", kind), ("status", "==", Status.QUEUED.value))

    def _queued_members(self, group: str, lane: str) -> AsyncQuery:
        return _where(self._lane(group, lane), ("status", "==", Status.QUEUED.value))

    def _lane(self, group: str, lane: str) -> AsyncQuery:
        return _where(self.members(group), ("lane", "==", lane)) if lane else self.members(group)


Filter = tuple[str, str, Any]
Asked = AsyncCollectionReference | AsyncQuery


def _where(asked: Asked, first: Filter, *more: Filter) -> AsyncQuery:
    query: AsyncQuery = asked.where(filter=FieldFilter(*first))
    for one in more:
        query = query.where(filter=FieldFilter(*one))
    return query


def _among(name: str, values: Sequence[str]) -> Filter:
    plain = [str(value) for value in values]
    return (name, "==", plain[0]) if len(plain) == 1 else (name, "in", plain)


def _counted(query: AsyncQuery) -> AsyncAggregationQuery:
    counted = AsyncAggregationQuery(query)
    counted.count(alias=NUMBER)
    return counted
